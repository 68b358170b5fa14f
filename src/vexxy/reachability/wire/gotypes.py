"""The types, method tables and interface tables of a Go program.

Source: Go, `src/internal/abi/type.go` (Type, UncommonType, Method), `iface.go` (ITab)
and `src/runtime/symtab.go` (moduledata), of the tags go1.18 to go1.26.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.tracer.functions.native.wire.elf import Image
from vexxy.tracer.functions.native.wire.gopclntab import Table

HEAD: Final = struct.Struct("<QQIBBBBQQii")
UNCOMMON: Final = struct.Struct("<iHHII")
UNCOMMON_SIZE: Final = UNCOMMON.size
METHOD: Final = struct.Struct("<iiii")
KIND_MASK: Final = 31
HAS_UNCOMMON: Final = 1
IS_NAMED: Final = 4
ARRAY, CHAN, FUNC, INTERFACE, MAP, POINTER, SLICE, STRUCT = 17, 18, 19, 20, 21, 22, 23, 25
SIZES: Final = {
    ARRAY: 72, CHAN: 64, FUNC: 56, INTERFACE: 80, POINTER: 56, SLICE: 56, STRUCT: 80,
}  # fmt: skip
PLAIN: Final = 48
# Maps of Go 1.24 and later are described at greater length, unless built the old way.
MAP_OLD: Final = 88
MAP_NEW: Final = 112
FIRST_NEW_MAPS: Final = 24
NEWEST: Final = 26
OLD_MAPS: Final = b"noswissmap"
VERSION: Final = re.compile(
    rb"\xff Go buildinf:.{18,20}?(?:devel )?go1\.(\d+)([^\n\0]{0,200})", re.DOTALL
)
KINDS: Final = range(1, 27)
OFFSET_MAX: Final = 1 << 24
METHODS_MAX: Final = 4096
FIELDS_MAX: Final = 1 << 16
TYPES_AT: Final = {18: 35, 20: 37}
ITABS_AT: Final = {18: (45,), 20: (47, 48)}
"""Which word of the module's data lists interface tables, behind the list of types."""
ITAB_HEAD: Final = 24
TABLES_MAX: Final = 1 << 20
NAME_FLAGS: Final = 15
NAME_MAX: Final = 1 << 14
PRUNED: Final = {0, -1}


Method = tuple[str, int]
"""A name, and where the type of the signature is described: equal for equal types."""
Methods = tuple[list[tuple[Method, int]], list[int]]


@dataclass(frozen=True, slots=True)
class Type:
    """What one type descriptor leads to.

    Attributes:
        methods: Its methods as linked, and the addresses of their code.
        values: Functions that compare or hash it, as addresses of function values.
        contained: Types of what a value of it holds or points to, and the pointer to it.
        signature: Types that only a function's signature names.
        places: Where the descriptor holds pointers to types and function values.
        asked: The methods an interface asks for; None for another type.
    """

    methods: tuple[tuple[Method, int], ...]
    values: tuple[int, ...]
    contained: tuple[int, ...]
    signature: tuple[int, ...]
    places: tuple[int, ...]
    is_named: bool
    kind: int
    asked: tuple[Method, ...] | None

    @property
    def is_pointer(self) -> bool:
        """Whether it is a pointer to another type."""
        return self.kind == POINTER


@dataclass(frozen=True, slots=True)
class Itab:
    """The methods of one type for one interface: `start` to `end` are its addresses."""

    start: int
    end: int
    interface: int
    type: int
    functions: tuple[int, ...]


