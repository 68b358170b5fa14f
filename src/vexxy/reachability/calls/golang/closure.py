"""Everything that a Go program's entry points and the functions that ran lead to.

A function runs where code that could run refers to it, calls it or not. A method also
runs where its type could be the value of an interface: a type's descriptor or a table of
its methods is in code that could run, in data, or inside such a type. A function that
is only put into a table runs where something reads such tables; see `Kept`.
"""

import heapq
import struct
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.calls.golang.kept import Kept, is_initial
from vexxy.reachability.calls.golang.program import Program
from vexxy.reachability.calls.types import Reach, Reached, Step
from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire.gopclntab import normalize
from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire.goinlining import Copy

STEPS_MAX: Final = 12
# What tables that contradict each other lead to, in a file that was damaged or made up.
DAMAGED: Final = (struct.error, IndexError, KeyError, ValueError, OverflowError)
MAIN: Final = "main.main"
# The runtime and what the linker and the kernel start, by their names' beginnings.
STARTED: Final = (
    "runtime.", "_rt0_", "_cgoexp_", "internal/runtime/", "crosscall", "_cgo_",
)  # fmt: skip
C_MAIN: Final = "main"
# Where these run, a type that only a function's signature names can become a value.
SIGNATURE_READERS: Final = frozenset({
    "reflect.Value.Call", "reflect.Value.CallSlice", "reflect.Value.call",
    "reflect.MakeFunc", "reflect.callReflect",
    "reflect.rtype.In", "reflect.rtype.Out", "reflect.funcType.In", "reflect.funcType.Out",
    "internal/abi.FuncType.In", "internal/abi.FuncType.Out",
    "internal/abi.FuncType.InSlice", "internal/abi.FuncType.OutSlice",
})  # fmt: skip
COMPARERS: Final = frozenset({"reflect.haveIdenticalUnderlyingType"})
# Where these run, any method of a value of an interface can be called.
METHOD_READERS: Final = frozenset({
    "reflect.Value.Method", "reflect.Value.MethodByName",
    "reflect.rtype.Method", "reflect.rtype.MethodByName",
})  # fmt: skip
# Who calls these outside the standard library finds any type by its name.
LISTERS: Final = frozenset({"reflect.typelinks", "reflect.typesByString"})
STANDARD: Final = ("reflect.", "runtime.", "internal/")
# Of these, the methods of `reflect.Type`: in tables wherever that interface is used.
SIGNATURES_ASKED: Final = ("In", "Out")
METHODS_ASKED: Final = ("Method", "MethodByName")
# The linker leaves out what nothing refers to: of real programs under 1 in 100 was found
# to have no path. Far more means that the program was misread.
UNREACHED_MOST: Final = 0.1
# Packages whose functions the compiler replaces by instructions.
INTRINSICS: Final = (
    "sync/atomic.", "math.", "math/bits.", "runtime.", "runtime/internal/", "internal/",
)  # fmt: skip
PLUGINS: Final = "plugin.Open"


@dataclass(frozen=True, slots=True)
class Origin:
    """Why a function could run: another one, or the label of what starts it."""

    parent: int | None
    label: str = ""


