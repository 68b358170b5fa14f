"""Progress of long work, told to whoever listens."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of long work.

    Attributes:
        phase: What is being done, as a person would say it.
        percent: How far the whole work is, 0-100.
        detail: A sentence about this step, possibly empty.
        remaining_seconds: The time that is left, or None where it cannot be told.
    """

    phase: str
    percent: int
    detail: str = ""
    remaining_seconds: float | None = None


class Listener(Protocol):
    """Receives progress; must return at once and never raise."""

    def __call__(self, progress: Progress, /) -> None:
        """Take note of the step."""


def silent(progress: Progress, /) -> None:
    """Ignore the step."""
    del progress
