"""Identifiers that tell a stranger nothing: neither how many there are nor when."""

import uuid


def new_id() -> uuid.UUID:
    """Return a random identifier (version 4)."""
    return uuid.uuid4()
