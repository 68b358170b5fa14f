"""`vexxy worker` and `vexxy beat`: the processes of background work."""

import signal
import threading
from collections.abc import Mapping
from typing import Annotated

import typer

from vexxy import bootstrap
from vexxy.cli import console
from vexxy.http import metrics, telemetry
from vexxy.jobs.types import Scalar
from vexxy.kit import logging
from vexxy.kit.errors import InvalidInput
from vexxy.settings import ServiceSettings
from vexxy.worker import faults, sandboxes
from vexxy.worker.handlers import HANDLERS
from vexxy.worker.loop import Loop

Concurrency = Annotated[
    int, typer.Option(min=1, max=64, help="Jobs that are worked on at once")
]


class BeatNotNeeded(InvalidInput):
    """Without a broker, every worker keeps the queue itself."""

    def __init__(self) -> None:
        super().__init__(
            "REDIS_URL is not set, and without a broker there is nothing to announce",
            hint="run `vexxy worker` alone; it does the periodic work as well",
        )


def worker(*, concurrency: Concurrency = 2) -> None:
    """Take jobs until stopped; with REDIS_URL, as Celery's worker.

    With REDIS_URL, `vexxy beat` has to run as well, and Flower shows the workers:
    `celery --broker "$REDIS_URL" flower`.
    """
    with bootstrap.opened() as service:
        settings = service.settings
        logging.configure(level=settings.log_level, form=settings.log_format)
        recorder = metrics.install()
        if settings.worker_metrics_listen is not None:
            metrics.serve(recorder, listen=settings.worker_metrics_listen)
        telemetry.install("vexxy-worker")
        url = _database_url(settings)
    if settings.redis_url is None:
        _work(url, concurrency=concurrency)
    else:
        _work_for_celery(
            url, settings.redis_url.get_secret_value(), concurrency=concurrency
        )


def beat() -> None:
    """Announce jobs to Celery's workers and do the periodic work, until stopped."""
    from vexxy.worker import celery_app  # noqa: PLC0415  Celery is slow to load
    from vexxy.worker.beat import Beat  # noqa: PLC0415  the same

    with bootstrap.opened() as service:
        settings = service.settings
        logging.configure(level=settings.log_level, form=settings.log_format)
        metrics.install()
        telemetry.install("vexxy-beat")
        url = _database_url(settings)
    if settings.redis_url is None:
        raise BeatNotNeeded
    faults.end_with_any_thread()
    running = Beat(url, celery_app.make(settings.redis_url.get_secret_value()))
    running.start()
    console.note("announcing jobs; SIGTERM ends it")
    _wait_for_signal()
    running.close()


def _work(url: str, *, concurrency: int) -> None:
    faults.end_with_any_thread()
    loop = Loop(url, HANDLERS, threads=concurrency, probe=_probe)
    loop.start()
    console.note(f"taking jobs, {concurrency} at once; SIGTERM ends it")
    _wait_for_signal()
    loop.close()


def _work_for_celery(url: str, redis_url: str, *, concurrency: int) -> None:
    from vexxy.worker import celery_app, crew  # noqa: PLC0415  Celery is slow to load

    crew.order(url, HANDLERS, concurrency=concurrency, probe=_probe)
    # What interrupts everything else would interrupt Celery's own orderly end.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    console.note("Flower: celery --broker $REDIS_URL flower")
    app = celery_app.make(redis_url)
    app.worker_main(
        ["worker", f"--concurrency={concurrency}", "--pool=prefork", "--loglevel=INFO"]
    )


def _probe() -> Mapping[str, Scalar]:
    return {"sandbox": sandboxes.can_sandbox()}


def _database_url(settings: ServiceSettings) -> str:
    assert settings.database_url is not None  # noqa: S101  opened() demands it
    return settings.database_url.get_secret_value()


def _wait_for_signal() -> None:
    """Return at the first SIGTERM or SIGINT."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    asked.wait()
