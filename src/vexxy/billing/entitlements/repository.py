"""SQL of overrides; the organization's account is locked for writes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from vexxy.billing.entitlements.models import OverrideRow
from vexxy.billing.entitlements.types import NewOverride, Override


def add(
    session: Session,
    override_id: UUID,
    new: NewOverride,
    *,
    organization_id: UUID,
    created_by: str,
    now: datetime,
) -> OverrideRow:
    """Insert an override."""
    row = OverrideRow(
        id=override_id,
        organization_id=organization_id,
        feature=new.feature,
        limit_value=new.limit_value,
        unlimited=new.unlimited,
        reason=new.reason,
        expires_at=new.expires_at,
        created_by=created_by,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def find(session: Session, organization_id: UUID, override_id: UUID) -> OverrideRow | None:
    """Return an override of the organization, also one that is over."""
    row = OverrideRow
    query = select(row).where(row.id == override_id, row.organization_id == organization_id)
    return session.scalars(query).one_or_none()


def list_unended(session: Session, organization_id: UUID) -> Sequence[OverrideRow]:
    """Return those that nobody ended, also where their time is over."""
    row = OverrideRow
    query = select(row).where(
        row.organization_id == organization_id, row.ended_at.is_(None)
    )
    return session.scalars(query).all()


def list_(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> Sequence[OverrideRow]:
    """Return overrides, also those that are over, newest first."""
    row = OverrideRow
    query = (
        select(row)
        .where(row.organization_id == organization_id)
        .order_by(row.created_at.desc(), row.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return session.scalars(query).all()


def override_of(row: OverrideRow) -> Override:
    """Return the override that a row is."""
    return Override(
        id=row.id,
        organization_id=row.organization_id,
        feature=row.feature,
        limit_value=row.limit_value,
        unlimited=row.unlimited,
        reason=row.reason,
        expires_at=row.expires_at,
        created_by=row.created_by,
        created_at=row.created_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )
