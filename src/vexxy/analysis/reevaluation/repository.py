"""SQL about kept packages and their statements."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Row,
    Text,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from vexxy.analysis.reevaluation import wire
from vexxy.analysis.reevaluation.models import PackageRow, StatementRow
from vexxy.analysis.reevaluation.types import (
    Current,
    KeptPackage,
    Place,
    Revision,
    Statement,
    Stored,
)
from vexxy.analysis.submission.models import AnalysisRow

REVISIONS_MAX: Final = 200

_QUESTIONS: Final = text(
    "insert into advisory_states (question) select unnest(cast(:questions as text[]))"
    " on conflict do nothing"
)
_STATES: Final = text(
    "select question, digest, known_at from advisory_states order by question"
)
_APPLIED: Final = text(
    "update advisory_states set digest = :digest, applied_at = now()"
    " where question = :question"
)
_KNOWN: Final = text(
    "update advisory_states set known_at = :known_at"
    " where digest is not null and (known_at is null or known_at < :known_at)"
)
_ORGANIZATIONS: Final = text(
    "select distinct organization_id from analysis_packages"
    " where question = any(cast(:questions as text[]))"
    " or other_question = any(cast(:questions as text[])) order by organization_id"
)


def exists(session: Session, analysis_id: UUID) -> bool:
    """Return whether something is kept of the analysis."""
    query = select(PackageRow.ordinal).where(PackageRow.analysis_job_id == analysis_id)
    return session.scalar(query.limit(1)) is not None


def add_packages(
    session: Session,
    packages: Sequence[KeptPackage],
    *,
    organization_id: UUID,
    analysis_id: UUID,
) -> None:
    """Store one row a package, and the questions about them."""
    rows = [
        {
            "organization_id": organization_id,
            "analysis_job_id": analysis_id,
            "ordinal": place,
            "purl": one.purl,
            "question": next(iter(one.questions), None),
            "other_question": next(iter(one.questions[1:]), None),
            "ground": one.ground,
        }
        for place, one in enumerate(packages)
    ]
    if rows:
        session.execute(upsert(PackageRow).on_conflict_do_nothing(), rows)
        asked = sorted({question for one in packages for question in one.questions})
        session.execute(_QUESTIONS, {"questions": asked})


def add_statements(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store decisions; each is a mapping of the table's columns."""
    if rows:
        session.execute(insert(StatementRow), rows)


def remove(session: Session, analysis_id: UUID) -> None:
    """Forget what is kept of the analysis."""
    for table in (StatementRow, PackageRow):
        session.execute(delete(table).where(table.analysis_job_id == analysis_id))


def find_current(session: Session, analysis_id: UUID) -> Current | None:
    """Return the findings that hold, None when nothing is kept."""
    latest = (
        select(StatementRow.revision, StatementRow.finding)
        .where(StatementRow.analysis_job_id == analysis_id)
        .ext(distinct_on(StatementRow.ordinal, StatementRow.vulnerability_id))
        .order_by(
            StatementRow.ordinal,
            StatementRow.vulnerability_id,
            StatementRow.revision.desc(),
        )
    )
    rows = session.execute(latest).all()
    if not rows:
        return Current(1, ()) if exists(session, analysis_id) else None
    return Current(
        revision=max(row.revision for row in rows),
        findings=tuple(row.finding for row in rows if row.finding is not None),
    )


def list_revisions(session: Session, analysis_id: UUID) -> Sequence[Revision]:
    """Return the steps of an analysis's history, newest first."""
    query = (
        select(
            StatementRow.revision,
            func.min(StatementRow.decided_at),
            func.min(StatementRow.cause),
            func.count(),
        )
        .where(StatementRow.analysis_job_id == analysis_id)
        .group_by(StatementRow.revision)
        .order_by(StatementRow.revision.desc())
        .limit(REVISIONS_MAX)
    )
    return [Revision(*row) for row in session.execute(query)]


