"""What the functions of a JavaScript file are called, by where V8 says they stand.

Names are those that `reachability.wire.jscalls` gives, so that what ran and what could
run are the same functions.
"""

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Node

FUNCTIONS: Final = frozenset(
    {"function_declaration", "generator_function_declaration", "function_expression",
     "generator_function", "arrow_function", "method_definition"}
)  # fmt: skip
CLASSES: Final = frozenset({"class_declaration", "class", "abstract_class_declaration"})
STATIC: Final = ("<static_initializer>", "<static_fields_initializer>")
"""Fields of instances are set when one is made; what is static, when the class is."""
WRAPPER: Final = 62
"""Length of what Node.js wrote before a module where something replaced its loading."""
CHUNK: Final = 4096
NEWLINE: Final = re.compile(rb"\n")
SOURCE_BYTES_MAX: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Named:
    """A function of a file.

    Attributes:
        names: What it is called; a constructor by its class as well.
        line: Its first line, 1-based.
    """

    names: tuple[str, ...]
    line: int


class Source:
    """A file as V8 read it, with its functions.

    Args:
        content: The bytes of the file, at most `SOURCE_BYTES_MAX`.
        suffix: `js`, `mjs`, `cjs`, or one of TypeScript, whose types are blanked out.
    """

    def __init__(self, content: bytes, suffix: str = "js") -> None:
        text = content.decode("utf-8", "replace").removeprefix("\N{BYTE ORDER MARK}")
        self._bytes = text.encode("utf-8", "surrogatepass")
        self._ascii = len(self._bytes) == len(text)
        self._wide = b"" if self._ascii else text.encode("utf-16-le", "surrogatepass")
        self._chunks = _chunks(self._wide)
        self._lines = [0, *(found.end() for found in NEWLINE.finditer(self._bytes))]
        self.length = len(text) if self._ascii else len(self._wide) // 2
        self._by_end: dict[int, list[Node]] = {}
        self._tree = _parser(suffix).parse(self._bytes)
        cursor = self._tree.walk()
        for node in _nodes(cursor):
            if node.type in FUNCTIONS or node.type in CLASSES:
                self._by_end.setdefault(node.end_byte, []).append(node)

    def find(self, name: str, start: int, end: int) -> Named | None:
        """Return the function that V8 reports at these offsets, None if there is none.

        Args:
            name: As V8 has it; tells a class apart from its constructor.
            start: First UTF-16 code unit.
            end: One past the last.
        """
        first, last = self.offset(start), self.offset(end)
        for node in self._by_end.get(last, ()):
            if node.type in CLASSES:
                if node.start_byte == first:
                    return self._named(node, (class_name(node) or name,))
                continue
            body = node.child_by_field_name("body")
            if node.start_byte <= first < (body.start_byte if body else last):
                return self._named(node, names_of(node))
        return None

    def defines(self, names: set[str]) -> bool:
        """Tell whether a function here has one of these bare names."""
        return any(
            own.rpartition(".")[2] in names
            for nodes in self._by_end.values()
            for node in nodes
            if node.type in FUNCTIONS
            for own in names_of(node)
        )

    def find_around(self, line: int, column: int) -> Named | None:
        """Return the function whose head holds a place; column in UTF-16 code units."""
        if line > len(self._lines):
            return None
        begin = self._lines[line - 1]
        text = self._bytes[begin : begin + column * 3 + 3].decode("utf-8", "replace")
        wide = text.encode("utf-16-le")[: 2 * column]
        at = begin + len(wide.decode("utf-16-le", "replace").encode())
        node = self._tree.root_node.descendant_for_byte_range(at, at)
        while node is not None:
            if node.type in FUNCTIONS:
                body = node.child_by_field_name("body")
                inside = body is None or at < body.start_byte
                return self._named(node, names_of(node)) if inside else None
            node = node.parent
        return None

    def offset(self, units: int) -> int:
        """Return the byte at an offset in UTF-16 code units."""
        if self._ascii:
            return units
        index = bisect_right(self._chunks, (units, sys.maxsize)) - 1
        begin, at = self._chunks[index]
        text = self._wide[2 * begin : 2 * units].decode("utf-16-le", "surrogatepass")
        return at + len(text.encode("utf-8", "surrogatepass"))

    def position(self, start: int) -> tuple[int, int]:
        """Return line (from 1) and column (from 0, UTF-16 code units) of an offset."""
        at = self.offset(start)
        line = bisect_right(self._lines, at)
        text = self._bytes[self._lines[line - 1] : at].decode("utf-8", "replace")
        return line, len(text.encode("utf-16-le")) // 2

    def _named(self, node: Node, names: tuple[str, ...]) -> Named:
        return Named(names, node.start_point[0] + 1)


