"""Usage events and their totals."""

revision = "20261121_1040"
down_revision = "20261121_1030"


def upgrade() -> None:
    """Create the tables."""


def downgrade() -> None:
    """Remove them."""
