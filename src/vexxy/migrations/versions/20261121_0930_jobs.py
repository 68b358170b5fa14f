"""Room for the tables of jobs; filled in by its own change."""

revision = "20261121_0930"
down_revision = "20261121_0920"


def upgrade() -> None:
    """Create nothing yet."""


def downgrade() -> None:
    """Remove nothing yet."""