@dataclass(frozen=True)
class Module:
    """Where a program keeps its types; `read` makes it."""

    table: Table
    types: tuple[int, int]
    text: int
    links: tuple[int, int]
    listed: tuple[int, int]
    itabs: dict[int, Itab]

    @property
    def image(self) -> Image:
        """The file."""
        return self.table.image

    def type_at(self, address: int) -> Type | None:
        """Return the type described at an address, None if none is.

        Raises:
            Unparsable: Its methods are out of place.
        """
        return _type(self, address)

    def word(self, address: int) -> int:
        """Return the pointer at an address, 0 where there is none."""
        return self.image.word(address) or 0

    def is_type_place(self, address: int) -> bool:
        """Return whether an address is where types are."""
        return self.types[0] <= address < self.types[1]

    @cached_property
    def map_size(self) -> int:
        """How long a map's description is, 0 where the version of Go is not known."""
        found = VERSION.search(self.image.content)
        if found is None:
            return 0
        is_new = int(found[1]) >= FIRST_NEW_MAPS and OLD_MAPS not in found[2]
        return MAP_NEW if is_new else MAP_OLD

    @cached_property
    def entries(self) -> frozenset[int]:
        """Where functions begin."""
        return frozenset(one.entry for one in self.table.functions)

    @cached_property
    def pointers(self) -> dict[int, int]:
        """The pointer types that reflection finds by name, by what they point to."""
        start, count = self.links
        found = {}
        for (offset,) in struct.iter_unpack("<i", self.image.data(start, 4 * count)):
            address = self.types[0] + offset
            kind = self.image.data(address + 23, 1)
            if kind and kind[0] & KIND_MASK == POINTER:
                found[self.word(address + PLAIN)] = address
        return found


def read(table: Table) -> Module:
    """Return where a program keeps its types.

    Raises:
        Unparsable: Its version or layout is not known.
    """
    generation = table.header.generation
    version = VERSION.search(table.image.content)
    is_newer = version is None or int(version[1]) > NEWEST
    if generation not in TYPES_AT or not table.module or is_newer:
        raise Unparsable("a Go program of a version whose types are not read")
    words = [table.image.word(table.module + 8 * n) or 0 for n in range(64)]
    at = TYPES_AT[generation]
    types = (words[at], words[at + 1])
    if not types[0] < types[1] or table.image.offset_of(types[0]) is None:
        raise Unparsable("a Go program whose types are out of place")
    for place in ITABS_AT[generation]:
        links = (words[place - 3], words[place - 2])
        listed = (words[place], words[place + 1])
        module = Module(table, types, words[22], links, listed, {})
        found = _itabs(module, *listed)
        if found:
            module.itabs.update(found)
            return module
    raise Unparsable("a Go program whose interface tables were not found")


def _itabs(module: Module, start: int, count: int) -> dict[int, Itab]:
    if not 0 < count < TABLES_MAX or module.image.offset_of(start) is None:
        return {}
    found = {}
    for number in range(count):
        address = module.word(start + 8 * number)
        inter, own = module.word(address), module.word(address + 8)
        if not (module.is_type_place(inter) and module.is_type_place(own)):
            return {}
        interface = module.type_at(inter)
        if interface is None or interface.asked is None:
            return {}
        end = address + ITAB_HEAD + 8 * len(interface.asked)
        slots = range(address + ITAB_HEAD, end, 8)
        functions = tuple(module.word(one) for one in slots)
        found[address] = Itab(address, end, inter, own, functions)
    return found


def _type(module: Module, address: int) -> Type | None:
    if not module.is_type_place(address) or address % 8:
        return None
    block = module.image.data(address, HEAD.size)
    if len(block) < HEAD.size:
        return None
    _, _, _, flags, _, _, kind, _, _, name, pointer = HEAD.unpack(block)
    kind &= KIND_MASK
    if kind not in KINDS or not _is_named(module, name):
        return None
    inner = _contained(module, address, kind)
    if inner is None:
        return None
    contained = [module.word(one) for one in inner]
    if not all(module.is_type_place(one) for one in contained):
        return None
    if pointer > 0 or address in module.pointers:
        contained.append(module.pointers.get(address) or module.types[0] + pointer)
    compared = [address + 24, *([address + PLAIN + 24] if kind == MAP else ())]
    is_rich = bool(flags & HAS_UNCOMMON)
    outer = list(_signature(module, address, has_methods=is_rich)) if kind == FUNC else []
    methods, signatures = _methods(module, address, kind) if is_rich else ([], [])
    asked = list(_asked(module, address)) if kind == INTERFACE else []
    signatures += [each for _, each in asked]
    return Type(
        methods=tuple(methods),
        values=tuple(module.word(one) for one in compared),
        contained=tuple(contained),
        signature=(*(module.word(one) for one in outer), *signatures),
        places=(*inner, *compared, *outer),
        is_named=bool(flags & IS_NAMED),
        kind=kind,
        asked=tuple(asked) if kind == INTERFACE else None,
    )


