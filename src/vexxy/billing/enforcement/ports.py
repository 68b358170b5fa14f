"""What enforcement needs from those who know how much there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session


class Gauge(Protocol):
    """Reads a level that is a fact of other rows, such as active users."""

    def __call__(self, session: Session, organization_id: UUID, /) -> Decimal:
        """Return the level now, as this transaction sees it."""


Gauges = Mapping[str, Gauge]


@dataclass(frozen=True, slots=True)
class Use:
    """What an act wants to use.

    Attributes:
        metric: Of the catalog; one that it does not know is without limit.
        quantity: How much more: what is added, or the new level where the metric is a
            level that nobody reads here. A function is asked under the lock.
        gauge: Reads the level where it is a fact of other rows; the quantity is added.
    """

    organization_id: UUID
    metric: str
    quantity: Decimal | Gauge = Decimal(1)
    gauge: Gauge | None = None
