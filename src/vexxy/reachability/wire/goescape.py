"""Where the address of a function, or of a table's type, goes inside one Go function.

Follows registers and places of the stack. Anything that is not understood counts as a
way out, so that only what is plainly kept in a table is told to be.

Source: Go, `src/cmd/compile/abi-internal.md`, `src/runtime/asm_amd64.s`
(gcWriteBarrier); instructions as Capstone writes them.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Final

from vexxy.reachability.wire.goflow import (
    FULL,
    HIDDEN,
    REGISTER,
    WIDE,
    Calls,
    Function,
    Instruction,
    family,
    name_of,
)

STACK: Final = re.compile(r"(?:(\w+) ptr )?\[rsp(?: ([+-]) (0x[0-9a-f]+|\d+))?\]")
MEMORY: Final = re.compile(r"(?:\w+ ptr )?\[(r\w+)(?: \+ (0x[0-9a-f]+|\d+))?\]")
SIZES: Final = {"byte": 1, "word": 2, "dword": 4, "qword": 8, "xmmword": 16, "ymmword": 32}
HARMLESS: Final = frozenset({"cmp", "test", "nop"})
STEPS_MAX: Final = 200_000
CODE, OBJECT, INSIDE, TABLE, SLOT, ELEMENT, BUFFER = (
    "code", "object", "inside", "table", "slot", "element", "buffer",
)  # fmt: skip
NAMED: Final = frozenset({TABLE, ELEMENT})
# A function value that is in the program's data, not made by this function.
FIXED: Final = 0

Value = tuple[str, int]
OTHER: Final[Value] = ("other", 0)
Values = frozenset[Value]
UNKNOWN: Final[Values] = frozenset({OTHER})
BUFFERS: Final[Values] = frozenset({(BUFFER, 0)})
Registers = Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class Runtime:
    """Functions of the runtime that this knows, by address.

    Attributes:
        makes: Returns a new object (`newobject`).
        assigns: Returns the place of a table's element, for writing (`mapassign`).
        changes: Takes a table's type and reads no element of it.
        barriers: Writes a register's value to where `di` points; by that register.
        buffers: Returns in `r11` where to note a pointer that is about to be written.
        keeps: Leaves every register as it is.
    """

    makes: Container[int]
    assigns: Container[int]
    changes: Container[int]
    barriers: Mapping[int, str]
    buffers: Container[int]
    keeps: Container[int]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the addresses.

    Attributes:
        tables: Types of the tables that a function value was put into.
        read: Types of tables that were used for anything but writing.
        returned: Registers that held any of it on return.
        slots: Places of the stack that held it, as offsets.
        is_out: Whether it may have gone anywhere else.
    """

    tables: frozenset[int]
    read: frozenset[int]
    returned: frozenset[str]
    slots: frozenset[int]
    is_out: bool


@dataclass
class _Walk:
    """One walk over a function; `tainted` are objects that hold the function's address."""

    function: Function
    wanted: int
    is_value: bool
    types: Container[int]
    runtime: Runtime
    calls: Calls
    tainted: set[int]
    slots: dict[int, Values]
    tables: set[int] = field(default_factory=set)
    read: set[int] = field(default_factory=set)
    returned: set[str] = field(default_factory=set)
    is_out: bool = False


def follow(
    function: Function,
    wanted: int,
    *,
    is_value: bool,
    types: Container[int],
    runtime: Runtime,
    calls: Calls,
) -> Kept:
    """Follow one address, and the types of tables, through a function.

    Args:
        function: The code.
        wanted: The address of a function, or of a function value if `is_value`; 0: none.
        is_value: Whether it is that of a value.
        types: Types of tables.
        runtime: What the runtime's functions are.
        calls: What other calls do with a register.
    """
    tainted = {FIXED}
    slots: dict[int, Values] = {}
    while True:
        before = _size(tainted, slots)
        walk = _Walk(function, wanted, is_value, types, runtime, calls, tainted, slots)
        _walk(walk)
        if walk.is_out or _size(tainted, slots) == before:
            break
    held = frozenset(
        place
        for place, values in slots.items()
        if any(_is_wanted(walk, one) for one in values)
    )
    is_out = walk.is_out or _is_shared(function, held)
    for place, values in slots.items():
        if _is_shared(function, frozenset({place})):
            _use(walk, frozenset(each for each in values if each[0] in NAMED))
    return Kept(
        frozenset(walk.tables),
        frozenset(walk.read),
        frozenset(walk.returned),
        held,
        is_out,
    )


