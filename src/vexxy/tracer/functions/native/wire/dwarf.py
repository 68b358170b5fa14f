"""What debug data says of a function: its bodies, and its copies inside others.

Source: DWARF 5, 3.3 "Subroutine and Entry Point Entries" (3.3.8 for inlined ones).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct.core import ConstructError
from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile

from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire import elf, flow, mangling

INFORMATION_BYTES_MAX: Final = 8 << 20
"""More takes minutes to read."""
DEBUG_BYTES_MAX: Final = 16 * INFORMATION_BYTES_MAX
SUBPROGRAM: Final = "DW_TAG_subprogram"
INLINED: Final = "DW_TAG_inlined_subroutine"
ORIGINS: Final = ("DW_AT_abstract_origin", "DW_AT_specification")
NAMES: Final = ("DW_AT_linkage_name", "DW_AT_MIPS_linkage_name", "DW_AT_name")
CHAIN_MAX: Final = 8
STARTING: Final = frozenset({"_start", "__libc_csu_init", "__libc_csu_fini"})
"""Functions that every program is linked with, and no copies in them."""
DAMAGED: Final = (
    DWARFError, ELFError, ConstructError, struct.error, LookupError, ValueError,
    zlib.error, TypeError, AttributeError, AssertionError, OverflowError, RecursionError,
)  # fmt: skip

Ranges = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Function:
    """One function.

    Attributes:
        inlined: For each copy, who holds it, and an instruction where it is entered.
        obstacle: Why there may be more, a sentence; empty where this is all.
    """

    entries: list[int] = field(default_factory=list)
    inlined: list[tuple[str, int]] = field(default_factory=list)
    obstacle: str = ""


@dataclass(slots=True)
class Described:
    """What was found; `obstacle` says why there is less than one would expect."""

    functions: dict[str, Function] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    """Functions of which some instances have names that are not understood."""
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class _Body:
    """An entry of the debug data that is a body, or may name one."""

    tag: str
    origin: int | None
    name: str
    ranges: Ranges
    holder: int | None
    may_be_elsewhere: bool


def functions(image: elf.Image, names: frozenset[str]) -> Described:
    """Return what the debug data says of functions, by readable name; nothing raises."""
    information = image.section(".debug_info")
    own = {name.rpartition("::")[2].encode() for name in names}
    if information is None or not any(one in image.content for one in own):
        return Described()
    debug_bytes = sum(
        image.unpacked_size(row)
        for row, name in zip(image.rows, image.names, strict=True)
        if name.startswith((".debug_", ".zdebug_"))
    )
    is_large = image.unpacked_size(information) > INFORMATION_BYTES_MAX
    if is_large or debug_bytes > DEBUG_BYTES_MAX:
        return Described(obstacle="there is more debug data than can be read")
    try:
        bodies = dict(_bodies(image))
    except DAMAGED as error:
        return Described(obstacle=f"the debug data is damaged: {error}")
    return _describe(image, bodies, names)


def _describe(
    image: elf.Image, bodies: dict[int, _Body], names: frozenset[str]
) -> Described:
    found = Described()
    known = {start for one in bodies.values() for start, _ in one.ranges[:1]}
    is_partial = any(
        symbol.size and symbol.address not in known and symbol.name not in STARTING
        for symbol in image.symbols
    )
    endings = {name.rpartition("::")[2].lstrip("~") for name in names}
    readable: dict[str, str] = {}
    for body in bodies.values():
        raw, may_be_elsewhere = _named(bodies, body)
        if raw not in readable:  # most are nobody's, and reading a name takes long
            named = any(ending in raw for ending in endings)
            readable[raw] = _readable(raw) if named else ""
        if body.ranges and any(ending in raw for ending in endings):
            found.hidden |= {one for one in names if mangling.may_hide(raw, one)}
        name = readable[raw]
        if name not in names:
            continue
        function = found.functions.setdefault(name, Function())
        if may_be_elsewhere and is_partial:
            function.obstacle = "parts of the file have no debug data"
        if body.tag == INLINED:
            _add_copy(image, bodies, (function, body))
        elif body.ranges:
            function.entries.append(body.ranges[0][0])
    for name, function in tuple(found.functions.items()):
        if not function.entries and not function.inlined and not function.obstacle:
            del found.functions[name]  # only declared here
    return found


def _add_copy(
    image: elf.Image, bodies: dict[int, _Body], copy: tuple[Function, _Body]
) -> None:
    function, body = copy
    holder = None if body.holder is None else bodies.get(body.holder)
    if not body.ranges:
        return
    if holder is None or not holder.ranges:
        function.obstacle = "a copy of it is in a function without addresses"
        return
    blocks = [(start, image.data(start, end - start)) for start, end in holder.ranges]
    held_by = _readable(_named(bodies, holder)[0]) or f"{holder.ranges[0][0]:#x}"
    try:
        entries = flow.ways_in(blocks, image.machine, body.ranges)
    except Unreadable as error:
        function.obstacle = f"its copy in {held_by}: {error.message}"
        return
    function.inlined += [(held_by, address) for address in entries]


def _readable(raw: str) -> str:
    return mangling.path_of(raw) or raw


def _named(bodies: dict[int, _Body], body: _Body) -> tuple[str, bool]:
    """Return a body's name, and whether other files may hold copies as well."""
    may_be_elsewhere = body.may_be_elsewhere
    name = body.name
    for _ in range(CHAIN_MAX):
        following = None if body.origin is None else bodies.get(body.origin)
        if following is None:
            break
        body = following
        may_be_elsewhere |= body.may_be_elsewhere
        if body.name and not name.startswith(("_Z", "_R")):
            name = body.name
    return name, may_be_elsewhere


