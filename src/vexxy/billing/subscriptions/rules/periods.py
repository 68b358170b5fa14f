"""Where periods begin and end: whole days in UTC, counted from the anchor.

A period is never counted from the one before: 31 January, 28 February, 31 March.
"""

import calendar
from datetime import UTC, datetime, timedelta
from typing import Final

from vexxy.billing.types import Interval

MONTHS: Final = {Interval.MONTH: 1, Interval.YEAR: 12}


def day(instant: datetime) -> datetime:
    """Return the midnight, in UTC, that the instant's day began with."""
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def next_day(midnight: datetime) -> datetime:
    """Return the midnight after."""
    return midnight + timedelta(days=1)


def boundary(anchor: datetime, months: int) -> datetime:
    """Return the day that many months after the anchor, clamped to the month's last."""
    first = day(anchor)
    years, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    last = calendar.monthrange(years, month + 1)[1]
    return first.replace(year=years, month=month + 1, day=min(first.day, last))


def months_passed(anchor: datetime, instant: datetime) -> int:
    """Return the number of the last boundary that is not after the instant."""
    start, at = day(anchor), day(instant)
    months = (at.year - start.year) * 12 + at.month - start.month
    return months if boundary(anchor, months) <= at else months - 1


def end_after(anchor: datetime, start: datetime, interval: Interval) -> datetime:
    """Return when a period ends that begins at a boundary, or within a month of one."""
    return boundary(anchor, months_passed(anchor, start) + MONTHS[interval])


def missed(anchor: datetime, *, end: datetime, now: datetime) -> int:
    """Return how many periods ended by now, the one that ends at `end` among them."""
    if now < end:
        return 0
    return months_passed(anchor, now) - months_passed(anchor, end) + 1


def days(start: datetime, end: datetime) -> int:
    """Return how many days lie between two midnights."""
    return (end - start) // timedelta(days=1)
