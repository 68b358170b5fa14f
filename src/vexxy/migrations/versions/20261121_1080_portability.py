"""Exports and erasures of organizations."""

revision = "20261121_1080"
down_revision = "20261121_1070"


def upgrade() -> None:
    """Create the tables."""


def downgrade() -> None:
    """Remove them."""
