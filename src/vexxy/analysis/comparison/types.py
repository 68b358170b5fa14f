"""Values of a comparison."""

from dataclasses import dataclass

from vexxy.analysis.submission.types import Progress
from vexxy.vex.types import Difference


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs from one analysis to another.

    Attributes:
        new: Stated after and not before.
        gone: Stated before and not after.
        changed: Another status or justification.
        stale: Stated before, about package versions that are not installed any more.
        now_fixable: Stated after, with a fix that was not known before.
    """

    before: Progress
    after: Progress
    new: tuple[Difference, ...]
    gone: tuple[Difference, ...]
    changed: tuple[Difference, ...]
    stale: tuple[Difference, ...]
    now_fixable: tuple[Difference, ...]
