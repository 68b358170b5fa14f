"""Grace periods and usage alerts."""

revision = "20261121_1060"
down_revision = "20261121_1050"


def upgrade() -> None:
    """Create the tables."""


def downgrade() -> None:
    """Remove them."""
