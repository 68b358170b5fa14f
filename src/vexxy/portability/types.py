"""Exports and erasures as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vexxy.audit.types import Actor


class ExportState(StrEnum):
    """Where an export is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


class Stage(StrEnum):
    """Where an erasure is; each stage may be begun again after a crash."""

    REQUESTED = "requested"
    ROWS = "rows"
    RECORD = "record"
    BYTES = "bytes"
    PROOF = "proof"
    DONE = "done"


class Fate(StrEnum):
    """What an erasure does with the rows of an organization in a table."""

    ERASED = "erased"
    KEPT = "kept"
    BLANKED = "blanked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What leaves a table with an export, and what an erasure leaves in it.

    Attributes:
        fate: What an erasure does with the rows.
        reason: Why rows stay; empty where none do.
        blank: Columns that are emptied in rows that stay, with the SQL of what is
            written there.
        left_out: Columns that no export holds, with why.
        order: Columns that order the exported rows.
        large: Whether one row may have megabytes.
        column: The one that names the organization.
    """

    name: str
    fate: Fate
    reason: str = ""
    blank: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    order: str = "id"
    large: bool = False
    column: str = "organization_id"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An export as it is asked for."""

    organization_id: UUID
    requested_by: UUID | None
    files_included: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A stored export: where it lies, and what it must be.

    Attributes:
        size_bytes: Of the ZIP archive; `checksum` is its SHA-256.
        stored_bytes: Of what is stored of it; `stored_checksum` is its SHA-256.
    """

    path: str = field(repr=False)
    size_bytes: int
    checksum: str
    stored_bytes: int
    stored_checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export as it is shown.

    Attributes:
        archive: None until it is done, and after it expired.
        current_part: The table or kind of file that is being written.
    """

    id: UUID
    organization_id: UUID
    state: ExportState
    files_included: bool
    progress_percent: int
    current_part: str | None
    rows_written: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    archive: Archive | None


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody wants an organization erased."""

    organization_id: UUID
    actor: Actor
    confirmation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """How far an erasure is.

    Attributes:
        proof: What was counted at the end, table by table; None before.
    """

    organization_id: UUID
    stage: Stage
    current_part: str | None
    rows_erased: int
    entries_blanked: int
    blobs_erased: int
    requested_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    proof: Mapping[str, object] | None
