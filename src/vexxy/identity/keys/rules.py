"""What an API key may be."""

from datetime import datetime, timedelta
from typing import Final

from vexxy.identity.errors import NotYours, UnusableKeyRequest
from vexxy.identity.keys.types import NewKey
from vexxy.identity.types import Permission

KEYS_MAX: Final = 50
LIFETIME_MAX: Final = timedelta(days=3660)
DEFAULT_SCOPES: Final = frozenset({Permission.ANALYSIS_READ, Permission.ANALYSIS_WRITE})


def scopes(wanted: NewKey, permissions: frozenset[Permission]) -> frozenset[Permission]:
    """Return what the key may do.

    Raises:
        UnusableKeyRequest: Nothing at all.
        NotYours: More than the one who makes it.
    """
    if wanted.scopes is None:
        return DEFAULT_SCOPES & permissions
    chosen = frozenset(wanted.scopes)
    if not chosen:
        raise UnusableKeyRequest("a key without scopes could do nothing")
    if not chosen <= permissions:
        missing = ", ".join(sorted(chosen - permissions))
        raise NotYours(f"you lack what the key shall have: {missing}")
    return chosen


def check_expiry(expires_at: datetime | None, *, now: datetime) -> None:
    """Refuse a key that ends before it begins, or practically never.

    Raises:
        UnusableKeyRequest: It does.
    """
    if expires_at is None:
        return
    if not now < expires_at <= now + LIFETIME_MAX:
        raise UnusableKeyRequest(
            "expires_at is not within the next ten years", hint="leave it out for no end"
        )
