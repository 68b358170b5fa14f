"""Values of advisories, of their matches and of the database that holds them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import msgspec

from vexxy.sbom.types import Package, Problem

REJECTED_MAX: Final = 200


class Severity(StrEnum):
    """Qualitative severity, as CVSS 3.1 section 5 names it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"
    UNKNOWN = "unknown"


class PreconditionKind(StrEnum):
    """Where it would show that a hole can be used."""

    ARGUMENT = "argument"
    OPTION = "option"
    ENVIRONMENT = "environment"
    CONFIGURATION = "configuration"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Precondition:
    """What else has to be so before a vulnerable function is of use to an attacker.

    It is told as evidence and clears nothing: an absence may only be unobserved.

    Attributes:
        form: What would be seen. Argument of the function: `verify=False`; option of a
            program: `--reload`, `--bind=0.0.0.0`; environment: `NAME` or `NAME=value`;
            configuration: words of whoever states it; platform: `windows`, `linux/arm`.
        sentence: The same for a reader, with a full stop.
    """

    kind: PreconditionKind
    form: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function that an advisory or a fix names as vulnerable.

    Attributes:
        module: Go import path, dotted Python module, npm or Rust path, or a source
            file such as `deps/lua/src/lparser.c`; empty when unknown.
        name: Function as the ecosystem writes it (`Decoder.Decode`, `luaY_parser`);
            empty where the record names the whole module and no function of it.
        provenance: Where this is known from, one line, with a URL or file.
        confidence: 0-1; 1.0 for names in a reviewed record.
        platforms: `GOOS`, `GOARCH` or `GOOS/GOARCH` that the code is built for, as the
            record says; empty for all.
        preconditions: What else has to be so, where a source states it.
    """

    module: str
    name: str
    provenance: str
    confidence: float = 1.0
    platforms: tuple[str, ...] = ()
    preconditions: tuple[Precondition, ...] = ()


EventKind = Literal["introduced", "fixed", "last_affected", "limit"]


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value that the database holds as it is, by place and not by name.

    Matching reads tens of thousands of them; they hold no cycles, so the garbage
    collector need not look at them.
    """


class Event(Stored, frozen=True):
    """A version at which something changes."""

    kind: EventKind
    version: str


class Range(Stored, frozen=True):
    """Events of one range; `type` is ECOSYSTEM or SEMVER, never GIT."""

    type: str
    events: tuple[Event, ...]


class Rating(Stored, frozen=True):
    """One statement of severity: a CVSS vector or a vendor's word, as OSV writes it."""

    type: str
    score: str


class Affected(Stored, frozen=True):
    """What one record says about one package.

    Attributes:
        versions: Enumerated versions that no range covers.
    """

    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    symbols: tuple[Symbol, ...] = ()
    ratings: tuple[Rating, ...] = ()
    urgency: str = ""


class Details(Stored, frozen=True):
    """What one record says whatever the package.

    Attributes:
        words: Severities in the source's own words.
    """

    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    summary: str = ""
    ratings: tuple[Rating, ...] = ()
    words: tuple[str, ...] = ()


class Advisory(NamedTuple):
    """One OSV record.

    Attributes:
        packages: Ecosystem with release, normalized name, what is said of it.
    """

    id: str
    details: Details
    packages: tuple[tuple[str, str, Affected], ...]


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
        urgency: The distribution's own word, such as `unimportant`; empty if none.
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
    urgency: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """What an inventory was found to have, and what could not be decided.

    Attributes:
        problems: Packages whose version cannot be ordered, or advisories whose range
            cannot; a package named here must not be called free of them.
    """

    matches: tuple[Match, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file among the advisories that was not stored.

    Attributes:
        path: The file, or `archive.zip!member`.
        reason: Why, in a sentence.
        damaged: The bytes themselves are corrupt (checksum, truncation), so that
            nothing can be said of the rest of the file they came in.
    """

    path: str
    reason: str
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class EcosystemReport:
    """What an import did to one ecosystem.

    Attributes:
        records: Advisories stored by this import.
        records_before: Advisories it had before.
    """

    ecosystem: str
    records: int
    records_before: int = 0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import stored and what it left out.

    Attributes:
        withdrawn: Records left out because their source withdrew them.
        without_package: Records left out because they name commits and no package.
        rejected: At most `REJECTED_MAX` files, in the order they were met.
        rejected_total: How many there were, listed or not.
    """

    ecosystems: tuple[EcosystemReport, ...]
    withdrawn: int = 0
    without_package: int = 0
    rejected: tuple[Rejected, ...] = ()
    rejected_total: int = 0

    @property
    def records(self) -> int:
        """Advisories stored, all ecosystems."""
        return sum(one.records for one in self.ecosystems)


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did to one ecosystem.

    Attributes:
        unchanged: The source still serves what is stored; nothing was downloaded.
        report: What was stored; None when unchanged or failed.
        failure: Why it failed, in a sentence; what was stored before is still there.
    """

    ecosystem: str
    unchanged: bool = False
    downloaded_bytes: int = 0
    report: ImportReport | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class EcosystemStatus:
    """What the database holds of one ecosystem.

    Attributes:
        imported_at: When it was last replaced or found unchanged at its source.
        source: URL or path it came from.
        with_symbols: Advisories that name at least one vulnerable function.
    """

    ecosystem: str
    imported_at: datetime
    source: str
    records: int
    with_symbols: int
    symbols: int

    def age_days(self, now: datetime) -> int:
        """Whole days since the import."""
        return max(0, (now - self.imported_at).days)


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """What the database holds.

    Attributes:
        derived_symbols: Lines of the overlay that was derived on this machine.
        shipped_symbols: Lines of the overlay that ships with the product.
    """

    path: str
    size_bytes: int
    ecosystems: tuple[EcosystemStatus, ...]
    derived_symbols: int
    shipped_symbols: int

    @property
    def records(self) -> int:
        """Advisories held, all ecosystems."""
        return sum(one.records for one in self.ecosystems)


@dataclass(frozen=True, slots=True)
class OverlayLine:
    """One function that we, not the advisory, say is vulnerable.

    Attributes:
        ecosystem: OSV ecosystem without release, such as `Debian`.
        package: Source package or package name, normalized for its ecosystem.
        vulnerability_id: A CVE, or any id of the vulnerability.
    """

    ecosystem: str
    package: str
    vulnerability_id: str
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Derivation:
    """Functions derived from patches, and what could not be.

    Attributes:
        packages: Packages that were looked at.
        vulnerabilities: Vulnerabilities with a patch, named function or not.
    """

    lines: tuple[OverlayLine, ...]
    packages: tuple[str, ...]
    vulnerabilities: int
    problems: tuple[Problem, ...] = ()
