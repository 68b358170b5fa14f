"""What a closure over JavaScript code starts from, and how each function was reached."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from vexxy.reachability.calls.types import Loader

SUFFIXES: Final = (".js", ".cjs", ".mjs", ".ts", ".mts", ".cts", ".tsx", ".jsx")
# What the language and the parts of Node.js that are no files call on any object.
CALLED_UNSEEN: Final = (
    "constructor", "toString", "valueOf", "toJSON", "then", "next", "return", "throw",
    "get", "set", "has", "apply", "construct", "deleteProperty", "ownKeys", "inspect",
    "_read", "_write", "_writev", "_transform", "_flush", "_final", "_destroy",
    "_construct", "destroy", "write", "end", "emit", "on", "once", "addListener",
    "removeListener", "pipe", "push", "read", "lookup", "createConnection",
    "addRequest", "handleEvent", "log", "error", "warn", "resolve", "load",
)  # fmt: skip
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
    loadable: Mapping[str, tuple[Loader, ...]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    is_application: Callable[[str], bool] = lambda _: False


class Origin(NamedTuple):
    """How a function was reached."""

    parent: Node | None
    line: int
    root: str = ""


def package_of(path: str) -> str:
    """Return the directory of the package that a file is in; of the application, ""."""
    before, found, inner = path.rpartition("/node_modules/")
    if not found:
        return ""
    parts = inner.split("/")
    return f"{before}/node_modules/{'/'.join(parts[: 1 + inner.startswith('@')])}"
