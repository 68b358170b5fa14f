"""Room for the tables of evidence; filled in by its own change."""

revision = "20261121_0950"
down_revision = "20261121_0940"


def upgrade() -> None:
    """Create nothing yet."""


def downgrade() -> None:
    """Remove nothing yet."""
