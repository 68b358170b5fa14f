"""Room for the tables of analysis; filled in by its own change."""

revision = "20261121_0940"
down_revision = "20261121_0930"


def upgrade() -> None:
    """Create nothing yet."""


def downgrade() -> None:
    """Remove nothing yet."""
