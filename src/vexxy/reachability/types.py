"""Values of verdicts."""

from dataclasses import dataclass
from enum import IntEnum

from vexxy.advisories.types import Severity
from vexxy.sbom.types import Package
from vexxy.vex.types import Justification, Status


class Level(IntEnum):
    """How close the vulnerable code came to running; each includes the ones below.

    `PRESENT` means *not observed*, which is never the same as not reachable.
    """

    ABSENT = 0
    PRESENT = 1
    READ_AS_DATA = 2
    LOADED = 3
    MODULE_LOADED = 4
    CALLED = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that a verdict rests on.

    Attributes:
        kind: `file_access`, `static_reference`, `symbol`, `inventory`, `completeness`.
        level: The level that this fact proves.
        detail: The fact, in a sentence, with paths.
        source: Who says so: `ebpf`, `proc_maps`, `elf`, `import_graph`, a record id.
    """

    kind: str
    level: Level
    detail: str
    source: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One vulnerability in one installed package, decided.

    Attributes:
        confidence_score: 0-1, how sure the status is; see docs/analysis.md.
        reason: A sentence for a person.
    """

    vulnerability_id: str
    aliases: tuple[str, ...]
    cve_id: str | None
    package: Package
    severity: Severity
    fixed_versions: tuple[str, ...]
    status: Status
    justification: Justification | None
    level: Level
    confidence_score: float
    reason: str
    evidence: tuple[Evidence, ...]
