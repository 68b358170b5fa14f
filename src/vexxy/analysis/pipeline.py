"""The phases of one analysis, in order."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from vexxy.advisories.types import Match
from vexxy.analysis import coverage, evidence, inputs, rules, watching
from vexxy.analysis.errors import AdvisoriesMissing
from vexxy.analysis.inputs import Advice
from vexxy.analysis.observation import Observed, TooStrict, observe
from vexxy.analysis.phases import Clock, Phase
from vexxy.analysis.ports import Tools
from vexxy.analysis.types import JobStatus, Request, Result, ScriptOutcome
from vexxy.analysis.watching import Watching
from vexxy.images.rootfs import RootFilesystem
from vexxy.kit import clock as time_of_day
from vexxy.kit.errors import Unavailable
from vexxy.kit.progress import Listener
from vexxy.reachability import service as reachability
from vexxy.reachability.types import Settings as JudgeSettings
from vexxy.reachability.types import Verdict
from vexxy.sandbox import rules as sandbox_rules
from vexxy.sandbox import service as sandbox_service
from vexxy.sandbox.service import OpenedImage
from vexxy.sandbox.types import Privileges, SandboxRequest
from vexxy.sbom import service as sbom_service
from vexxy.sbom.types import Inventory
from vexxy.tracer import rules as tracer
from vexxy.tracer.types import ExecutionProfile


@dataclass(slots=True)
class _Run:
    """What is known so far."""

    request: Request
    tools: Tools
    clock: Clock
    advice: Advice
    created_at: datetime
    job_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    relaxations: list[str] = field(default_factory=list)
    inventory: Inventory | None = None
    matches: tuple[Match, ...] = ()
    recorders: coverage.Plan = field(default_factory=lambda: coverage.Plan(None, {}))
    watching: Watching | None = None
    found: bool = False


def run(request: Request, tools: Tools, listener: Listener) -> Result:
    """Analyze the image and return everything that was found.

    Whatever happens, the sandbox and what was loaded for it are removed, unless
    `keep_sandbox` was asked for.

    Raises:
        VexxyError: Of the kind that fits; nothing but the evidence folder is written.
    """
    rules.check_request(request)
    clock = Clock(listener)
    created_at = time_of_day.now()
    with clock.phase(Phase.PLATFORM):
        sandbox_service.sweep(tools.engine)
        advice = _advice(request, tools)
        sbom = inputs.sbom(request)
    run_ = _Run(request, tools, clock=clock, advice=advice, created_at=created_at)
    clock.say(Phase.DEPLOY, request.image)
    with sandbox_service.open_image(
        tools.engine,
        request.image,
        platform=request.platform,
        archive_image=request.archive_image,
        listener=listener,
    ) as opened:
        with clock.phase(Phase.DEPLOY, "reading the root file system"):
            root = _root(opened)
            if sbom is not None:
                run_.inventory = inputs.reconciled(sbom, root, opened.image)
        run_.recorders = coverage.plan(
            opened.image,
            root,
            environment=request.environment,
            wanted=request.settings.coverage,
        )
        observed = _attempts(run_, opened, root)
        result = _decide(run_, opened, root, observed=observed)
        clock.say(Phase.CLEANUP)
    if request.evidence_directory is not None:
        evidence.write(result, observed, request.evidence_directory)
    return result


def _advice(request: Request, tools: Tools) -> Advice:
    """Open the advisories; say also what may be wrong with the image if there are none."""
    try:
        return inputs.advice(request, tools.database_path)
    except AdvisoriesMissing as error:
        doubt = sandbox_service.find_doubt(tools.engine, request.image)
        if not doubt:
            raise
        raise AdvisoriesMissing(f"{error.message}; and {doubt}", hint=error.hint) from error


def _root(opened: OpenedImage) -> RootFilesystem:
    if opened.root_path is None:
        raise Unavailable(
            "the image's files are not visible from here",
            hint="run `vexxy doctor`: it says how to analyze beside this engine",
        )
    root = RootFilesystem(opened.root_path)
    # One walk now, so that every later look-up is answered from memory.
    len(root.entries)
    return root


def _attempts(run: _Run, opened: OpenedImage, root: RootFilesystem) -> Observed:
    """Observe in the strictest sandbox that the image can work in."""
    privileges = Privileges(writable_root=run.request.writable_root)
    if privileges.writable_root:
        run.relaxations.append("given a writable root file system: it was asked for")
    if run.request.settings.coverage:
        # Functions of compiled code are waited for from the first instruction, so what is
        # installed has to be known before.
        with run.clock.phase(Phase.DEPLOY, "finding the functions to watch"):
            _find(run, root)
            run.watching = watching.plan(run.matches, root)
    while True:
        wanted = SandboxRequest(
            image=opened.image,
            environment=run.recorders.environment,
            attachments=run.recorders.attachments,
            command=run.request.command,
            ports=run.request.ports,
            network_allowed=run.request.network_allowed,
            runtime=run.request.runtime,
            privileges=privileges,
        )
        with sandbox_service.open_sandbox(
            run.tools.engine, opened, wanted, keep=run.request.keep_sandbox
        ) as sandbox:
            try:
                return observe(
                    sandbox,
                    run.request,
                    tools=run.tools,
                    clock=run.clock,
                    privileges=privileges,
                    meanwhile=lambda: _find(run, root),
                    probes=None if run.watching is None else run.watching.probes,
                )
            except TooStrict as strict:
                run.relaxations.append(strict.relaxation.reason)
                privileges = strict.relaxation.privileges


def _find(run: _Run, root: RootFilesystem) -> None:
    """Take the inventory and match it, once; needs no result of the observation."""
    if run.found:
        return
    run.found = True
    found = run.inventory or sbom_service.inventory(root)
    run.inventory, run.matches = run.advice.match(found)


def _decide(
    run: _Run, opened: OpenedImage, root: RootFilesystem, *, observed: Observed
) -> Result:
    inventory = run.inventory
    assert inventory is not None  # noqa: S101  `observe` always does what is meanwhile
    with run.clock.phase(Phase.EXTRACT):
        hidden = sandbox_rules.blind_spots(run.request.runtime)
        window = replace(observed.window, reasons=(*observed.window.reasons, *hidden))
        profile = tracer.profile(observed.trace, root=root, window=window)
        if run.recorders.attachments is not None:
            profile = coverage.recorded(profile, observed, root)
        if run.watching is not None:
            profile = coverage.watched(profile, observed, run.watching)
    with run.clock.phase(Phase.VEX, f"{len(run.matches)} findings"):
        verdicts = _judge(run, opened, root, profile=profile, driven=observed.driven)
    script = observed.script
    return Result(
        job_id=run.job_id,
        status=JobStatus.COMPLETE,
        image=opened.image,
        inventory=inventory,
        profile=profile,
        matches=run.matches,
        verdicts=rules.in_reading_order(verdicts),
        advisories=run.advice.origin,
        created_at=run.created_at,
        started_at=run.created_at,
        completed_at=time_of_day.now(),
        driven=observed.driven,
        script=None
        if script is None
        else ScriptOutcome(script.exit_code, script.output, script.duration_seconds),
        relaxations=tuple(run.relaxations),
        skipped_features=("code_coverage",) if run.recorders.obstacle else (),
        timings=run.clock.timings(),
        warnings=(*run.advice.warnings, *run.recorders.warnings),
        sbom_link=inputs.sbom_link(run.request),
        container_log=observed.ending.logs,
        exit_code=observed.ending.exit_code,
    )


def _judge(
    run: _Run,
    opened: OpenedImage,
    root: RootFilesystem,
    *,
    profile: ExecutionProfile,
    driven: bool,
) -> tuple[Verdict, ...]:
    config = opened.image.config
    inventory = run.inventory
    assert inventory is not None  # noqa: S101  see `_decide`
    return reachability.judge(
        run.matches,
        inventory=inventory,
        profile=profile,
        root=root,
        driven=driven,
        settings=JudgeSettings(
            environment={**config.environment, **run.request.environment},
            working_directory=config.working_directory or "/",
            platform=str(opened.image.platform),
            arguments=(
                *config.entrypoint,
                *(run.request.command or config.command),
                *config.health_check,
            ),
        ),
    )
