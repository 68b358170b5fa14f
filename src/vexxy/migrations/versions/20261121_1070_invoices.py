"""Invoices and their lines."""

revision = "20261121_1070"
down_revision = "20261121_1060"


def upgrade() -> None:
    """Create the tables."""


def downgrade() -> None:
    """Remove them."""
