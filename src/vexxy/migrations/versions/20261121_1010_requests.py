"""Room for the tables of requests; filled in by its own change."""

revision = "20261121_1010"
down_revision = "20261121_1000"


def upgrade() -> None:
    """Create nothing yet."""


def downgrade() -> None:
    """Remove nothing yet."""
