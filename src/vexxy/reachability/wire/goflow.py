"""The flow of control in a Go function, and what it does with addresses of types.

A test whether a value has a type compares an address: where no value can have the type,
what follows an equal comparison does not run. An address that is only compared makes no
value of that type either.

Source: Go, `src/cmd/compile/abi-internal.md` (registers of amd64); instructions as
Capstone writes them.
"""

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import capstone  # type: ignore[import-untyped]

from vexxy.tracer.functions.native.wire.elf import Image

PLACE: Final = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
NUMBER: Final = re.compile(r"0x[0-9a-f]+|\d+")
FAMILIES: Final = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")
REGISTER: Final = re.compile(
    r"\b(?:[re]?(ax|bx|cx|dx|si|di|bp|sp)|([abcd])[lh]|(si|di|bp|sp)l|(r\d+)[dwb]?)\b"
)
FULL: Final = re.compile(r"r[a-z][a-z]|r\d+")
WIDE: Final = re.compile(r"[re][a-z][a-z]|r\d+d?")
STACK: Final = re.compile(r"\b[re](?:sp|bp)\b")
ENDS: Final = frozenset({"ret", "ud2", "int3", "hlt"})
WRITES: Final = ("mov", "lea")
KEEPS_FLAGS: Final = ("mov", "lea", "nop", "j", "push", "pop", "vmov")
STATES_MAX: Final = 200_000

Held = frozenset[tuple[str, int]]
Calls = Callable[[int, str], str]
"""What calling an address does with a register: "" (keeps it), `write`, `use`."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: `target` is the address that its operand names, if it does."""

    address: int
    end: int
    name: str
    operands: str
    target: int


@dataclass(frozen=True, slots=True)
class Used:
    """What of a function can run: what that refers to, and the types that it waits for.

    `live` are the addresses of its instructions.
    """

    targets: frozenset[int]
    waits_for: frozenset[int]
    live: frozenset[int]


@dataclass(frozen=True)
class Function:
    """The decoded code of one function; `decode` makes it."""

    instructions: dict[int, Instruction]
    entry: int

    @cached_property
    def has_table(self) -> bool:
        """Whether a jump goes where a register says: to a case of a switch."""
        return any(
            one.name == "jmp" and not one.target for one in self.instructions.values()
        )

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The entry, and what no jump leads to: where the runtime resumes."""
        starts = [self.entry]
        seen = self._flooded(self.entry, set())
        for address in self.instructions:
            if address not in seen:
                starts.append(address)
                self._flooded(address, seen)
        return tuple(starts)

    def _flooded(self, start: int, seen: set[int]) -> set[int]:
        waiting = [start]
        while waiting:
            address = waiting.pop()
            one = self.instructions.get(address)
            if one is not None and address not in seen:
                seen.add(address)
                waiting += self.following(one)
        return seen

    def loads(self, operand: str) -> Iterator[tuple[int, str]]:
        """Yield where a place of the stack was loaded, and into which register."""
        for one in self.instructions.values():
            first, _, second = one.operands.partition(", ")
            if one.name.startswith("mov") and second == operand:
                yield one.end, family(first)

    def following(self, one: Instruction, *, unequal: bool = False) -> Iterator[int]:
        """Yield where control may go; `unequal` if the last comparison failed."""
        if one.name == "jmp":
            yield one.target
            return
        if one.name in ENDS:
            return
        is_jump = one.name.startswith("j")
        if is_jump and not (unequal and one.name == "je"):
            yield one.target
        if not (unequal and one.name == "jne"):
            yield one.end

    def used(
        self, described: Container[int], alive: Callable[[int], bool], calls: Calls
    ) -> Used:
        """Return what can run where only some types have values.

        Args:
            described: Addresses of types and interface tables.
            alive: Whether a value could have the type, or the table's.
            calls: What a call does with a register.
        """
        targets: set[int] = set()
        waits: set[int] = set()
        seen = set()
        waiting: list[tuple[int, Held, bool]] = [
            (s, frozenset(), False) for s in self.starts
        ]
        while waiting:
            state = waiting.pop()
            one = self.instructions.get(state[0])
            if state in seen or one is None:
                continue
            seen.add(state)
            if len(seen) > STATES_MAX:
                every = {each.target for each in self.instructions.values()}
                return Used(frozenset(every), frozenset(), frozenset(self.instructions))
            _, held, unequal = state
            unequal = unequal and one.name.startswith(KEEPS_FLAGS)
            compared = _compared(one, held)
            if len({register for register, _ in compared}) > 1:
                # Both sides were made here: they may well be equal.
                targets |= {place for _, place in compared}
                compared = set()
            dead = {place for _, place in compared if not alive(place)}
            waits |= dead
            kept, used = self._kept(one, held, calls)
            targets |= used
            held = frozenset(kept)
            if one.target in described and one.name == "lea":
                held |= {(family(one.operands.partition(",")[0]), one.target)}
            elif one.target:
                targets.add(one.target)
            unequal = unequal or bool(dead)
            after = self.following(one, unequal=unequal)
            waiting += [(place, held, unequal) for place in after]
        live = frozenset(place for place, _, _ in seen)
        return Used(frozenset(targets), frozenset(waits), live)

    def _kept(
        self, one: Instruction, held: Held, calls: Calls
    ) -> tuple[set[tuple[str, int]], set[int]]:
        """Return the addresses that stay in registers, and those that are used."""
        leaves = one.name in {"call", "ret"} or (
            one.name == "jmp" and one.target not in self.instructions
        )
        kept, used = set(), set()
        for register, place in held:
            if leaves:
                effect = "use" if one.name == "ret" else calls(one.target, register)
            else:
                effect = effect_on(one, register)
            if effect == "use":
                used.add(place)
            if effect != "write" and not (leaves and effect):
                kept.add((register, place))
        return kept, used


def decode(image: Image, start: int, end: int) -> Function | None:
    """Return a function's instructions, None where they are not all understood."""
    code = image.data(start, end - start)
    found: dict[int, Instruction] = {}
    at = start
    for address, size, name, operands in _engine().disasm_lite(code, start):
        word = name.rpartition(" ")[2]
        target = _target(word, operands, address + size)
        found[address] = Instruction(address, address + size, word, operands, target)
        at = address + size
    return Function(found, start) if at == end and found else None


