"""python -m bench.accuracy.run IMAGE MODE SECONDS FILE: one analysis, saved.

Modes: `idle` leaves the image alone, `crawled` has only the built-in traffic, `driven`
runs the image's `test.sh` as well. A process of its own, so that two may run at a time.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bench.accuracy import truth as truths
from bench.images import build, recipe
from vexxy import bootstrap
from vexxy.analysis import pipeline, rules, wire
from vexxy.analysis.ports import Tools
from vexxy.analysis.types import Profile, Request, Result
from vexxy.kit import progress
from vexxy.sandbox.ports import RunningTraffic
from vexxy.sandbox.types import TrafficPlan, TrafficReport
from vexxy.settings import Settings

MODES: Final = ("idle", "crawled", "driven")


class Silence:
    """Traffic that never comes."""

    def report(self) -> TrafficReport:
        """Return that nothing was sent."""
        return TrafficReport()

    def stop(self) -> TrafficReport:
        """Return that nothing was sent."""
        return TrafficReport()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        return None


class Nobody:
    """A generator of no traffic."""

    def start(self, plan: TrafficPlan, *, enter: Sequence[str]) -> RunningTraffic:
        """Send nothing."""
        del plan, enter
        return Silence()


def analyze(image: str, mode: str, seconds: int) -> Result:
    """Analyze one image of the benchmark with its planted advisories."""
    # The command refuses less than 30 seconds; what is measured here is that a shorter
    # look would clear nothing.
    rules.DURATION_SECONDS = (1, 3600)  # type: ignore[misc]
    truth = truths.load(image)
    with tempfile.TemporaryDirectory() as folder:
        truths.plant(truth, Path(folder))
        request = Request(
            image=build.build(image),
            settings=rules.settings_for(Profile.MINIMAL, duration_seconds=seconds),
            ports=(truth.port,),
            test_script=recipe.load(image).driver.read_text() if mode == "driven" else None,
            advisory_paths=(Path(folder),),
        )
        settings = Settings()
        with bootstrap.engine(settings) as engine:
            tools = of_mode(bootstrap.tools(settings, engine), mode)
            return pipeline.run(request, tools, progress.silent)


def of_mode(tools: Tools, mode: str) -> Tools:
    """Return the tools with the traffic that the mode has."""
    if mode != "idle":
        return tools
    return Tools(
        engine=tools.engine,
        recorder=tools.recorder,
        traffic=Nobody(),
        database_path=tools.database_path,
    )


def main(arguments: list[str]) -> None:
    """Run one analysis and save its results object."""
    image, mode, seconds, target = arguments
    result = analyze(image, mode, int(seconds))
    saved = wire.results_object(result, vex=None, scan=None)
    partial = Path(target).with_suffix(".partial")
    partial.write_text(json.dumps(saved, default=str))
    partial.rename(target)


if __name__ == "__main__":
    main(sys.argv[1:])