def _is_named(module: Module, offset: int) -> bool:
    """Return whether a type's name is one: flags, the length, the words."""
    return offset > 0 and bool(_name(module, offset))


def _name(module: Module, offset: int) -> str:
    """Return the name at an offset from the types, empty where there is none."""
    head = module.image.data(module.types[0] + offset, 3)
    if len(head) < 3 or head[0] & ~NAME_FLAGS:  # noqa: PLR2004  flags, two of the length
        return ""
    length, start = head[1], 2
    if length & 0x80:
        length, start = (length & 0x7F) | head[2] << 7, 3
    if not 0 < length < NAME_MAX or head[start - 1] & 0x80:
        return ""
    name = module.image.data(module.types[0] + offset + start, length)
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""


def _contained(module: Module, address: int, kind: int) -> list[int] | None:
    """Return where the types inside are named, None where what is there is no type."""
    count = {ARRAY: 2, CHAN: 1, MAP: 3, POINTER: 1, SLICE: 1}.get(kind, 0)
    if kind in {STRUCT, INTERFACE}:
        start, size = module.word(address + PLAIN + 8), module.word(address + PLAIN + 16)
        if size > FIELDS_MAX:
            return None
        return [start + 24 * n + 8 for n in range(size if kind == STRUCT else 0)]
    return [address + PLAIN + 8 * n for n in range(count)]


def _signature(module: Module, address: int, *, has_methods: bool) -> Iterator[int]:
    counts = module.image.data(address + PLAIN, 4)
    inward, outward = struct.unpack("<HH", counts)
    start = address + SIZES[FUNC] + (UNCOMMON_SIZE if has_methods else 0)
    for number in range(inward + (outward & 0x7FFF)):
        yield start + 8 * number


def _asked(module: Module, address: int) -> Iterator[Method]:
    """Yield the name and the type of each method that an interface asks for."""
    start, size = module.word(address + PLAIN + 8), module.word(address + PLAIN + 16)
    rows = module.image.data(start, 8 * min(size, METHODS_MAX))
    for name, offset in struct.iter_unpack("<ii", rows):
        yield _name(module, name), module.types[0] + offset


def _methods(module: Module, address: int, kind: int) -> Methods:
    """Return the code of a type's methods, and the types of their signatures.

    Raises:
        Unparsable: No method table is where one should be.
    """
    size = module.map_size if kind == MAP else SIZES.get(kind, PLAIN)
    found = _methods_at(module, address + size) if size else None
    if found is None:
        raise Unparsable("a Go type whose methods were not found")
    return found


def _methods_at(module: Module, address: int) -> Methods | None:
    block = module.image.data(address, UNCOMMON_SIZE)
    if len(block) < UNCOMMON_SIZE:
        return None
    _, count, exported, start, unused = UNCOMMON.unpack(block)
    if unused or exported > count or count > METHODS_MAX:
        return None
    if count and not UNCOMMON_SIZE <= start < OFFSET_MAX:
        return None
    rows = module.image.data(address + start, count * METHOD.size)
    codes = [
        ((_name(module, name), module.types[0] + signature), module.text + code)
        for name, signature, *both in METHOD.iter_unpack(rows)
        for code in both
        if code not in PRUNED
    ]
    if len(rows) < count * METHOD.size:
        return None
    if not all(name and code in module.entries for (name, _), code in codes):
        return None
    signatures = [
        module.types[0] + one for _, one, *_ in METHOD.iter_unpack(rows) if one > 0
    ]
    return codes, signatures
