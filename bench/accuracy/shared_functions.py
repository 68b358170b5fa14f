"""Functions of three images that somebody else made: b (Flask), c (Express), f (Go).

Their truth is per advisory, found without vexxy: whether a vulnerable function ran, and
whether a route leads to it that their driver does not take.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.accuracy import functions_again, functions_run, shared
from bench.accuracy.functions_run import Plan
from bench.images import engine
from vexxy.reachability.types import Level, Verdict

IMAGES: Final = ("b-flask", "c-express", "f-static")
PORT: Final = 8080
UNTAKEN: Final = ("nothing calls it", "DORMANT")
# The Go image's truth has no words: what its source calls on routes that are not driven,
# and what a body sent in chunks makes its server run.
UNTAKEN_GO: Final = (
    "html.Render",
    "ssh.ParsePublicKey",
    "url.URL.Query",
    "chunkedReader.Read",
)
RAN: Final = "ran"
ROUTE: Final = "untaken route"
REST: Final = "rest"
JUSTIFIED: Final = {
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_not_present",
    "component_not_present",
}
ORDER: Final = ("affected", "under_investigation", "not_affected")


@dataclass(frozen=True, slots=True)
class Shape:
    """How an image is driven: for how long, by how many drivers at once, which time."""

    seconds: int
    at_once: int = 1
    number: int = 1

    @property
    def name(self) -> str:
        """Return what a reader calls it."""
        crowd = f", {self.at_once} at once" if self.at_once > 1 else ""
        again = ", again" if self.number > 1 else ""
        return f"{self.seconds} s{crowd}{again}"


SHAPES: Final = (
    Shape(30),
    Shape(10),
    Shape(60),
    Shape(60, number=2),
    Shape(30, at_once=20),
)


# The same question again: twice, in a crowd, and in a window too short to conclude from.
REPEATED: Final = (
    Shape(60),
    Shape(60, number=2),
    Shape(60, at_once=20),
    Shape(10),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One advisory of the truth and what is true of its functions.

    Attributes:
        ids: Every name of the advisory.
        kind: `ran`, `untaken route` or `rest`.
    """

    ids: frozenset[str]
    package: str
    kind: str
    why: str
    functions: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return what a reader calls it."""
        return f"{min(self.ids)} {self.package}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a row; no finding is no status."""

    row: Row
    status: str
    justification: str
    reason: str
    level: Level = Level.ABSENT


def shapes_of(arguments: Sequence[str]) -> Sequence[Shape]:
    """Return how the images are driven: `--repeat`, `--quick`, or every way there is."""
    if "--repeat" in arguments:
        return REPEATED
    return SHAPES[:1] if "--quick" in arguments else SHAPES


def main(arguments: Sequence[str] = ()) -> int:
    """Run what is not saved, print the tables, return 1 if anything was cleared wrongly."""
    if not shared.SHARED.is_dir():
        print("../shared is not here: nothing to measure")
        return 0
    shapes = shapes_of(arguments)
    images = [name for name in arguments if not name.startswith("-")] or list(IMAGES)
    wrong = 0
    for image in images:
        answers: dict[str, list[Answer]] = {}
        results = {}
        for shape in shapes:
            saved = run(image, shape, fresh="--fresh" in arguments)
            if saved is not None:
                results[shape.name] = json.loads(saved.read_text())
        judged = functions_again.verdicts(
            f"localhost/dev-{image}",
            shared.SHARED / "data" / "osv",
            [
                (functions_again.profile_of(result), result["summary"]["driven"])
                for result in results.values()
            ],
        )
        for name, found in zip(results, judged, strict=True):
            answers[name] = [answer(row, found) for row in rows(image)]
        wrong += tables(image, answers, results)
    return 1 if wrong else 0


def run(image: str, shape: Shape, *, fresh: bool = False) -> Path | None:
    """Return the saved result of one run, None (and why, printed) if it failed."""
    folder = engine.cache().parent / "accuracy" / "functions"
    saved = folder / f"shared-{image}-{shape.seconds}-{shape.at_once}-{shape.number}.json"
    if fresh:
        saved.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    driver = saved.with_suffix(".sh")
    driver.write_text(driver_text(image, shape.at_once))
    plan = Plan(
        image=f"localhost/dev-{image}",
        port=PORT,
        script=str(driver),
        advisories=str(shared.SHARED / "data" / "osv"),
        seconds=shape.seconds,
    )
    problem = functions_run.perform(plan, saved)
    if problem:
        engine.say(problem)
    return saved if saved.exists() else None


def driver_text(image: str, at_once: int = 1) -> str:
    """Return their driver for a container that runs already, several at once if asked."""
    text = (shared.SHARED / "images" / image / "test.sh").read_text()
    return adapted(text, at_once)


def adapted(text: str, at_once: int = 1) -> str:
    """Return a driver of theirs that uses $HOST and $PORT and files of its own."""
    left_out = ("common.sh", "start ", "waitport ", "#!")
    lines = [line for line in text.splitlines() if not line.startswith(left_out)]
    body = "\n".join(line for line in lines if "common.sh" not in line)
    body = re.sub(r"'(302 [^'\n]*)'", r'"\1"', body)
    body = body.replace("127.0.0.1:8080", "$HOST:$PORT").replace("/tmp/", '"$T"/')  # noqa: S108  theirs
    start = "#!/bin/bash\nset -eu\nT=$(mktemp -d)\ntrap 'rm -rf \"$T\"' EXIT\n"
    if at_once == 1:
        return f"{start}{body}\n"
    own = body.replace('"$T"', '"$T/$1"')
    indented = f"drive() {{\n{own}\n}}\n"
    crowd = (
        f"pids=\nfor n in $(seq {at_once}); do mkdir $T/$n; (set -e; drive $n) & "
        'pids="$pids $!"; done\nfor p in $pids; do wait $p; done\n'
    )
    return f"{start}{indented}{crowd}"


