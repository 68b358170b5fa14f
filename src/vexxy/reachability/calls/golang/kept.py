"""Functions that a program only keeps in tables, which few of its functions read.

A function value that is put into a table (`map[string]func(...)`) and nowhere else can
only be called by code that reads a table of that type, and such code names the type.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from vexxy.reachability.calls.golang.program import Program
from vexxy.reachability.wire import goescape, goflow, gotypes

ASSIGNS: Final = tuple(
    f"runtime.mapassign{kind}"
    for kind in ("", "_fast32", "_fast32ptr", "_fast64", "_fast64ptr", "_faststr")
)
CHANGES: Final = (
    *ASSIGNS, "runtime.makemap", "runtime.makemap64", "runtime.mapclear",
    *(f"runtime.mapdelete{kind}" for kind in ("", "_fast32", "_fast64", "_faststr")),
)  # fmt: skip
BARRIER: Final = re.compile(r"runtime\.gcWriteBarrier(AX|BX|CX|DX|SI|R8|R9)?")
BUFFER: Final = re.compile(r"runtime\.gcWriteBarrier[1-8]")
# What a table keeps its elements in, and the slice that is described with an array.
INNER_KINDS: Final = frozenset({gotypes.ARRAY, gotypes.SLICE, gotypes.STRUCT})
# Registers of results in their order, and functions that return one pointer, or an error.
RESULTS: Final = ("ax", "bx", "cx", "di", "si", "r8", "r9", "r10", "r11")
MAKES: Final = ("runtime.newobject",)
ERRORS: Final = ("fmt.Errorf", "fmt.errorf", "errors.New")
# Which field of a function's row says how long its arguments and results are.
ARGUMENTS_FIELD: Final = 1
MORE_STACK: Final = "runtime.morestack_noctxt"


def is_initial(name: str) -> bool:
    """Return whether a function initializes a package: `init`, `init.0`, `map.init.0`."""
    package = name.rfind("/") + 1
    own = name[package:].partition(".")[2]
    return own == "init" or own.startswith(("init.", "map.init."))


class Kept:
    """Tells what a program's functions do with tables of functions."""

    def __init__(self, program: Program) -> None:
        self._program: Final = program
        self._reads: Final[dict[int, frozenset[int]]] = {}
        self._tables_of: Final[dict[tuple[int, int], int]] = {}

    @cached_property
    def tables(self) -> frozenset[int]:
        """Types of tables whose functions only code that names the type can get at.

        The type of the functions has no name and no twin, and no code or data names it,
        so reflection has no other place to put such a function and no code takes it out
        of an interface's value.
        """
        types = self._program.types
        holders: dict[int, set[int]] = {}
        for place, one in types.items():
            for inner in one.contained:
                holders.setdefault(inner, set()).add(place)
        return frozenset(
            place
            for place, one in types.items()
            if one.kind == gotypes.MAP and self._is_sealed(place, one, holders)
        )

    def _is_sealed(
        self, place: int, table: gotypes.Type, holders: dict[int, set[int]]
    ) -> bool:
        types = self._program.types
        element = types[table.contained[1]]
        if element.kind != gotypes.FUNC or element.is_named or element.methods:
            return False
        if place in self._named_in_data or self._has_twin(table.contained[1]):
            return False
        waiting, seen = [table.contained[1]], set[int]()
        while waiting:
            inner = waiting.pop()
            if inner in seen:
                continue
            seen.add(inner)
            found = types[inner]
            is_own = inner == table.contained[1] or (
                found.kind in INNER_KINDS and not found.is_named and not found.methods
            )
            if not is_own or inner in self._named_in_code or inner in self._named_in_data:
                return False
            outer = holders.get(inner, set()) - {place}
            if not outer and inner not in table.contained:
                return False
            waiting += outer
        return True

    def _has_twin(self, place: int) -> bool:
        own = self._program.types[place].signature
        return any(
            signature[: len(own)] == own
            for other, signature in self._signatures
            if other != place
        )

    @cached_property
    def _signatures(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        types = self._program.types.items()
        return tuple(
            (place, one.signature) for place, one in types if one.kind == gotypes.FUNC
        )

    @cached_property
    def _named_in_code(self) -> frozenset[int]:
        named = self._program.references.values()
        return frozenset().union(*named) | self._program.from_outside

    @cached_property
    def _named_in_data(self) -> frozenset[int]:
        return self._program.from_data[1]

    def read(self, entry: int) -> frozenset[int]:
        """Return the types of tables that a function names for more than to write them."""
        if entry not in self._reads:
            named = self._program.references.get(entry, frozenset()) & self.tables
            self._reads[entry] = self._read(entry, named) if named else named
        return self._reads[entry]

    def _read(self, entry: int, named: frozenset[int]) -> frozenset[int]:
        function = self._program.decoded(entry)
        if function is None or function.has_table:
            return named
        found = self._followed(function, 0)
        is_unclear = found.is_out or self._are_results(function, found.returned)
        return named if is_unclear else found.read

    def table_of(self, entry: int, target: int) -> int:
        """Return the type of the tables that alone are given another function, or 0."""
        if (entry, target) not in self._tables_of:
            self._tables_of[entry, target] = self._table_of(entry, target)
        return self._tables_of[entry, target]

    def _table_of(self, entry: int, target: int) -> int:
        function = self._program.decoded(entry)
        if function is None or function.has_table:
            return 0
        found = self._followed(function, target)
        if (
            found.is_out
            or len(found.tables) != 1
            or self._are_results(function, found.returned)
            or self._are_arguments(function, found.slots)
        ):
            return 0
        return next(iter(found.tables))

    def _followed(self, function: goflow.Function, wanted: int) -> goescape.Kept:
        return goescape.follow(
            function,
            wanted,
            is_value=wanted in self._program.cells,
            types=self.tables,
            runtime=self._runtime,
            calls=self._program.effect_of_call,
        )

    @cached_property
    def _runtime(self) -> goescape.Runtime:
        names = self._program.names
        barriers = {
            entry: (found[1] or "AX").lower()
            for entry, name in names.items()
            if (found := BARRIER.fullmatch(name))
        }
        return goescape.Runtime(
            makes=frozenset(self._linked(*MAKES)),
            assigns=frozenset(self._linked(*ASSIGNS)),
            changes=frozenset(self._linked(*CHANGES)),
            barriers=barriers,
            buffers=frozenset(e for e, name in names.items() if BUFFER.fullmatch(name)),
            keeps=self._program.keeping,
        )

    def _linked(self, *names: str) -> Iterator[int]:
        for entry, name in self._program.names.items():
            if name in names:
                yield entry

    def _are_results(self, function: goflow.Function, registers: frozenset[str]) -> bool:
        """Return whether any of the registers may hold a result when a function returns."""
        name = self._program.names[function.entry]
        return not is_initial(name) and any(
            not self._is_left(function, one) for one in registers.intersection(RESULTS)
        )

    def _is_left(self, function: goflow.Function, register: str) -> bool:
        """Return whether a function returns somewhere without having set a register.

        It then is no result: a call has changed it before, and it is none of the call's
        results either.
        """
        waiting = [
            one.end
            for one in function.instructions.values()
            if one.name == "call"
            and register in RESULTS[self._results.get(one.target, len(RESULTS)) :]
        ]
        seen = set[int]()
        while waiting:
            one = function.instructions.get(waiting.pop())
            if one is None or one.address in seen:
                continue
            seen.add(one.address)
            if one.name == "ret":
                return True
            if one.name != "call" and not goflow.effect_on(one, register):
                waiting += function.following(one)
        return False

    @cached_property
    def _results(self) -> dict[int, int]:
        """How many registers functions of a known signature return results in."""
        known = dict.fromkeys((*ASSIGNS, *MAKES, "runtime.makemap"), 1)
        known |= dict.fromkeys(ERRORS, 2)
        return {
            entry: known[name]
            for entry, name in self._program.names.items()
            if name in known
        }

    def _are_arguments(self, function: goflow.Function, slots: frozenset[int]) -> bool:
        """Return whether places of the stack may be arguments of what is called.

        The function table says how much of its caller's stack a function uses.
        """
        called = {
            one.target for one in function.instructions.values() if one.name == "call"
        }
        return any(self._stack_used(one) > min(slots) for one in called if slots)

    def _stack_used(self, entry: int) -> int:
        if entry in self._program.keeping or self._program.names.get(entry) == MORE_STACK:
            return 0
        table = self._program.module.table
        found = table.function_at(entry)
        return 1 << 31 if found is None else table.field(found, ARGUMENTS_FIELD)