class Closure:
    """What could run of one program.

    Raises:
        Unparsable: The program is not as the toolchain writes it.
    """

    def __init__(
        self, path: str, program: Program, ran: Collection[str], *, keeps: bool = True
    ) -> None:
        self._path: Final = path
        self._program: Final = program
        self._origins: dict[int, Origin] = {}
        self._held: dict[int, int | None] = {}
        self._waiting: defaultdict[int, set[int]] = defaultdict(set)
        self._signatures: dict[int, int | None] = {}
        self._queue: list[tuple[int, int, int]] = []
        self._class = 0
        self._by_table: set[int] = set()
        self._signature_slots: Final = _slots(program, SIGNATURES_ASKED)
        self._method_slots: Final = _slots(program, METHODS_ASKED)
        self._kept: Final = Kept(program)
        self._withheld: Final[dict[int, list[tuple[int, int]]]] = {}
        self._open_tables: set[int] = set() if keeps else set(self._kept.tables)
        self._live: Final[dict[int, frozenset[int]]] = {}
        self._listers: Final = frozenset(
            entry for name in LISTERS for entry in program.by_name.get(name, ())
        )
        self._comparers: Final = frozenset(
            entry for entry, name in program.plain.items() if name in COMPARERS
        )
        # Where a reader has no code of its own, it is copied into whoever knows.
        self._reads_methods = _is_copied(program, METHOD_READERS)
        self._reads_signatures = _is_copied(program, SIGNATURE_READERS)
        self._close(ran)

    @property
    def functions(self) -> Mapping[int, Origin]:
        """Every function that could run, by address."""
        return self._origins

    def reach(self, name: str) -> Reached:
        """Return whether a function could be called; `name` as linked or as recorded."""
        program = self._program
        wanted = [each for each in _meant(name) if each in program.name_offsets]
        found = {entry for each in wanted for entry in program.by_name.get(each, ())}
        offsets = {offset for each in wanted for offset in program.name_offsets[each]}
        if not wanted:
            return Reached(Reach.OPEN, f"{self._path} names no function {name}")
        try:
            copies = program.inlining.copies(frozenset(offsets))
            found |= {copy.holder.entry for _, copy in copies if self._is_live(copy)}
        except (Unreadable, *DAMAGED) as error:
            return Reached(Reach.OPEN, f"{self._path} was not understood: {error}")
        reached = [one for one in found if one in self._origins]
        if reached:
            return min(
                (self._told(one, name) for one in reached), key=lambda r: len(r.steps)
            )
        doubt = self._doubt(wanted, found)
        if doubt:
            return Reached(Reach.OPEN, f"{name} of {self._path}: {doubt}")
        return Reached(
            Reach.NO_PATH,
            f"nothing refers to it among the {len(self._origins)} of "
            f"{len(program.names)} functions of {self._path} that could run",
        )

    def _is_live(self, copy: Copy) -> bool:
        """Return whether any instruction of a copy could run when its holder does."""
        live = self._live.get(copy.holder.entry)
        return live is None or any(
            one.start <= place < one.end for one in copy.ranges for place in live
        )

    def _doubt(self, wanted: Sequence[str], found: Collection[int]) -> str:
        """Return why no path does not mean that there is none, empty if it does."""
        if not found:
            return "it is only named, not linked"
        if any(each.startswith(INTRINSICS) for each in wanted):
            return "it may be an instruction instead of a call"
        return "the program can load plugins" if self._program.by_name.get(PLUGINS) else ""

    def _told(self, entry: int, name: str) -> Reached:
        names = self._program.names
        chain = [entry]
        while (parent := self._origins[chain[-1]].parent) is not None:
            chain.append(parent)
        label = self._origins[chain[-1]].label
        steps = [Step(self._path, names[one]) for one in reversed(chain)]
        if self._program.plain[entry] != normalize(name):
            steps.append(Step(self._path, name))
        shown = [*steps[: STEPS_MAX - 2], *steps[-2:]] if len(steps) > STEPS_MAX else steps
        way = " -> ".join(one.name for one in shown)
        return Reached(Reach.PATH, f"{label}: {way}", label, tuple(shown))

    # The closure.

    def _close(self, ran: Collection[str]) -> None:
        program = self._program
        self._root(program.by_name.get(MAIN, ()), f"the start of {self._path}")
        for name in sorted(ran):
            found = program.by_name.get(normalize(name), ())
            exact = [one for one in found if program.plain[one] == normalize(name)]
            self._root(exact, f"{name}, which ran")
        inits = [one for one, name in program.names.items() if is_initial(name)]
        self._root(inits, f"the initialization of {self._path}")
        started = [
            one
            for one, name in program.names.items()
            if name.startswith(STARTED) or name == C_MAIN
        ]
        self._root(started, "the runtime")
        functions, described = program.from_data
        self._root(functions, f"the data of {self._path}")
        for one in described:
            self._refer(one, None)
        for one in program.from_outside:
            self._refer(one, None)
        self._run()
        unreached = len(program.names) - len(self._origins)
        if self._withheld and unreached > UNREACHED_MOST * len(program.names):
            # Whether the program was read well shows without what tables keep.
            everything = Closure(self._path, program, ran, keeps=False)
            unreached = len(program.names) - len(everything.functions)
        if unreached > UNREACHED_MOST * len(program.names):
            raise Unparsable("most of its functions seem to be called by nothing")

    def _root(self, entries: Collection[int], label: str) -> None:
        self._class += 1
        for entry in entries:
            self._add(entry, Origin(None, label))
        self._run()

    def _run(self) -> None:
        while self._queue:
            entry = heapq.heappop(self._queue)[-1]
            targets = self._targets(entry)
            for target in self._open(entry, targets):
                self._refer(target, entry)
            self._reflect(entry)
            if not self._listers.isdisjoint(targets) and not self._program.names[
                entry
            ].startswith(STANDARD):
                self._hold_all(entry)

    def _open(self, entry: int, targets: frozenset[int]) -> frozenset[int]:
        """Note which tables of functions a function reads; return what it leads to.

        What it only puts into a table waits until something reads such a table.
        """
        tables = targets & self._kept.tables
        if not tables:
            return targets
        for one in tables & self._kept.read(entry):
            self._open_table(one)
        waiting = set()
        for target in targets if tables - self._open_tables else ():
            if target in self._program.names or target in self._program.cells:
                table = self._kept.table_of(entry, target)
                if table and table not in self._open_tables:
                    self._withheld.setdefault(table, []).append((target, entry))
                    waiting.add(target)
        return targets - waiting

    def _open_table(self, table: int) -> None:
        self._open_tables.add(table)
        for target, by in self._withheld.pop(table, ()):
            self._refer(target, by)

    def _reflect(self, entry: int) -> None:
        """Note that a function makes signatures' types, or any method, available."""
        if not self._reads_signatures and self._is_reader(
            entry, SIGNATURE_READERS, self._signature_slots
        ):
            self._reads_signatures = True
            for one, by in self._signatures.items():
                self._hold(one, by)
            self._open_all()
        if not self._reads_methods and self._is_reader(
            entry, METHOD_READERS, self._method_slots
        ):
            self._reads_methods = True
            for one, by in self._held.items():
                for _, code in self._program.types[one].methods:
                    self._add_method(code, by)

    def _hold_all(self, entry: int) -> None:
        """Take every type for one of a value: a function can find it by name."""
        for one in self._program.types:
            self._hold(one, entry)
        self._open_all()

    def _open_all(self) -> None:
        """Take every table of functions for one that is read."""
        for one in self._kept.tables:
            self._open_table(one)

    def _is_reader(
        self, entry: int, readers: frozenset[str], slots: frozenset[int]
    ) -> bool:
        program = self._program
        if program.plain[entry] in readers:
            return entry not in self._by_table
        return program.calls_method(entry, slots)

    def _targets(self, entry: int) -> frozenset[int]:
        """Return what the parts of a function refer to that could run as yet."""
        program = self._program
        unknown = {one for one in program.tested.get(entry, ()) if not self._is_held(one)}
        used = program.used(entry, self._is_held) if unknown else None
        if used is None:
            self._live.pop(entry, None)
            return program.references.get(entry, frozenset())
        self._live[entry] = used.live
        for place in used.waits_for:
            self._waiting[program.described(place)].add(entry)
        return used.targets

    def _is_held(self, described: int) -> bool:
        """Return whether a value of an interface could have a type.

        Reflection can make any type without a name out of others.
        """
        return described in self._held or not self._program.is_made(described)

    def _refer(self, target: int, by: int | None) -> None:
        program = self._program
        if target in program.names:
            if self._only_compares(by, target):
                self._add_method(target, by)
                return
            if target in self._by_table:
                self._by_table.remove(target)
                heapq.heappush(self._queue, (self._class, len(self._origins), target))
            self._add(target, self._origin(by))
        elif target in program.cells:
            self._add(program.cells[target], self._origin(by))
        elif target in program.itab_at:
            itab = program.itab_at[target]
            for one in itab.functions:
                if one in program.names:
                    self._add_method(one, by)
            self._hold(itab.type, by)
        elif target in program.types:
            self._hold(target, by)

    def _hold(self, described: int, by: int | None) -> None:
        """Take a type for the type of a value of an interface."""
        waiting = [described]
        while waiting:
            place = waiting.pop()
            found = self._program.types.get(place)
            if place in self._held or found is None:
                continue
            self._held[place] = by
            for one in self._waiting.pop(place, ()):
                heapq.heappush(self._queue, (self._class, len(self._origins), one))
            for method, one in found.methods:
                if self._reads_methods or method in self._program.asked:
                    self._add_method(one, by)
            for one in found.values:
                if one in self._program.cells:
                    self._add(self._program.cells[one], self._origin(by))
            waiting += found.contained
            if self._reads_signatures:
                waiting += found.signature
            else:
                self._signatures.update(dict.fromkeys(found.signature, by))

    def _only_compares(self, by: int | None, target: int) -> bool:
        """Return whether a function calls a reader of types to compare them, or itself."""
        return by == target or by in self._comparers

    def _add_method(self, entry: int, by: int | None) -> None:
        """Add a method that is called through a table, if at all."""
        if entry not in self._origins:
            self._by_table.add(entry)
        self._add(entry, self._origin(by))

    def _origin(self, by: int | None) -> Origin:
        return Origin(by, "" if by is not None else f"the data of {self._path}")

    def _add(self, entry: int, origin: Origin) -> None:
        if entry not in self._origins:
            self._origins[entry] = origin
            heapq.heappush(self._queue, (self._class, len(self._origins), entry))


def _meant(name: str) -> tuple[str, ...]:
    """Return what a function may be called: a program's own package is `main`."""
    own = normalize(name)
    _, _, function = own[own.rfind("/") + 1 :].partition(".")
    return (own, f"main.{function}") if function else (own,)


def _slots(program: Program, methods: Collection[str]) -> frozenset[int]:
    return frozenset(slot for method in methods for slot in program.slots(method))


def _is_copied(program: Program, readers: Collection[str]) -> bool:
    return any(
        name in program.name_offsets and name not in program.by_name
        for name in readers
        if not name.startswith(STANDARD[-1])
    )
