"""`/analysis/{a}/diff/{b}`: two analyses side by side (contract, section 3)."""

from typing import Final
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, Field

from vexxy.analysis.comparison import service as comparison
from vexxy.analysis.comparison.types import Comparison
from vexxy.http import openapi
from vexxy.http.deps import Transaction, require
from vexxy.http.fields import Instant
from vexxy.http.routing import Router
from vexxy.identity.types import Permission
from vexxy.kit.errors import Conflict
from vexxy.vex.types import Difference, Justification
from vexxy.vex.types import Status as VexStatus

router: Final = Router(prefix="/analysis", tags=["analysis"])
READING: Final = [Depends(require(Permission.ANALYSIS_READ))]


class DifferenceView(BaseModel):
    """One vulnerability of one package whose statement differs."""

    vulnerability_id: str
    package_purl: str
    before_status: VexStatus | None
    after_status: VexStatus | None
    before_justification: Justification | None
    after_justification: Justification | None
    detail: str


class SideView(BaseModel):
    """One of the two analyses."""

    job_id: UUID
    created_at: Instant
    completed_at: Instant | None


class DiffView(BaseModel):
    """What differs from the first analysis to the second."""

    before: SideView
    after: SideView
    summary: dict[str, int]
    new: list[DifferenceView]
    gone: list[DifferenceView]
    changed: list[DifferenceView]
    stale: list[DifferenceView] = Field(
        description="Stated before, of versions that are not installed any more"
    )
    now_fixable: list[DifferenceView] = Field(
        description="Stated after, with a fix that was not known before"
    )


@router.get(
    "/{job_id}/diff/{other_id}",
    dependencies=READING,
    responses=openapi.responses(Conflict),
)
def diff(job_id: UUID, other_id: UUID, session: Transaction) -> DiffView:
    """Say what differs from this analysis to another."""
    return _diff_view(comparison.compare(session, job_id, other_id))


def _diff_view(found: Comparison) -> DiffView:
    parts = {
        "new": found.new,
        "gone": found.gone,
        "changed": found.changed,
        "stale": found.stale,
        "now_fixable": found.now_fixable,
    }
    return DiffView(
        before=SideView.model_validate(found.before, from_attributes=True),
        after=SideView.model_validate(found.after, from_attributes=True),
        summary={name: len(part) for name, part in parts.items()},
        **{name: [_difference(one) for one in part] for name, part in parts.items()},
    )


def _difference(one: Difference) -> DifferenceView:
    before, after = one.before, one.after
    return DifferenceView(
        vulnerability_id=one.vulnerability,
        package_purl=one.purl,
        before_status=before.status if before else None,
        after_status=after.status if after else None,
        before_justification=before.justification if before else None,
        after_justification=after.justification if after else None,
        detail=one.detail,
    )
