"""Values of advisories and of their matches."""

from dataclasses import dataclass
from enum import StrEnum

from vexxy.sbom.types import Package


class Severity(StrEnum):
    """Qualitative severity, as CVSS 3.1 section 5 names it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function that an advisory or a fix names as vulnerable.

    Attributes:
        module: Go import path, dotted Python module, npm or Rust path, or a source
            file such as `deps/lua/src/lparser.c`; empty when unknown.
        name: Function as the ecosystem writes it (`Decoder.Decode`, `luaY_parser`).
        provenance: Where this is known from, one line, with a URL or file.
        confidence: 0-1; 1.0 for names in a reviewed record.
    """

    module: str
    name: str
    provenance: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Match:
    """One vulnerability that an installed package's version has.

    Attributes:
        vulnerability_id: The id people search for: CVE if there is one, else the
            record's own.
        aliases: Every other id of the same vulnerability, sorted.
        cve_id: The CVE among them, else None.
        advisory_ids: The records that matched, sorted.
        fixed_versions: Versions of the package that fix it, ascending; may be empty.
        cvss_score: 0.0-10.0, or None.
        symbols: Vulnerable functions; empty means nobody said, not "none".
    """

    vulnerability_id: str
    aliases: tuple[str, ...]
    cve_id: str | None
    advisory_ids: tuple[str, ...]
    package: Package
    severity: Severity
    cvss_score: float | None
    fixed_versions: tuple[str, ...]
    summary: str
    symbols: tuple[Symbol, ...] = ()
