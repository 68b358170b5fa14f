"""Days that were read a moment ago, for pages that are looked at again and again.

Only what is shown comes from here, and it says when it was read. Whether something is
allowed is never decided by it: decisions ask `service.total`, which asks the database.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from vexxy.billing.usage.types import Day, Days
from vexxy.kit import clock

SECONDS: Final = 5.0
ENTRIES_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """One metric over days as it was at `read_at`."""

    total: Decimal
    days: tuple[Day, ...]
    read_at: datetime


class ShownCache:
    """Keeps what was shown for five seconds; one a process."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._kept: OrderedDict[Days, tuple[float, Shown]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, days: Days, read: Callable[[], tuple[Decimal, tuple[Day, ...]]]) -> Shown:
        """Return what was read a moment ago, or read it."""
        with self._lock:
            found = self._kept.get(days)
        if found is not None and time.monotonic() < found[0]:
            return found[1]
        total, rows = read()
        made = Shown(total, rows, clock.now())
        with self._lock:
            self._kept[days] = (time.monotonic() + self._seconds, made)
            self._kept.move_to_end(days)
            if len(self._kept) > ENTRIES_MAX:
                self._kept.popitem(last=False)
        return made