def is_argument(function: Function, register: str, keeps: Container[int]) -> bool:
    """Return whether a function reads a register before it writes it.

    `keeps` are functions that leave every register as it is.
    """
    seen: set[int] = set()
    waiting = [function.entry]
    while waiting:
        address = waiting.pop()
        one = function.instructions.get(address)
        if one is None or address in seen:
            continue
        seen.add(address)
        if one.name == "jmp" and one.target not in function.instructions:
            return True
        effect = effect_on(one, register)
        if effect in {"use", "compare"}:
            return True
        if effect == "" and (one.name != "call" or one.target in keeps):
            waiting += function.following(one)
    return False


def calls_slot(function: Function, slot: int) -> bool:
    """Return whether a function may call what a table holds at an offset.

    A method's address is loaded from the table, perhaps moved or kept aside, and called;
    what is read through, compared or passed on is no address of code. Generic code takes
    the place in its dictionary together with what is there: that is no table.
    """
    places = {
        one.operands.partition(", ")[2].removeprefix("qword ptr ")
        for one in function.instructions.values()
        if one.name == "lea"
    }
    suffix = f" + {slot:#x}]" if slot > 9 else f" + {slot}]"  # noqa: PLR2004  as Capstone writes numbers
    for one in function.instructions.values():
        first, _, second = one.operands.partition(", ")
        if one.name in {"call", "jmp"} and one.operands.endswith(suffix):
            return True
        is_load = one.name == "mov" and second.endswith(suffix) and FULL.fullmatch(first)
        if (
            is_load
            and not STACK.search(second)
            and second.removeprefix("qword ptr ") not in places
            and _is_called(function, one.end, family(first))
        ):
            return True
    return False


def _is_called(function: Function, start: int, register: str) -> bool:
    """Return whether an address in a register may be called, later, from elsewhere too."""
    seen: set[tuple[int, str]] = set()
    waiting = [(start, register)]
    while waiting:
        place, own = waiting.pop()
        one = function.instructions.get(place)
        if one is None or (place, own) in seen:
            continue
        seen.add((place, own))
        first, _, second = one.operands.partition(", ")
        effect = effect_on(one, own)
        if one.name in {"call", "jmp"} and family(first) == own:
            return True
        is_passed_on = one.name.startswith(("xchg", "cmov", "push"))
        if (effect and is_passed_on) or (one.name == "jmp" and not one.target):
            return True
        if one.name.startswith("mov") and family(second) == own:
            if "[" not in first:
                waiting.append((one.end, family(first)))
            elif STACK.search(first):
                waiting += function.loads(first)
        elif effect:
            continue
        if one.name not in {"call", "ret"}:
            waiting += ((after, own) for after in function.following(one))
    return False


def _compared(one: Instruction, held: Held) -> set[tuple[str, int]]:
    if one.name != "cmp":
        return set()
    return {each for each in held if effect_on(one, each[0]) == "compare"}


def effect_on(one: Instruction, register: str) -> str:
    """Return what is done with a register: nothing, `write`, `compare` or `use`."""
    first, _, second = one.operands.partition(", ")
    if not any(name_of(found) == register for found in REGISTER.finditer(one.operands)):
        return "" if one.name not in HIDDEN else "use"
    if one.name == "xor" and first == second:
        return "write"
    words = (first, second)
    if one.name == "cmp" and any(
        FULL.fullmatch(w) and family(w) == register for w in words
    ):
        inside = {name for word in words if "[" in word for name in _families(word)}
        return "use" if register in inside else "compare"
    if one.name.startswith(WRITES) and family(first) == register:
        return (
            "write"
            if WIDE.fullmatch(first) and register not in _families(second)
            else "use"
        )
    return "use"


# They read or write registers that they do not name.
HIDDEN: Final = frozenset({
    "movsq", "movsb", "movsd", "stosq", "stosb", "scasb", "cmpsb", "syscall", "cpuid",
    "mul", "imul", "div", "idiv", "cqo", "cdq", "cmpxchg", "cmpxchg16b", "xlatb",
})  # fmt: skip


def _families(words: str) -> set[str]:
    return {name_of(found) for found in REGISTER.finditer(words)}


def family(word: str) -> str:
    """Return the register that an operand is, by the name of its family."""
    found = REGISTER.fullmatch(word.strip())
    return name_of(found) if found else ""


def name_of(found: re.Match[str]) -> str:
    """Return the family of a register that was found: `ax` for `al`, `r8` for `r8d`."""
    return found[1] or (f"{found[2]}x" if found[2] else "") or found[3] or found[4]


def _target(name: str, operands: str, end: int) -> int:
    place = PLACE.search(operands)
    if place is not None:
        distance = int(place[2], 0)
        return end + distance if place[1] == "+" else end - distance
    if (name.startswith("j") or name == "call") and NUMBER.fullmatch(operands):
        return int(operands, 0)
    return 0


@cache
def _engine() -> capstone.Cs:
    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
