"""Delivering notifications, as jobs: read, call out, write."""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from uuid import UUID

from vexxy import bootstrap
from vexxy.jobs.errors import RetryLater
from vexxy.jobs.ports import JobContext
from vexxy.kit import metrics
from vexxy.kit.sealing import Sealer
from vexxy.notifications import rules, service
from vexxy.notifications.ports import Sender
from vexxy.notifications.types import Core
from vexxy.settings import Settings, read_service

NOBODY: Final = "there is nobody to tell: no address is set, or it is switched off"


@dataclass(frozen=True, slots=True)
class Tools:
    """What a delivery needs from outside."""

    sealer: Sealer
    sender: Sender
    core: Core | None


def handle(context: JobContext) -> None:
    """Do one delivery with what the environment describes."""
    deliver(context, _tools())


@lru_cache(maxsize=1)
def _tools() -> Tools:
    settings = bootstrap.completed(read_service(), Settings().data_directory)
    return Tools(
        sealer=Sealer(bootstrap.sealing_keys(settings)),
        sender=bootstrap.webhook_sender(settings),
        core=bootstrap.core_endpoint(settings),
    )


def deliver(context: JobContext, tools: Tools) -> None:
    """Send one delivery and write down what became of it.

    Raises:
        RetryLater: It was not accepted; `abandoned` buries it after the last retry.
    """
    delivery_id = _delivery_id(context)
    organization_id = context.job.organization_id
    with context.database.transaction(organization_id) as session:
        parcel = service.read_parcel(
            session, delivery_id, sealer=tools.sealer, core=tools.core
        )
    if parcel is None:
        with context.database.transaction(organization_id) as session:
            service.bury(session, delivery_id, reason=NOBODY)
        return
    started = time.monotonic()
    response = service.send(parcel, tools.sender)
    outcome = "accepted" if response.accepted else "refused"
    metrics.WEBHOOK_SECONDS.observe(time.monotonic() - started, outcome=outcome)
    with context.database.transaction(organization_id) as session:
        service.note_response(session, delivery_id, response)
    if not response.accepted:
        raise RetryLater(
            response.problem, delay_seconds=rules.retry_seconds(context.job.attempt)
        )


def abandoned(context: JobContext, reason: str) -> None:
    """Bury what could not be delivered."""
    del reason
    with context.database.transaction(context.job.organization_id) as session:
        service.bury(session, _delivery_id(context))


def _delivery_id(context: JobContext) -> UUID:
    return UUID(str(context.job.payload["delivery_id"]))
