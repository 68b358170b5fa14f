"""What each rule says of each planted function, and what of it is wrong."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from bench.accuracy.planted.table import JUSTIFICATIONS, LABELS, STAGES, Planted
from vexxy.reachability.types import Level, Verdict
from vexxy.tracer.types import ExecutionProfile

NOT_AFFECTED: Final = "not_affected"
STATUSES: Final = ("affected", "under_investigation", "not_affected", "missing")
SHORT: Final = ("affected", "open", "cleared", "missing")


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of one function."""

    status: str
    justification: str = ""
    reason: str = ""
    called: bool = False


@dataclass(slots=True)
class Matrix:
    """How often each status was given, by image and label."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    right: Counter[tuple[str, str]] = field(default_factory=Counter)
    called: int = 0
    false_claims: list[tuple[Planted, Said]] = field(default_factory=list)
    missed: list[tuple[Planted, Said]] = field(default_factory=list)

    def add(self, image: str, row: Planted, said: Said) -> None:
        """Count one answer."""
        self.counts[image, row.label, said.status] += 1
        if said.status == NOT_AFFECTED and row.stage is not None:
            self.false_claims.append((row, said))
        if row.stage == "test" and said.status != "affected":
            self.missed.append((row, said))
        self.called += row.stage == "test" and said.called
        good = JUSTIFICATIONS.get(row.label, set())
        if said.status == NOT_AFFECTED and said.justification in good:
            self.right[image, row.label] += 1

    def total(self, labels: Iterable[str], status: str | None = None) -> int:
        """Return how many functions of the labels were given a status."""
        wanted = set(labels)
        return sum(
            count
            for (_, label, given), count in self.counts.items()
            if label in wanted and status in (None, given)
        )


def without_functions(profile: ExecutionProfile) -> ExecutionProfile:
    """Return the profile that the same run would have had without `--coverage`."""
    return replace(profile, functions=(), function_recordings=())


def said_of(row: Planted, verdicts: Sequence[Verdict]) -> Said:
    """Return the verdict on the row's advisory in the row's copy.

    Of copies that cannot be told apart, a clearance weighs most.
    """
    found = [
        one
        for one in verdicts
        if one.vulnerability_id.upper() == row.advisory_id and about(one, row)
    ]
    if not found:
        return Said("missing")
    chosen = max(found, key=lambda one: STATUSES.index(one.status.value))
    justification = chosen.justification.value if chosen.justification else ""
    called = chosen.level is Level.CALLED
    return Said(chosen.status.value, justification, chosen.reason, called)


def about(verdict: Verdict, row: Planted) -> bool:
    """Return whether a verdict is about the copy that the row means."""
    package = verdict.package
    paths = (*package.locations, package.embedded_in or "")
    return not row.at or any(path.startswith(row.at) for path in paths)


def tables(matrices: Mapping[str, Matrix]) -> None:
    """Print a table of statuses for each image, then the figures that matter."""
    images = {key[0]: None for matrix in matrices.values() for key in matrix.counts}
    for image in images:
        print(f"\n{image}: " + "/".join(SHORT))
        names = "".join(f"{name:>18}" for name in matrices)
        print(f"{'label':18}{names}{'rightly cleared':>17}")
        for label in LABELS:
            cells = [cell(one, image, label) for one in matrices.values()]
            if set(cells) == {"-"}:
                continue
            right = next(iter(matrices.values())).right[image, label]
            last = f"{right:>17}" if label in JUSTIFICATIONS else ""
            print(f"{label:18}" + "".join(f"{one:>18}" for one in cells) + last)
    summary(matrices)


def cell(matrix: Matrix, image: str, label: str) -> str:
    """Return the four counts of one label."""
    counts = [matrix.counts[image, label, status] for status in STATUSES]
    return "/".join(str(count) for count in counts) if any(counts) else "-"


def summary(matrices: Mapping[str, Matrix]) -> None:
    """Print the figures that matter for each rule, and what ours got wrong."""
    print("\nfalse: functions that run, or can be made to, and were cleared")
    print("unreachable: those that can not run")
    print("seen: functions that ran, told as called\n")
    head = f"{'rule':20}{'false':>14}{'unreachable cleared':>24}"
    print(f"{head}{'ran: affected':>16}{'seen':>6}")
    for name, matrix in matrices.items():
        print(f"{name:20}{figures(matrix)}")
    ours = next(iter(matrices.values()))
    for title, rows in (("FALSE", ours.false_claims), ("MISSED", ours.missed)):
        for row, said in rows:
            what = f"{row.type} {row.symbol} ({row.label}, {row.shape})"
            print(f"  {title} {what}: {said.status}: {said.reason}")


def figures(matrix: Matrix) -> str:
    """Return the three figures of one rule."""
    reachable = matrix.total([one for one in LABELS if one not in JUSTIFICATIONS])
    ran = [one for one in LABELS if STAGES.get(one) == "test"]
    dead, cleared = matrix.total(JUSTIFICATIONS), matrix.total(JUSTIFICATIONS, NOT_AFFECTED)
    share = f"{cleared} of {dead} ({cleared / dead:.1%})" if dead else "-"
    false = f"{len(matrix.false_claims)} of {reachable}"
    found = f"{matrix.total(ran, 'affected')} of {matrix.total(ran)}"
    return f"{false:>14}{share:>24}{found:>16}{matrix.called:>6}"
