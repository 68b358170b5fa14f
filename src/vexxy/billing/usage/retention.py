"""Removing raw events whose time is over; their totals stay.

What is removed can no longer be recognized when it is told again. So nothing goes that
could still be told: the time that events are kept is longer than they may be late, and a
backfill of days that are gone is refused.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from vexxy.billing.usage import repository, rules
from vexxy.kit.db import Database

STEP: Final = 10_000


def retain(
    system: Database, *, retention_days: int, now: datetime, step: Callable[[], object]
) -> int:
    """Remove every event of a day before those that are kept; return how many went.

    In steps, each a transaction: it may be stopped between any two and goes on later.

    Args:
        system: As SYSTEM.
        retention_days: How many days before today are kept.
        now: The instant that counts.
        step: Called between steps, such as a heartbeat.
    """
    day = rules.day_of(now) - timedelta(days=retention_days)
    # First the mark, then the events: nobody counts a day again that is half gone.
    with system.transaction() as session:
        day = repository.move_kept_since(session, day)
    removed = 0
    while True:
        with system.transaction() as session:
            count = repository.prune(session, day, limit=STEP)
        removed += count
        if count < STEP:
            return removed
        step()
