"""API keys as their makers see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vexxy.identity.types import Permission


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key shall be.

    Attributes:
        scopes: What it may do at most; None for reading and submitting analyses.
        expires_at: None for a key that holds until it is revoked.
    """

    name: str
    scopes: Sequence[Permission] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key without what it is proved by."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key and its text, which is shown once and stored nowhere."""

    key: Key
    text: str
