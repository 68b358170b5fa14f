"""Admissions in the database: what is over stays, and projections can be made anew."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.billing.quotas.till import Till
from tests.service_values import an_organization
from vexxy.billing.catalog.service import Plans, load
from vexxy.billing.quotas import ending, service
from vexxy.billing.quotas.types import Ask, Discrepancy, Ending
from vexxy.kit.db import Database

PLANS = Plans(load(), "free")


@pytest.fixture
def home(db_system: Database) -> UUID:
    with db_system.transaction() as session:
        PLANS.publish(session)
    return an_organization(db_system)


def admitted(system: Database, home: UUID, credits: int = 20) -> UUID:  # noqa: A002
    reference = uuid4()
    with system.transaction() as session:
        service.admit(session, Ask(home, reference, credits), plans=PLANS)
    return reference


def test_what_is_over_does_not_change_whoever_writes(
    db_system: Database, home: UUID
) -> None:
    reference = admitted(db_system, home)
    with db_system.transaction() as session:
        assert ending.settle(session, home, reference, credits=13) == 13

    change = text(
        "update quota_admissions set charged_credits = 1 where reference = :reference"
    )
    with (
        pytest.raises(IntegrityError, match="over does not change"),
        db_system.transaction() as session,
    ):
        session.execute(change, {"reference": reference})


def test_a_wrong_count_is_found_and_counted_again(db_system: Database, home: UUID) -> None:
    admitted(db_system, home)
    charged, released = admitted(db_system, home), admitted(db_system, home)
    with db_system.transaction() as session:
        ending.settle(session, home, charged, credits=13)
        ending.release(session, home, released, ending=Ending.FAILED)
    till = Till(db_system, home)
    assert till.discrepancies() == []
    spoil = text(
        "update billing_periods set analyses = 7, credits_used = 1"
        " where organization_id = :home returning id"
    )
    with db_system.transaction() as session:
        period = session.execute(spoil, {"home": home}).scalar_one()

    assert till.discrepancies() == [
        Discrepancy("analyses", period, 7, 2),
        Discrepancy("credits_used", period, 1, 13),
    ]
    with db_system.transaction() as session:
        assert service.rebuild(session, home) == 1
    assert till.discrepancies() == []
    assert till.used() == (2, 13)


def test_the_counts_of_an_erased_organization_stay_and_are_no_difference(
    db_system: Database, home: UUID
) -> None:
    reference = admitted(db_system, home)
    with db_system.transaction() as session:
        ending.settle(session, home, reference, credits=13)
        for change in (
            "update organizations set closed_at = now() where id = :home",
            "delete from quota_admissions where organization_id = :home",
        ):
            session.execute(text(change), {"home": home})
    till = Till(db_system, home)

    assert till.discrepancies() == []
    with db_system.transaction() as session:
        assert service.rebuild(session, home) == 0
    assert till.used() == (1, 13)


def test_a_hold_that_nobody_will_end_and_a_charge_of_nothing_are_found(
    db_system: Database, home: UUID
) -> None:
    reference = admitted(db_system, home)
    forget = text(
        "update quota_admissions set state = 'settled', charged_credits = 5,"
        " ended_at = now() where reference = :reference"
    )
    with db_system.transaction() as session:
        session.execute(forget, {"reference": reference})

    found = {(one.what, one.stored, one.computed) for one in service_check(db_system, home)}

    assert found == {("charge", 5, 0), ("hold", 0, 20), ("credits_used", 0, 5)}


def service_check(system: Database, home: UUID) -> list[Discrepancy]:
    with system.transaction() as session:
        return service.check(session, home)
