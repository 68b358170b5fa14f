"""Room for the tables of notifications; filled in by its own change."""

revision = "20261121_1000"
down_revision = "20261121_0950"


def upgrade() -> None:
    """Create nothing yet."""


def downgrade() -> None:
    """Remove nothing yet."""
