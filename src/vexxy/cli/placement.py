"""Running a command beside the engine when it cannot run here."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import typer

from vexxy import bootstrap
from vexxy.analysis.types import Request
from vexxy.cli import console
from vexxy.integrations.container_engine.adapter import Engine
from vexxy.kit.errors import Unavailable
from vexxy.sandbox.types import Placement
from vexxy.settings import Settings

INSIDE: Final = "VEXXY_IN_HELPER"


def run_where_possible(
    settings: Settings,
    engine: Engine,
    request: Request,
    *,
    script: Path | None,
    results: Sequence[Path | None],
) -> None:
    """Return if the analysis can run here; else run it in the helper and exit.

    Args:
        settings: Name the helper's image.
        engine: Where the image is to run.
        request: Names the files that the helper must see.
        script: The test script's file.
        results: What it writes; the folder of each must exist.

    Raises:
        Unavailable: Neither is possible; says what is missing.
        Exit: With the helper's exit code.
    """
    if INSIDE in os.environ:
        return
    plan = bootstrap.placement(settings, engine)
    if plan.placement is Placement.LOCAL:
        return
    reasons = "; ".join(plan.reasons)
    if plan.placement is Placement.IMPOSSIBLE:
        raise Unavailable(f"this machine cannot analyze: {reasons}", hint=plan.hint)
    console.note(f"running in a helper beside the engine: {reasons}")
    code = bootstrap.run_in_helper(
        settings,
        engine,
        arguments=sys.argv[1:],
        readable=_inputs(request, script),
        results=[path for path in results if path is not None],
    )
    raise typer.Exit(code)


def _inputs(request: Request, script: Path | None) -> tuple[Path, ...]:
    named = [*request.advisory_paths, request.sbom_path, Path(request.image), script]
    return tuple(path.absolute() for path in named if path is not None and path.exists())
