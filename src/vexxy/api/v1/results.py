"""What the results of an analysis hold (contract, section 3), for the description.

The answer itself is the stored text: a profile can be many megabytes, and reading it to
write it again would say nothing new.
"""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from vexxy.advisories.types import Severity
from vexxy.vex.types import Justification, Status

Score = Annotated[float, Field(ge=0, le=1)]


class PackageView(BaseModel):
    """An installed copy of a package."""

    purl: str
    version: str
    locations: list[str] = Field(description="Paths in the image that prove it")


class EvidenceView(BaseModel):
    """One fact that a verdict rests on."""

    kind: str = Field(examples=["file_access", "symbol", "static_reference"])
    level: str = Field(
        description="How close the code came to running by this fact alone",
        examples=["called", "module_loaded", "loaded", "read_as_data", "present", "absent"],
    )
    detail: str
    source: str = Field(examples=["ebpf", "import_graph", "https://osv.dev/…"])


class FindingView(BaseModel):
    """One vulnerability in one installed package, decided."""

    vulnerability_id: str
    aliases: list[str]
    cve_id: str | None
    package: PackageView
    severity: Severity
    fixed_versions: list[str]
    status: Status
    justification: Justification | None
    level: str
    confidence_score: Score
    reason: str = Field(description="A sentence for a person")
    evidence: list[EvidenceView]


class AlertView(BaseModel):
    """What a scanner raised; ids that it leaves out are null."""

    alert_id: str | None
    name: str
    risk: str
    confidence: str
    description: str
    url: str
    method: str | None
    param: str | None
    evidence: str | None
    solution: str | None
    reference: str | None
    cwe_id: int | None
    wasc_id: int | None


class SecurityFindingsView(BaseModel):
    """What the scanners found; null where none ran."""

    scan_type: str
    status: str
    scanner: str
    scanner_version: str | None
    scan_duration_seconds: float
    target_urls: list[str]
    total_alerts: int
    high_risk: int
    medium_risk: int
    low_risk: int
    informational: int
    alerts: list[AlertView]


class SummaryView(BaseModel):
    """The verdicts counted, and how far the observation can be trusted."""

    findings: int
    by_status: dict[Status, int]
    remaining: int = Field(description="Findings that are not `not_affected`")
    remaining_by_severity: dict[Severity, int]
    removed_percent: float
    packages: int
    driven: bool = Field(description="Whether the image was exercised and answered")
    incomplete: bool = Field(description="The observation has holes: nothing is cleared")
    incomplete_reasons: list[str]
    warnings: list[str]
    reused_from: UUID | None = Field(
        default=None, description="The analysis that this result was taken from"
    )
