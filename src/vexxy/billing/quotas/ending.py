"""End admissions: charge or release them, once, whoever comes how often.

In the transaction that ends the analysis: its row is locked before, the organization's
account here.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, system
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.errors import HoldResolved, InsufficientCredits
from vexxy.billing.ledger.types import Hold, Release, Settle
from vexxy.billing.quotas import repository, rules
from vexxy.billing.quotas.types import Admission, Ask, Ending, State
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.kit import clock, logging

EXPIRED: Final = "expired"
ACTOR: Final = system("quotas")

log = logging.logger(__name__)


def new_hold(ask: Ask, *, now: datetime, unlimited: bool = False, number: int = 1) -> Hold:
    """Return what holds an analysis's credits; a hold that lapsed has the next number."""
    return Hold(
        key=_hold_key(ask.reference, number),
        credits=ask.credits,
        expires_at=now + rules.HOLD_FOR,
        unlimited=unlimited,
        analysis_job_id=ask.reference,
        description="held for an analysis",
    )


def _hold_key(reference: UUID, number: int) -> str:
    return f"analysis:{reference}:hold" + (f":{number}" if number > 1 else "")


def settle(
    session: Session,
    organization_id: UUID,
    reference: UUID,
    *,
    credits: int,  # noqa: A002  the ledger's word
    now: datetime | None = None,
) -> int:
    """Charge what an analysis costs and release the rest; return what was charged.

    Nothing is charged twice: a redelivered end is answered with the first one's charge.
    For 0 credits it did not give what was asked for, so it does not count either. Where
    its hold lapsed meanwhile, what is due is taken from what is available, and what is
    missing is recorded; the balance never goes below zero.
    """
    if credits == 0:
        release(session, organization_id, reference, ending=Ending.INCOMPLETE, now=now)
        return 0
    moment = clock.instant() if now is None else now
    admission = _locked(session, organization_id, reference)
    if admission is None or admission.state is not State.ADMITTED:
        return 0 if admission is None else admission.charged_credits
    charged = _charge(session, admission, credits, now=moment)
    repository.change(
        session,
        organization_id,
        reference,
        state=State.SETTLED.value,
        charged_credits=charged,
        shortfall_credits=credits - charged,
        ended_at=moment,
    )
    subscriptions.note_use(session, admission.period_id, credits_used=charged)
    if charged < credits:
        _tell_shortfall(session, admission, due=credits, charged=charged)
    return charged


def _charge(
    session: Session,
    admission: Admission,
    credits: int,  # noqa: A002  the ledger's word
    *,
    now: datetime,
) -> int:
    home, reference = admission.organization_id, admission.reference
    hold_key = _hold_key(reference, admission.hold_number)
    settlement = Settle(
        key=f"analysis:{reference}:settle",
        hold_key=hold_key,
        credits=credits,
        description="analysis completed",
    )
    try:
        ledger.post_one(session, home, settlement, now=now)
    except HoldResolved as resolved:
        if resolved.resolution != EXPIRED:
            raise
    else:
        return credits
    available = ledger.balance(session, home, now=now).available_credits
    charged = credits if admission.unlimited else min(credits, available)
    if charged:
        ask = Ask(home, reference, charged)
        number = admission.hold_number + 1
        again = new_hold(ask, now=now, unlimited=admission.unlimited, number=number)
        late = replace(settlement, hold_key=again.key, credits=charged)
        ledger.post_one(session, home, again, now=now)
        ledger.post_one(session, home, late, now=now)
    return charged


def _tell_shortfall(
    session: Session, admission: Admission, *, due: int, charged: int
) -> None:
    log.warning(
        "quotas.charge_short",
        analysis_id=admission.reference,
        due_credits=due,
        charged_credits=charged,
    )
    audit.record(
        session,
        Act(
            action="credits.charge_fell_short",
            actor=ACTOR,
            organization_id=admission.organization_id,
            resource_type="analysis",
            resource_id=admission.reference,
            after={"due_credits": due, "charged_credits": charged},
        ),
    )


def release(
    session: Session,
    organization_id: UUID,
    reference: UUID,
    *,
    ending: Ending,
    now: datetime | None = None,
) -> bool:
    """End an admission without a charge; return whether it was not over before.

    What was held is available again. Whether the analysis goes on counting among the
    period's is said by how it ended; see `Ending`.
    """
    moment = clock.instant() if now is None else now
    admission = _locked(session, organization_id, reference)
    if admission is None or admission.state is not State.ADMITTED:
        return False
    if ending is Ending.FAILED and admission.own_fault:
        ending = Ending.FAULTY
    counted = rules.goes_on_counting(ending)
    request = Release(
        key=f"analysis:{reference}:release",
        hold_key=_hold_key(reference, admission.hold_number),
        description=f"analysis {ending}",
    )
    _resolve(session, organization_id, request, now=moment)
    repository.change(
        session,
        organization_id,
        reference,
        state=State.RELEASED.value,
        reason=ending.value,
        counted=counted,
        ended_at=moment,
    )
    if not counted:
        subscriptions.note_use(session, admission.period_id, analyses=-1)
    return True


def _resolve(
    session: Session, organization_id: UUID, request: Release, *, now: datetime
) -> None:
    """End a hold, unless its time ended it: then there is nothing to give back."""
    try:
        ledger.post_one(session, organization_id, request, now=now)
    except HoldResolved as resolved:
        if resolved.resolution != EXPIRED:
            raise


def renew(
    session: Session, organization_id: UUID, reference: UUID, *, now: datetime | None = None
) -> bool:
    """Hold the credits again if the hold lapsed; return whether they are held.

    For an analysis that is about to begin after its queue stood still. False where the
    credits do not cover it any more: it must not begin.
    """
    moment = clock.instant() if now is None else now
    admission = repository.find(session, organization_id, reference)
    if not _lapsed(admission, moment):
        return True
    admission = _locked(session, organization_id, reference)
    if admission is None or not _lapsed(admission, moment):
        return True
    number = admission.hold_number
    lapsed = Release(
        key=f"{_hold_key(reference, number)}:expire",
        hold_key=_hold_key(reference, number),
        expired=True,
    )
    _resolve(session, organization_id, lapsed, now=moment)
    again = new_hold(
        Ask(organization_id, reference, admission.credits),
        now=moment,
        unlimited=admission.unlimited,
        number=number + 1,
    )
    try:
        ledger.post_one(session, organization_id, again, now=moment)
    except InsufficientCredits:
        return False
    repository.change(
        session,
        organization_id,
        reference,
        hold_number=number + 1,
        hold_expires_at=again.expires_at,
    )
    return True


def _lapsed(admission: Admission | None, now: datetime) -> bool:
    return (
        admission is not None
        and admission.state is State.ADMITTED
        and admission.hold_expires_at <= now
    )


def _locked(session: Session, organization_id: UUID, reference: UUID) -> Admission | None:
    ledger.lock(session, organization_id)
    return repository.find(session, organization_id, reference)


def note_fault(session: Session, organization_id: UUID, reference: UUID) -> None:
    """Record that an attempt failed by what was submitted, not for our reasons."""
    repository.change(session, organization_id, reference, own_fault=True)
