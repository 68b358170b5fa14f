"""What time does to credits, and whether the books agree, as jobs of the installation."""

from vexxy.billing.ledger.checks import service as checks
from vexxy.billing.ledger.sweeps import service as sweeps
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging, metrics

log = logging.logger(__name__)


def sweep(context: JobContext) -> None:
    """Do one job of the kind `sweep_credits`; done twice it finds nothing left to do."""
    swept = sweeps.sweep(context.database, step=context.heartbeat)
    if swept.holds or swept.organizations:
        log.info("credits.swept", holds=swept.holds, organizations=swept.organizations)


def check(context: JobContext) -> None:
    """Do one job of the kind `check_ledger`: say what is wrong, and mend nothing.

    An operator looks at it with `vexxy billing check`, which also reads the hashes.
    """
    for invariant, organization_id, what in checks.violations(
        context.database, step=context.heartbeat
    ):
        metrics.LEDGER_DIFFERENCES.count(invariant=invariant)
        log.error(
            "ledger.differs",
            invariant=invariant,
            organization_id=organization_id,
            what=what,
        )
