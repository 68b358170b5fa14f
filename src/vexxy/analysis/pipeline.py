"""The phases of one analysis, in order."""

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from vexxy.advisories.types import Match
from vexxy.analysis import coverage, evidence, inputs, rules, watching
from vexxy.analysis.errors import AdvisoriesMissing, ObservedElsewhere
from vexxy.analysis.hiding import Hider
from vexxy.analysis.inputs import Advice
from vexxy.analysis.observation import Observed, TooStrict, observe
from vexxy.analysis.phases import Clock, Phase
from vexxy.analysis.ports import Forgetful, Keeper, Tools
from vexxy.analysis.types import (
    JobStatus,
    Observation,
    Request,
    Result,
    ScriptOutcome,
    Timing,
)
from vexxy.analysis.watching import Watching
from vexxy.images.rootfs import RootFilesystem
from vexxy.kit import clock as time_of_day
from vexxy.kit.errors import Unavailable
from vexxy.kit.progress import Listener
from vexxy.reachability import service as reachability
from vexxy.reachability.service import Judgement
from vexxy.reachability.types import Settings as JudgeSettings
from vexxy.sandbox import rules as sandbox_rules
from vexxy.sandbox import service as sandbox_service
from vexxy.sandbox.service import Asked, OpenedImage
from vexxy.sandbox.types import Privileges, SandboxRequest
from vexxy.sbom import service as sbom_service
from vexxy.sbom.types import Inventory
from vexxy.tracer import rules as tracer
from vexxy.tracer.types import Completeness, ExecutionProfile

# An image that was asked not to be run: nothing was seen, so nothing can be cleared.
UNOBSERVED: Final = ExecutionProfile(
    sandbox_id="",
    duration_seconds=0.0,
    files_accessed=(),
    executed_binaries=(),
    loaded_libraries=(),
    syscalls=(),
    network_connections=(),
    completeness=Completeness(
        observed_seconds=0.0,
        ready_seconds=None,
        traffic_requests=0,
        lost_events=0,
        partial=True,
        reasons=("profiling was switched off, so the image was not run",),
    ),
    sources=(),
)


@dataclass(slots=True)
class _Run:
    """What is known so far."""

    request: Request
    tools: Tools
    clock: Clock
    advice: Advice
    created_at: datetime
    observed_before: tuple[Timing, ...] = ()
    relaxations: list[str] = field(default_factory=list)
    inventory: Inventory | None = None
    matches: tuple[Match, ...] = ()
    recorders: coverage.Plan = field(default_factory=lambda: coverage.Plan(None, {}))
    watching: Watching | None = None
    found: bool = False
    job_id: str = ""

    def __post_init__(self) -> None:
        self.job_id = self.request.job_id or str(uuid.uuid4())


