"""`/analysis`: submit, follow, read, list and cancel (contract, section 3)."""

from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from vexxy.analysis.submission import rules, service, wire
from vexxy.analysis.submission.service import Terms
from vexxy.analysis.submission.types import Filter, Given, Progress, Status, Submission
from vexxy.analysis.types import Profile
from vexxy.api.v1.results import FindingView, SecurityFindingsView, SummaryView
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters, Transaction, require
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.identity.types import Identity, Permission
from vexxy.kit.errors import Conflict, NotFound, PaymentRequired, QuotaExceeded
from vexxy.tracer.types import ExecutionProfile

router: Final = Router(prefix="/analysis", tags=["analysis"])
Reader = Annotated[Identity, Depends(require(Permission.ANALYSIS_READ))]
Writer = Annotated[Identity, Depends(require(Permission.ANALYSIS_WRITE))]
READING: Final = [Depends(require(Permission.ANALYSIS_READ))]

Skip = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=200)]
Seconds = Annotated[int, Field(strict=True, ge=30, le=3600)]
Flag = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Word = Annotated[str, Field(max_length=rules.WORD_LENGTH_MAX)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
ImageRef = Annotated[str, Field(min_length=1, max_length=1024)]


class ConfigBody(BaseModel):
    """What to do with the image; a field that is left out is the profile's."""

    model_config = ConfigDict(extra="forbid")

    test_script: Annotated[str, Field(max_length=rules.SCRIPT_BYTES_MAX)] | None = Field(
        default=None,
        description="Exercises the image from beside it, with HOST, PORT and PORTS in "
        "its environment; 64 KiB",
    )
    test_timeout: Seconds | None = Field(
        default=None, description="Seconds the script may run; left out, 300"
    )
    analysis_duration: Seconds | None = Field(
        default=None, description="Seconds of observation after readiness"
    )
    enable_fuzzing: Flag | None = Field(default=None, description="Send mutated input")
    enable_profiling: Flag | None = Field(
        default=None,
        description="Run the image and watch it; without it nothing is cleared",
    )
    enable_code_coverage: Flag | None = Field(
        default=None, description="Record called functions: verdicts about functions"
    )
    ports: list[Port] = Field(
        default=[],
        max_length=rules.PORTS_MAX,
        description="TCP ports to wait for and to drive; none means the image's own",
    )
    environment: dict[str, str] = Field(
        default={},
        max_length=rules.ENVIRONMENT_MAX,
        description="Variables for the image; kept encrypted, never shown again",
    )
    command: list[Word] | Word | None = Field(
        default=None, description="Replaces the image's command: words, or one line"
    )
    health_check_path: str | None = Field(
        default=None,
        max_length=rules.PATH_LENGTH_MAX,
        description="HTTP path that is asked for first; a path, never an address",
    )
    health_check_timeout: Annotated[int, Field(strict=True, ge=1, le=3600)] | None = Field(
        default=None, description="Seconds a port may take to answer; left out, 60"
    )


class SubmitBody(BaseModel):
    """An image that shall be analyzed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "image_ref": "nginx:1.25",
                    "profile": "standard",
                    "config": {"ports": [80], "health_check_path": "/"},
                }
            ]
        },
    )

    image_ref: ImageRef = Field(description="A reference that the engine has or can pull")
    image_digest: Digest | None = Field(
        default=None,
        description="What has to run, wherever the tag points; left out, it is resolved "
        "and recorded",
    )
    sbom_id: UUID | None = Field(
        default=None, description="One of `POST /sboms`; left out, the image is read"
    )
    profile: Profile = Profile.STANDARD
    config: ConfigBody = ConfigBody()
    reuse_result: Flag = Field(
        default=True,
        description="Whether the result of the very same request may answer it for 1 "
        "credit, once it is known which digest is meant; false runs it in any case",
    )


class Submitted(BaseModel):
    """An analysis that was taken in."""

    job_id: UUID
    status: Status
    image_ref: str
    image_digest: str | None
    estimated_duration_minutes: int
    estimated_cost_credits: int = Field(description="At most; settled at completion")
    skipped_features: list[str] = Field(description="What the plan does not include")
    created_at: Instant
    analyses_remaining: int | None = Field(description="Of the period; null: any number")
    quota_resets_at: Instant = Field(description="When the next period begins")


class ProgressView(BaseModel):
    """How far an analysis is."""

    job_id: UUID
    status: Status
    progress_percent: int
    current_phase: str | None
    created_at: Instant
    started_at: Instant | None
    estimated_completion: Instant | None
    completed_at: Instant | None
    error_message: str | None


class ResultsView(BaseModel):
    """An analysis and what came out; results are null until it is complete."""

    job_id: UUID
    status: Status
    image_ref: str
    image_digest: str | None
    vex_document: dict[str, Any] | None = Field(description="OpenVEX 0.2.0")
    generated_vex_id: UUID | None
    execution_profile: ExecutionProfile | None
    reachability_results: list[FindingView] | None
    security_findings: SecurityFindingsView | None
    summary: SummaryView | None
    skipped_features: list[str]
    cost_credits: int | None
    created_at: Instant
    started_at: Instant | None
    completed_at: Instant | None
    error_message: str | None


class ListedView(BaseModel):
    """One analysis of a list."""

    job_id: UUID
    status: Status
    image_ref: str
    image_digest: str | None
    profile: Profile
    progress_percent: int
    current_phase: str | None
    created_at: Instant
    started_at: Instant | None
    completed_at: Instant | None
    cost_credits: int | None
    generated_vex_id: UUID | None
    error_message: str | None


class AnalysisList(BaseModel):
    """A page of analyses, newest first."""

    total: int
    skip: int
    limit: int
    jobs: list[ListedView]


class Queued(BaseModel):
    """Work that was queued."""

    job_id: UUID = Field(description="The analysis")
    status: str = Field(examples=["queued"])


@router.post(
    "/submit",
    status_code=HTTPStatus.CREATED,
    responses=openapi.responses(NotFound, QuotaExceeded, PaymentRequired),
)
def submit(
    *,
    body: SubmitBody,
    who: Writer,
    adapters: Adapters,
    session: Transaction,
    actor: Acting,
) -> Submitted:
    """Queue an analysis of an image; what it costs at most is held until it is over.

    A step that the plan does not include is skipped, not charged and named in
    `skipped_features`.
    """
    terms = Terms(
        organization_id=who.organization_id,
        actor=actor,
        plans=adapters.plans,
        submitted_by=who.user_id,
        files_allowed=adapters.settings.image_archives_allowed,
        registries=adapters.settings.registries,
    )
    accepted = service.submit(
        session, _submission(body), terms=terms, sealer=adapters.sealer
    )
    return Submitted.model_validate(accepted, from_attributes=True)


def _submission(body: SubmitBody) -> Submission:
    config = body.config
    command = config.command
    if isinstance(command, str):
        words: tuple[str, ...] | None = rules.words_of(command)
    else:
        words = None if command is None else tuple(command)
    given = config.model_dump(exclude={"command", "ports"})
    return Submission(
        image_ref=body.image_ref,
        image_digest=body.image_digest,
        sbom_id=body.sbom_id,
        profile=body.profile,
        config=Given(**given, command=words, ports=tuple(config.ports)),
        reuse_result=body.reuse_result,
    )


@router.get("", dependencies=READING)
def list_analyses(
    *,
    session: Transaction,
    skip: Skip = 0,
    limit: Limit = 50,
    status_filter: Annotated[Status | None, Query(description="Only these")] = None,
    image_ref: Annotated[Text | None, Query(max_length=1024)] = None,
    image_digest: Annotated[Digest | None, Query()] = None,
) -> AnalysisList:
    """List analyses, newest first."""
    wanted = Filter(status_filter, image_ref, image_digest)
    total, found = service.list_(session, wanted, skip=skip, limit=limit)
    jobs = [ListedView.model_validate(one, from_attributes=True) for one in found]
    return AnalysisList(total=total, skip=skip, limit=limit, jobs=jobs)


@router.get("/{job_id}/status", dependencies=READING)
def read_status(job_id: UUID, session: Transaction) -> ProgressView:
    """Say how far an analysis is."""
    return progress_view(service.get_progress(session, job_id))


def progress_view(progress: Progress) -> ProgressView:
    """Return progress as it is answered."""
    return ProgressView.model_validate(progress, from_attributes=True)


@router.get(
    "/{job_id}/results",
    dependencies=READING,
    response_model=ResultsView,
    response_class=Response,
)
def read_results(job_id: UUID, session: Transaction) -> Response:
    """Return what came out; 200 in every state, with null for what is not there yet."""
    content = wire.results_json(service.get_results(session, job_id))
    return Response(content, media_type="application/json")


@router.delete("/{job_id}", responses=openapi.responses(Conflict))
def cancel(
    job_id: UUID, who: Writer, session: Transaction, *, actor: Acting
) -> ProgressView:
    """Cancel an analysis that is not over.

    Its sandbox is removed and its credits are released; one that had begun goes on
    counting among the period's analyses.
    """
    del who
    return progress_view(service.cancel(session, job_id, actor=actor))


@router.post(
    "/{job_id}/reevaluate",
    status_code=HTTPStatus.ACCEPTED,
    responses=openapi.responses(Conflict),
)
def reevaluate(job_id: UUID, who: Writer, session: Transaction, *, actor: Acting) -> Queued:
    """Decide again with today's advisories from what was observed; nothing is run."""
    del who
    service.reevaluate(session, job_id, actor=actor)
    return Queued(job_id=job_id, status="queued")
