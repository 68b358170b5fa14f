"""Who does which kind of job; one line a kind, added by its owner."""

from collections.abc import Mapping
from typing import Final

from vexxy.worker import (
    analysis,
    ledger,
    portability,
    reevaluation,
    retention,
    rollover,
    sandboxes,
    usage,
    usage_retention,
    webhook_delivery,
)
from vexxy.worker.work import Work

HANDLERS: Final[Mapping[str, Work]] = {
    "analysis": Work(analysis.handle, abandoned=analysis.abandoned, organization_limit=2),
    "check_ledger": Work(ledger.check),
    "erasure": Work(portability.erase),
    "export": Work(
        portability.export, abandoned=portability.export_abandoned, organization_limit=1
    ),
    "portability_expiry": Work(portability.expire),
    "reevaluation": Work(reevaluation.handle, organization_limit=1),
    "retention": Work(retention.handle, organization_limit=1),
    "sweep_credits": Work(ledger.sweep),
    "roll_over": Work(rollover.handle),
    "sweep_sandboxes": Work(sandboxes.handle),
    "usage_alert": Work(usage.alert, abandoned=usage.alert_abandoned, organization_limit=2),
    "usage_levels": Work(usage.levels),
    "usage_watch": Work(usage.watch, organization_limit=1),
    "usage_retention": Work(usage_retention.handle),
    "webhook_delivery": Work(
        webhook_delivery.handle,
        abandoned=webhook_delivery.abandoned,
        organization_limit=4,
    ),
}
