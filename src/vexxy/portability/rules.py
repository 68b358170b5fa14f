"""Which table leaves with an export, and what an erasure leaves in it.

Every table is named here once; a test compares this with the catalog of the database, so
that none is forgotten. `TENANT` is in the order of an erasure: what points at a table
stands before it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from vexxy.portability.types import Fate, Table

FORMAT: Final = "vexxy-export/1"
FOLDER: Final = "exports"
# A request that had begun before everything was stopped is over by then.
QUIET_SECONDS: Final = 60
ARCHIVE_BYTES_MAX: Final = 256 * 1024**3
ERASED_NAME: Final = "Erased organization"

SECRET: Final = "a secret, or what proves one"  # noqa: S105  a reason
INTERNAL: Final = "internal: an address or a digest that means nothing outside"
AS_FILE: Final = "a file of its own, sboms/<id>.json"
LEDGER: Final = "proof of invoices; opaque ids and credits only"
LAW: Final = "kept as the law on invoices asks"


def _erased(
    name: str, left_out: Mapping[str, str] | None = None, *, order: str = "id"
) -> Table:
    return Table(name=name, fate=Fate.ERASED, left_out=left_out or {}, order=order)


def _large(
    name: str, left_out: Mapping[str, str] | None = None, *, order: str = "id"
) -> Table:
    return Table(
        name=name, fate=Fate.ERASED, left_out=left_out or {}, order=order, large=True
    )


def _kept(name: str, reason: str, *, order: str = "id") -> Table:
    return Table(name=name, fate=Fate.KEPT, reason=reason, order=order)


TENANT: Final = (
    _erased("notification_deliveries"),
    _erased("notification_endpoints", {"sealed_secrets": SECRET}),
    _erased("analysis_statements", {"match_digest": INTERNAL}, order="decided_at"),
    _erased("analysis_packages", {"ground": INTERNAL}, order="analysis_job_id, ordinal"),
    _erased("analysis_revisions", order="analysis_job_id"),
    _large("vex_document_history", order="vex_document_id, version"),
    _large("vex_documents"),
    _large("analysis_evidence", {"storage_path": INTERNAL}),
    _erased(
        "evidence_blobs",
        {"storage_path": INTERNAL, "stored_checksum": INTERNAL},
        order="created_at",
    ),
    _large(
        "premium_analysis_jobs",
        {
            "sealed_environment": SECRET,
            "request_digest": INTERNAL,
            "error_traceback": INTERNAL,
            "sandbox_id": INTERNAL,
            "sandbox_job_name": INTERNAL,
        },
        order="created_at, id",
    ),
    _large("sboms", {"content": AS_FILE}),
    _erased("api_keys", {"digest": SECRET}),
    _erased("invitations", {"digest": SECRET}),
    _erased("password_resets", {"digest": SECRET}),
    _erased("idempotency_keys"),
    _erased("jobs"),
    _erased(
        "organization_exports", {"storage_path": INTERNAL, "stored_checksum": INTERNAL}
    ),
    _erased("usage_alerts"),
    _erased("grace_periods", order="metric, period_start"),
    _erased("quota_admissions", order="created_at, reference"),
    _erased("billing_entitlements"),
    _erased("billing_usage_events", {"key": INTERNAL}, order="occurred_at, key"),
    _erased("billing_usage_values", order="metric, day, value"),
    Table(
        name="billing_usage_daily_totals",
        fate=Fate.BLANKED,
        reason="sums by metric and day, the proof of invoices",
        blank={"last_id": "''"},
        order="metric, day",
    ),
    _kept("billing_invoice_items", LAW),
    _kept("billing_closings", LAW, order="period_start"),
    _kept("billing_rated_usage", LAW, order="metric"),
    _kept("billing_invoices", LAW, order="created_at, id"),
    _erased("subscription_quotes"),
    Table(
        name="subscription_history",
        fate=Fate.BLANKED,
        reason=LAW,
        blank={"reason": "''"},
        order="created_at, id",
    ),
    _kept("subscription_items", LAW),
    _kept("billing_periods", LAW),
    _kept("subscriptions", LAW),
    _kept("credit_lots", LEDGER),
    _kept("credit_accounts", LEDGER, order="organization_id"),
    _kept("billing_events", LEDGER, order="sequence"),
    _erased("users", {"hashed_password": SECRET, "token_generation": INTERNAL}),
    _kept("organization_erasures", "tells what was erased and when", order="requested_at"),
    _kept(
        "billing_audit_log",
        "who did what, by ids; all that names a person is blanked by the record itself",
        order="position",
    ),
    Table(
        name="organizations",
        fate=Fate.BLANKED,
        reason="what invoices and the ledger point at",
        blank={
            "name": f"'{ERASED_NAME}'",
            "slug": "'erased-' || id",
        },
        column="id",
    ),
)

# Of an organization, and in no export, with why.
NOT_EXPORTED: Final[Mapping[str, str]] = {
    "jobs": "the queue's own notes; what became of them stands in the other tables",
    "idempotency_keys": "sealed answers of the last day, each of which was given",
    "password_resets": "links that hold for an hour",
    "billing_usage_values": "digests of values that stand in billing_usage_events",
}

# What belongs to no organization, with why nothing of one is in it.
SHARED: Final[Mapping[str, str]] = {
    "advisory_changes": "names of packages with new advisories",
    "advisory_states": "names of packages whose advisories are known",
    "audit_removals": "how many entries of the record went, and up to when",
    "billing_plans": "plans and their prices",
    "billing_usage_prunings": "up to which day usage events were removed",
    "job_schedule": "when periodic work is due",
    "ledger_marks": "up to when lapsed holds were swept",
    "job_workers": "which workers run",
    "sign_in_attempts": "keyed digests that are counted for 15 minutes",
}

EXPORTED: Final = tuple(table for table in TENANT if table.name not in NOT_EXPORTED)


def folder(organization_id: UUID) -> str:
    """Return the folder that holds the exports of an organization."""
    return f"{FOLDER}/{organization_id}"


def address(organization_id: UUID, export_id: UUID) -> str:
    """Return where an export is stored; the same at each attempt."""
    return f"{folder(organization_id)}/{export_id}.zip.zst"


def expires_at(finished_at: datetime, *, retention_days: int) -> datetime:
    """Return when an export is removed."""
    return finished_at + timedelta(days=retention_days)
