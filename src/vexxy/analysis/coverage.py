"""Functions that were called: what the sandbox gets for it, what the profile gains."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vexxy.analysis.observation import Observed
from vexxy.analysis.watching import Watching
from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image
from vexxy.reachability import covered
from vexxy.sandbox.types import Attachments
from vexxy.sbom.types import Inventory
from vexxy.tracer.functions import service as functions
from vexxy.tracer.functions.types import FILES_PATH, TOLD_PATH, Evidence
from vexxy.tracer.types import ExecutionProfile


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sandbox is made with.

    Attributes:
        attachments: None where nothing is recorded.
        environment: The user's variables with the recorders' on top.
        obstacle: Why nothing is recorded although it was asked for; empty if it is.
    """

    attachments: Attachments | None
    environment: Mapping[str, str]
    obstacle: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the verdicts should know."""
        told = f"functions were not recorded: {self.obstacle}"
        return (told,) if self.obstacle else ()


def plan(
    image: Image,
    root: RootFilesystem,
    *,
    environment: Mapping[str, str],
    wanted: bool,
) -> Plan:
    """Return what to add to the sandbox, nothing unless coverage is wanted."""
    if not wanted:
        return Plan(None, environment)
    taken = [path for path in (FILES_PATH, TOLD_PATH) if root.resolve(path)]
    if taken:
        return Plan(None, environment, f"the image has a {taken[0]} of its own")
    beside = functions.plan({**image.config.environment, **environment})
    attachments = Attachments(beside.files, path=FILES_PATH, told_path=TOLD_PATH)
    return Plan(attachments, {**environment, **beside.environment})


def recorded(
    profile: ExecutionProfile, observed: Observed, root: RootFilesystem
) -> ExecutionProfile:
    """Return the profile with the functions that the recorders tell of."""
    calls, recordings = functions.collect(
        Evidence(
            told=observed.told.files,
            problems=observed.told.problems,
            trace=observed.trace,
            root=root,
            started_seconds=observed.attached_seconds,
        )
    )
    return replace(
        profile,
        functions=(*profile.functions, *calls),
        function_recordings=(*profile.function_recordings, *recordings),
    )


def counted(
    profile: ExecutionProfile, root: RootFilesystem, inventory: Inventory
) -> ExecutionProfile:
    """Return the profile with the called share of the application's own functions."""
    share = covered.percent(profile, root, inventory) if profile.functions else None
    return replace(profile, code_coverage_percent=share)


def watched(
    profile: ExecutionProfile, observed: Observed, watching: Watching
) -> ExecutionProfile:
    """Return the profile with the functions of compiled code that probes saw."""
    hit, recording = watching.watch.results(observed.trace)
    return replace(
        profile,
        functions=(*profile.functions, *hit),
        function_recordings=(*profile.function_recordings, recording),
    )
