"""Answers to one question: could this function still be called?"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Reach(StrEnum):
    """Whether a function that was not seen running could run.

    `PATH`: calls lead to it from an entry point or from something that ran. `OPEN`:
    no such path was found and one cannot be excluded (a call by a value, code that could
    not be parsed). `NO_PATH`: everything that could call it was looked at, and nothing
    does. Not observed is none of them.
    """

    PATH = "path"
    OPEN = "open"
    NO_PATH = "no_path"


@dataclass(frozen=True, slots=True)
class Step:
    """One place on a path.

    Attributes:
        path: Canonical path of the file.
        name: Qualified function name, empty for code at the top of a module.
        line: 1-based; of the call or mention that leads to the next step, 0 if unknown.
    """

    path: str
    name: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """The answer for one function.

    Attributes:
        reach: See `Reach`.
        entry: What starts the path, as a person would exercise it (`GET /attrs`, `the
            start of /app/app.py`, `task cleanup`); empty without a path.
        steps: From the entry to the function, the function last; at most a dozen.
        reason: One sentence: the path in words, what cannot be excluded, or what was
            looked at (numbers of functions and entry points).
    """

    reach: Reach
    reason: str
    entry: str = ""
    steps: tuple[Step, ...] = ()


class Loader(NamedTuple):
    """Who could load a file, and how.

    Attributes:
        via: The file that leads to it; empty when the run itself does.
        how: In words that fit between the two paths.
        by_value: Whether a name in `via` that is a value must say so.
        entry_points: Whether a lookup of entry points in `via` must.
        statement: Whether it is an import statement, or taken for one: a graph that finds
            the statement itself knows better when it runs.
    """

    via: str
    how: str
    by_value: bool = False
    statement: bool = False
    entry_points: bool = False


class CallGraph(Protocol):
    """What one language's graph answers; built once for an image and a run."""

    def reach(self, files: Sequence[str], name: str) -> Reached:
        """Return whether the function `name` defined in one of `files` could be called.

        Args:
            files: Canonical paths that may hold it.
            name: Qualified name as the language writes it (`Class.method`, `function`,
                `module.exports`); a class means any of its methods or its construction;
                empty means any function of the files.
        """
