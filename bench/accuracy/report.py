"""The tables that the benchmark prints."""

from collections.abc import Mapping, Sequence

from bench.accuracy.score import NOT_AFFECTED, STATUSES, Matrix
from bench.accuracy.truth import LABELS, LOADABLE, NO, YES


def tables(ours: Mapping[str, Matrix], theirs: Mapping[str, Matrix]) -> None:
    """Print one confusion matrix for each kind of run, then the summary."""
    for name, matrix in ours.items():
        print(f"\n{name}: vexxy (in brackets: Kubescape's rule on the same traces)\n")
        confusion(matrix, theirs[name])
    summary(ours, theirs)
    for who, matrices in (("vexxy", ours), ("Kubescape's rule", theirs)):
        claims = {
            f"{image}: {row.type} {row.name} ({row.label}; {row.why})"
            for matrix in matrices.values()
            for image, row in matrix.false_claims
        }
        if claims and who == "vexxy":
            print(f"\nFalse not_affected of {who}:")
            print("\n".join(f"  {claim}" for claim in sorted(claims)))


def confusion(ours: Matrix, theirs: Matrix) -> None:
    """Print statuses by label."""
    print(f"{'label':30} {'truth':9}" + "".join(f"{status:>22}" for status in STATUSES))
    for label, meaning in LABELS.items():
        if not any(known == label for known, _ in ours.counts):
            continue
        cells = (
            f"{ours.counts[label, status]:>12} [{theirs.counts[label, status]:>4}]   "
            for status in STATUSES
        )
        print(f"{label:30} {meaning.reachable:9}" + "".join(cells))


def summary(ours: Mapping[str, Matrix], theirs: Mapping[str, Matrix]) -> None:
    """Print the figures that matter, a line for each kind of run."""
    print("\nfalse not_affected: of components that run or that a stranger can make run")
    print("noise removed: unreachable components that were cleared")
    print("found: components that run and were called affected\n")
    print(f"{'':14} {'vexxy':^36} {'Kubescape rule':^36}")
    print(f"{'run':14}" + f" {'false n.a.':>11} {'noise':>11} {'found':>11} " * 2)
    for name, matrix in ours.items():
        print(f"{name:14} {figures(matrix)} {figures(theirs[name])}")


def figures(matrix: Matrix) -> str:
    """Return the three figures of a matrix."""
    false = matrix.total([YES, LOADABLE], NOT_AFFECTED)
    open_ = matrix.total([YES, LOADABLE])
    total = matrix.total([NO])
    return (
        f" {false:>4} of {open_:<4}"
        f" {matrix.noise_removed:>7.1%}/{total:<4}"
        f" {matrix.found:>7.1%}/{matrix.total([YES]):<4}"
    )


def agreement(pairs: Sequence[tuple[str, float]]) -> None:
    """Print how often two equal runs gave the same answer."""
    for image, share in pairs:
        print(f"two driven runs of {image}: {share:.1%} of the answers equal")