def rows(image: str) -> Iterator[Row]:
    """Yield the truth of one image."""
    path = shared.SHARED / "images" / image / "truth.json"
    for one in json.loads(path.read_text())["advisories"]:
        yield Row(
            ids=frozenset({one["id"], *one.get("aliases", ())}),
            package=one.get("package") or one["module"],
            kind=kind_of(one),
            why=one.get("why", ""),
            functions=tuple(one.get("symbols", ())),
        )


def kind_of(one: Mapping[str, Any]) -> str:
    """Return what is true of an advisory's functions."""
    if one.get("vulnerable_function_called") or one.get("symbol_ran"):
        return RAN
    if any(word in one.get("why", "") for word in UNTAKEN):
        return ROUTE
    linked = (name for name, s in one.get("symbols", {}).items() if s.get("linked"))
    if any(name.endswith(UNTAKEN_GO) for name in linked):
        return ROUTE
    return REST


def answer(row: Row, verdicts: Sequence[Verdict]) -> Answer:
    """Return the strongest verdict about the row's package: what runs decides."""
    wanted = plain(row.package)
    own = [
        one
        for one in verdicts
        if row.ids & {one.vulnerability_id, *one.aliases}
        and plain(one.package.name) == wanted
    ]
    if not own:
        return Answer(row, "no finding", "", "no finding")
    chosen = min(own, key=lambda one: ORDER.index(one.status.value))
    justification = chosen.justification.value if chosen.justification else ""
    status = chosen.status.value
    return Answer(row, status, justification, chosen.reason, chosen.level)


def plain(name: str) -> str:
    """Return a package's name without the spellings that are treated as equal."""
    return re.sub(r"[-_.]+", "-", name.lower())


def false_claims(answers: Sequence[Answer]) -> list[Answer]:
    """Return the rows that ran, or that a route leads to, and were cleared."""
    return [one for one in answers if one.row.kind != REST and one.status == "not_affected"]


def tables(
    image: str,
    answers: Mapping[str, Sequence[Answer]],
    results: Mapping[str, Mapping[str, Any]],
) -> int:
    """Print what came out for one image; return how many claims are false."""
    wrong = 0
    print(f"\n{image}")
    print(
        f"{'run':22} {'ran: affected':>14} {'untaken: cleared':>17} {'rest: decided':>16}"
    )
    for name, found in answers.items():
        wrong += len(false_claims(found))
        print(f"{name:22} {figures(found)}  {completeness(results[name])}")
        for one in false_claims(found):
            print(f"  FALSE {one.row.kind}: {one.row.name}: {one.reason}")
        for one in found:
            if one.row.kind == RAN and one.status not in ("affected", "not_affected"):
                print(f"  MISSED {one.row.name}: {one.status}: {one.reason}")
    called(answers)
    differences(answers)
    undecided(next(iter(answers.values()), ()))
    return wrong


def figures(answers: Sequence[Answer]) -> str:
    """Return the three figures of one run."""
    by_kind = {
        kind: [one for one in answers if one.row.kind == kind]
        for kind in (RAN, ROUTE, REST)
    }
    affected = sum(one.status == "affected" for one in by_kind[RAN])
    cleared = sum(one.status == "not_affected" for one in by_kind[ROUTE])
    decided = sum(
        one.status == "not_affected" and one.justification in JUSTIFIED
        for one in by_kind[REST]
    )
    rest = len(by_kind[REST])
    return (
        f"{affected:>7} of {len(by_kind[RAN]):<3} {cleared:>9} of {len(by_kind[ROUTE]):<3}"
        f" {decided:>5} of {rest:<3} {decided / rest if rest else 0:>6.1%}"
    )


def completeness(result: Mapping[str, Any]) -> str:
    """Return what limits a run, in brackets; empty where nothing does."""
    profile = result["execution_profile"]
    limits = [*profile["completeness"]["reasons"]]
    for one in profile["function_recordings"]:
        limits += [f"{one['runtime']}: {reason}" for reason in one["reasons"]]
    return f"({'; '.join(limits)})" if limits else ""


def called(answers: Mapping[str, Sequence[Answer]]) -> None:
    """Print whether every run saw the same vulnerable functions called."""
    seen = {
        name: {one.row.name for one in found if one.level is Level.CALLED}
        for name, found in answers.items()
    }
    everywhere = set.intersection(*seen.values()) if seen else set()
    print(f"  rows told as called in every run: {len(everywhere)}")
    for name, rows_called in seen.items():
        for one in sorted(rows_called - everywhere):
            print(f"  ONLY CALLED in some: {one}: {name}")


def differences(answers: Mapping[str, Sequence[Answer]]) -> None:
    """Print the rows that were not given the same status in every run."""
    given: dict[str, Counter[str]] = {}
    for found in answers.values():
        for one in found:
            given.setdefault(f"{one.row.kind} {one.row.name}", Counter())[one.status] += 1
    unequal = {name: counts for name, counts in given.items() if len(counts) > 1}
    print(f"  rows with one and the same status in all runs: {len(given) - len(unequal)}")
    for name, counts in unequal.items():
        print(f"  DIFFERS {name}: {dict(counts)}")


def undecided(answers: Sequence[Answer]) -> None:
    """Print the product's own sentence for each row of the rest that is not cleared."""
    left = [one for one in answers if one.row.kind == REST and one.status != "not_affected"]
    print(f"  of the rest, not decided: {len(left)}")
    for one in left:
        print(f"    {one.status} {one.row.name}: {one.reason}")
