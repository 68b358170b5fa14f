"""Measure verdicts against planted ground truth.

python -m bench.accuracy [--quick] [--fresh] [--shared] [IMAGE...]

Analyzes images of planted ground truth and counts what the verdicts got wrong, for vexxy
and, on the same traces, for Kubescape's published rule. Exit code 1 if vexxy called
anything reachable "not affected".

--quick   one driven run of each image (3-4 minutes) instead of every mode and length
--fresh   run again what was saved by an earlier call with the same source
--shared  score the six images of ../shared/images as well, where that folder exists
"""

import functools
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.accuracy import kubescape, report
from bench.accuracy import truth as truths
from bench.accuracy.score import Matrix, statuses
from bench.images import build, engine, recipe
from bench.images.recipe import BuildFailed

AT_ONCE: Final = 2
RUN_SECONDS: Final = 600
SOURCE: Final = Path(__file__).parents[2] / "src"


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """One analysis of the plan."""

    image: str
    mode: str
    seconds: int
    number: int = 1

    @property
    def name(self) -> str:
        """Return what a reader calls it."""
        return f"{self.mode} {self.seconds} s"

    def saved(self) -> Path:
        """Return where its result is kept; another image or source is another file."""
        folder = engine.cache().parent / "accuracy" / source_digest()
        folder.mkdir(parents=True, exist_ok=True)
        digest = recipe.load(self.image).digest
        return (
            folder / f"{self.image}-{digest}-{self.mode}-{self.seconds}-{self.number}.json"
        )


@functools.cache
def source_digest() -> str:
    """Return the state of the source that is measured, as it was at the first call."""
    command = ["git", "-C", str(SOURCE), "rev-parse", "--short=10", "HEAD:src"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unversioned"


def plan(images: Sequence[str], *, quick: bool) -> list[Run]:
    """Return the runs, images in turn."""
    shapes = [("driven", 60, 1)]
    if not quick:
        shapes += [("driven", 60, 2), ("crawled", 60, 1), ("idle", 60, 1)]
        shapes += [("driven", 10, 1), ("idle", 10, 1)]
    return [Run(image, *shape) for shape in shapes for image in images]


def perform(run: Run) -> str:
    """Do one run unless its result is saved; return what went wrong, empty if nothing."""
    target = run.saved()
    if target.exists():
        return ""
    command = [sys.executable, "-m", "bench.accuracy.run", run.image, run.mode]
    done = subprocess.run(
        [*command, str(run.seconds), str(target)],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    engine.say(f"{run.image}, {run.name}: {'done' if target.exists() else 'FAILED'}")
    return "" if done.returncode == 0 else done.stderr[-2000:]


def main(arguments: list[str]) -> int:
    """Run the plan, print the tables, return the exit code."""
    images = [a for a in arguments if not a.startswith("-")] or truths.images()
    runs = plan(images, quick="--quick" in arguments)
    for image in images:
        build.build(image)
        kubescape.syft(image)
    if "--fresh" in arguments:
        for run in runs:
            run.saved().unlink(missing_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = [problem for problem in pool.map(perform, runs) if problem]
    for problem in problems:
        engine.say(problem)
    results = {r: json.loads(r.saved().read_text()) for r in runs if r.saved().exists()}
    ours, theirs = matrices(results)
    report.tables(ours, theirs)
    report.agreement(pairs(results))
    wrong = any(matrix.false_claims for matrix in ours.values())
    return 1 if wrong or problems else 0


def matrices(
    results: dict[Run, dict[str, Any]],
) -> tuple[dict[str, Matrix], dict[str, Matrix]]:
    """Return one matrix for each mode and length, for vexxy and for Kubescape's rule."""
    ours: dict[str, Matrix] = {}
    theirs: dict[str, Matrix] = {}
    for run, result in results.items():
        truth, sbom = truths.load(run.image), kubescape.syft(run.image)
        reached = kubescape.kept(
            sbom, kubescape.relevant_files(result["execution_profile"])
        )
        for row, status in statuses(truth, result).items():
            ours.setdefault(run.name, Matrix()).add(run.image, row, status)
            if not row.symbols:
                answer = kubescape.status(sbom, reached, row)
                theirs.setdefault(run.name, Matrix()).add(run.image, row, answer)
    return ours, theirs


def pairs(results: dict[Run, dict[str, Any]]) -> list[tuple[str, float]]:
    """Return, per image, the share of equal answers in two equal runs."""
    found = []
    for run, result in results.items():
        again = Run(run.image, run.mode, run.seconds, 2)
        if run.number == 1 and again in results:
            truth = truths.load(run.image)
            one, two = statuses(truth, result), statuses(truth, results[again])
            found.append((run.image, sum(one[row] == two[row] for row in one) / len(one)))
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildFailed as error:
        sys.exit(f"error: {error}")
