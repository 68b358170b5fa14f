"""Where named functions can be watched in one file of compiled code."""

import struct
from collections.abc import Iterable
from typing import Final, Protocol

from vexxy.tracer.functions.native import gofunctions, symbolfunctions
from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.types import Watchable
from vexxy.tracer.functions.native.wire import elf

DAMAGED: Final = (
    struct.error, LookupError, ValueError, OverflowError, RecursionError, MemoryError,
)  # fmt: skip


class Functions(Protocol):
    """The functions of one file."""

    def watch(self, names: Iterable[str]) -> dict[str, Watchable]:
        """Return where each function can be watched, by the name that was given."""

    def describe(self, offset: int) -> str:
        """Return `file:line function` of an instruction at an offset, empty if unknown."""


class _Guarded:
    """Functions of a file that may be damaged anywhere, and is read as it is asked."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def watch(self, names: Iterable[str]) -> dict[str, Watchable]:
        try:
            return self._functions.watch(names)
        except DAMAGED as error:
            raise Unreadable(f"a damaged file: {error}") from error

    def describe(self, offset: int) -> str:
        try:
            return self._functions.describe(offset)
        except (*DAMAGED, Unreadable):
            return ""


def read(content: bytes) -> Functions:
    """Return the functions of a program or library; they raise as this does.

    Raises:
        Unreadable: It is none that is read, or a damaged one.
    """
    try:
        image = elf.read(content)
        found = gofunctions.read(image) or symbolfunctions.SymbolFunctions(image)
    except DAMAGED as error:
        raise Unreadable(f"a damaged file: {error}") from error
    return _Guarded(found)


def resolve(content: bytes, names: Iterable[str]) -> dict[str, Watchable]:
    """Return where functions can be watched in a file; `read` for a file used twice.

    Go names are as advisories write them (`golang.org/x/net/html.Tokenizer.Next`), Rust
    names are paths (`smallvec::SmallVec::insert_many`), C++ names are qualified names
    without parameters, C names stand alone.

    Raises:
        Unreadable: As for `read`.
    """
    return read(content).watch(names)
