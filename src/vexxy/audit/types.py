"""An act and the one who acted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

# What JSON can hold; ids and instants are written as text.
State: TypeAlias = Mapping[str, object]


class ActorType(StrEnum):
    """Whose will an act was."""

    USER = "user"
    SYSTEM = "system"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where.

    Attributes:
        type: Whose will it is.
        id: The user's id, or the name of the part of the system.
        ip_address: The address of the request, or None for background work.
        user_agent: What the client calls itself; it is the client's word.
        api_key_id: The key that the user acted through, or None.
        request_id: The request the act belongs to, or None.
    """

    type: ActorType
    id: str
    ip_address: str | None = None
    user_agent: str | None = None
    api_key_id: UUID | None = None
    request_id: str | None = None


def system(name: str, **origin: str | None) -> Actor:
    """Return a part of the product as the one who acts, such as `retention`.

    Args:
        name: Which part.
        origin: The fields of an actor about the request, where there was one.
    """
    return Actor(ActorType.SYSTEM, name, **origin)  # type: ignore[arg-type]


def webhook(name: str, **origin: str | None) -> Actor:
    """Return a program that called us, such as `stripe`, as the one who acts."""
    return Actor(ActorType.WEBHOOK, name, **origin)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that changed, or was refused, and should be remembered.

    Attributes:
        action: `noun.verb-in-the-past`, such as `member.role_changed`.
        actor: Who did it.
        organization_id: Whose it is, or None where it is nobody's.
        resource_type: What kind of thing it was done to, such as `user`.
        resource_id: Which one, or None where it has no id.
        before: The fields that changed, as they were; None for a new thing.
        after: The same fields, as they are; None for a thing that is gone.
        metadata: What else helps to understand it.
    """

    action: str
    actor: Actor
    organization_id: UUID | None
    resource_type: str
    resource_id: UUID | str | None = None
    before: State | None = None
    after: State | None = None
    metadata: State = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """An act as it is kept."""

    id: UUID
    organization_id: UUID | None
    action: str
    actor_type: ActorType
    actor_id: str
    resource_type: str
    resource_id: str | None
    before_state: State | None
    after_state: State | None
    metadata: State
    ip_address: str | None
    user_agent: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are wanted; a field that is None filters nothing."""

    action: str | None = None
    actor_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
