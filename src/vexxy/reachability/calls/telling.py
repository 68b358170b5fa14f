"""A path in words."""

from collections.abc import Sequence
from typing import Final

from vexxy.reachability.calls.types import Reach, Reached, Step

STEPS_MAX: Final = 12


def told(entry: str, steps: Sequence[Step]) -> Reached:
    """Return the answer for a path from an entry point; a long one loses its middle."""
    shown = list(steps)
    if len(shown) > STEPS_MAX:
        shown = [*shown[: STEPS_MAX - 2], *shown[-2:]]
    way = " -> ".join(f"{one.path}:{one.line} {one.name}".rstrip() for one in shown)
    return Reached(Reach.PATH, f"{entry}: {way}", entry, tuple(shown))
