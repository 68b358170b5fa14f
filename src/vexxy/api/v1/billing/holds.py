"""`/billing/holds`: credits for work of the organization's own, or of base VEXxy for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from vexxy.api.v1.billing.organization import Own
from vexxy.audit.types import Act, Actor
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import CREDITS
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.errors import (
    HoldResolved,
    IdempotencyKeyReused,
    InsufficientCredits,
    TransactionNotFound,
)
from vexxy.billing.ledger.types import CREDITS_MAX, Kind, Posted
from vexxy.billing.spending import rules
from vexxy.billing.spending.service import Combiner
from vexxy.billing.spending.types import Spend
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions.rules import states
from vexxy.bootstrap import Service
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters, Transaction, require
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.identity.types import Identity, Permission
from vexxy.kit import clock
from vexxy.kit.errors import (
    Conflict,
    NotFound,
    PaymentRequired,
    QuotaExceeded,
    Unavailable,
)

router = Router(prefix="/billing/holds", tags=["billing"])
Manager = Annotated[Identity, Depends(require(Permission.BILLING_MANAGE))]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
Named = Annotated[Key, Path(description="As it was chosen")]
REFUSED: Final = openapi.responses(NotFound, Conflict, Unavailable)


class State(StrEnum):
    """Where a hold is; all but the first are final."""

    HELD = "held"
    SETTLED = "settled"
    VOIDED = "voided"
    EXPIRED = "expired"


_STATES: Final = {
    Kind.SETTLE: State.SETTLED,
    Kind.VOID: State.VOIDED,
    Kind.EXPIRE_HOLD: State.EXPIRED,
}


class HoldBody(BaseModel):
    """Credits that shall be set aside."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "key": "scan-2026-11-21-0042",
                    "credits": 18,
                    "expires_in_seconds": 3600,
                    "description": "nightly scan",
                }
            ]
        },
    )

    key: Key = Field(
        description="Names the work; the same key again is the same hold. The record of "
        "credits keeps its SHA-256 only"
    )
    credits: Annotated[int, Field(strict=True, ge=1, le=CREDITS_MAX)] = Field(
        description="The most that the work can cost"
    )
    expires_in_seconds: Annotated[
        int, Field(strict=True, ge=rules.SECONDS_MIN, le=rules.SECONDS_MAX)
    ] = Field(default=3600, description="After that the credits are available again")
    description: Annotated[Text, StringConstraints(max_length=200)] = Field(
        default="", description="For people; kept in the record of acts"
    )


class SettleBody(BaseModel):
    """What the work cost."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"credits": 12}]}
    )

    credits: Annotated[int, Field(strict=True, ge=0, le=CREDITS_MAX)] = Field(
        description="At most what is held; the rest is available again"
    )


class HoldView(BaseModel):
    """Credits that are set aside, or were."""

    key: str
    state: State
    credits: int = Field(description="Set aside")
    charged_credits: int | None = Field(description="null while it is not settled")
    unlimited: bool = Field(description="The plan has no limit: no credits were taken")
    created_at: Instant
    expires_at: Instant | None
    ended_at: Instant | None


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the subscription says about spending.

    Attributes:
        limit: The period's credits, None without limit.
    """

    limit: int | None
    used_credits: int
    resets_at: datetime
    unlimited: bool


async def combiner(request: Request) -> Combiner:
    """Return what combines the spends of this process."""
    found: Combiner = request.app.state.combiner
    return found


Combining = Annotated[Combiner, Depends(combiner)]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=openapi.responses(QuotaExceeded, PaymentRequired, Conflict, Unavailable),
)
async def hold(
    *,
    body: HoldBody,
    who: Manager,
    session: Transaction,
    adapters: Adapters,
    combining: Combining,
    actor: Acting,
) -> HoldView:
    """Set credits aside for work that is about to begin.

    Answered after the commit. The same key again gets the same hold, with other credits
    409; 503 says that the outcome is not known where it is not: ask again.
    """
    terms = await run_in_threadpool(_terms, adapters, who)
    began_at = clock.instant()
    request = rules.hold(
        body.key,
        body.credits,
        seconds=body.expires_in_seconds,
        unlimited=terms.unlimited,
        now=began_at,
    )
    after = body.model_dump()
    act = _act("credits.held", who, actor, key=body.key, after=after)
    try:
        held = await combining.spend(who.organization_id, request, act=act)
    except InsufficientCredits as error:
        raise _used_up(error, terms) from error
    except IdempotencyKeyReused:
        raise IdempotencyKeyReused(body.key) from None
    if held.created_at >= began_at:
        return _view(body.key, held, None)
    # Of an earlier request, and perhaps over by now.
    return _view(body.key, held, await run_in_threadpool(_end, session, held, body.key))


