"""What a closure over JavaScript code starts from, and how each function was reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Node = tuple[str, int]
"""Path and index of a function."""
Where = tuple[Node, int]


class Sources(Protocol):
    """The JavaScript files of one image."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None where there is none to be read."""

    def resolve(self, request: str, path: str) -> Sequence[str]:
        """Return the files that a request from a file may load."""


class Ran(NamedTuple):
    """A function that was seen running; `line` is its first line, 0 if unknown."""

    path: str
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Start:
    """What a graph starts from; see `calls.python.start.Start` for the shared meanings."""

    loaded: frozenset[str]
    ran: frozenset[Ran]
    loadable: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    is_application: Callable[[str], bool] = lambda _: False


class Origin(NamedTuple):
    """How a function was reached."""

    parent: Node | None
    line: int
    root: str = ""