def list_stored(
    session: Session,
    questions: Sequence[str] | None,
    *,
    analysis_id: UUID | None = None,
    after: Place | None = None,
    limit: int,
) -> Sequence[Stored]:
    """Return kept packages, by analysis and place, with the statements that hold.

    Args:
        session: Bound to one organization.
        questions: Only packages that one of these is about; None for all.
        analysis_id: Only of this analysis; None for all.
        after: Where the last batch ended.
        limit: Most packages to return.
    """
    place = tuple_(PackageRow.analysis_job_id, PackageRow.ordinal)
    query = select(PackageRow.analysis_job_id, PackageRow.ordinal, PackageRow.ground)
    if questions is not None:
        asked = any_(bindparam("asked", list(questions), ARRAY(Text)))
        either = or_(PackageRow.question == asked, PackageRow.other_question == asked)
        query = query.where(either)
    if analysis_id is not None:
        query = query.where(PackageRow.analysis_job_id == analysis_id)
    if after is not None:
        query = query.where(place > tuple_(after.analysis_id, after.ordinal))
    rows = session.execute(query.order_by(place).limit(limit)).all()
    known = _statements(session, [(row.analysis_job_id, row.ordinal) for row in rows])
    return [
        Stored(
            row.analysis_job_id,
            row.ordinal,
            wire.unpack_ground(row.ground),
            tuple(known.get((row.analysis_job_id, row.ordinal), ())),
        )
        for row in rows
    ]


_HOLDING: Final = text(
    "select distinct on (s.analysis_job_id, s.ordinal, s.vulnerability_id)"
    " s.analysis_job_id, s.ordinal, s.vulnerability_id, s.match_digest, s.finding"
    " from unnest(cast(:ids as uuid[]), cast(:ordinals as integer[]))"
    " as wanted (analysis_job_id, ordinal)"
    " join analysis_statements s using (analysis_job_id, ordinal)"
    " order by s.analysis_job_id, s.ordinal, s.vulnerability_id, s.revision desc"
)


def _statements(
    session: Session, places: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], list[Statement]]:
    found: dict[tuple[UUID, int], list[Statement]] = {}
    if not places:
        return found
    wanted = {
        "ids": [str(analysis_id) for analysis_id, _ in places],
        "ordinals": [ordinal for _, ordinal in places],
    }
    for row in session.execute(_HOLDING, wanted):
        found.setdefault((row.analysis_job_id, row.ordinal), []).append(
            Statement(row.ordinal, row.vulnerability_id, row.match_digest, row.finding)
        )
    return found


_BUMP: Final = text(
    "with mine as (select analysis_job_id from analysis_revisions"
    " where analysis_job_id = any(cast(:ids as uuid[]))"
    " order by analysis_job_id for update)"
    " update analysis_revisions r set revision = revision + 1 from mine"
    " where r.analysis_job_id = mine.analysis_job_id"
    " returning r.analysis_job_id, r.revision"
)
_BEGIN: Final = text(
    "insert into analysis_revisions (analysis_job_id, organization_id)"
    " values (:analysis_id, :organization_id)"
)
_UNPUBLISHED: Final = text(
    "select analysis_job_id, revision from analysis_revisions"
    " where revision > published_revision"
    " and (cast(:after as uuid) is null or analysis_job_id > :after)"
    " order by analysis_job_id limit :limit"
)
_COUNT_UNPUBLISHED: Final = text(
    "select count(*) from analysis_statements s join analysis_revisions r"
    " on r.analysis_job_id = s.analysis_job_id and s.revision > r.published_revision"
    " where s.analysis_job_id = :analysis_id"
)
_PUBLISHED: Final = text(
    "update analysis_revisions set published_revision = :revision"
    " where analysis_job_id = :analysis_id and published_revision < :revision"
)
_ADD_CHANGE: Final = text(
    "insert into advisory_changes (id, questions) values (:id, cast(:questions as text[]))"
)
_FIND_CHANGE: Final = text("select questions from advisory_changes where id = :id")


