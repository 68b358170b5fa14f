"""What the verdicts say against what is true."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.accuracy import kubescape
from bench.accuracy.truth import LABELS, NO, YES, Component, Truth
from vexxy.reachability.types import Verdict

NOT_AFFECTED: Final = "not_affected"
AFFECTED: Final = "affected"
STATUSES: Final = ("affected", "under_investigation", "not_affected", "missing")


@dataclass(slots=True)
class Matrix:
    """How often each status was given, by label."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    false_claims: list[tuple[str, Component]] = field(default_factory=list)

    def add(self, run: str, row: Component, status: str) -> None:
        """Count one answer."""
        self.counts[row.label, status] += 1
        if status == NOT_AFFECTED and row.meaning.reachable != NO:
            self.false_claims.append((run, row))

    def total(self, reachable: Iterable[str], status: str | None = None) -> int:
        """Return the answers for components of that reachability."""
        wanted = set(reachable)
        return sum(
            count
            for (label, given), count in self.counts.items()
            if LABELS[label].reachable in wanted and status in (None, given)
        )

    def share(self, reachable: str, status: str) -> float:
        """Return the share of one status among components of one reachability."""
        everything = self.total([reachable])
        return self.total([reachable], status) / everything if everything else 0.0

    @property
    def noise_removed(self) -> float:
        """Return the share of unreachable components that were cleared."""
        return self.share(NO, NOT_AFFECTED)

    @property
    def found(self) -> float:
        """Return the share of components that do run that were called affected."""
        return self.share(YES, AFFECTED)


def statuses(truth: Truth, verdicts: Sequence[Verdict]) -> dict[Component, str]:
    """Return what the verdicts say of each component; `missing` if nothing."""
    return {row: status_of(row, verdicts) for row in truth.components}


def status_of(row: Component, verdicts: Iterable[Verdict]) -> str:
    """Return the status of the row's planted vulnerability in the row's package."""
    found = {
        verdict.status.value
        for verdict in verdicts
        if verdict.vulnerability_id.upper() == row.advisory_id and about(verdict, row)
    }
    # Copies that cannot be told apart: the worst answer about any of them counts.
    return next((one for one in reversed(STATUSES) if one in found), "missing")


def about(verdict: Verdict, row: Component) -> bool:
    """Return whether the verdict is about the component and no other copy of it."""
    package = verdict.package
    if plain(package.name) != plain(row.name):
        return False
    paths = (*package.locations, package.embedded_in or "")
    return not row.at or any(kubescape.inside(path, row) for path in paths)


def plain(name: str) -> str:
    """Return the name without the spellings that PyPI treats as equal."""
    return name.lower().replace("_", "-").replace(".", "-")
