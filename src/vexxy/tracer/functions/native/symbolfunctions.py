"""Where functions of C, C++ and Rust files can be watched: by their symbols.

A symbol says where a function begins. Whether the compiler copied the function into its
callers as well is only in the debug data; without it silence proves nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.tracer.functions.native.types import Place, PlaceKind, Watchable
from vexxy.tracer.functions.native.wire import dwarf, elf, mangling

CODE_BYTES: Final = 8
CLONES: Final = (".isra.", ".constprop.", ".part.", ".lto_priv.", ".llvm.")
WITHOUT_DEBUG_DATA: Final = (
    "without debug data nobody can tell whether the compiler copied it into its callers"
)


class SymbolFunctions:
    """The functions of one file by their readable names."""

    def __init__(self, image: elf.Image) -> None:
        self._image = image
        self._unread = [one.name for one in image.symbols if _is_unread(one.name)]
        self._by_name: dict[str, list[elf.Symbol]] = {}
        for symbol in image.symbols:
            self._by_name.setdefault(readable(symbol.name), []).append(symbol)
        self._places = sorted(
            (symbol.address, symbol.size, name)
            for name, symbols in self._by_name.items()
            for symbol in symbols
        )

    def watch(self, names: Iterable[str]) -> dict[str, Watchable]:
        """Return where each function can be watched, by the name that was given."""
        wanted = {name: mangling.without_arguments(_without_file(name)) for name in names}
        described = dwarf.functions(self._image, frozenset(wanted.values()))
        return {name: self._watchable(name, own, described) for name, own in wanted.items()}

    def _watchable(self, name: str, own: str, described: dwarf.Described) -> Watchable:
        symbols = self._by_name.get(own, [])
        if any(symbol.is_resolver for symbol in symbols):
            return Watchable(name, obstacle="the dynamic linker chooses it when it loads")
        places = {
            place.offset: place
            for symbol in symbols
            for place in self._place(PlaceKind.ENTRY, symbol.address)
        }
        obstacle = WITHOUT_DEBUG_DATA if symbols else "no symbol of this name"
        function = described.functions.get(own)
        if function is not None:
            obstacle = function.obstacle
            for address in function.entries:
                places |= {p.offset: p for p in self._place(PlaceKind.ENTRY, address)}
            for holder, address in function.inlined:
                for place in self._place(PlaceKind.INLINED, address, holder):
                    places.setdefault(place.offset, place)
            if not {symbol.address for symbol in symbols} <= set(function.entries):
                obstacle = "the debug data knows only some of the functions of this name"
        if own in described.hidden or any(
            mangling.may_hide(raw, own) for raw in self._unread
        ):
            obstacle = "some names that may be of it are not understood"
        elif function is None and described.obstacle:
            obstacle = f"{obstacle}; {described.obstacle}"
        return Watchable(name, tuple(places.values()), obstacle)

    def _place(self, kind: PlaceKind, address: int, holder: str = "") -> Iterator[Place]:
        offset = self._image.offset_of(address)
        if offset is not None and self._image.is_code(address):
            code = self._image.content[offset : offset + CODE_BYTES]
            yield Place(kind, offset, holder, code)

    def describe(self, offset: int) -> str:
        """Return the function that holds an instruction, empty if unknown."""
        address = self._image.address_of(offset)
        if address is None:
            return ""
        for start, size, name in self._places:
            if start <= address < start + size:
                return name
        return ""


def _without_file(name: str) -> str:
    """Return the function of `deps/lua/src/lparser.c:luaY_parser`."""
    file, colon, function = name.rpartition(":")
    return function if colon and not file.endswith(":") and "." in file else name


def _is_unread(name: str) -> bool:
    return name.startswith(("_Z", "_R")) and not mangling.path_of(name.partition("@")[0])


def readable(name: str) -> str:
    """Return a symbol's name without mangling, version and the compiler's marks."""
    name = name.partition("@")[0]
    for mark in CLONES:
        name = name.partition(mark)[0]
    return mangling.path_of(name) or name
