"""Values of one analysis: what was asked, how far it is, what came out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from vexxy.advisories.types import Match
from vexxy.images.types import Image
from vexxy.reachability.grounds import Ground
from vexxy.reachability.types import Verdict
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import ExecutionProfile
from vexxy.vex.types import SbomLink


class Profile(StrEnum):
    """A named set of defaults; a field that was given wins over its profile's."""

    MINIMAL = "minimal"
    STANDARD = "standard"
    COMPREHENSIVE = "comprehensive"
    CUSTOM = "custom"


class JobStatus(StrEnum):
    """States of an analysis as the contract names them."""

    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a profile decides, with what was given on top.

    Attributes:
        duration_seconds: Observation after readiness, 30-3600.
        ready_timeout_seconds: How long a port may take to open.
        script_timeout_seconds: How long the test script may run.
        profiling: Whether the image is run at all; without it nothing is observed and
            nothing is cleared.
    """

    duration_seconds: int
    coverage: bool
    fuzz: bool
    ready_timeout_seconds: int = 60
    script_timeout_seconds: int = 300
    profiling: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """One analysis that somebody wants.

    Attributes:
        image: A reference the engine knows or can pull, or the path of an archive.
        ports: TCP ports to wait for and to drive; empty means the image's own.
        test_script: Text of the script that exercises the image, or None.
        environment: Variables for the image; secrets, so never logged.
        command: Replaces the image's command, or None.
        sbom_path: A document to take the inventory from instead of reading the image.
        advisory_paths: Folders or archives of OSV records that replace the database.
        network_allowed: Whether the image may reach the outside.
        writable_root: Whether it may write to its root file system from the start.
        archive_image: Name or tag of the one that is meant in an archive of several.
        digest: The image that is meant, whatever its tag means by now; None for any.
        job_id: Names the analysis and labels its containers; None makes one up.
        files_allowed: Whether `image` may be the path of an archive.
        seed_paths: HTTP paths the built-in driver asks for first.
        keep_grounds: Whether the result is to hold what later advisories are judged by.
    """

    image: str
    settings: Settings
    ports: tuple[int, ...] = ()
    test_script: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    sbom_path: Path | None = None
    advisory_paths: tuple[Path, ...] = ()
    network_allowed: bool = False
    keep_sandbox: bool = False
    platform: str | None = None
    runtime: str | None = None
    evidence_directory: Path | None = None
    writable_root: bool = False
    archive_image: str | None = None
    digest: str | None = None
    job_id: str | None = None
    files_allowed: bool = True
    seed_paths: tuple[str, ...] = ()
    keep_grounds: bool = False


@dataclass(frozen=True, slots=True)
class ScriptOutcome:
    """What the test script said.

    Attributes:
        exit_code: None when it was stopped at its time limit.
        output: Standard output and error, at most 1 MiB.
    """

    exit_code: int | None
    output: str
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class AdvisoryOrigin:
    """Which advisories the verdicts stand on.

    Attributes:
        description: For people: a path, or the database and its age.
        newest_at: When the youngest part was brought up to date, None if unknown.
        bundled: Whether this is the small set of the demo, which clears nobody.
    """

    description: str
    records: int
    newest_at: datetime | None = None
    bundled: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a phase took; `observation` phases are the watching itself."""

    phase: str
    seconds: float
    observation: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run of one image left: enough to decide, now or again, without a run.

    Attributes:
        image_id: Of the image that ran; a decision about another is refused.
        driven: Whether it was exercised and answered.
        fuzzed: Whether mutated input was sent.
        relaxations: What it was allowed beyond the strictest sandbox, and why.
        exit_code: Of its first process; None if it had to be killed.
    """

    image_id: str
    profile: ExecutionProfile
    driven: bool
    fuzzed: bool = False
    script: ScriptOutcome | None = None
    relaxations: tuple[str, ...] = ()
    skipped_features: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    container_log: str = ""
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A finished analysis, whole enough to explain, publish and decide again."""

    job_id: str
    status: JobStatus
    image: Image
    inventory: Inventory
    profile: ExecutionProfile
    matches: tuple[Match, ...]
    verdicts: tuple[Verdict, ...]
    advisories: AdvisoryOrigin
    created_at: datetime
    started_at: datetime
    completed_at: datetime
    driven: bool
    script: ScriptOutcome | None = None
    relaxations: tuple[str, ...] = ()
    skipped_features: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    warnings: tuple[str, ...] = ()
    container_log: str = ""
    exit_code: int | None = None
    scan: Mapping[str, Any] | None = None
    sbom_link: SbomLink | None = None
    fuzzed: bool = False
    grounds: tuple[Ground, ...] = ()
