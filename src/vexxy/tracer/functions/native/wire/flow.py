"""Where control enters a part of a function: by disassembling the function.

A part (the inlined copy of another function) may be entered at any of its instructions,
not only at the lowest one. Every way in is a jump or a fall from outside.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import capstone  # type: ignore[import-untyped]

from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire import elf

EVERY_INSTRUCTION_MAX: Final = 128
"""A part that an unknown jump may enter is watched at each instruction, up to these."""
CODE_BYTES_MAX: Final = 1 << 20
PADDING: Final = b"\xcc\x00\x90"
NO_FALL_X86: Final = frozenset({"jmp", "ret", "retf", "ud2", "hlt", "int3"})
NO_FALL_ARM: Final = frozenset({"b", "br", "ret", "brk", "udf"})
JUMPS_ARM: Final = ("b.", "cbz", "cbnz", "tbz", "tbnz")

Instruction = tuple[int, int, str, str]


def ways_in(
    blocks: Sequence[tuple[int, bytes]], machine: int, part: Iterable[tuple[int, int]]
) -> tuple[int, ...]:
    """Return the instructions of a part that are entered from outside of it.

    Args:
        blocks: Address and bytes of each part of the whole function, its entry first.
        machine: As in `elf.Image.machine`.
        part: Ranges of addresses, the end excluded.

    Raises:
        Unreadable: The function cannot be disassembled, or a jump whose target nobody
            can tell may lead into a part too large to watch everywhere.
    """
    ranges = sorted(part)
    instructions = [one for block in blocks for one in _decode(block, machine)]
    beginnings = {address for address, _ in blocks}

    def inside(address: int) -> bool:
        return any(start <= address < end for start, end in ranges)

    found: dict[int, None] = {}
    previous: Instruction | None = None
    unknown = False
    for one in instructions:
        address = one[0]
        begins = previous is None or address in beginnings
        if begins or (previous and _falls(previous, machine) and not inside(previous[0])):
            found[address] = None
        if not inside(address):
            target, is_unknown = _target(one, machine)
            unknown |= is_unknown
            if target is not None:
                found[target] = None
        previous = one
    body = [one[0] for one in instructions if inside(one[0])]
    if unknown:
        if len(body) > EVERY_INSTRUCTION_MAX:
            raise Unreadable("a computed jump may lead into the copy anywhere")
        return tuple(body)
    entries = tuple(address for address in body if address in found)
    if body and not entries:
        raise Unreadable("no way into the copy was found")
    return entries


def _decode(code: tuple[int, bytes], machine: int) -> list[Instruction]:
    address, block = code
    if len(block) > CODE_BYTES_MAX:
        raise Unreadable("a function too large to disassemble")
    if machine == elf.X86_64:
        engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    else:
        engine = capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)
    found = list(engine.disasm_lite(block, address))
    end = found[-1][0] + found[-1][1] if found else address
    if block[end - address :].strip(PADDING):
        raise Unreadable("instructions that are not understood")
    return found


def _falls(one: Instruction, machine: int) -> bool:
    """Return whether control can go on behind an instruction."""
    words = set(one[2].split())
    return not words & (NO_FALL_X86 if machine == elf.X86_64 else NO_FALL_ARM)


def _target(one: Instruction, machine: int) -> tuple[int | None, bool]:
    """Return where an instruction jumps, and whether it jumps nobody knows where."""
    name, operands = one[2].split()[-1], one[3]
    if machine == elf.X86_64:
        if not name.startswith(("j", "loop")) and name != "xbegin":
            return None, False
    elif name == "br":
        return None, True
    elif name != "b" and not name.startswith(JUMPS_ARM):
        return None, False
    last = operands.split(",")[-1].strip().lstrip("#")
    if last.startswith("0x"):
        return int(last, 16), False
    return (int(last), False) if last.isdecimal() else (None, True)
