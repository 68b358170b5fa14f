"""What is recorded stays: the database itself refuses, whoever asks."""

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tests import service_values
from tests.billing.ledger.values import a_grant
from vexxy.billing.ledger import service
from vexxy.kit import db
from vexxy.kit.db import Database

ROLES = ("vexxy_request", "vexxy_worker", "vexxy_system", "the owner")
CHANGES = (
    "update billing_events set credits = credits + 1",
    "update billing_events set description = 'x' where kind = 'grant'",
    "delete from billing_events",
    "truncate billing_events",
    "truncate billing_events cascade",
)
# No right to, or the trigger that refuses it to everybody.
DENIED = {"42501", "23514"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("change", CHANGES)
def test_nobody_changes_the_record(
    database_url: str, db_system: Database, role: str, *, change: str
) -> None:
    organization_id = service_values.an_organization(db_system)
    with db_system.transaction() as session:
        posted = service.post_one(session, organization_id, a_grant())
    engine = create_engine(db.normalized(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        if role != "the owner":
            connection.execute(text(f"set local role {role}"))
        bound = text("select set_config('vexxy.organization_id', :id, true)")
        connection.execute(bound, {"id": str(organization_id)})
        with pytest.raises(DBAPIError) as refused:
            connection.execute(text(change))
        assert getattr(refused.value.orig, "sqlstate", None) in DENIED
    with db_system.transaction() as session:
        assert service.find(session, organization_id, posted.key) == posted


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("entry_credits = '{1,1}'", "ck_billing_events_entries"),
        ("entry_lots = '{}'", "ck_billing_events_entries"),
        ("balance_after = -1", "ck_billing_events_balance_after"),
        ("sequence = 0", "ck_billing_events_sequence"),
        ("chain = ''", "ck_billing_events_chain"),
        ("kind = 'gift'", "ck_billing_events_kind"),
        ("sequence = sequence", "uq_billing_events_sequence"),
        ("sequence = sequence + 1", "uq_billing_events_key"),
    ],
)
def test_a_row_that_cannot_be_is_refused(
    db_system: Database, change: str, constraint: str
) -> None:
    """Goal: the database holds what the rules promise. Method: a copy of a good row."""
    organization_id = service_values.an_organization(db_system)
    column, _, value = change.partition(" = ")
    copy = text(
        "insert into billing_events select (json_populate_record(held,"  # noqa: S608
        f" json_build_object('id', gen_random_uuid(), '{column}', {_json(value)}))).*"
        " from billing_events held where organization_id = :id"
    )
    with db_system.transaction() as session:
        service.post_one(session, organization_id, a_grant())
    with (
        pytest.raises(DBAPIError, match=constraint),
        db_system.transaction() as session,
    ):
        session.execute(copy, {"id": organization_id})


def _json(value: str) -> str:
    return f"{value}::bigint[]" if value == "'{1,1}'" else value


@pytest.mark.parametrize("account", ["available", "held", "revenue", "expired"])
def test_an_account_never_goes_below_zero(db_system: Database, account: str) -> None:
    organization_id = service_values.an_organization(db_system)
    with db_system.transaction() as session:
        service.post_one(session, organization_id, a_grant(5))
    change = text(
        f"update credit_accounts set {account}_credits = -1,"  # noqa: S608  own names
        " adjustments_credits = 0, grants_purchase_credits ="
        f" grants_purchase_credits + 1 + {account}_credits where organization_id = :id"
    )
    with (
        pytest.raises(DBAPIError, match=f"ck_credit_accounts_{account}"),
        db_system.transaction() as session,
    ):
        session.execute(change, {"id": organization_id})
