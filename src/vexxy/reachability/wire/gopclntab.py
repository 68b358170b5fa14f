"""The names of every function linked into a Go binary, stripped or not.

The runtime needs this table to print stack traces, so `-ldflags="-s -w"` keeps it, and
it names functions that were inlined everywhere as well, which the symbol table does not.

Source: Go, `src/internal/abi/symtab.go` and `src/runtime/symtab.go` (pcHeader), and
`cmd/link/internal/ld/pcln.go` (generateFuncnametab walks inlined calls too). Layouts
before Go 1.18 are not read: whether they name inlined functions was never checked here.
"""

import re
import struct
from collections.abc import Iterable
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import elf

SECTIONS: Final = (".gopclntab", ".data.rel.ro.gopclntab")
MAGIC_GO_118: Final = 0xFFFFFFF0
MAGIC_GO_120: Final = 0xFFFFFFF1
HEADER_WORDS: Final = 8
WORD_SIZES: Final = (4, 8)

# Every real program has these; without them the names are not Go's own any more.
LANDMARKS: Final = frozenset({"runtime.main", "main.main"})

DOMAIN: Final = re.compile(r"[\w-]+(\.[\w-]+)+/")
ESCAPE: Final = re.compile(r"%([0-9a-fA-F]{2})")
BRACKETS: Final = re.compile(r"([\[\]])")
# Closures in closures; a real program's names are nowhere near as deep.
DEPTH_MAX: Final = 200
POINTER: Final = re.compile(r"\(\*?([^()]*)\)")


def functions(content: bytes) -> frozenset[str]:
    """Return the normalized names of all functions, as `normalize` writes them.

    Raises:
        Unparsable: The table is missing, of an unknown layout, or its names are not
            those the toolchain writes; nothing can be concluded then.
    """
    names = table(_names(_find_table(content)))
    if not names >= LANDMARKS:
        raise Unparsable("the function table lacks runtime.main or main.main")
    return names


def table(names: Iterable[str]) -> frozenset[str]:
    """Return the normalized names, with the package, type or function each is part of.

    A closure (`Parse.func1`) exists only where its function does, and a method only where
    its package is linked: `x/html.T.M` also stands for `x/html.T` and `x/html`.

    Raises:
        Unparsable: A name has more parts than any program's.
    """
    found = set()
    for raw in names:
        name = normalize(raw)
        if name.count(".", name.rfind("/") + 1) > DEPTH_MAX:
            raise Unparsable("a Go function name that no compiler writes")
        while name not in found:
            found.add(name)
            start = name.rfind("/") + 1
            end = name.rfind(".", start)
            if end <= start:
                break
            name = name[:end]
    return frozenset(found)


def normalize(name: str) -> str:
    """Return `path/pkg.Type.Method` for `path/pkg.(*Type[...]).Method-fm`.

    Import paths are unescaped (`yaml%2ev3`), type arguments, pointers and the marks of
    method values are dropped, so that the name compares with an advisory's.
    """
    # Most names are as written, and a large program has hundreds of thousands.
    if "%" in name:
        name = ESCAPE.sub(lambda found: chr(int(found[1], 16)), name)
    if "[" in name:
        name = _without_brackets(name)
    if "(" in name:
        name = POINTER.sub(lambda found: found[1], name)
    return name.removesuffix("-fm")


def _without_brackets(name: str) -> str:
    """Drop every closed pair of brackets with what is inside, in one pass."""
    kept: list[str] = []
    opened: list[int] = []
    for part in BRACKETS.split(name):
        if part == "]" and opened:
            del kept[opened.pop() :]
            continue
        if part == "[":
            opened.append(len(kept))
        kept.append(part)
    return "".join(kept)


def is_linked(names: frozenset[str], import_path: str, symbol: str) -> bool:
    """Return whether a function, or anything declared inside it, is linked.

    `names` are those of `functions`. An empty `symbol` asks for the whole package.
    """
    if not symbol:
        return import_path in names
    # The functions of a program's own package are called `main.X`, whatever its path.
    wanted = normalize(symbol)
    return f"{import_path}.{wanted}" in names or f"main.{wanted}" in names


def are_paths_kept(names: frozenset[str]) -> bool:
    """Return whether import paths are as written; an obfuscator hashes them."""
    return any(DOMAIN.match(name) for name in names)


def _find_table(content: bytes) -> bytes:
    sections = elf.sections(content)
    for name in SECTIONS:
        if name in sections:
            section = sections[name]
            return content[section.offset : section.offset + section.size]
    raise Unparsable("no Go function table")


def _names(table: bytes) -> list[str]:
    """Return the raw names: the block between the name offset and the file offset."""
    try:
        order = _order(table)
        size = table[7]
        if size not in WORD_SIZES:
            raise Unparsable("a Go function table with an unknown word size")
        word = "Q" if size == WORD_SIZES[1] else "I"
        fields = struct.unpack_from(f"{order}{HEADER_WORDS}{word}", table, 8)
    except (struct.error, IndexError) as error:
        raise Unparsable(f"a damaged Go function table: {error}") from error
    start, end = fields[3], fields[4]
    if not 0 < start < end <= len(table):
        raise Unparsable("a Go function table whose names are out of place")
    block = table[start:end]
    return [name.decode("utf-8", "replace") for name in block.split(b"\0") if name]


def _order(table: bytes) -> str:
    for order in "<>":
        if struct.unpack_from(f"{order}I", table)[0] in {MAGIC_GO_118, MAGIC_GO_120}:
            return order
    raise Unparsable("a Go function table of an unknown version")
