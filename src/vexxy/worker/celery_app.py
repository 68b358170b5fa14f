"""Celery as a carrier of messages: each says that some job may be taken, not which.

PostgreSQL knows whose turn it is, so a message that is lost, doubled or late changes
nothing but the moment at which somebody looks. Works with Flower: task events are on.
"""

import os
import signal
import threading
from typing import Any, Final

from celery import Celery
from celery.signals import (
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_shutting_down,
)

from vexxy.kit import logging
from vexxy.worker import crew

TASK: Final = "vexxy.run_job"
# What a job has to end by itself, once the worker is asked to stop.
STOP_SECONDS: Final = 12.0
# A message of a worker that died comes again after this; its job comes back much sooner.
VISIBILITY_SECONDS: Final = 3600


def make(redis_url: str) -> Celery:
    """Return the application; `task` of it takes one job."""
    app = Celery("vexxy", broker=redis_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "socket_connect_timeout": 5,
            "socket_timeout": 30,
        },
        enable_utc=True,
        result_backend=None,
        task_acks_late=True,
        task_create_missing_queues=True,
        task_default_queue="vexxy",
        task_ignore_result=True,
        task_reject_on_worker_lost=True,
        task_serializer="json",
        worker_enable_remote_control=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
    )
    app.task(name=TASK, ignore_result=True)(run_job)
    return app


def run_job(job_id: str) -> None:
    """Take the job whose turn it is; there need not be one.

    Args:
        job_id: Of the job that the message was sent for, for people who look at Flower.
    """
    crew.run_next(job_id)


def announce(app: Celery, producer: Any, job_id: str) -> None:  # noqa: ANN401  untyped
    """Send the message of one job; a broker that is away raises at once."""
    app.send_task(TASK, args=[job_id], producer=producer, retry=False, ignore_result=True)


@worker_process_init.connect
def _begin(**_: object) -> None:
    crew.begin()


@worker_process_shutdown.connect
def _end(**_: object) -> None:
    crew.end()


@worker_shutting_down.connect
def _stopping(**_: object) -> None:
    """Have jobs end and go back; Celery itself would wait for as long as they like."""
    crew.stop_all()
    insist = threading.Timer(STOP_SECONDS, os.kill, (os.getpid(), signal.SIGQUIT))
    insist.daemon = True
    insist.start()


@setup_logging.connect
def _keep_our_logs(**_: object) -> None:
    """Let nobody set up logs after we did."""
    logging.logger(__name__).info("celery.started")