def _size(tainted: set[int], slots: Mapping[int, Values]) -> int:
    return len(tainted) + sum(map(len, slots.values()))


def _walk(walk: _Walk) -> None:
    states: dict[int, dict[str, Values]] = {}
    waiting: list[tuple[int, dict[str, Values]]] = [
        (start, {}) for start in walk.function.starts
    ]
    steps = 0
    while waiting and not walk.is_out:
        address, registers = waiting.pop()
        one = walk.function.instructions.get(address)
        if one is None:
            continue
        if address in states:
            known = states[address]
            registers = _joined(known, registers)
            if registers == known:
                continue
        states[address] = registers
        steps += 1
        after = _after(walk, one, registers)
        if steps > STEPS_MAX:
            walk.is_out = True
        waiting += ((place, after) for place in walk.function.following(one))


def _joined(one: Registers, other: Registers) -> dict[str, Values]:
    found = {
        name: one.get(name, UNKNOWN) | other.get(name, UNKNOWN)
        for name in one.keys() | other.keys()
    }
    return {name: values for name, values in found.items() if values != UNKNOWN}


def _is_wanted(walk: _Walk, value: Value) -> bool:
    kind, site = value
    return kind == CODE or (kind in {OBJECT, INSIDE} and site in walk.tainted)


def _use(walk: _Walk, values: Values) -> None:
    """Note that something was done with values that is not followed further."""
    for kind, what in values:
        if kind in NAMED:
            walk.read.add(what)
        elif _is_wanted(walk, (kind, what)):
            walk.is_out = True


def _after(walk: _Walk, one: Instruction, registers: Registers) -> dict[str, Values]:
    """Return what the registers hold behind an instruction."""
    if one.name == "call":
        return _after_call(walk, one, registers)
    if one.name == "ret":
        walk.returned |= {
            name
            for name, values in registers.items()
            if any(each[0] in NAMED or _is_wanted(walk, each) for each in values)
        }
        return {}
    if one.name.startswith("j"):
        if one.target not in walk.function.instructions:
            for values in registers.values():
                _use(walk, values)
        return dict(registers)
    if one.name == "lea":
        return _after_lea(walk, one, registers)
    if one.target and (one.target == walk.wanted or one.target in walk.types):
        _use(walk, frozenset({(CODE, 0), (TABLE, one.target)}))
    if one.name == "mov":
        return _after_mov(walk, one, registers)
    return _after_other(walk, one, registers)


def _after_other(walk: _Walk, one: Instruction, registers: Registers) -> dict[str, Values]:
    found = dict(registers)
    named = {name_of(each) for each in REGISTER.finditer(one.operands)}
    if one.name in HIDDEN:
        named |= {"ax", "cx", "dx", "si", "di"}
    first, _, second = one.operands.partition(", ")
    is_cleared = one.name == "xor" and first == second
    for name in named:
        held = registers.get(name, UNKNOWN)
        if one.name in HARMLESS:
            # What is compared with a table's type may be taken for such a table.
            _use(walk, frozenset(each for each in held if each[0] == TABLE))
            continue
        if not is_cleared:
            _use(walk, held)
        found.pop(name, None)
    return found


def _after_call(walk: _Walk, one: Instruction, registers: Registers) -> dict[str, Values]:
    runtime, target = walk.runtime, one.target
    if target in runtime.barriers:
        _write(walk, registers.get("di", UNKNOWN), _held(registers, target, runtime))
        return dict(registers)
    if target in runtime.buffers:
        return {**registers, "r11": BUFFERS}
    if target in runtime.keeps:
        return dict(registers)
    if walk.wanted and (target == walk.wanted or not target or "[" in one.operands):
        walk.is_out = True
    first = registers.get("ax", UNKNOWN)
    takes_table = target in runtime.changes and len(first) == 1
    for name, values in registers.items():
        is_table = takes_table and name == "ax" and next(iter(values))[0] == TABLE
        if not is_table and walk.calls(target, name) == "use":
            _use(walk, values)
    if target in runtime.makes:
        return {"ax": frozenset({(OBJECT, one.address)})}
    [(kind, what), *_] = first
    if target in runtime.assigns and takes_table and kind == TABLE:
        return {"ax": frozenset({(SLOT, what)})}
    return {}


def _held(registers: Registers, target: int, runtime: Runtime) -> Values:
    return registers.get(runtime.barriers[target], UNKNOWN)


