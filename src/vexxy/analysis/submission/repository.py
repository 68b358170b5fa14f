"""All SQL about analyses. Row-level security adds the organization.

Every change of a state names the states it may come from: whoever comes late changes
nothing and is told so.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, Select, Text, cast, func, select, text, update
from sqlalchemy.orm import Session, undefer

from vexxy.analysis.documents.models import VexRow
from vexxy.analysis.submission import rules
from vexxy.analysis.submission.models import AnalysisRow
from vexxy.analysis.submission.types import Filter, Status

_DOCUMENTS: Final = (
    AnalysisRow.execution_profile,
    AnalysisRow.reachability_results,
    AnalysisRow.security_findings,
    AnalysisRow.summary,
    AnalysisRow.skipped_features,
)


_LEFT: Final = text("""
select analysis.id, job.state, job.error from premium_analysis_jobs as analysis
left join jobs as job on job.id = analysis.queue_job_id
where analysis.status in ('queued', 'running', 'analyzing')
  and analysis.updated_at < :before
  and (job.id is null or job.state in ('done', 'failed', 'cancelled'))
order by analysis.updated_at limit :limit
""")


# As text: put together for every row, the statement took longer than it ran.
_INSERTED: Final = (
    "id",
    "organization_id",
    "submitted_by",
    "image_ref",
    "image_digest",
    "sbom_id",
    "profile",
    "sealed_environment",
    "status",
    "priority",
    "queue_job_id",
    "deadline_seconds",
    "estimated_duration_minutes",
    "estimated_cost_credits",
    "reuse_allowed",
    "created_at",
)
_INSERT: Final = text(
    f"insert into premium_analysis_jobs (config, skipped_features, {', '.join(_INSERTED)})"  # noqa: S608
    " values (cast(:config as jsonb), cast(:skipped_features as jsonb),"
    f" {', '.join(f':{name}' for name in _INSERTED)})"
)


def insert(session: Session, row: AnalysisRow) -> None:
    """Insert an analysis that was just submitted; the object itself stays outside."""
    values = {name: getattr(row, name) for name in _INSERTED}
    values["config"] = json.dumps(row.config)
    values["skipped_features"] = json.dumps(row.skipped_features)
    session.execute(_INSERT, values)


def find(session: Session, analysis_id: UUID) -> AnalysisRow | None:
    """Return the analysis without its documents."""
    return session.get(AnalysisRow, analysis_id, populate_existing=True)


def lock(session: Session, analysis_id: UUID) -> AnalysisRow | None:
    """Return the analysis with what running it takes, locked until the end."""
    row = AnalysisRow
    query = (
        select(row)
        .where(row.id == analysis_id)
        .options(
            undefer(row.config), undefer(row.sealed_environment), undefer(row.observation)
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.scalars(query).one_or_none()


def read_profile(session: Session, analysis_id: UUID) -> Mapping[str, Any] | None:
    """Return the stored execution profile."""
    query = select(AnalysisRow.execution_profile).where(AnalysisRow.id == analysis_id)
    return session.scalars(query).one_or_none()


def find_results(session: Session, analysis_id: UUID) -> RowMapping | None:
    """Return the analysis with its documents as text, and its VEX document."""
    row = AnalysisRow
    query = (
        select(
            row.id.label("job_id"),
            row.status,
            row.image_ref,
            row.image_digest,
            VexRow.document.label("vex_document"),
            VexRow.id.label("generated_vex_id"),
            *(cast(column, Text).label(column.key) for column in _DOCUMENTS),
            row.cost_credits,
            row.created_at,
            row.started_at,
            row.completed_at,
            row.error_message,
        )
        .outerjoin(VexRow, VexRow.analysis_job_id == row.id)
        .where(row.id == analysis_id)
    )
    return session.execute(query).mappings().one_or_none()


def find_findings(
    session: Session, analysis_id: UUID
) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]] | None:
    """Return the verdicts and the purls of the inventory, as they are stored."""
    row = AnalysisRow
    query = select(row.reachability_results, row.packages).where(row.id == analysis_id)
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0] or (), found[1] or ())


def list_progress(
    session: Session, analysis_ids: Collection[UUID]
) -> Sequence[AnalysisRow]:
    """Return those of the analyses that the organization has."""
    query = select(AnalysisRow).where(AnalysisRow.id.in_(analysis_ids))
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _chosen(query: Select[Any], wanted: Filter) -> Select[Any]:
    row = AnalysisRow
    if wanted.status is not None:
        query = query.where(row.status == wanted.status.value)
    if wanted.image_ref is not None:
        query = query.where(row.image_ref == wanted.image_ref)
    if wanted.image_digest is not None:
        query = query.where(row.image_digest == wanted.image_digest)
    return query


def list_(
    session: Session, wanted: Filter, *, skip: int, limit: int
) -> Sequence[AnalysisRow]:
    """Return analyses without their documents, newest first."""
    order = (AnalysisRow.created_at.desc(), AnalysisRow.id.desc())
    query = _chosen(select(AnalysisRow), wanted).order_by(*order)
    return session.scalars(query.offset(skip).limit(limit)).all()


def count(session: Session, wanted: Filter) -> int:
    """Return how many analyses there are."""
    query = _chosen(select(func.count()).select_from(AnalysisRow), wanted)
    return int(session.scalars(query).one())


def change(
    session: Session,
    analysis_id: UUID,
    *,
    from_: Collection[Status],
    **values: Any,  # noqa: ANN401  columns of the table
) -> bool:
    """Change columns if the analysis is in one of the states; return whether it was.

    The row is locked by it until the end, so of two that want to end an analysis the
    second changes nothing.
    """
    statement = (
        update(AnalysisRow)
        .where(
            AnalysisRow.id == analysis_id,
            AnalysisRow.status.in_([status.value for status in from_]),
        )
        .values(values)
        .returning(AnalysisRow.id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(statement).one_or_none() is not None


def become(
    session: Session,
    analysis_id: UUID,
    status: Status,
    **values: Any,  # noqa: ANN401  columns of the table
) -> bool:
    """Bring the analysis into a state, if it may come there from where it is."""
    allowed = rules.before(status)
    return change(session, analysis_id, from_=allowed, status=status.value, **values)


def list_left(
    session: Session, *, before: datetime, limit: int
) -> Sequence[tuple[UUID, str | None, str | None]]:
    """Return unfinished analyses whose job is over: id, the job's state and error.

    As SYSTEM. There should be none but those that are about to be ended: an analysis
    ends with its job, or right before it.
    """
    found = session.execute(_LEFT, {"before": before, "limit": limit})
    return [(row.id, row.state, row.error) for row in found]
