"""Rows whose time is over go; all others stay."""

import pytest
from sqlalchemy import text

from tests.tenancy import rows
from vexxy.kit.db import Database
from vexxy.worker import forgetting, schedule

OVER = {
    "idempotency_keys": "expires_at = now() - interval '1 s'",
    "sign_in_attempts": "window_ends_at = now() - interval '1 s'",
    "password_resets": "expires_at = now() - interval '2 days'",
    "invitations": "expires_at = now() - interval '31 days'",
    "notification_deliveries": "state = 'dead', finished_at = now() - interval '31 days'",
}
YET = {
    "idempotency_keys": "expires_at = now() + interval '1 h'",
    "sign_in_attempts": "window_ends_at = now() + interval '1 h'",
    "password_resets": "expires_at = now() - interval '1 h'",
    "invitations": "expires_at = now() - interval '29 days'",
    "notification_deliveries": "state = 'waiting'",
}


@pytest.mark.parametrize(("change", "left"), [(OVER, 0), (YET, 1)], ids=["over", "not yet"])
def test_what_is_over_is_forgotten(
    db_system: Database, change: dict[str, str], left: int
) -> None:
    with db_system.transaction() as session:
        rows.fill(session.connection())
        for table, values in change.items():
            session.execute(text(f"update {table} set {values}"))  # noqa: S608
        forgetting.forget(session)
        found = {
            table: session.execute(text(f"select count(*) from {table}")).scalar_one()  # noqa: S608
            for table in change
        }
        session.rollback()
    assert found == dict.fromkeys(change, left)


def test_every_table_that_is_forgotten_is_tried() -> None:
    assert set(OVER) == set(YET) == set(forgetting._OVER)


def test_it_is_done_again_and_again() -> None:
    assert forgetting.forget in [periodic.act for periodic in schedule.PERIODIC]