def _chunks(wide: bytes) -> list[tuple[int, int]]:
    """Return pairs of an offset in UTF-16 code units and in UTF-8 bytes, ascending."""
    found, begin, at, units = [(0, 0)], 0, 0, len(wide) // 2
    while begin + CHUNK < units:
        end = begin + CHUNK
        if 0xDC <= wide[2 * end + 1] <= 0xDF:  # noqa: PLR2004  the second half of a pair
            end += 1
        at += len(wide[2 * begin : 2 * end].decode("utf-16-le").encode())
        begin = end
        found.append((begin, at))
    return found


@cache
def _parser(suffix: str) -> tree_sitter.Parser:
    if suffix in {"ts", "mts", "cts"}:
        language = tree_sitter_typescript.language_typescript()
    elif suffix == "tsx":
        language = tree_sitter_typescript.language_tsx()
    else:
        language = tree_sitter_javascript.language()
    return tree_sitter.Parser(tree_sitter.Language(language))


def _nodes(cursor: tree_sitter.TreeCursor) -> Iterator[Node]:
    """Yield every node, without recursion: minified code is deep."""
    while True:
        node = cursor.node
        if node is not None:
            yield node
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def names_of(node: Node) -> tuple[str, ...]:
    """Return what a function is called; a constructor has its class's name, too."""
    declared = _text(node.child_by_field_name("name"))
    if node.type == "method_definition":
        owner = _owner(node)
        name = f"{owner}.{declared}" if owner else declared
        if declared == "constructor" and owner:
            return owner, name
        return (name,)
    return (_bound_name(node, declared),)


def class_name(node: Node) -> str:
    """Return what a class is called, empty if it has no name."""
    return _bound_name(node, _text(node.child_by_field_name("name")))


def _bound_name(node: Node, declared: str) -> str:
    parent = node.parent
    while parent is not None and parent.type == "parenthesized_expression":
        parent = parent.parent
    if declared or parent is None:
        return declared
    if parent.type == "variable_declarator":
        return _text(parent.child_by_field_name("name"))
    if parent.type == "assignment_expression":
        return _assigned_name(parent)
    if parent.type == "pair":
        return _keyed(parent, _property(parent.child_by_field_name("key")))
    if parent.type in {"field_definition", "public_field_definition"}:
        key = parent.child_by_field_name("property") or parent.child_by_field_name("name")
        return _keyed(parent, _text(key))
    return "module.exports" if parent.type == "export_statement" else ""


def _assigned_name(assignment: Node) -> str:
    left = assignment.child_by_field_name("left")
    if left is None or left.type == "identifier":
        return _text(left)
    chain = _chain(left)
    if chain == ["module", "exports"]:
        return "module.exports"
    if not chain[-1]:
        return ".".join(chain)
    return _joined(chain[0] if len(chain) > 1 else "", chain[-1])


def _keyed(node: Node, key: str) -> str:
    return _joined(_owner(node), key) if key else ""


def _joined(owner: str, key: str) -> str:
    return key if owner in {"exports", "module", "this", ""} else f"{owner}.{key}"


def _owner(node: Node) -> str:
    """Return the class or the object that a member stands in, as far as it is named."""
    inner, outer = node, node.parent
    while outer is not None:
        if outer.type in FUNCTIONS:
            return ""
        if outer.type in CLASSES:
            return class_name(outer)
        if outer.type == "assignment_expression":
            left = outer.child_by_field_name("left")
            if left is not None and left.type != "identifier" and left != inner:
                chain = _chain(left)
                return chain[0] if len(chain) > 1 else ""
        inner, outer = outer, outer.parent
    return ""


def _property(node: Node | None) -> str:
    if node is None or node.type == "computed_property_name":
        return ""
    if node.type == "string":
        return "".join(_text(one) for one in node.named_children)
    return _text(node)


def _chain(node: Node) -> list[str]:
    """Return `a.b.c` as names, "" where a part is no name."""
    found: list[str] = []
    inner: Node | None = node
    while inner is not None and inner.type in {"member_expression", "subscript_expression"}:
        if inner.type == "member_expression":
            found.append(_text(inner.child_by_field_name("property")))
        else:
            index = inner.child_by_field_name("index")
            is_name = index is not None and index.type == "string"
            found.append(_property(index) if is_name else "")
        inner = inner.child_by_field_name("object")
    found.append(_text(inner) if inner is not None and inner.child_count == 0 else "")
    found.reverse()
    return found


def _text(node: Node | None) -> str:
    if node is None or node.text is None:
        return ""
    return node.text.decode("utf-8", "replace")
