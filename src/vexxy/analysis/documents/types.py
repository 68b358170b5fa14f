"""Documents as they are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sbom:
    """An SBOM that was uploaded, without its content.

    Attributes:
        format: `cyclonedx`, `spdx` or `syft`, told by its content.
        digest: `sha256:<64 hex>` of the content as it was sent.
        packages: How many packages could be read from it.
    """

    id: UUID
    name: str
    format: str
    digest: str
    size_bytes: int
    packages: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of a VEX document; `reason` says what brought it about."""

    version: int
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A VEX document in force.

    Attributes:
        content: OpenVEX as it was written.
    """

    id: UUID
    analysis_job_id: UUID
    version: int
    content: bytes
    created_at: datetime
    updated_at: datetime
