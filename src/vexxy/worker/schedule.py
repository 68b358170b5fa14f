"""What is done again and again, and how often."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from vexxy import bootstrap
from vexxy.analysis.attempts import service as attempts
from vexxy.billing.invoices import service as invoices
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.portability.erasures import service as erasures
from vexxy.settings import read_service
from vexxy.worker import forgetting


@dataclass(frozen=True, slots=True)
class Periodic:
    """Something that is due at intervals.

    Attributes:
        name: Of the row that remembers when it is due.
        act: Enqueues the jobs, as SYSTEM; quick, and safe to repeat.
    """

    name: str
    every_seconds: float
    act: Callable[[Session], object]


def once(kind: str, *, deadline_seconds: int = 300) -> Callable[[Session], object]:
    """Return an act that enqueues a job of the installation unless one is unfinished."""
    new = NewJob(
        kind, None, {}, key=kind, deadline_seconds=deadline_seconds, max_attempts=2
    )
    return lambda session: jobs.enqueue(session, new)


def _publish_plans(session: Session) -> None:
    """Publish what no start could, because the database was away then."""
    bootstrap.plans(read_service()).publish(session)


# One entry a line; owners add their own.
PERIODIC: Final = (
    Periodic("sweep_sandboxes", 60, once("sweep_sandboxes")),
    Periodic("retention", 3600, once("retention")),
    Periodic("erasures", 30, erasures.enqueue_due),
    Periodic("portability_expiry", 3600, once("portability_expiry", deadline_seconds=3600)),
    Periodic("usage_levels", 3600, once("usage_levels", deadline_seconds=3000)),
    Periodic("usage_retention", 86_400, once("usage_retention", deadline_seconds=3600)),
    # What is asked for meanwhile is done at once by whoever asks.
    Periodic("roll_over", 60, once("roll_over", deadline_seconds=900)),
    Periodic("forget", 600, forgetting.forget),
    Periodic("end_left_analyses", 60, attempts.end_left),
    # Looks whether advisories changed; what that concerns is jobs of organizations.
    Periodic("reevaluation", 900, once("reevaluation", deadline_seconds=900)),
    Periodic("sweep_credits", 60, once("sweep_credits", deadline_seconds=900)),
    Periodic("check_ledger", 86_400, once("check_ledger", deadline_seconds=3600)),
    Periodic("publish_plans", 60, _publish_plans),
    Periodic("open_invoices", 15, invoices.finalize_due),
)
