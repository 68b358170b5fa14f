"""Values of an analysis that somebody submitted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from vexxy.analysis.types import Observation, Profile


class Status(StrEnum):
    """Where an analysis is (contract, section 3)."""

    QUEUED = "queued"
    RUNNING = "running"
    ANALYZING = "analyzing"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL: Final = frozenset({Status.COMPLETE, Status.FAILED, Status.CANCELLED})


@dataclass(frozen=True, slots=True)
class Given:
    """The fields of `config` as they were given; None means the profile's.

    Attributes:
        environment: Secrets, so never logged, listed or kept unsealed.
        health_check_path: Asked for before anything else; a path, never an address.
    """

    test_script: str | None = None
    test_timeout: int | None = None
    analysis_duration: int | None = None
    enable_fuzzing: bool | None = None
    enable_profiling: bool | None = None
    enable_code_coverage: bool | None = None
    ports: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: tuple[str, ...] | None = None
    health_check_path: str | None = None
    health_check_timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody wants to have analyzed.

    Attributes:
        reuse_result: Whether the result of the same request may answer it.
    """

    image_ref: str
    image_digest: str | None = None
    sbom_id: UUID | None = None
    profile: Profile = Profile.STANDARD
    config: Given = field(default_factory=Given)
    reuse_result: bool = True


@dataclass(frozen=True, slots=True)
class Config:
    """What an analysis does: the profile, and what was given on top of it.

    Without the environment, which is kept apart and sealed; its names are enough to
    recognize an analysis by.
    """

    test_script: str | None
    test_timeout: int
    analysis_duration: int
    enable_fuzzing: bool
    enable_profiling: bool
    enable_code_coverage: bool
    ports: tuple[int, ...]
    environment_names: tuple[str, ...]
    command: tuple[str, ...] | None
    health_check_path: str | None
    health_check_timeout: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """An analysis that was taken in.

    Attributes:
        analyses_remaining: Of the period after it, None without limit.
        quota_resets_at: When the next period begins.
    """

    job_id: UUID
    status: Status
    image_ref: str
    image_digest: str | None
    estimated_duration_minutes: int
    estimated_cost_credits: int
    skipped_features: tuple[str, ...]
    created_at: datetime
    analyses_remaining: int | None
    quota_resets_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an analysis is.

    Attributes:
        revision: Counts what a watcher would see change; the id of an event.
        estimated_completion: None unless it runs.
    """

    job_id: UUID
    status: Status
    progress_percent: int
    current_phase: str | None
    created_at: datetime
    started_at: datetime | None
    estimated_completion: datetime | None
    completed_at: datetime | None
    error_message: str | None
    revision: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a list of analyses."""

    job_id: UUID
    status: Status
    image_ref: str
    image_digest: str | None
    profile: Profile
    progress_percent: int
    current_phase: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    cost_credits: int | None
    generated_vex_id: UUID | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which analyses are listed; None lists every one."""

    status: Status | None = None
    image_ref: str | None = None
    image_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker needs to run an analysis.

    Attributes:
        image_digest: The one that was asked for, or that an earlier attempt resolved.
        observation: Of an earlier attempt: then nothing has to be run.
        sbom: Content of the SBOM that was given, or None.
    """

    analysis_id: UUID
    organization_id: UUID
    image_ref: str
    image_digest: str | None
    config: Config
    environment: Mapping[str, str] = field(repr=False)
    observation: Observation | None = None
    sbom: bytes | None = None


@dataclass(frozen=True, slots=True)
class Results:
    """An analysis as `GET …/results` answers; documents are JSON text, or None."""

    job_id: UUID
    status: Status
    image_ref: str
    image_digest: str | None
    vex_document: str | None
    generated_vex_id: UUID | None
    execution_profile: str | None
    reachability_results: str | None
    security_findings: str | None
    summary: str | None
    skipped_features: str
    cost_credits: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_message: str | None
