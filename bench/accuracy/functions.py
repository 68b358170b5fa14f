"""Measure verdicts about functions against planted functions.

python -m bench.accuracy --functions [--quick] [--fresh] [--why] [IMAGE...]

Makes images of planted functions, lets a witness check the labels (each image once),
analyzes each with its driver, and counts what the verdicts say, for vexxy with recorded
functions, for vexxy without them and for Kubescape's rule on the same trace, and for
`govulncheck` on the Go binary. Exit code 1 if vexxy cleared a function that runs or that
a stranger can make run.

--quick   one run of each image instead of two
--fresh   run again what an earlier call saved; otherwise today's source decides again
--why     print the sentence for each function that can not run and is not cleared
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.accuracy import functions_again, functions_run, govulncheck, kubescape
from bench.accuracy.functions_run import Plan
from bench.accuracy.planted import golang, image, native, node, python, score, witness
from bench.accuracy.planted.score import Matrix, Said
from bench.accuracy.planted.table import Planted, Project, plant
from bench.accuracy.truth import Component
from bench.images import engine
from bench.images.recipe import BuildFailed

# A shorter look clears nothing from silence: its confidence is below what is needed.
SECONDS: Final = 60
PROJECTS: Final = {
    "python": python.project,
    "python-open": python.open_project,
    "node": node.project,
    "node-open": node.open_project,
    "go": golang.project,
    "c": native.project,
}
OURS: Final = "vexxy, functions"
PACKAGES: Final = "vexxy, packages"
THEIRS: Final = "Kubescape's rule"
GO: Final = "govulncheck"


@dataclass(frozen=True, slots=True)
class Answers:
    """What every rule says of the functions of one run."""

    project: Project
    by_rule: Mapping[str, Mapping[Planted, Said]]


def main(arguments: Sequence[str]) -> int:
    """Run what is not saved, print the tables, return the exit code."""
    wanted = [name for name in arguments if name in PROJECTS] or list(PROJECTS)
    numbers = (1,) if "--quick" in arguments else (1, 2)
    failed = 0
    matrices = {name: Matrix() for name in (OURS, PACKAGES, THEIRS, GO)}
    for language in wanted:
        project = PROJECTS[language]()
        try:
            failed += checked(project)
            for number in numbers:
                if "--fresh" in arguments:
                    saved_at(project, number).unlink(missing_ok=True)
                run(project, number)
            answers = judged(project, numbers)
        except BuildFailed as error:
            engine.say(f"{language}: {error}")
            failed += 1
            continue
        count(matrices, answers)
        agreement(answers)
        if "--why" in arguments:
            why(answers[0])
    score.tables(matrices)
    return 1 if failed or matrices[OURS].false_claims else 0


def folder() -> Path:
    """Return where results are kept."""
    found = engine.cache().parent / "accuracy" / "functions"
    found.mkdir(parents=True, exist_ok=True)
    return found


def saved_at(project: Project, number: int) -> Path:
    """Return where one result is kept; another project is another file."""
    name = image.reference(project).rpartition("/")[2].replace(":", "-")
    return folder() / f"{name}-{SECONDS}-{number}.json"


def checked(project: Project) -> int:
    """Let the witness check the labels, once for each image; return what is wrong."""
    name = image.reference(project).rpartition("/")[2].replace(":", "-")
    note = folder() / f"{name}.witnessed"
    if note.exists():
        return 0
    found = witness.problems(project)
    for problem in found:
        engine.say(f"{project.name}: label does not hold: {problem}")
    if not found:
        note.write_text(f"{len(project.rows)} labels held\n")
    engine.say(f"{project.name}: {len(project.rows)} labels, {len(found)} wrong")
    return len(found)


def run(project: Project, number: int) -> None:
    """Analyze the image with its driver unless the result is saved."""
    target = saved_at(project, number)
    with tempfile.TemporaryDirectory() as name:
        records, script = Path(name) / "records", Path(name) / "drive.sh"
        records.mkdir()
        plant(project.rows, records)
        script.write_text(project.script())
        plan = Plan(
            image=image.made(project),
            port=image.PORT,
            script=str(script),
            advisories=str(records),
            seconds=SECONDS,
        )
        problem = functions_run.perform(plan, target)
    if problem:
        raise BuildFailed(problem)


def judged(project: Project, numbers: Sequence[int]) -> list[Answers]:
    """Return what each rule says today of each saved run."""
    results = [json.loads(saved_at(project, one).read_text()) for one in numbers]
    profiles = [functions_again.profile_of(result) for result in results]
    driven = [bool(result["summary"]["driven"]) for result in results]
    bare = [score.without_functions(profile) for profile in profiles]
    with tempfile.TemporaryDirectory() as name:
        plant(project.rows, Path(name))
        runs = list(zip([*profiles, *bare], [*driven, *driven], strict=True))
        verdicts = list(functions_again.verdicts(image.made(project), Path(name), runs))
    found = [
        [{row: score.said_of(row, one) for row in project.rows} for one in half]
        for half in (verdicts[: len(numbers)], verdicts[len(numbers) :])
    ]
    other = govulncheck.answers(project)
    return [
        Answers(
            project,
            {
                OURS: ours,
                PACKAGES: packages,
                THEIRS: by_files(project, result["execution_profile"]),
                **({GO: other} if other else {}),
            },
        )
        for ours, packages, result in zip(*found, results, strict=True)
    ]


def by_files(project: Project, profile: Mapping[str, Any]) -> Mapping[Planted, Said]:
    """Return what Kubescape's rule says; it knows packages, not functions."""
    sbom = kubescape.sbom_of(image.made(project), project.name)
    reached = kubescape.kept(sbom, kubescape.relevant_files(profile))
    return {
        row: Said(kubescape.status(sbom, reached, component(row))) for row in project.rows
    }


def component(row: Planted) -> Component:
    """Return the row's package as the other benchmark writes it."""
    return Component(row.type, row.package, row.label, at=row.at.rstrip("/"))


def count(matrices: Mapping[str, Matrix], answers: Sequence[Answers]) -> None:
    """Add the answers of every run."""
    for one in answers:
        for rule, said in one.by_rule.items():
            for row, status in said.items():
                matrices[rule].add(one.project.name, row, status)


def agreement(answers: Sequence[Answers]) -> None:
    """Print how many functions two runs agree on."""
    first, *others = [one.by_rule[OURS] for one in answers]
    for other in others:
        same = sum(first[row].status == other[row].status for row in first)
        print(f"{answers[0].project.name}: {same} of {len(first)} the same in two runs")


def why(answers: Answers) -> None:
    """Print why functions that can not run are not cleared."""
    for row, said in answers.by_rule[OURS].items():
        if row.stage is None and said.status != "not_affected":
            print(f"  {said.status} {row.symbol} ({row.label}, {row.shape}): {said.reason}")
