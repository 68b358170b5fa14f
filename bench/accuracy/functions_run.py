"""python -m bench.accuracy.functions_run PLAN.json RESULT.json: one analysis, saved.

The plan is an object of `Plan`'s fields. A process of its own, so that what it holds of an
image ends with it; its result is what `again` decides from.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.images import engine
from bench.images.recipe import BuildFailed
from vexxy import bootstrap
from vexxy.analysis import pipeline, rules, wire
from vexxy.analysis.types import Profile, Request
from vexxy.kit import progress
from vexxy.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """One analysis.

    Attributes:
        script: Path of the driver.
        advisories: Folder of OSV records.
    """

    image: str
    port: int
    script: str
    advisories: str
    seconds: int
    coverage: bool = True


def perform(plan: Plan, target: Path) -> str:
    """Do it in a process of its own, once; return what went wrong, empty if nothing."""
    if target.exists():
        return ""
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_suffix(".plan")
    written.write_text(json.dumps(asdict(plan)))
    command = [sys.executable, "-m", "bench.accuracy.functions_run"]
    try:
        engine.run([*command, str(written), str(target)], step=f"analyzing {plan.image}")
    except BuildFailed as error:
        return str(error)
    finally:
        written.unlink()
    return ""


def main(arguments: list[str]) -> None:
    """Run one analysis and save its results object."""
    plan = Plan(**json.loads(Path(arguments[0]).read_text()))
    target = Path(arguments[1])
    # The command refuses less than 30 seconds; what a shorter look says is measured here.
    rules.DURATION_SECONDS = (1, 3600)  # type: ignore[misc]
    request = Request(
        image=plan.image,
        settings=rules.settings_for(
            Profile.MINIMAL, duration_seconds=plan.seconds, coverage=plan.coverage
        ),
        ports=(plan.port,),
        test_script=Path(plan.script).read_text(),
        advisory_paths=(Path(plan.advisories),),
    )
    settings = Settings()
    with bootstrap.engine(settings) as containers:
        tools = bootstrap.tools(settings, containers)
        result = pipeline.run(request, tools, progress.silent)
    partial = target.with_suffix(".partial")
    saved = wire.results_object(result, vex=None, scan=None)
    partial.write_text(json.dumps(saved, default=str))
    partial.rename(target)


if __name__ == "__main__":
    main(sys.argv[1:])
