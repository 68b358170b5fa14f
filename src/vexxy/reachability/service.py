"""Judging every finding of an image, from what ran and what could still be loaded."""

from collections.abc import Sequence

from vexxy.advisories.types import Match
from vexxy.reachability.ports import Root
from vexxy.reachability.types import Loadable, Settings, Verdict
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import ExecutionProfile


def overlay(
    root: Root,
    profile: ExecutionProfile,
    inventory: Inventory,
    *,
    settings: Settings | None = None,
) -> Loadable:
    """Return what could still be loaded after what the profile saw."""
    raise NotImplementedError


def judge(
    matches: Sequence[Match],
    *,
    inventory: Inventory,
    profile: ExecutionProfile,
    root: Root,
    driven: bool,
    settings: Settings | None = None,
    loadable: Loadable | None = None,
) -> tuple[Verdict, ...]:
    """Return one verdict per match, in the order of the matches.

    `driven` is True when the image answered traffic or its test script succeeded.
    `loadable` is what `overlay` returned; it is computed here when None.
    """
    raise NotImplementedError


def explain(verdict: Verdict) -> tuple[str, ...]:
    """Return the whole chain of one verdict as lines for a terminal."""
    raise NotImplementedError
