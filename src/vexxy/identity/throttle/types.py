"""What is counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counter:
    """One thing that is tried, and how often it may be within a window.

    Attributes:
        name: 32 bytes; neither addresses nor accounts can be read from the table.
        limit: How many attempts pass.
        window_seconds: Counted from the first attempt.
    """

    name: bytes
    limit: int
    window_seconds: int