@router.post("/{hold_key}/settle", responses=REFUSED)
async def settle(
    *,
    hold_key: Named,
    body: SettleBody,
    who: Manager,
    session: Transaction,
    combining: Combining,
    actor: Acting,
) -> HoldView:
    """Charge what the work cost and release the rest; each hold ends once."""
    held = await run_in_threadpool(_held, session, who, hold_key)
    act = _act("credits.settled", who, actor, key=hold_key, after=body.model_dump())
    ended = await _ended(
        combining, rules.settle(hold_key, body.credits), act=act, key=hold_key
    )
    return _view(hold_key, held, ended)


@router.post("/{hold_key}/void", responses=REFUSED)
async def void(
    *,
    hold_key: Named,
    who: Manager,
    session: Transaction,
    combining: Combining,
    actor: Acting,
) -> HoldView:
    """Release everything: the work was not done."""
    held = await run_in_threadpool(_held, session, who, hold_key)
    act = _act(
        "credits.released", who, actor, key=hold_key, after={"credits": held.credits}
    )
    ended = await _ended(combining, rules.void(hold_key), act=act, key=hold_key)
    return _view(hold_key, held, ended)


@router.get("/{hold_key}")
def read_hold(hold_key: Named, of: Own) -> HoldView:
    """Return a hold and how it ended."""
    held = _held(of.session, of.caller, hold_key)
    return _view(hold_key, held, _end(of.session, held, hold_key))


def _terms(adapters: Service, who: Identity) -> _Terms:
    """Read what holds for the organization today.

    In a transaction of its own, which ends before the credits are asked for: it may have
    to renew the period, and then holds the very lock that the combiner waits for. And of
    another pool: the request has a connection of its own already.
    """
    organization_id = who.organization_id
    with adapters.worker.transaction(organization_id) as session:
        now = clock.instant()
        found = subscriptions.current(
            session, organization_id, plans=adapters.plans, now=now, lock=False
        )
        states.check_usable(found.subscription, now)
        override = entitlements.live(session, organization_id, now=now).get(CREDITS)
        unlimited = override is not None and override.limit is None
        limit = None if unlimited else found.period.credit_limit
        return _Terms(
            limit=limit,
            used_credits=subscriptions.credits_used(session, organization_id, found.period),
            resets_at=found.period.end,
            unlimited=limit is None,
        )


def _held(session: Transaction, who: Identity, key: str) -> Posted:
    held = ledger.find(session, who.organization_id, rules.hold_key(key))
    if held is None:
        raise TransactionNotFound(key)
    return held


def _end(session: Transaction, held: Posted, key: str) -> Posted | None:
    """Return what ended the hold."""
    keys = (rules.settle_key(key), rules.void_key(key), rules.lapse_key(held.id))
    found = (ledger.find(session, held.organization_id, one) for one in keys)
    return next(filter(None, found), None)


async def _ended(combining: Combiner, request: Spend, *, act: Act, key: str) -> Posted:
    """Return what ended the hold now, or the same way before.

    Raises:
        HoldResolved: It ended another way, in the words of whoever asks.
    """
    assert act.organization_id is not None  # noqa: S101  every act here has one
    try:
        return await combining.spend(act.organization_id, request, act=act)
    except HoldResolved as error:
        raise HoldResolved(key, error.resolution) from None
    except IdempotencyKeyReused:
        raise HoldResolved(key, "settled, with other credits") from None


def _act(
    action: str, who: Identity, actor: Actor, *, key: str, after: Mapping[str, object]
) -> Act:
    return Act(
        action=action,
        actor=actor,
        organization_id=who.organization_id,
        resource_type="hold",
        resource_id=key,
        after=after,
    )


def _used_up(error: InsufficientCredits, terms: _Terms) -> QuotaExceeded:
    until = clock.rfc3339(terms.resets_at)
    return QuotaExceeded(
        error.message,
        hint=f"buy credits, or wait until {until}",
        details={
            **error.details,
            "limit": terms.limit,
            "current": terms.used_credits,
            "resets_at": until,
            "balance": error.available_credits,
        },
    )


def _view(key: str, held: Posted, ended: Posted | None) -> HoldView:
    charged = ended.credits if ended is not None and ended.kind is Kind.SETTLE else None
    return HoldView(
        key=key,
        state=State.HELD if ended is None else _STATES[ended.kind],
        credits=held.credits,
        charged_credits=charged,
        unlimited=held.unlimited,
        created_at=held.created_at,
        expires_at=held.expires_at,
        ended_at=None if ended is None else ended.created_at,
    )
