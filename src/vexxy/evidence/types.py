"""Evidence as values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID


class EvidenceType(StrEnum):
    """What a piece of evidence is (contract, section 5)."""

    EXECUTION_TRACE = "execution_trace"
    SYSCALL_LOG = "syscall_log"
    FILE_ACCESS_LOG = "file_access_log"
    NETWORK_LOG = "network_log"
    FUZZING_RESULTS = "fuzzing_results"
    CODE_COVERAGE = "code_coverage"
    PROFILER_OUTPUT = "profiler_output"
    CONTAINER_LOGS = "container_logs"
    VEX_DOCUMENT = "vex_document"
    SBOM = "sbom"


Content = bytes | Path | Iterable[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvidence:
    """Evidence that is about to be kept.

    Attributes:
        content: All of it, a file that holds it, or its pieces in order.
        content_type: One of `rules.EXTENSIONS`.
        summary: Figures worth reading without a download; a JSON object.
        vex_document: The document itself, for the type of that name only.
    """

    organization_id: UUID
    analysis_job_id: UUID
    evidence_type: EvidenceType
    content: Content = field(repr=False)
    content_type: str = "application/json"
    description: str | None = None
    summary: Mapping[str, Any] | None = None
    vex_document: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sizes and SHA-256 digests (hexadecimal) of content and of what is stored of it."""

    size_bytes: int
    checksum: str
    stored_bytes: int
    stored_checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Stored bytes: where they are and what they must be."""

    organization_id: UUID
    path: str
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A blob that is stored and that no row names yet."""

    new: NewEvidence
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A piece of evidence that is kept.

    Attributes:
        blob: For the store only; its path never leaves the program.
    """

    id: UUID
    organization_id: UUID
    analysis_job_id: UUID
    evidence_type: EvidenceType
    content_type: str
    description: str | None
    summary: Mapping[str, Any] | None
    created_at: datetime
    blob: Blob = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundBlob:
    """A blob as the store lists it."""

    path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What retention removed."""

    rows: int = 0
    blobs: int = 0
    garbage: int = 0
    unfinished: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkGrant:
    """What a signed link allows: one piece of evidence until an instant."""

    organization_id: UUID
    expires_at: datetime