def run(
    request: Request,
    tools: Tools,
    listener: Listener,
    *,
    keeper: Keeper | None = None,
    observation: Observation | None = None,
) -> Result:
    """Analyze the image and return everything that was found.

    Whatever happens, the sandbox and what was loaded for it are removed, unless
    `keep_sandbox` was asked for.

    Args:
        request: What is wanted.
        tools: The adapters.
        listener: Hears of the phases.
        keeper: Is given what another attempt could go on from.
        observation: Of an earlier attempt: then nothing is run, only decided.

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
    keeper = keeper or Forgetful()
    clock.say(Phase.DEPLOY, request.image)
    with sandbox_service.open_image(
        tools.engine,
        request.image,
        platform=request.platform,
        archive_image=request.archive_image,
        listener=listener,
        asked=Asked(request.digest, run_.job_id, request.files_allowed),
    ) as opened:
        keeper.resolved(opened.image)
        with clock.phase(Phase.DEPLOY, "reading the root file system"):
            root = _root(opened)
            if sbom is not None:
                run_.inventory = inputs.reconciled(sbom, root, opened.image)
        if observation is None:
            observation = _observe(run_, opened, root)
            keeper.observed(observation)
        else:
            _demand_same(observation, opened)
            run_.observed_before = observation.timings
        result = _decide(run_, opened, root, observation=observation)
        clock.say(Phase.CLEANUP)
    return result


def _demand_same(observation: Observation, opened: OpenedImage) -> None:
    if observation.image_id != opened.image.image_id:
        raise ObservedElsewhere(
            f"the observation is of {observation.image_id}, and the image is "
            f"{opened.image.image_id}",
            hint="analyze it anew",
        )


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


def _observe(run: _Run, opened: OpenedImage, root: RootFilesystem) -> Observation:
    """Run the image and watch it; without profiling only look at its files."""
    image_id = opened.image.image_id
    if not run.request.settings.profiling:
        with run.clock.phase(Phase.DEPLOY, "taking the inventory"):
            _find(run, root)
        return Observation(image_id, UNOBSERVED, driven=False)
    run.recorders = coverage.plan(
        opened.image,
        root,
        environment=run.request.environment,
        wanted=run.request.settings.coverage,
    )
    observed = _attempts(run, opened, root)
    with run.clock.phase(Phase.EXTRACT):
        profile = _profile(run, observed, root)
    script = observed.script
    observation = Observation(
        image_id,
        profile,
        driven=observed.driven,
        fuzzed=observed.traffic.mutated > 0,
        script=None
        if script is None
        else ScriptOutcome(script.exit_code, script.output, script.duration_seconds),
        relaxations=tuple(run.relaxations),
        skipped_features=("code_coverage",) if run.recorders.obstacle else (),
        warnings=run.recorders.warnings,
        timings=run.clock.timings(),
        container_log=observed.ending.logs,
        exit_code=observed.ending.exit_code,
    )
    folder = run.request.evidence_directory
    if folder is not None:
        shown = Hider(run.request.environment).observation(observation)
        evidence.write(shown, observed, folder, inventory=_inventory(run))
    return observation


def _profile(run: _Run, observed: Observed, root: RootFilesystem) -> ExecutionProfile:
    hidden = sandbox_rules.blind_spots(run.request.runtime)
    window = replace(observed.window, reasons=(*observed.window.reasons, *hidden))
    profile = tracer.profile(observed.trace, root=root, window=window)
    if run.recorders.attachments is not None:
        profile = coverage.recorded(profile, observed, root)
    if run.watching is not None:
        profile = coverage.watched(profile, observed, run.watching)
    _find(run, root)
    return coverage.counted(profile, root, _inventory(run))


def _inventory(run: _Run) -> Inventory:
    inventory = run.inventory
    assert inventory is not None  # noqa: S101  `_find` always comes before
    return inventory


def _decide(
    run: _Run, opened: OpenedImage, root: RootFilesystem, *, observation: Observation
) -> Result:
    _find(run, root)
    with run.clock.phase(Phase.VEX, f"{len(run.matches)} findings"):
        judged = _judge(run, opened, root, observation=observation)
    # Decided from all of it; what is told of it keeps the caller's secrets.
    observation = Hider(run.request.environment).observation(observation)
    return Result(
        job_id=run.job_id,
        status=JobStatus.COMPLETE,
        image=opened.image,
        inventory=_inventory(run),
        profile=observation.profile,
        matches=run.matches,
        verdicts=rules.in_reading_order(judged.verdicts),
        grounds=judged.grounds,
        advisories=run.advice.origin,
        created_at=run.created_at,
        started_at=run.created_at,
        completed_at=time_of_day.now(),
        driven=observation.driven,
        script=observation.script,
        relaxations=observation.relaxations,
        skipped_features=observation.skipped_features,
        timings=(*run.observed_before, *run.clock.timings()),
        warnings=(*run.advice.warnings, *observation.warnings),
        sbom_link=inputs.sbom_link(run.request),
        container_log=observation.container_log,
        exit_code=observation.exit_code,
        fuzzed=observation.fuzzed,
    )


def _judge(
    run: _Run,
    opened: OpenedImage,
    root: RootFilesystem,
    *,
    observation: Observation,
) -> Judgement:
    config = opened.image.config
    return reachability.judge_and_keep(
        run.matches,
        inventory=_inventory(run),
        profile=observation.profile,
        root=root,
        driven=observation.driven,
        keep=run.request.keep_grounds,
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
