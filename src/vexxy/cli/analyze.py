"""`vexxy analyze`: image in, verdicts out."""

import io
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vexxy import bootstrap
from vexxy.analysis import pipeline, publication, rules
from vexxy.analysis.errors import RequestRefused, ScriptFailed
from vexxy.analysis.types import Profile, Request, Result
from vexxy.cli import console, placement, table
from vexxy.cli.exit import ExitCode
from vexxy.kit import files
from vexxy.settings import Settings
from vexxy.vex.service import Format


class Output(StrEnum):
    """What comes out."""

    TABLE = "table"
    JSON = "json"
    OPENVEX = "openvex"
    CYCLONEDX = "cyclonedx"
    CSAF = "csaf"
    SARIF = "sarif"


Ports = Annotated[
    list[int] | None,
    typer.Option("--port", help="TCP port to wait for and to drive; repeatable"),
]
Duration = Annotated[
    int | None,
    typer.Option("--duration", help="Seconds of observation after readiness, 30-3600"),
]
Script = Annotated[
    Path | None,
    typer.Option(help="Exercises the image; gets HOST and PORT in its environment"),
]
Environment = Annotated[
    list[str] | None, typer.Option("--env", help="K=V for the image; repeatable")
]
Command = Annotated[
    str | None, typer.Option(help="Replaces the image's command, split as a shell does")
]
Sbom = Annotated[
    Path | None, typer.Option(help="CycloneDX, SPDX or Syft JSON instead of reading")
]
Advisories = Annotated[
    list[Path] | None,
    typer.Option(help="OSV records that replace the database; repeatable"),
]
FailOn = Annotated[
    str | None,
    typer.Option(help="Exit 1 if a finding matches: STATUS[:SEVERITY][:fixable],…"),
]

Ready = Annotated[
    int, typer.Option(help="Seconds a port may take to answer", min=1, max=3600)
]
Coverage = Annotated[
    bool | None,
    typer.Option("--coverage/--no-coverage", help="Record called functions"),
]
Fuzz = Annotated[
    bool | None, typer.Option("--fuzz/--no-fuzz", help="Send mutated input as well")
]
Form = Annotated[Output, typer.Option("--format", help="What to write")]
Destination = Annotated[Path | None, typer.Option(help="Where to write")]
Evidence = Annotated[
    Path | None, typer.Option(help="Folder for everything that was observed")
]
Network = Annotated[bool, typer.Option(help="Let the image reach the outside")]
Wanted = Annotated[
    str | None, typer.Option(help="Such as linux/amd64, for an archive of several")
]
ArchiveImage = Annotated[
    str | None,
    typer.Option(metavar="NAME:TAG", help="Which image of an archive of several"),
]
WritableRoot = Annotated[
    bool,
    typer.Option(
        "--writable-root", help="Let it write to its root file system, which is thrown away"
    ),
]
Runtime = Annotated[
    str | None, typer.Option(help="OCI runtime of the engine, such as runsc")
]
Everything = Annotated[bool, typer.Option("--all", help="List also what is not affected")]
JsonProgress = Annotated[
    bool, typer.Option(help="Progress as JSON lines on standard error")
]
Keep = Annotated[bool, typer.Option(help="Leave the stopped container for a look inside")]


