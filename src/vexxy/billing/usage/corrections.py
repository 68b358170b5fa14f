"""Replacing an event by another, which is the only way to take one back."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.usage import repository, rules
from vexxy.billing.usage.errors import (
    CorrectedBefore,
    IdTaken,
    InvalidEvents,
    NoSuchEvent,
)
from vexxy.billing.usage.types import Corrected, Correction, Days


def correct(
    session: Session,
    organization_id: UUID,
    correction: Correction,
    *,
    actor: Actor,
    kept_since: date | None = None,
) -> Corrected:
    """Replace an event, or have it count no longer; the event itself stays.

    Its day is counted again from its events, in the same transaction: a maximum cannot
    be taken back otherwise. So none of a day whose events are being removed is corrected:
    what is left of them is not what was used.

    Args:
        session: Bound to the organization.
        organization_id: Whose event it is.
        correction: What replaces which.
        actor: For the record of acts.
        kept_since: The first day whose events are all there, None for every day.

    Raises:
        InvalidEvents: The id or the quantity cannot be.
        NoSuchEvent: There is none of that id, or it is no longer kept.
        CorrectedBefore: Something replaces it already.
        IdTaken: The correction's id names another event.
    """
    _check_correction(correction)
    key, target = rules.key(correction.id), rules.key(correction.corrects)
    repository.lock(session, organization_id)
    known = repository.known(session, organization_id, [key, target])
    before = known.get(target)
    if before is None:
        raise NoSuchEvent(correction.corrects)
    day = rules.day_of(before.occurred_at)
    if kept_since is not None and day < kept_since:
        raise NoSuchEvent(correction.corrects)
    done = Corrected(
        before.metric, before.occurred_at, before.quantity, correction.quantity
    )
    if key in known:
        if not _is_the_same(known[key], correction, target):
            raise IdTaken(correction.id)
        return replace(done, replayed=True)
    corrector = repository.find_corrector(session, organization_id, target)
    if corrector is not None:
        raise CorrectedBefore(correction.corrects, corrector)
    repository.insert_correction(
        session,
        organization_id,
        key=UUID(hex=key),
        id=correction.id,
        quantity=correction.quantity,
        reason=correction.reason,
        corrects=UUID(hex=target),
    )
    following = day + timedelta(days=1)
    repository.recount(session, Days(organization_id, day, following, before.metric))
    audit.record(session, _act(organization_id, correction, done=done, actor=actor))
    return done


def _check_correction(correction: Correction) -> None:
    found = []
    if fault := rules.id_fault(correction.id):
        found.append({"loc": ["body", "id"], "message": fault})
    if correction.id == correction.corrects:
        found.append({"loc": ["body", "id"], "message": "must be an id of its own"})
    quantity = correction.quantity
    if quantity is not None and rules.quantity_text(format(quantity, "f")) is None:
        found.append({"loc": ["body", "quantity"], "message": rules.QUANTITY_MESSAGE})
    if found:
        raise InvalidEvents(found, count=len(found))


def _is_the_same(stored: Row[Any], correction: Correction, target: str) -> bool:
    if stored.corrects is None or stored.corrects.hex != target:
        return False
    return (stored.quantity if stored.counts else None) == correction.quantity


def _act(
    organization_id: UUID, correction: Correction, *, done: Corrected, actor: Actor
) -> Act:
    after = None if done.quantity_after is None else rules.plain(done.quantity_after)
    return Act(
        "usage.corrected",
        actor,
        organization_id,
        "usage_event",
        correction.corrects,
        before={"quantity": rules.plain(done.quantity_before)},
        after={"quantity": after},
        metadata={
            "metric": done.metric,
            "occurred_at": done.occurred_at,
            "correction": correction.id,
            "reason": correction.reason,
        },
    )
