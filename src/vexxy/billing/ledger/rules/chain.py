"""The hash chain of an organization's record.

Each row carries SHA-256 over the row before and everything that itself says, so that no
row can be changed, taken out, put in or moved without breaking all that follow.

What is hashed is the previous row's 32 bytes (zeros before the first) and then one JSON
array, without blanks and in UTF-8: the version of this form, then the fields of `FACTS`
in that order. Ids are lower-case text, instants whole microseconds since 1970 UTC, an
entry is `{"account":…,"credits":…,"lot_id":…}`, what is absent is null.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import msgspec

from vexxy.billing.ledger.types import Posted

VERSION: Final = 1
FACTS: Final = (
    "id",
    "organization_id",
    "sequence",
    "kind",
    "key",
    "credits",
    "entries",
    "credits_amount",
    "balance_after",
    "created_at",
    "resolves",
    "reverses",
    "expires_at",
    "source",
    "priority",
    "unlimited",
    "event_type",
    "analysis_job_id",
    "description",
    "stripe_event_id",
    "asked_credits",
)
START: Final = bytes(32)
_CREATED: Final = 1 + FACTS.index("created_at")
_EXPIRES: Final = 1 + FACTS.index("expires_at")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_facts = attrgetter(*FACTS)
_encode = msgspec.json.Encoder().encode


def seal(posted: Posted, previous: bytes) -> None:
    """Set the hash of a transaction that was just made and nobody has seen yet."""
    object.__setattr__(posted, "chain", _link(posted, previous))


def holds(previous: bytes, posted: Posted) -> bool:
    """Return whether the row is the one that was hashed."""
    return posted.chain == _link(posted, previous)


def _link(posted: Posted, previous: bytes) -> bytes:
    facts: list[object] = [VERSION, *_facts(posted)]
    facts[_CREATED] = (posted.created_at - _EPOCH) // _MICROSECOND
    if posted.expires_at is not None:
        facts[_EXPIRES] = (posted.expires_at - _EPOCH) // _MICROSECOND
    return hashlib.sha256(previous + _encode(facts)).digest()