def begin_revisions(session: Session, organization_id: UUID, analysis_id: UUID) -> None:
    """Begin the count of an analysis's revisions at 1, which is published."""
    values = {"analysis_id": analysis_id, "organization_id": organization_id}
    session.execute(_BEGIN, values)


def next_revisions(session: Session, analyses: Iterable[UUID]) -> dict[UUID, int]:
    """Raise the revision of each analysis and return it; they stay locked.

    Locked in one order, so that two batches wait for each other instead of failing.
    """
    wanted = sorted(map(str, analyses))
    if not wanted:
        return {}
    rows = session.execute(_BUMP, {"ids": wanted})
    return {row.analysis_job_id: row.revision for row in rows}


def list_unpublished(session: Session, *, after: UUID | None, limit: int) -> Sequence[UUID]:
    """Return analyses whose VEX document does not yet say what holds, by id."""
    rows = session.execute(_UNPUBLISHED, {"after": after, "limit": limit})
    return [row.analysis_job_id for row in rows]


def count_unpublished(session: Session, analysis_id: UUID) -> int:
    """Return how many statements the document of an analysis does not yet say."""
    found = session.execute(_COUNT_UNPUBLISHED, {"analysis_id": analysis_id})
    return int(found.scalar_one())


def note_published(session: Session, analysis_id: UUID, revision: int) -> None:
    """Remember that the document says what held at the revision."""
    session.execute(_PUBLISHED, {"analysis_id": analysis_id, "revision": revision})


def add_change(session: Session, change_id: UUID, questions: Sequence[str]) -> None:
    """Keep which questions have new answers; as SYSTEM."""
    session.execute(_ADD_CHANGE, {"id": change_id, "questions": list(questions)})


def find_change(session: Session, change_id: UUID) -> Sequence[str] | None:
    """Return the questions of a change."""
    found: Sequence[str] | None = session.scalar(_FIND_CHANGE, {"id": change_id})
    return found


def list_states(session: Session) -> dict[str, Row[Any]]:
    """Return every question that stored packages ask: `digest` and `known_at`.

    The digest is of the answer that was applied last, `known_at` when the advisories
    that gave it were brought up to date; both are None where nothing was applied.
    """
    return {row.question: row for row in session.execute(_STATES)}


def note_applied(
    session: Session, digests: dict[str, bytes], *, known_at: datetime | None
) -> None:
    """Remember that these answers were applied to everything stored, and their age."""
    if digests:
        rows = [{"question": one, "digest": digest} for one, digest in digests.items()]
        session.execute(_APPLIED, rows)
    session.execute(_KNOWN, {"known_at": known_at})


def list_organizations(session: Session, questions: Sequence[str]) -> Sequence[UUID]:
    """Return who has a package that one of the questions is about; as SYSTEM."""
    rows = session.execute(_ORGANIZATIONS, {"questions": list(questions)})
    return [row.organization_id for row in rows]


def lock_results(session: Session, analysis_id: UUID) -> dict[str, Any] | None:
    """Return what identifies the image of an analysis, locked until the end."""
    row = AnalysisRow
    query = select(row.image_ref, row.summary).where(row.id == analysis_id)
    found = session.execute(query.with_for_update()).one_or_none()
    if found is None:
        return None
    return {"image_ref": found.image_ref, "summary": found.summary}


def write_results(
    session: Session,
    analysis_id: UUID,
    *,
    findings: list[dict[str, Any]],
    summary: dict[str, Any],
) -> None:
    """Put the findings that hold into the analysis."""
    row = AnalysisRow
    session.execute(
        update(row)
        .where(row.id == analysis_id)
        .values(reachability_results=findings, summary=summary)
    )


def name_document(session: Session, analysis_id: UUID, vex_id: UUID) -> None:
    """Tell the analysis which VEX document it has now."""
    row = AnalysisRow
    named = update(row).where(row.id == analysis_id).values(generated_vex_id=vex_id)
    session.execute(named)
