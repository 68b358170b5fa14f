"""Where named functions can be watched in one file of compiled code."""

from collections.abc import Iterable
from typing import Protocol

from vexxy.tracer.functions.native import gofunctions, symbolfunctions
from vexxy.tracer.functions.native.types import Watchable
from vexxy.tracer.functions.native.wire import elf


class Functions(Protocol):
    """The functions of one file."""

    def watch(self, names: Iterable[str]) -> dict[str, Watchable]:
        """Return where each function can be watched, by the name that was given."""

    def describe(self, offset: int) -> str:
        """Return `file:line function` of an instruction at an offset, empty if unknown."""


def read(content: bytes) -> Functions:
    """Return the functions of a program or library.

    Raises:
        Unreadable: It is none that is read, or a damaged one.
    """
    image = elf.read(content)
    return gofunctions.read(image) or symbolfunctions.SymbolFunctions(image)


def resolve(content: bytes, names: Iterable[str]) -> dict[str, Watchable]:
    """Return where functions can be watched in a file; `read` for a file used twice.

    Go names are as advisories write them (`golang.org/x/net/html.Tokenizer.Next`), Rust
    names are paths (`smallvec::SmallVec::insert_many`), C++ names are qualified names
    without parameters, C names stand alone.

    Raises:
        Unreadable: As for `read`.
    """
    return read(content).watch(names)
