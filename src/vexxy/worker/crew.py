"""What a process of Celery's pool has: one station, made after the fork."""

import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.synchronize import Event

from vexxy.jobs.types import LEASE_SECONDS_DEFAULT, Scalar
from vexxy.kit import logging
from vexxy.worker import faults
from vexxy.worker.line import Line, QueueUnreachable
from vexxy.worker.station import Station
from vexxy.worker.work import Work

log = logging.logger(__name__)


@dataclass(frozen=True, slots=True)
class Orders:
    """What the processes of the pool are told before they are forked.

    Attributes:
        stopping: Set in the parent, seen in each child.
    """

    url: str
    works: Mapping[str, Work]
    stopping: Event
    lease_seconds: int
    concurrency: int
    probe: Callable[[], Mapping[str, Scalar]] | None


class _Process:
    orders: Orders | None = None
    station: Station | None = None
    line: Line | None = None


_here = _Process()


def order(
    url: str,
    works: Mapping[str, Work],
    *,
    concurrency: int,
    lease_seconds: int = LEASE_SECONDS_DEFAULT,
    probe: Callable[[], Mapping[str, Scalar]] | None = None,
) -> None:
    """Say what the processes that are forked from now on shall do."""
    _here.orders = Orders(
        url=url,
        works=works,
        stopping=multiprocessing.get_context("fork").Event(),
        lease_seconds=lease_seconds,
        concurrency=concurrency,
        probe=probe,
    )


def begin() -> None:
    """Make this process ready to work."""
    faults.end_with_any_thread()
    orders = _orders()
    station = Station(
        orders.url,
        orders.works,
        connections=4,
        lease_seconds=orders.lease_seconds,
        detail={"concurrency": 1, "broker": "celery"},
        probe=orders.probe,
        is_stopping=orders.stopping.is_set,
    )
    station.start()
    _here.station, _here.line = station, Line(station.system)


def end() -> None:
    """Give back what this process holds."""
    station, _here.station = _here.station, None
    if station is not None:
        station.close()


def stop_all() -> None:
    """Have every process of the pool end its job; called in their parent."""
    _orders().stopping.set()


def run_next(job_id: str) -> None:
    """Take the job whose turn it is, if there is one and the database answers."""
    if _here.station is None or _here.line is None or _orders().stopping.is_set():
        return
    try:
        ran = _here.station.run_next(_here.line)
    except QueueUnreachable:
        # The job is still queued, and announced again when nobody takes it.
        log.warning("job.not_taken", announced=job_id)
        return
    if not ran:
        log.debug("job.nobodys_turn", announced=job_id)


def _orders() -> Orders:
    if _here.orders is None:
        raise RuntimeError("order() comes before the pool is started")
    return _here.orders
