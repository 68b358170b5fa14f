"""Tampering is found and named; what is kept beside the record is computed anew."""

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests import service_values
from tests.billing.ledger.values import DAY, HOUR, NOW, a_grant, a_hold, a_settle
from vexxy.audit import types as audit
from vexxy.billing.ledger import service
from vexxy.billing.ledger.checks import repository
from vexxy.billing.ledger.checks import service as checks
from vexxy.billing.ledger.errors import NoSuchOrganization
from vexxy.billing.ledger.types import Adjust, Refund, Source
from vexxy.kit import db, ids
from vexxy.kit.db import Database

OPERATOR = audit.system("operator")
LATER = NOW + 2 * HOUR
REBUILT = text(
    "select count(*) from billing_audit_log where action = 'ledger.rebuilt'"
    " and organization_id = :id"
)
Tamper = Callable[..., None]


@pytest.fixture
def organization_id(db_system: Database) -> UUID:
    """An organization with a record of seven rows, nothing of which is open."""
    organization_id = service_values.an_organization(db_system)
    hold, other = a_hold(30), a_hold(5)
    lapsing = a_grant(40, source=Source.PLAN_ALLOWANCE, expires_at=NOW + HOUR)
    requests = [a_grant(100), lapsing, hold, other, a_settle(hold, 25), a_settle(other, 0)]
    with db_system.transaction() as session:
        for request in requests:
            service.post_one(session, organization_id, request, now=NOW)
        service.expire_lots(session, organization_id, now=LATER)
    return organization_id


TABLES = ("billing_events", "credit_accounts", "credit_lots", "organizations")


@pytest.fixture
def tamper(database_url: str, organization_id: UUID) -> Tamper:
    """What the owner of the database can do, who may switch every guard off."""

    def change(*statements: str) -> None:
        engine = create_engine(db.normalized(database_url), poolclass=NullPool)
        with engine.begin() as connection:
            for table in TABLES:
                connection.execute(text(f"alter table {table} no force row level security"))
            connection.execute(text("alter table billing_events disable trigger user"))
            for statement in statements:
                connection.execute(text(statement), {"id": organization_id})
            connection.execute(text("alter table billing_events enable trigger user"))
            for table in TABLES:
                connection.execute(text(f"alter table {table} force row level security"))

    return change


def found(database: Database, organization_id: UUID) -> list[str]:
    report = checks.check(database, organization_id, now=LATER)
    assert all(one.repair for one in report.differences)
    return [one.what for one in report.differences]


def broken(database: Database, organization_id: UUID) -> set[str]:
    return {
        name for name, whose, _ in checks.violations(database) if whose == organization_id
    }


def test_a_sound_record_has_no_difference(
    db_system: Database, organization_id: UUID
) -> None:
    report = checks.check(db_system, organization_id, now=LATER)
    assert report.differences == []
    assert broken(db_system, organization_id) <= {"lapsed_holds_are_ended"}
    assert organization_id in checks.list_organizations(db_system)
    with db_system.transaction() as session:
        assert checks.rebuild(session, organization_id, actor=OPERATOR) == []


CHANGED = [
    "description = 'other'",
    "created_at = created_at + interval '1 microsecond'",
    "key = key || 'x'",
    "analysis_job_id = gen_random_uuid()",
    "id = gen_random_uuid()",
]
ROW_3 = "update billing_events set {} where organization_id = :id and sequence = 3"


@pytest.mark.parametrize("change", CHANGED)
def test_the_first_row_that_was_changed_is_named(
    db_system: Database, organization_id: UUID, tamper: Tamper, *, change: str
) -> None:
    tamper(ROW_3.format(change))
    assert found(db_system, organization_id)[0].startswith("hash of row 3 ")


def test_more_credits_in_a_row_are_found_in_every_way(
    db_system: Database, organization_id: UUID, tamper: Tamper
) -> None:
    tamper(
        "update billing_events set entry_credits[2] = entry_credits[2] + 900,"
        " entry_credits[1] = entry_credits[1] - 900, credits = credits + 900"
        " where organization_id = :id and sequence = 1"
    )
    names = found(db_system, organization_id)
    assert names[0].startswith("hash of row 1 ")
    assert {"account available", "account grants_purchase", "credit_balance"} <= set(names)
    assert broken(db_system, organization_id) >= {
        "accounts_are_the_sum_of_entries",
        "lots_are_the_sum_of_entries",
    }


def test_a_row_that_was_taken_out_is_found(
    db_system: Database, organization_id: UUID, tamper: Tamper
) -> None:
    tamper("delete from billing_events where organization_id = :id and sequence = 4")
    names = found(db_system, organization_id)
    assert names[0] == "sequence"
    assert names[1].startswith("hash of row 5 ")
    assert "sequences_have_no_gap" in broken(db_system, organization_id)


def test_the_last_row_is_missed_as_well(
    db_system: Database, organization_id: UUID, tamper: Tamper
) -> None:
    """The rows that are left hang together; the account remembers one more."""
    tamper(
        "delete from billing_events where organization_id = :id and sequence ="
        " (select max(sequence) from billing_events where organization_id = :id)"
    )
    assert {"last sequence", "last hash"} <= set(found(db_system, organization_id))
    assert "sequences_have_no_gap" in broken(db_system, organization_id)


