"""Set, list and end overrides; ask which of them hold."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.catalog.service import Plans
from vexxy.billing.entitlements import repository, rules
from vexxy.billing.entitlements.errors import OverrideNotFound, OverrideOver
from vexxy.billing.entitlements.types import NewOverride, Override
from vexxy.billing.ledger import service as ledger
from vexxy.kit import clock, ids


def live(
    session: Session, organization_id: UUID, *, now: datetime | None = None
) -> Mapping[str, Override]:
    """Return the overrides that hold, by what they are about; nothing is locked."""
    found = map(repository.override_of, repository.list_unended(session, organization_id))
    return rules.live(found, clock.instant() if now is None else now)


def list_(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> list[Override]:
    """Return overrides, also those that are over, newest first."""
    rows = repository.list_(session, organization_id, limit=limit, offset=offset)
    return [repository.override_of(row) for row in rows]


def allow(
    session: Session,
    organization_id: UUID,
    new: NewOverride,
    *,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Override:
    """Let an override hold from now on, in place of one about the same thing.

    It holds for every decision that is taken after the commit, and ends by itself.

    Raises:
        OverrideRefused: Nothing asks about it, or it is without reason or end.
    """
    moment = clock.instant() if now is None else now
    rules.check(new, plans.catalog.plans.values(), now=moment)
    # Of two operators one after the other; decisions wait at the same lock.
    ledger.lock(session, organization_id)
    for row in repository.list_unended(session, organization_id):
        if row.feature == new.feature:
            row.ended_at, row.ended_by = moment, actor.id
    session.flush()
    row = repository.add(
        session,
        ids.new_id(),
        new,
        organization_id=organization_id,
        created_by=actor.id,
        now=moment,
    )
    override = repository.override_of(row)
    _record(session, override, actor, action="override.set", after=_told(override))
    return override


def end(
    session: Session,
    organization_id: UUID,
    override_id: UUID,
    *,
    actor: Actor,
    now: datetime | None = None,
) -> Override:
    """End an override before its time.

    Raises:
        OverrideNotFound: The organization has none of that id.
        OverrideOver: It ended before, by hand or by itself.
    """
    moment = clock.instant() if now is None else now
    ledger.lock(session, organization_id)
    row = repository.find(session, organization_id, override_id)
    if row is None:
        raise OverrideNotFound(override_id)
    if row.ended_at is not None or row.expires_at <= moment:
        raise OverrideOver(override_id)
    row.ended_at, row.ended_by = moment, actor.id
    session.flush()
    override = repository.override_of(row)
    _record(session, override, actor, action="override.ended", before=_told(override))
    return override


def _told(override: Override) -> dict[str, Any]:
    limit = override.limit_value
    return {
        "feature": override.feature,
        "limit_value": None if limit is None else str(limit),
        "unlimited": override.unlimited,
        "reason": override.reason,
        "expires_at": clock.rfc3339(override.expires_at),
    }


def _record(
    session: Session,
    override: Override,
    actor: Actor,
    *,
    action: str,
    **states: Any,  # noqa: ANN401
) -> None:
    audit.record(
        session,
        Act(
            action=action,
            actor=actor,
            organization_id=override.organization_id,
            resource_type="override",
            resource_id=override.id,
            **states,
        ),
    )
