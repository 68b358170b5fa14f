"""`vexxy doctor`: what this machine can and cannot do, and how to mend each."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.text import Text

from vexxy import bootstrap
from vexxy.advisories import service as advisories
from vexxy.advisories.errors import DatabaseNotFound
from vexxy.analysis.inputs import OLD_DAYS
from vexxy.cli import console, doctor_books
from vexxy.cli.exit import ExitCode
from vexxy.kit import clock
from vexxy.kit.errors import VexxyError
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import Placement
from vexxy.settings import Settings
from vexxy.tracer import service as tracer
from vexxy.tracer.types import Probe

FREE_BYTES_MIN: Final = 2 * 1024**3
PROGRAMS: Final = {
    "nsenter": ("runs drivers in the sandbox's network", "apt-get install util-linux"),
    "bwrap": ("keeps drivers away from this machine", "apt-get install bubblewrap"),
    "setpriv": ("makes test scripts nobody", "apt-get install util-linux"),
}


class State(StrEnum):
    """How a check came out."""

    GOOD = "good"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        mend: What to do about it, empty when it is good.
    """

    name: str
    state: State
    found: str
    mend: str = ""


STYLES: Final = {State.GOOD: "green", State.LIMITED: "yellow", State.MISSING: "bold red"}


def doctor(
    *,
    json: Annotated[bool, typer.Option("--json", help="For programs")] = False,
) -> None:
    """Say what this machine can do; exit code 4 if it cannot analyze."""
    checks = list(examine(Settings()))
    if json:
        typer.echo(msgspec.json.format(msgspec.json.encode(checks)).decode())
    else:
        shown = console.stdout()
        for check in checks:
            line = Text(f"{check.state.value:8}", style=STYLES[check.state])
            shown.print(line.append(f" {check.name}: {check.found}", "default"))
            if check.mend:
                shown.print(f"         mend: {check.mend}", markup=False)
    if any(check.state is State.MISSING for check in checks):
        raise typer.Exit(ExitCode.PREREQUISITES)


def examine(settings: Settings) -> Iterator[Check]:
    """Look at everything an analysis needs, in the order it needs it."""
    probe, agent = _agent(settings)
    yield agent
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(bootstrap.engine(settings))
        except VexxyError as error:
            yield Check("engine", State.MISSING, error.message, error.hint or "")
        else:
            yield from _engine(engine, settings)
    if probe is not None:
        yield from _sources(probe)
    for program, (purpose, mend) in PROGRAMS.items():
        if shutil.which(program) is None:
            yield Check(program, State.MISSING, f"not installed; it {purpose}", mend)
    yield _space()
    yield from _database(settings)
    books = doctor_books.examine()
    if books is not None:
        sound, found, mend = books
        state = State.GOOD if sound else State.LIMITED
        yield Check(doctor_books.NAME, state, found, mend)


def _agent(settings: Settings) -> tuple[Probe | None, Check]:
    try:
        probe = tracer.probe(settings.tracer)
    except VexxyError as error:
        return None, Check("tracer", State.MISSING, error.message, error.hint or "")
    return probe, Check("tracer", State.GOOD, f"runs on kernel {probe.kernel}")


def _engine(engine: ContainerEngine, settings: Settings) -> Iterator[Check]:
    info = engine.info()
    where = f"{info.name} {info.version} at {info.address}, runtime {info.default_runtime}"
    yield Check("engine", State.GOOD, where)
    plan = bootstrap.placement(settings, engine)
    match plan.placement:
        case Placement.LOCAL:
            yield Check("place", State.GOOD, "analyses run here, as root")
        case Placement.HELPER:
            reasons = "; ".join(plan.reasons)
            yield Check("place", State.GOOD, f"in a helper beside the engine: {reasons}")
        case Placement.IMPOSSIBLE:
            reasons = "; ".join(plan.reasons)
            yield Check("place", State.MISSING, reasons, plan.hint or "")
    if "runsc" in info.runtimes and shutil.which("runsc"):
        yield Check("gVisor", State.GOOD, "there; --runtime runsc hides the image from us")


def _sources(probe: Probe) -> Iterator[Check]:
    for source, reason in probe.sources.items():
        if not reason:
            yield Check(source, State.GOOD, "works")
        elif probe.obstacle is None:
            yield Check(source, State.LIMITED, reason, "another source is used instead")
        else:
            yield Check(source, State.MISSING, reason, "run as root, or see docs/tracer.md")


def _space() -> Check:
    free = shutil.disk_usage(Path("/var/tmp")).free  # noqa: S108  measured, not written
    found = f"{free / 1e9:.1f} GB free"
    if free < FREE_BYTES_MIN:
        return Check("disk", State.LIMITED, found, "make room before analyzing images")
    return Check("disk", State.GOOD, found)


def _database(settings: Settings) -> Iterator[Check]:
    name = "advisories"
    try:
        status = advisories.status(settings.database_path)
    except DatabaseNotFound as error:
        yield Check(name, State.LIMITED, error.message, error.hint or "")
        return
    except VexxyError as error:
        yield Check(name, State.MISSING, error.message, error.hint or "")
        return
    now = clock.now()
    oldest = max((one.age_days(now) for one in status.ecosystems), default=0)
    found = f"{status.records} records, the oldest part is {oldest} days old"
    old = oldest > OLD_DAYS
    mend = "vexxy advisories update" if old else ""
    yield Check(name, State.LIMITED if old else State.GOOD, found, mend)
