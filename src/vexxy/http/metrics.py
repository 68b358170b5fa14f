"""What is counted, kept for Prometheus.

With `PROMETHEUS_MULTIPROC_DIR` set, every process of the service writes there and any of
them answers for all; without it each process answers for itself. What the database knows
(the queue) is asked when the page is read, so it is right whichever process answers.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Metric,
    generate_latest,
    start_wsgi_server,
)
from prometheus_client import Counter as KeptCounter
from prometheus_client import Histogram as KeptHistogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import text

from vexxy.kit import metrics
from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable, VexxyError
from vexxy.kit.metrics import Counter, Histogram

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
KINDS_MAX: Final = 100

_QUEUE: Final = text(
    "select kind, count(*) filter (where state = 'queued') as queued,"
    " count(*) filter (where state = 'running') as running,"
    " coalesce(extract(epoch from now() - min(run_at) filter"
    " (where state = 'queued' and run_at <= now())), 0)::float as age_seconds"
    " from jobs where state in ('queued', 'running') group by kind order by kind"
    " limit :limit"
)


class Prometheus:
    """Keeps counts in this process, or in the folder that several share."""

    def __init__(self) -> None:
        # One instance a name: the client's own registry would refuse a second.
        self.registry = CollectorRegistry()
        self._counters = {
            item.name: KeptCounter(
                item.name, item.help, item.labels, registry=self.registry
            )
            for item in metrics.EVERY
            if isinstance(item, Counter)
        }
        self._histograms = {
            item.name: KeptHistogram(
                item.name,
                item.help,
                item.labels,
                buckets=item.buckets,
                registry=self.registry,
            )
            for item in metrics.EVERY
            if isinstance(item, Histogram)
        }

    def count(self, counter: Counter, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter."""
        kept = self._counters[counter.name]
        (kept.labels(**labels) if labels else kept).inc(amount)

    def observe(self, histogram: Histogram, value: float, labels: dict[str, str]) -> None:
        """Add to a histogram."""
        kept = self._histograms[histogram.name]
        (kept.labels(**labels) if labels else kept).observe(value)


class Queue(Collector):
    """How much waits and for how long, by kind of job; asked when it is read."""

    def __init__(self, system: Database) -> None:
        self._system = system

    def collect(self) -> Iterable[Metric]:
        """Ask the database; say that it is down rather than fail."""
        up = GaugeMetricFamily("vexxy_database_up", "Whether PostgreSQL answers")
        try:
            rows = self._rows()
        except VexxyError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *_families(rows)]

    def _rows(self) -> list[tuple[str, int, int, float]]:
        with self._system.transaction() as session:
            found = session.execute(_QUEUE, {"limit": KINDS_MAX}).all()
            return [(row.kind, row.queued, row.running, row.age_seconds) for row in found]

    def describe(self) -> Iterable[Metric]:
        """Name nothing beforehand: registering must not need the database."""
        return []


def _families(rows: list[tuple[str, int, int, float]]) -> Iterator[Metric]:
    queued = GaugeMetricFamily(
        "vexxy_queue_depth", "Jobs that wait, due or not", labels=["kind"]
    )
    running = GaugeMetricFamily("vexxy_queue_running", "Jobs under way", labels=["kind"])
    age = GaugeMetricFamily(
        "vexxy_queue_age_seconds", "How long the oldest due job waits", labels=["kind"]
    )
    for kind, waiting, leased, seconds in rows:
        queued.add_metric([kind], waiting)
        running.add_metric([kind], leased)
        age.add_metric([kind], seconds)
    yield from (queued, running, age)


def install() -> Prometheus:
    """Have this process's counts kept; return what keeps them."""
    recorder = Prometheus()
    metrics.install(recorder)
    return recorder


def page(recorder: Prometheus, system: Database) -> bytes:
    """Return everything that is counted, in Prometheus's text format."""
    asked = CollectorRegistry()
    asked.register(Queue(system))
    return generate_latest(_registry(recorder)) + generate_latest(asked)


def serve(recorder: Prometheus, *, listen: str) -> WSGIServer:
    """Answer Prometheus from a process that has no API, until it ends.

    Args:
        recorder: What keeps this process's counts.
        listen: `host:port`.

    Raises:
        Unavailable: Nothing can listen there.
    """
    host, _, port = listen.rpartition(":")
    try:
        server, _thread = start_wsgi_server(
            int(port), addr=host.strip("[]"), registry=_registry(recorder)
        )
    except (ValueError, OverflowError, OSError) as error:
        raise Unavailable(
            f"WORKER_METRICS_LISTEN: nothing can listen on {listen}",
            hint="name an address of this machine and a free port: 127.0.0.1:9102",
        ) from error
    return server


def _registry(recorder: Prometheus) -> CollectorRegistry:
    if not os.environ.get(FOLDER):
        return recorder.registry
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry
