"""Compare two analyses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.analysis.comparison import rules
from vexxy.analysis.comparison.types import Comparison
from vexxy.analysis.documents import service as documents
from vexxy.analysis.documents.errors import VexNotFound
from vexxy.analysis.submission import service as submission
from vexxy.analysis.submission.errors import AnalysisUnfinished
from vexxy.analysis.submission.types import Progress, Status
from vexxy.vex import service as vex
from vexxy.vex.types import Change, Difference, Document


@dataclass(frozen=True, slots=True)
class _Side:
    progress: Progress
    document: Document
    findings: Sequence[Any]
    packages: Sequence[str]


def compare(session: Session, before_id: UUID, after_id: UUID) -> Comparison:
    """Return what differs from one complete analysis to another, of any two images.

    Raises:
        AnalysisNotFound: One of them is none of the organization's.
        AnalysisUnfinished: One of them is not complete.
    """
    before, after = _side(session, before_id), _side(session, after_id)
    between = vex.diff(before.document, after.document)
    stale = vex.diff(before.document, before.document, packages=after.packages)
    pairs = rules.newly_fixable(
        rules.fixable(before.findings), rules.fixable(after.findings)
    )
    fixable = vex.diff(after.document, after.document, fixable=pairs)
    return Comparison(
        before=before.progress,
        after=after.progress,
        new=_of(between, Change.NEW),
        gone=_of(between, Change.GONE),
        changed=_of(between, Change.CHANGED),
        stale=stale,
        now_fixable=fixable,
    )


def _side(session: Session, analysis_id: UUID) -> _Side:
    progress = submission.get_progress(session, analysis_id)
    if progress.status is not Status.COMPLETE:
        raise AnalysisUnfinished(analysis_id, progress.status)
    findings, packages = submission.read_findings(session, analysis_id)
    return _Side(progress, _document(session, progress), findings, packages)


def _document(session: Session, progress: Progress) -> Document:
    """Return what an analysis states; one without findings states nothing."""
    vex_id = documents.vex_id_of(progress.job_id)
    try:
        return documents.document_of(documents.get_vex(session, vex_id))
    except VexNotFound:
        return Document(
            id=f"urn:uuid:{vex_id}",
            author="",
            timestamp=progress.created_at,
            version=0,
            statements=(),
        )


def _of(differences: Sequence[Difference], change: Change) -> tuple[Difference, ...]:
    return tuple(one for one in differences if one.change is change)
