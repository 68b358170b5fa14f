"""What is counted, named once; a door decides who keeps the counts.

Slices count through these and import no vendor. Until a door installs a recorder,
counting costs a call and keeps nothing.
"""

from dataclasses import dataclass
from typing import Final, Protocol

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LONG_SECONDS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Counter:
    """Something that only grows, in the process that counts it."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    def count(self, amount: float = 1, **labels: str) -> None:
        """Add to it; every label that it has must be named."""
        _installed.recorder.count(self, amount, labels)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Something measured often, kept in buckets."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = SECONDS

    def observe(self, value: float, **labels: str) -> None:
        """Add a measurement; every label that it has must be named."""
        _installed.recorder.observe(self, value, labels)


class Recorder(Protocol):
    """Keeps counts; must return at once and never raise."""

    def count(self, counter: Counter, amount: float, labels: dict[str, str]) -> None:
        """Add to a counter."""

    def observe(self, histogram: Histogram, value: float, labels: dict[str, str]) -> None:
        """Add to a histogram."""


class _Silent:
    def count(self, counter: Counter, amount: float, labels: dict[str, str]) -> None:
        """Keep nothing."""

    def observe(self, histogram: Histogram, value: float, labels: dict[str, str]) -> None:
        """Keep nothing."""


class _Installed:
    recorder: Recorder = _Silent()


_installed: Final = _Installed()


def install(recorder: Recorder) -> None:
    """Have everything counted by this recorder from now on, in this process."""
    _installed.recorder = recorder


HTTP_REQUESTS: Final = Counter(
    "vexxy_http_requests_total", "Requests answered", ("method", "route", "status")
)
HTTP_SECONDS: Final = Histogram(
    "vexxy_http_request_seconds", "Time from request to answer", ("method", "route")
)
RATE_LIMITED: Final = Counter(
    "vexxy_rate_limited_total", "Requests refused for being too many", ("scope",)
)
IDEMPOTENT_REPLAYS: Final = Counter(
    "vexxy_idempotent_replays_total", "Answers given again for an Idempotency-Key"
)
JOBS_FINISHED: Final = Counter(
    "vexxy_jobs_finished_total", "Attempts of jobs that ended", ("kind", "outcome")
)
JOB_SECONDS: Final = Histogram(
    "vexxy_job_seconds", "Time an attempt of a job took", ("kind",), LONG_SECONDS
)
JOB_WAIT_SECONDS: Final = Histogram(
    "vexxy_job_wait_seconds", "Time from due to started", ("kind",)
)
PHASE_SECONDS: Final = Histogram(
    "vexxy_phase_seconds", "Time a phase of an analysis took", ("phase",), LONG_SECONDS
)
SANDBOX_FAILURES: Final = Counter(
    "vexxy_sandbox_failures_total", "Sandboxes that failed", ("reason",)
)
LOST_EVENTS: Final = Counter(
    "vexxy_lost_events_total", "Events of the kernel that an observation lost"
)
QUOTA_REFUSALS: Final = Counter(
    "vexxy_quota_refusals_total", "Acts refused by a quota", ("quota_type",)
)
WEBHOOK_SECONDS: Final = Histogram(
    "vexxy_webhook_seconds", "Time a delivery of a webhook took", ("outcome",)
)
CREDITS: Final = Counter(
    "vexxy_credits_total", "Credits moved: held, settled, released", ("kind",)
)
LEDGER_POSTINGS: Final = Counter(
    "vexxy_ledger_postings_total", "Transactions written to the ledger", ("kind",)
)
LEDGER_DIFFERENCES: Final = Counter(
    "vexxy_ledger_differences_total",
    "Places where the ledger's daily check found an invariant broken",
    ("invariant",),
)
PERIOD_ROLLOVERS: Final = Counter(
    "vexxy_billing_rollovers_total", "Periods of subscriptions that were rolled over"
)
ROLLOVER_FAILURES: Final = Counter(
    "vexxy_billing_rollover_failures_total", "Subscriptions that a sweep could not advance"
)
USAGE_EVENTS: Final = Counter(
    "vexxy_usage_events_total", "Usage events that were sent", ("outcome",)
)
USAGE_LAG_SECONDS: Final = Histogram(
    "vexxy_usage_lag_seconds",
    "Time from what was used to the event about it",
    buckets=LONG_SECONDS,
)
PAYMENT_REFUSALS: Final = Counter(
    "vexxy_payment_refusals_total", "Acts answered 402", ("metric", "reason")
)
OVERAGES: Final = Counter(
    "vexxy_quota_overages_total", "Acts that passed beyond a soft cap", ("metric",)
)
GRACE_PERIODS: Final = Counter(
    "vexxy_grace_periods_total", "Times of grace that began", ("metric",)
)
USAGE_ALERTS: Final = Counter(
    "vexxy_usage_alerts_total", "Alerts of usage that were sent", ("metric", "percent")
)
QUOTA_UNREAD: Final = Counter(
    "vexxy_quota_unread_total",
    "Acts whose quota could not be read: passed or refused",
    ("metric", "outcome"),
)
API_CALLS_UNWRITTEN: Final = Counter(
    "vexxy_api_calls_flush_failures_total", "Times counted calls could not be written"
)

EVERY: Final[tuple[Counter | Histogram, ...]] = (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    RATE_LIMITED,
    IDEMPOTENT_REPLAYS,
    JOBS_FINISHED,
    JOB_SECONDS,
    JOB_WAIT_SECONDS,
    PHASE_SECONDS,
    SANDBOX_FAILURES,
    LOST_EVENTS,
    QUOTA_REFUSALS,
    WEBHOOK_SECONDS,
    CREDITS,
    LEDGER_POSTINGS,
    LEDGER_DIFFERENCES,
    PERIOD_ROLLOVERS,
    ROLLOVER_FAILURES,
    USAGE_EVENTS,
    USAGE_LAG_SECONDS,
    PAYMENT_REFUSALS,
    OVERAGES,
    GRACE_PERIODS,
    USAGE_ALERTS,
    QUOTA_UNREAD,
    API_CALLS_UNWRITTEN,
)
