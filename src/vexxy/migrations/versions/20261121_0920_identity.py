"""Room for the tables of identity; filled in by its own change."""

revision = "20261121_0920"
down_revision = "20261121_0910"


def upgrade() -> None:
    """Create nothing yet."""


def downgrade() -> None:
    """Remove nothing yet."""