def _after_lea(walk: _Walk, one: Instruction, registers: Registers) -> dict[str, Values]:
    found = dict(registers)
    first, _, second = one.operands.partition(", ")
    values = UNKNOWN
    base = MEMORY.fullmatch(second)
    if one.target:
        if one.target == walk.wanted:
            values = frozenset({(OBJECT, FIXED) if walk.is_value else (CODE, 0)})
        elif one.target in walk.types:
            values = frozenset({(TABLE, one.target)})
    elif base is not None:
        held = registers.get(family(base[1]), UNKNOWN)
        if any(kind in {OBJECT, INSIDE} for kind, _ in held):
            values = frozenset((INSIDE, site) for _, site in held)
        else:
            _use(walk, held)
    else:
        for each in REGISTER.finditer(second):
            _use(walk, registers.get(name_of(each), UNKNOWN))
    found[family(first)] = values
    return found


def _after_mov(walk: _Walk, one: Instruction, registers: Registers) -> dict[str, Values]:
    found = dict(registers)
    first, _, second = one.operands.partition(", ")
    if "[" in first:
        _store(walk, one, registers)
        return found
    if FULL.fullmatch(first) is None:
        # The lower half, which clears the rest, or part of a register.
        used = second if WIDE.fullmatch(first) else one.operands
        for each in REGISTER.finditer(used):
            _use(walk, registers.get(name_of(each), UNKNOWN))
        found.pop(family(first), None)
        return found
    place = STACK.fullmatch(second)
    if place is not None:
        found[family(first)] = walk.slots.get(offset_of(place), UNKNOWN)
    elif "[" in second:
        found[family(first)] = _loaded(walk, second, registers)
    else:
        found[family(first)] = registers.get(family(second), UNKNOWN)
    return found


def _loaded(walk: _Walk, place: str, registers: Registers) -> Values:
    """Return what is at a place in memory: of a table's place its old element."""
    base = MEMORY.fullmatch(place)
    held = UNKNOWN if base is None else registers.get(family(base[1]), UNKNOWN)
    if any(kind == SLOT for kind, _ in held):
        return frozenset((ELEMENT, what) for kind, what in held if kind == SLOT) | UNKNOWN
    for each in REGISTER.finditer(place):
        _use(walk, registers.get(name_of(each), UNKNOWN))
    return UNKNOWN


def _store(walk: _Walk, one: Instruction, registers: Registers) -> None:
    first, _, second = one.operands.partition(", ")
    values = registers.get(family(second), UNKNOWN)
    is_whole = FULL.fullmatch(second) is not None
    place = STACK.fullmatch(first)
    if place is not None and is_whole:
        offset = offset_of(place)
        walk.slots[offset] = walk.slots.get(offset, frozenset()) | values
        return
    base = MEMORY.fullmatch(first)
    if base is None or not is_whole:
        _use(walk, values)
        return
    held = registers.get(family(base[1]), UNKNOWN)
    if int(base[2] or "0", 0) and not held <= BUFFERS:
        held = UNKNOWN
    _write(walk, held, values)


def _write(walk: _Walk, base: Values, values: Values) -> None:
    """Note that values are written to where `base` points."""
    only = next(iter(base)) if len(base) == 1 else OTHER
    for kind, what in values:
        if kind == CODE and only[0] == OBJECT and only[1] != FIXED:
            walk.tainted.add(only[1])
        elif kind == OBJECT and what in walk.tainted and only[0] == SLOT:
            walk.tables.add(only[1])
        elif only[0] != BUFFER:
            _use(walk, frozenset({(kind, what)}))


def _is_shared(function: Function, held: frozenset[int]) -> bool:
    """Return whether places of the stack may be reached in other ways than by moves."""
    return bool(held) and any(
        "[rbp" in one.operands
        or any(
            _touches(one, words, held)
            for words in one.operands.split(", ")
            if "rsp" in words and "[" in words
        )
        for one in function.instructions.values()
    )


def _touches(one: Instruction, words: str, held: frozenset[int]) -> bool:
    place = STACK.fullmatch(words)
    if place is None:
        return True
    start = offset_of(place)
    if one.name == "lea":
        # The frame's own, and how far a large frame reaches, lead to no variable.
        is_frame = one.operands.startswith("rbp,") or start < 0
        return not is_frame and any(start <= each for each in held)
    size = SIZES.get(place[1] or "", max(SIZES.values()))
    return any(
        start < each + SIZES["qword"]
        and each < start + size
        and not (one.name == "mov" and start == each and size == SIZES["qword"])
        for each in held
    )


def offset_of(place: re.Match[str]) -> int:
    """Return the offset from the stack pointer that an operand says."""
    return int(f"{place[2] or '+'}{int(place[3] or '0', 0)}")