def _bodies(image: elf.Image) -> Iterator[tuple[int, _Body]]:
    data = ELFFile(io.BytesIO(image.content)).get_dwarf_info()
    lists = data.range_lists()
    for unit in data.iter_CUs():
        top = unit.get_top_DIE()
        base = _number(top, "DW_AT_low_pc") or 0
        holders: list[tuple[int, int]] = []
        depth = 0
        for die in unit.iter_DIEs():
            if die.is_null():
                depth -= 1
                continue
            while holders and holders[-1][0] >= depth:
                holders.pop()
            if die.tag in {SUBPROGRAM, INLINED}:
                ranges = tuple(_ranges(die, lists, base))
                yield die.offset, _body(die, ranges, holders[-1][1] if holders else None)
                if die.tag == SUBPROGRAM:
                    holders.append((depth, die.offset))
            if die.has_children:
                depth += 1


def _body(die: Any, ranges: Ranges, holder: int | None) -> _Body:  # noqa: ANN401  pyelftools has no types
    origin = None
    for key in ORIGINS:
        if key in die.attributes and origin is None:
            origin = die.get_DIE_from_attribute(key).offset
    inline = die.attributes.get("DW_AT_inline")
    return _Body(
        tag=die.tag,
        origin=origin,
        name=_name(die),
        ranges=ranges,
        holder=holder,
        may_be_elsewhere=inline is not None and inline.value in {2, 3},
    )


def _name(die: Any) -> str:  # noqa: ANN401  pyelftools has no types
    for key in NAMES:
        if key in die.attributes:
            return bytes(die.attributes[key].value).decode("utf-8", "replace")
    return ""


def _number(die: Any, key: str) -> int | None:  # noqa: ANN401  pyelftools has no types
    attribute = die.attributes.get(key)
    return None if attribute is None else int(attribute.value)


def _ranges(die: Any, lists: Any, base: int) -> Iterator[tuple[int, int]]:  # noqa: ANN401  pyelftools has no types
    start = _number(die, "DW_AT_low_pc")
    high = die.attributes.get("DW_AT_high_pc")
    if start is not None and high is not None:
        is_address = high.form.startswith("DW_FORM_addr")
        yield start, int(high.value) if is_address else start + int(high.value)
        return
    at = _number(die, "DW_AT_ranges")
    if at is None or lists is None:
        return
    for one in lists.get_range_list_at_offset(at, die.cu):
        if isinstance(one, BaseAddressEntry):
            base = one.base_address
        elif one.end_offset > one.begin_offset:
            shift = 0 if one.is_absolute else base
            yield one.begin_offset + shift, one.end_offset + shift
