"""SQL of the acts."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from vexxy.audit import rules
from vexxy.audit.models import AuditEntry
from vexxy.audit.types import Act, ActorType, Entry, Filter, State
from vexxy.kit import ids

_EXACT: Final = ("action", "actor_id", "resource_type", "resource_id")

# As text: put together for every act, the statement took as long as all else of the act.
_INSERT: Final = text(
    "insert into billing_audit_log (id, organization_id, action, actor_type, actor_id,"
    " resource_type, resource_id, before_state, after_state, metadata, ip_address,"
    " user_agent) values (:id, :organization_id, :action, :actor_type, :actor_id,"
    " :resource_type, :resource_id, cast(:before_state as jsonb),"
    " cast(:after_state as jsonb), cast(:context as jsonb), cast(:ip_address as inet),"
    " :user_agent)"
)

_REMOVE: Final = text("select owner, entries from vexxy_audit_remove(:before, :rows)")
_NAMES_NOBODY: Final = (
    "before_state is null and after_state is null and ip_address is null"
    " and user_agent is null and metadata = '{\"erased\": true}'"
)
# By position, so that a second run goes on where the first one ended.
_BLANK: Final = text(
    "update billing_audit_log set before_state = null, after_state = null,"  # noqa: S608  a constant
    " ip_address = null, user_agent = null, metadata = '{\"erased\": true}'"
    " where id in (select id from billing_audit_log"
    f" where organization_id = :organization_id and not ({_NAMES_NOBODY})"
    " order by position limit :rows)"
)
_UNBLANKED: Final = text(
    "select count(*) from billing_audit_log"  # noqa: S608  a constant
    f" where organization_id = :organization_id and not ({_NAMES_NOBODY})"
)


def append(session: Session, act: Act) -> UUID:
    """Insert an act; return its id."""
    values = columns(act)
    session.execute(_INSERT, values)
    entry_id: UUID = values["id"]
    return entry_id


def columns(act: Act) -> dict[str, Any]:
    """Return the act as a row with an id of its own; states are JSON."""
    actor = act.actor
    context = dict(act.metadata)
    if actor.api_key_id is not None:
        context["key_id"] = actor.api_key_id
    if actor.request_id is not None:
        context["request_id"] = actor.request_id
    return {
        "id": ids.new_id(),
        "organization_id": act.organization_id,
        "action": rules.checked_action(act.action),
        "actor_type": actor.type.value,
        "actor_id": rules.text(actor.id),
        "resource_type": act.resource_type,
        "resource_id": None
        if act.resource_id is None
        else rules.text(str(act.resource_id)),
        "before_state": _json(act.before),
        "after_state": _json(act.after),
        "context": _json(context),
        "ip_address": rules.address(actor.ip_address),
        "user_agent": None if actor.user_agent is None else rules.text(actor.user_agent),
    }


def remove_older(
    session: Session, *, before: datetime, limit: int
) -> Mapping[UUID | None, int]:
    """Remove entries of before the instant; return how many, by organization.

    The database writes down what it removes, and refuses an instant of the last year.
    """
    rows = session.execute(_REMOVE, {"before": before, "rows": limit})
    return {row.owner: row.entries for row in rows}


def blank(session: Session, organization_id: UUID, *, limit: int) -> int:
    """Empty what may name a person in entries of an organization that is being erased."""
    values = {"organization_id": organization_id, "rows": limit}
    return session.execute(_BLANK, values).rowcount  # type: ignore[attr-defined, no-any-return]


def count_unblanked(session: Session, organization_id: UUID) -> int:
    """Return how many entries of an organization still say more than who did what."""
    values = {"organization_id": organization_id}
    return int(session.execute(_UNBLANKED, values).scalar_one())


def _json(state: State | None) -> str | None:
    return None if state is None else json.dumps(rules.kept(state))


def count_entries(session: Session, wanted: Filter) -> int:
    """Return how many acts match; the session's organization bounds them."""
    query = select(func.count()).select_from(AuditEntry).where(*_conditions(wanted))
    return session.scalars(query).one()


def list_entries(
    session: Session, wanted: Filter, *, limit: int, offset: int = 0
) -> list[Entry]:
    """Return acts, newest first."""
    query = (
        select(AuditEntry)
        .where(*_conditions(wanted))
        .order_by(AuditEntry.position.desc())
        .limit(limit)
        .offset(offset)
    )
    return [_entry(row) for row in session.scalars(query)]


def list_page(
    session: Session, wanted: Filter, *, before: int | None, limit: int
) -> tuple[list[Entry], int | None]:
    """Return acts older than a position, newest first, and where they end."""
    query = select(AuditEntry).where(*_conditions(wanted))
    if before is not None:
        query = query.where(AuditEntry.position < before)
    rows = session.scalars(query.order_by(AuditEntry.position.desc()).limit(limit)).all()
    return [_entry(row) for row in rows], rows[-1].position if rows else None


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found = [
        getattr(AuditEntry, name) == value
        for name in _EXACT
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.since is not None:
        found.append(AuditEntry.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(AuditEntry.created_at < wanted.until)
    return found


def _entry(row: AuditEntry) -> Entry:
    return Entry(
        id=row.id,
        organization_id=row.organization_id,
        action=row.action,
        actor_type=ActorType(row.actor_type),
        actor_id=row.actor_id,
        resource_type=row.resource_type,
        resource_id=row.resource_id,
        before_state=row.before_state,
        after_state=row.after_state,
        metadata=row.context,
        # The driver reads inet as an address object.
        ip_address=None if row.ip_address is None else str(row.ip_address),
        user_agent=row.user_agent,
        created_at=row.created_at,
    )
