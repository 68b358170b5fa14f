"""Admissions and overrides of quotas."""

revision = "20261121_1050"
down_revision = "20261121_1040"


def upgrade() -> None:
    """Create the tables."""


def downgrade() -> None:
    """Remove them."""