def test_a_row_of_another_record_does_not_fit(
    db_system: Database, organization_id: UUID, tamper: Tamper
) -> None:
    other = service_values.an_organization(db_system)
    with db_system.transaction() as session:
        for number in range(7):
            grant = a_grant(10 + number)
            last = service.post_one(session, other, grant, now=NOW)
    tamper(
        "delete from billing_events where organization_id = :id and sequence = 7",
        f"update billing_events set organization_id = :id where id = '{last.id}'",  # noqa: S608
    )
    names = found(db_system, organization_id)
    assert any(name.startswith("hash of row 7 ") for name in names)


def test_a_hold_that_two_rows_end_is_found(
    db_system: Database, organization_id: UUID, tamper: Tamper
) -> None:
    tamper(
        "drop index uq_billing_events_resolves",
        "update billing_events set resolves = 3 where organization_id = :id"
        " and resolves = 4",
        "create index uq_billing_events_resolves"
        " on billing_events (organization_id, resolves) where resolves is not null",
    )
    try:
        report = checks.check(db_system, organization_id, now=LATER)
        ends = [one for one in report.differences if one.found == "ends 3"]
        assert len(ends) == 1
    finally:
        tamper(
            "update billing_events set resolves = 4 where organization_id = :id"
            " and kind = 'settle' and credits = 0",
            "drop index uq_billing_events_resolves",
            "create unique index uq_billing_events_resolves"
            " on billing_events (organization_id, resolves) where resolves is not null",
        )


@pytest.mark.parametrize(
    ("change", "what", "invariant"),
    [
        (
            "update organizations set credit_balance = credit_balance + 5 where id = :id",
            "credit_balance",
            "credit_balance_is_available",
        ),
        (
            (
                "update credit_accounts set available_credits = available_credits + 5, "
                "revenue_credits = revenue_credits - 5 where organization_id = :id"
            ),
            "account available",
            "accounts_are_the_sum_of_entries",
        ),
        (
            (
                "update credit_lots set available_credits = available_credits - 1"
                " where organization_id = :id and available_credits > 0"
            ),
            "lot ",
            "lots_are_the_sum_of_entries",
        ),
        (
            "delete from credit_lots where organization_id = :id",
            "lot ",
            "lots_are_the_sum_of_entries",
        ),
        (
            "update credit_lots set expires_at = null where organization_id = :id",
            "lot ",
            None,
        ),
        (
            "update credit_accounts set chain = sha256('x') where organization_id = :id",
            "last hash",
            None,
        ),
    ],
)
def test_a_projection_that_differs_is_found_and_computed_anew(
    db_system: Database,
    organization_id: UUID,
    tamper: Tamper,
    *,
    change: str,
    what: str,
    invariant: str | None,
) -> None:
    tamper(change)
    names = found(db_system, organization_id)
    assert any(name.startswith(what) for name in names), names
    assert invariant is None or invariant in broken(db_system, organization_id)
    with db_system.transaction() as session:
        mended = checks.rebuild(session, organization_id, actor=OPERATOR)
    assert [one.what for one in mended] == names
    assert found(db_system, organization_id) == []
    with db_system.transaction() as session:
        assert session.scalar(REBUILT, {"id": organization_id}) == 1
        # And it goes on from there.
        grant = a_grant(3)
        service.post_one(session, organization_id, grant, now=LATER)
    assert found(db_system, organization_id) == []


def test_rebuilding_mends_nothing_of_the_record(
    db_system: Database, organization_id: UUID, tamper: Tamper
) -> None:
    tamper(ROW_3.format(CHANGED[0]))
    with db_system.transaction() as session:
        assert checks.rebuild(session, organization_id, actor=OPERATOR) == []
    assert found(db_system, organization_id)[0].startswith("hash of row 3 ")


def test_a_hold_that_nobody_swept_is_named(
    db_system: Database, organization_id: UUID
) -> None:
    with db_system.transaction() as session:
        service.post_one(session, organization_id, a_hold(3), now=NOW)
    report = checks.check(db_system, organization_id, now=NOW + DAY)
    assert [one.what.split()[0] for one in report.differences] == ["hold"]


def test_refunds_and_corrections_are_sound(
    db_system: Database, organization_id: UUID
) -> None:
    with db_system.transaction() as session:
        rows = list(repository.list_rows(session, organization_id))
        charge = next(row.key for row in rows if row.credits == 25)
        refund = Refund(key="back", charge_key=charge, credits=22)
        service.post_one(session, organization_id, refund, now=LATER)
        down = Adjust(key="down", credits=-50, description="x")
        service.post_one(session, organization_id, down, now=LATER)
    assert found(db_system, organization_id) == []


def test_nobody_has_no_record(db_system: Database) -> None:
    with pytest.raises(NoSuchOrganization):
        checks.check(db_system, ids.new_id())


def test_a_long_record_is_read_in_pages(
    db_system: Database, organization_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "PAGE", 2)
    assert checks.check(db_system, organization_id, now=LATER).rows == 7
