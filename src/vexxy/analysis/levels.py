"""How much an organization has at this moment: users, and what is kept for it.

A gigabyte is 10^9 bytes. What is kept is counted as it is downloaded, each content once:
SBOMs as they were sent, evidence before it was compressed.
"""

from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vexxy.analysis.documents.models import SbomRow
from vexxy.billing.enforcement.ports import Gauges
from vexxy.billing.enforcement.service import STORAGE_GB, USER_SEATS
from vexxy.evidence.models import EvidenceBlob
from vexxy.identity.members import service as members

BYTES_PER_GB: Final = 10**9


def seats(session: Session, organization_id: UUID, /) -> Decimal:
    """Return how many active users there are."""
    return Decimal(members.count_seats(session, organization_id))


def stored(session: Session, organization_id: UUID, /) -> Decimal:
    """Return the gigabytes of evidence and SBOMs."""
    evidence = select(func.coalesce(func.sum(EvidenceBlob.size_bytes), 0)).where(
        EvidenceBlob.organization_id == organization_id
    )
    sboms = select(func.coalesce(func.sum(SbomRow.size_bytes), 0)).where(
        SbomRow.organization_id == organization_id
    )
    row = session.execute(select(evidence.scalar_subquery(), sboms.scalar_subquery())).one()
    return gigabytes(int(row[0]) + int(row[1]))


def gigabytes(size_bytes: int) -> Decimal:
    """Return the size in gigabytes, exactly."""
    return Decimal(size_bytes) / BYTES_PER_GB


GAUGES: Final[Gauges] = {USER_SEATS: seats, STORAGE_GB: stored}
