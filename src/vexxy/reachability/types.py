"""Values of verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from vexxy.advisories.types import Severity
from vexxy.sbom.types import Package
from vexxy.tracer.types import FileAccess
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
        kind: `file_access`, `static_reference`, `symbol`, `inventory`, `linkage`,
            `precondition`, `completeness`, `assumption`.
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
        action_statement: What to do about it; only for `affected`.
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
    action_statement: str | None = None


@dataclass(frozen=True, slots=True)
class MovedAccess(FileAccess):
    """A file of the image that ran under another path, which the image does not have."""

    ran_as: str = ""


@dataclass(frozen=True, slots=True)
class CopiedAccess(FileAccess):
    """A package's file that ran as a copy, which no package owns."""

    copy: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """Why a file that was not seen running could still be loaded.

    Attributes:
        path: Canonical path of the file that could be loaded.
        via: Canonical path of the file that refers to it; empty when the run itself
            does (an argument, a running daemon).
        how: What the reference is, as words that fit between the two paths
            (`names it as a needed library`).
        source: `elf`, `import_graph`, `command`, `configuration`, `interpreter`.
    """

    path: str
    via: str
    how: str
    source: str


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """Code whose loading nobody here can predict, so that all of it counts as loadable.

    Attributes:
        language: `perl`, `ruby`, `php`, `java`, `python` ...
        reason: Why it cannot be followed, a sentence with the path that leads there.
        types: purl types whose packages are all loadable.
        suffixes: File name endings that the language loads.
        directories: Canonical directories it loads from, without a trailing slash.
        via: The file that led there, so that its own chain can be shown.
    """

    language: str
    reason: str
    types: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    directories: frozenset[str] = frozenset()
    via: str = ""


@dataclass(frozen=True, slots=True)
class Loadable:
    """Everything that was not seen running and could still be loaded.

    Attributes:
        references: By canonical path, the first cause found, shortest chain first.
        causes: For source files, every cause that was found, loaded files included.
        unfollowed: Whole languages that could load more than can be predicted.
        gaps: What is inconsistent between the trace and the files: signs that
            something ran unseen; sentences.
    """

    references: Mapping[str, Reference] = field(default_factory=dict)
    causes: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    unfollowed: tuple[Unfollowed, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of a judgement and what is known about how the image was started.

    Attributes:
        confidence_min: Below this a `not_affected` becomes `under_investigation`.
        observed_seconds_min: Shorter observations prove nothing by silence.
        symbol_confidence_min: Below this a symbol is treated as not known.
        environment: The container's variables; values may be secrets and are never
            written into a verdict.
        working_directory: Of the first process; `/` when unknown.
        platform: Of the image, as `linux/amd64`; empty if unknown.
        arguments: Entry point and command of the image, in addition to what ran.
    """

    confidence_min: float = 0.6
    observed_seconds_min: float = 30.0
    symbol_confidence_min: float = 0.7
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    arguments: tuple[str, ...] = ()
    platform: str = ""
