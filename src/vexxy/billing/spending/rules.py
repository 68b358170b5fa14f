"""Holds that an organization makes for work of its own: their names in the ledger."""

import hashlib
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from vexxy.billing.ledger.types import Hold, Release, Settle

# No analysis's, operator's or period's key begins like this.
NAMESPACE: Final = "hold:"
SECONDS_MIN: Final = 60
SECONDS_MAX: Final = 7 * 24 * 3600
# The record is for ever: it holds neither words nor names that somebody chose.
HELD: Final = "credits set aside for work of the organization's own"
CHARGED: Final = "work of the organization's own"
RELEASED: Final = "set aside and not needed"


def hold_key(key: str) -> str:
    """Return the name of a hold in the ledger; what the caller chose is not in it."""
    return NAMESPACE + hashlib.sha256(key.encode()).hexdigest()


def settle_key(key: str) -> str:
    """Return the name of what charges the hold."""
    return f"{hold_key(key)}:settle"


def void_key(key: str) -> str:
    """Return the name of what releases the hold."""
    return f"{hold_key(key)}:void"


def lapse_key(hold_id: UUID) -> str:
    """Return the name under which the ledger's sweep ends a hold whose time is over."""
    return f"hold:{hold_id}:expire"


def hold(
    key: str,
    credits: int,  # noqa: A002  the ledger's word
    *,
    seconds: int,
    unlimited: bool,
    now: datetime,
) -> Hold:
    """Return the request that sets credits aside."""
    return Hold(
        key=hold_key(key),
        credits=credits,
        expires_at=now + timedelta(seconds=seconds),
        unlimited=unlimited,
        description=HELD,
    )


def settle(key: str, credits: int) -> Settle:  # noqa: A002  the ledger's word
    """Return the request that charges what the work cost."""
    return Settle(
        key=settle_key(key), hold_key=hold_key(key), credits=credits, description=CHARGED
    )


def void(key: str) -> Release:
    """Return the request that releases everything."""
    return Release(key=void_key(key), hold_key=hold_key(key), description=RELEASED)
