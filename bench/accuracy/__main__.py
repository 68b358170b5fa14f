"""Measure verdicts against planted ground truth.

python -m bench.accuracy [--quick] [--fresh] [--shared] [IMAGE...]

Analyzes images of planted ground truth and counts what the verdicts got wrong, for vexxy
and, on the same traces, for Kubescape's published rule. Exit code 1 if vexxy called
anything reachable "not affected".

--quick   one driven run of each image (3-4 minutes) instead of every mode and length
--fresh   run again what an earlier call saved; otherwise only what changed is run, and
          the source as it is now decides from the saved profiles
--shared  score the six images of ../shared/images as well, where that folder exists

python -m bench.accuracy --functions [--quick] [--fresh] [--why] [LANGUAGE...]
python -m bench.accuracy --shared-functions [--quick] [--repeat] [--fresh] [IMAGE...]

The same for functions: those planted in images of Python, Node.js, Go and C, and those of
three images of another hand.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.accuracy import again, functions, kubescape, report, shared, shared_functions
from bench.accuracy import truth as truths
from bench.accuracy.score import Matrix, statuses
from bench.accuracy.truth import Component
from bench.images import build, engine, recipe
from bench.images.recipe import BuildFailed

AT_ONCE: Final = 2
RUN_SECONDS: Final = 600


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
        """Return where its result is kept; another recipe is another file."""
        folder = engine.cache().parent / "accuracy"
        folder.mkdir(parents=True, exist_ok=True)
        digest = recipe.load(self.image).digest
        return (
            folder / f"{self.image}-{digest}-{self.mode}-{self.seconds}-{self.number}.json"
        )


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
    if "--functions" in arguments:
        return functions.main(arguments)
    if "--shared-functions" in arguments:
        return shared_functions.main(arguments)
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
    answers = [answer for image in images for answer in judged(image, runs)]
    ours, theirs = matrices(answers)
    report.tables(ours, theirs)
    report.agreement(pairs(answers))
    if "--shared" in arguments:
        shared.main()
    wrong = any(matrix.false_claims for matrix in ours.values())
    return 1 if wrong or problems else 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one run says of each component, by vexxy and by Kubescape's rule."""

    run: Run
    ours: Mapping[Component, str]
    theirs: Mapping[Component, str]


def judged(image: str, runs: Sequence[Run]) -> list[Answer]:
    """Return the answers of the saved runs of one image."""
    done = [run for run in runs if run.image == image and run.saved().exists()]
    results = [json.loads(run.saved().read_text()) for run in done]
    truth, sbom = truths.load(image), kubescape.syft(image)
    answers = []
    for run, result, found in zip(
        done, results, again.verdicts(image, results), strict=True
    ):
        files = kubescape.relevant_files(result["execution_profile"])
        reached = kubescape.kept(sbom, files)
        rule = {row: kubescape.status(sbom, reached, row) for row in truth.components}
        answers.append(Answer(run, statuses(truth, found), rule))
    return answers


def matrices(answers: Sequence[Answer]) -> tuple[dict[str, Matrix], dict[str, Matrix]]:
    """Return one matrix for each mode and length, for vexxy and for Kubescape's rule."""
    ours: dict[str, Matrix] = {}
    theirs: dict[str, Matrix] = {}
    for answer in answers:
        name, image = answer.run.name, answer.run.image
        mine, its = ours.setdefault(name, Matrix()), theirs.setdefault(name, Matrix())
        for row, status in answer.ours.items():
            mine.add(image, row, status)
            if not row.symbols:  # the rule knows packages only
                its.add(image, row, answer.theirs[row])
    return ours, theirs


def pairs(answers: Sequence[Answer]) -> list[tuple[str, float]]:
    """Return, per image, the share of equal answers in two equal runs."""
    known = {answer.run: answer.ours for answer in answers}
    found = []
    for run, one in known.items():
        two = known.get(Run(run.image, run.mode, run.seconds, 2))
        if run.number == 1 and two is not None:
            found.append((run.image, sum(one[row] == two[row] for row in one) / len(one)))
    return found


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BuildFailed as error:
        sys.exit(f"error: {error}")