def analyze(  # noqa: PLR0913  each option of the command is a parameter
    image: Annotated[str, typer.Argument(help="Reference, or OCI or docker archive")],
    *,
    port: Ports = None,
    duration: Duration = None,
    ready_timeout: Ready = 60,
    test_script: Script = None,
    env: Environment = None,
    command: Command = None,
    sbom: Sbom = None,
    advisories: Advisories = None,
    profile: Annotated[Profile, typer.Option(help="Defaults")] = Profile.MINIMAL,
    coverage: Coverage = None,
    fuzz: Fuzz = None,
    output_format: Form = Output.TABLE,
    output: Destination = None,
    evidence: Evidence = None,
    fail_on: FailOn = None,
    allow_network: Network = False,
    writable_root: WritableRoot = False,
    archive_image: ArchiveImage = None,
    platform: Wanted = None,
    runtime: Runtime = None,
    show_all: Everything = False,
    json_progress: JsonProgress = False,
    keep_sandbox: Keep = False,
) -> None:
    """Run an image isolated, watch it, and tell which vulnerabilities are reached."""
    gates = rules.parse_gates(fail_on) if fail_on else ()
    request = Request(
        image=image,
        settings=rules.settings_for(
            profile,
            duration_seconds=duration,
            coverage=coverage,
            fuzz=fuzz,
            ready_timeout_seconds=ready_timeout,
        ),
        ports=tuple(port or ()),
        test_script=_read_script(test_script),
        environment=_variables(env or []),
        command=tuple(shlex.split(command)) if command else None,
        sbom_path=sbom,
        advisory_paths=tuple(advisories or ()),
        network_allowed=allow_network,
        keep_sandbox=keep_sandbox,
        platform=platform,
        runtime=runtime,
        evidence_directory=evidence,
        writable_root=writable_root,
        archive_image=archive_image,
    )
    rules.check_request(request)
    _demand_folder(output)
    settings = Settings()
    paths = _Paths(test_script, (output, evidence))
    result = _run(request, settings, paths, json_progress=json_progress)
    _write(result, output_format, output, settings=settings, everything=show_all)
    _conclude(result, gates)


@dataclass(frozen=True, slots=True)
class _Paths:
    script: Path | None
    results: tuple[Path | None, ...]


def _run(
    request: Request, settings: Settings, paths: _Paths, *, json_progress: bool
) -> Result:
    """Analyze here; or in a helper, and exit as it did."""
    with bootstrap.engine(settings, runtime=request.runtime) as engine:
        placement.run_where_possible(
            settings, engine, request, script=paths.script, results=paths.results
        )
        with console.listener(json_lines=json_progress) as listener:
            return pipeline.run(request, bootstrap.tools(settings, engine), listener)


def _conclude(result: Result, gates: Sequence[rules.Gate]) -> None:
    """Say what limits the result, and exit as it deserves."""
    for warning in result.warnings:
        console.warn(warning)
    for feature in result.skipped_features:
        console.warn(f"{feature} was asked for and is not there yet: skipped")
    _demand_driven(result)
    failing = rules.failing(result.verdicts, gates)
    if failing:
        console.note(f"{len(failing)} findings match --fail-on")
        raise typer.Exit(ExitCode.FINDINGS)


def _demand_driven(result: Result) -> None:
    """Fail if the script did: its author believes that the image was exercised."""
    script = result.script
    if script is None or script.exit_code == 0:
        return
    how = (
        "was ended at its time limit"
        if script.exit_code is None
        else f"failed with exit code {script.exit_code}"
    )
    last = "\n".join(script.output.splitlines()[-10:])
    raise ScriptFailed(
        f"the test script {how}; its last output:\n{last}",
        kept="the result, in which nothing is cleared for not having been seen",
        hint="try the script against a running container of the image",
    )


def _demand_folder(path: Path | None) -> None:
    """Refuse an output that cannot be written before minutes are spent on it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise RequestRefused(
            f"there is no folder {path.absolute().parent} to write {path.name} into",
            hint="make it, or choose another --output",
        )


def _read_script(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text()
    except OSError as error:
        raise RequestRefused(
            f"the test script {path} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise RequestRefused(f"the test script {path} is not UTF-8 text") from error


def _variables(pairs: list[str]) -> dict[str, str]:
    variables = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            # The pair is not shown: somebody may have typed only the secret.
            raise RequestRefused("--env needs NAME=VALUE")
        variables[name] = value
    return variables


def _write(
    result: Result,
    form: Output,
    path: Path | None,
    *,
    settings: Settings,
    everything: bool,
) -> None:
    if form is Output.TABLE:
        if path is None:
            table.show(result, console.stdout(), everything=everything)
        else:
            stream = io.StringIO()
            shown = Console(file=stream, highlight=False, width=console.PIPE_COLUMNS)
            table.show(result, shown, everything=everything)
            files.write_whole(path, stream.getvalue().encode("utf-8", "backslashreplace"))
        return
    publisher = publication.Publisher(settings.author, settings.vex_namespace)
    vex_form = None if form is Output.JSON else Format(form.value)
    content = publication.render(result, vex_form, publisher=publisher)
    if path is None:
        sys.stdout.buffer.write(content)
    else:
        files.write_whole(path, content)
        table.show(result, console.STDERR, everything=False)
        console.note(f"wrote {path}")
