"""What is done again and again, without anybody asking."""

from sqlalchemy import text

from vexxy.kit.db import Database
from vexxy.worker import schedule
from vexxy.worker.handlers import HANDLERS


def test_what_the_service_promises_to_do_by_itself_is_scheduled(
    db_system: Database,
) -> None:
    """Goal: no promise that only a person keeps. Method: run every act, look for jobs."""
    with db_system.transaction() as session:
        session.execute(text("delete from jobs"))
        for each in schedule.PERIODIC:
            each.act(session)
        kinds = set(session.scalars(text("select kind from jobs")))
        session.rollback()
    assert kinds == {
        "sweep_sandboxes",
        "retention",
        "reevaluation",
        "check_ledger",
        "sweep_credits",
        "roll_over",
        "usage_levels",
        "usage_retention",
        "portability_expiry",
    }
    assert kinds <= set(HANDLERS)
