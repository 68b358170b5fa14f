"""The ledger over a real database: what is written is what was decided."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests import service_values
from tests.billing.ledger.values import DAY, HOUR, NOW, a_grant, a_hold, a_settle
from vexxy.billing.ledger import service
from vexxy.billing.ledger.errors import (
    IdempotencyKeyReused,
    InsufficientCredits,
    NoSuchOrganization,
)
from vexxy.billing.ledger.types import (
    Adjust,
    EventType,
    Note,
    Posted,
    Refund,
    Release,
    Request,
    Revoke,
    Source,
)
from vexxy.kit import ids
from vexxy.kit.db import Database


def test_every_kind_of_transaction_comes_back_as_it_was_decided(
    db_request: Database, db_system: Database
) -> None:
    organization_id = service_values.an_organization(db_system)
    kept, lapsing = a_hold(30), a_hold(10, expires_at=NOW + HOUR)
    allowance = a_grant(50, source=Source.PLAN_ALLOWANCE, expires_at=NOW + DAY)
    first: list[Request] = [allowance, a_grant(100, stripe_event_id="evt_1"), kept, lapsing]
    later: list[Request] = [
        a_settle(kept, 18),
        Release(key="lapsed", hold_key=lapsing.key, expired=True),
        Revoke(key="back", grant_key=allowance.key, credits=5),
        Adjust(key="up", credits=7, description="a gift"),
        Adjust(key="down", credits=-3, description="a mistake"),
        Note(key="paid", event_type=EventType.PAYMENT_SUCCEEDED, description="é€"),
    ]
    last: list[Request] = [Refund(key="sorry", charge_key=f"{kept.key}-settle", credits=4)]
    posted: list[Posted] = []
    for requests, now in ((first, NOW), (later, NOW + HOUR), (last, NOW + 2 * DAY)):
        with db_request.transaction(organization_id) as session:
            answers = service.post(session, organization_id, requests, now=now)
            assert all(isinstance(answer, Posted) for answer in answers), answers
            posted += answers  # type: ignore[arg-type]

    with db_request.transaction(organization_id) as session:
        for one in posted:
            assert service.find(session, organization_id, one.key) == one
        shown = service.list_events(session, organization_id, limit=100, offset=0)
        balance = service.balance(session, organization_id, now=NOW + 2 * DAY)
        stored = session.execute(
            text("select credit_balance from organizations where id = :id"),
            {"id": organization_id},
        ).scalar_one()
    # 150 granted, 18 charged of which 4 came back, 5 revoked, +7, -3; the rest of the
    # allowance (50 - 18 - 5 - 3 = 24) lapsed.
    assert balance.available_credits == stored == 150 - 18 + 4 - 5 + 7 - 3 - 24
    assert balance.held_credits == 0
    assert [one.sequence for one in shown] == sorted(
        (one.sequence for one in shown), reverse=True
    )
    assert sum(one.credits_amount for one in shown) == shown[0].balance_after


def test_what_is_asked_again_is_done_once(
    db_request: Database, db_system: Database
) -> None:
    organization_id = service_values.an_organization(db_system)
    grant = a_grant(100)
    for _ in range(3):
        with db_request.transaction(organization_id) as session:
            posted = service.post_one(session, organization_id, grant)
    with db_request.transaction(organization_id) as session:
        assert service.balance(session, organization_id).available_credits == 100
        other = a_grant(101, key=grant.key)
        with pytest.raises(IdempotencyKeyReused):
            service.post_one(session, organization_id, other)
        assert service.list_events(session, organization_id, limit=9, offset=0) == [posted]


def test_a_refusal_does_not_disturb_the_others(
    db_request: Database, db_system: Database
) -> None:
    organization_id = service_values.an_organization(db_system)
    soon = {"expires_at": NOW + timedelta(hours=2)}
    requests: list[Request] = [
        a_grant(20),
        a_hold(18, **soon),
        a_hold(18, **soon),
        a_hold(2, **soon),
    ]
    with db_request.transaction(organization_id) as session:
        _, taken, refused, rest = service.post(session, organization_id, requests, now=NOW)
    assert isinstance(refused, InsufficientCredits)
    assert (refused.required_credits, refused.available_credits) == (18, 2)
    assert isinstance(taken, Posted)
    assert isinstance(rest, Posted)
    assert rest.sequence == taken.sequence + 1


def test_credits_of_nobody_are_refused(db_request: Database) -> None:
    stranger = ids.new_id()
    with (
        db_request.transaction(stranger) as session,
        pytest.raises(NoSuchOrganization),
    ):
        service.post_one(session, stranger, a_grant())
