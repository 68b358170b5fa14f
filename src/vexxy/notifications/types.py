"""Values of notifications."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class EventType(StrEnum):
    """What can be heard of."""

    ANALYSIS_FINISHED = "analysis.finished"
    ANALYSIS_REEVALUATED = "analysis.reevaluated"
    SUBSCRIPTION_CHANGED = "subscription.changed"
    USAGE_THRESHOLD_REACHED = "usage.threshold_reached"
    TEST = "test"


class DeliveryState(StrEnum):
    """Where a delivery is; a dead one can be replayed."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somebody who wants to hear of events."""

    id: UUID
    url: str
    event_types: tuple[str, ...]
    is_active: bool
    disabled_reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Registered:
    """An endpoint as it was made; the secret is shown this once."""

    endpoint: Endpoint
    secret: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint.

    Attributes:
        endpoint_id: None for base VEXxy.
        last_status: The HTTP status of the last attempt; None if there was no answer.
    """

    id: UUID
    endpoint_id: UUID | None
    event_id: UUID
    event_type: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent where, and the secrets that sign it."""

    delivery_id: UUID
    event_id: UUID
    url: str
    body: Mapping[str, Any]
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Response:
    """What the other side said.

    Attributes:
        status: None when there was no answer.
        problem: Why not, a sentence without anything the other side sent.
    """

    status: int | None
    problem: str = ""

    @property
    def accepted(self) -> bool:
        """Whether it has the event now."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  2xx


@dataclass(frozen=True, slots=True)
class Core:
    """Where base VEXxy wants to hear of every organization, and its secrets."""

    url: str
    secrets: tuple[str, ...]
