"""What usage refuses."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from vexxy.kit.errors import Conflict, InvalidInput, NotFound


class InvalidEvents(InvalidInput):
    """Events of a batch are not valid; none of the batch was stored.

    Args:
        errors: `{loc, message}` each, as every 400 lists them.
        count: How many events or fields are wrong, where not all are listed.
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]], *, count: int) -> None:
        super().__init__(
            "the events are not valid; none of them was stored",
            details={"errors": list(errors), "invalid": count},
        )


class NoSuchMetric(NotFound):
    """The catalog has no metric of that name."""

    def __init__(self, metric: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no metric {metric!r}",
            hint=f"the catalog has {', '.join(sorted(known)) or 'none'}",
        )


class NoSuchEvent(NotFound):
    """There is no event of that id, or it is no longer kept."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"there is no usage event {event_id!r}",
            hint="events are kept for USAGE_EVENTS_RETENTION_DAYS",
        )


class CorrectedBefore(Conflict):
    """Something replaces the event already; that is what can be corrected now."""

    def __init__(self, event_id: str, correction_id: str) -> None:
        super().__init__(
            f"the usage event {event_id!r} was corrected before",
            hint=f"correct {correction_id!r} instead",
            details={"corrected_by": correction_id},
        )


class IdTaken(Conflict):
    """The id of a correction names something else."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"the id {event_id!r} names another usage event", hint="choose a new id"
        )


class Erased(Conflict):
    """The organization was forgotten; its totals are all that is kept."""

    def __init__(self, organization_id: UUID) -> None:
        super().__init__(
            f"the organization {organization_id} was erased; its totals stay as they are"
        )


class NotKept(Conflict):
    """Of these days not every event is kept, so they cannot be counted again."""

    def __init__(self, kept_since: date) -> None:
        super().__init__(
            f"events before {kept_since} are no longer kept",
            hint=f"name days from {kept_since} on",
            details={"kept_since": str(kept_since)},
        )
