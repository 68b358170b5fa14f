"""Walks a syntax tree and collects an outline; each language says what it names.

Trees come from tree-sitter, whose grammars go on behind what they cannot read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Protocol

from tree_sitter import Language, Node, Parser

from vexxy.advisories.rules.outlines import Outline, Span

SOURCE_BYTES_MAX: Final = 4 << 20
_MEMBERS: Final = frozenset(
    {"attribute", "member_expression", "selector_expression", "field_expression"}
)


class Part(NamedTuple):
    """What a node is to the outline.

    Attributes:
        function: Its qualified name, if it is a function.
        data: What it defines outside functions; `""` for a statement that defines
            nothing.
        prefix: What qualifies the names below it; None to leave it as it is.
        is_import: It only brings names in.
        is_comment: It is no code.
    """

    function: str | None = None
    data: tuple[str, ...] = ()
    prefix: str | None = None
    is_import: bool = False
    is_comment: bool = False


class Naming(Protocol):
    """What one language calls its parts."""

    words: frozenset[str]

    def part(self, node: Node, prefix: str) -> Part:
        """Return what a node is; `prefix` qualifies names at its place."""


def text(node: Node | None) -> str:
    """Return the source of a node, empty for none."""
    content = node.text if node is not None else None
    return content.decode("utf-8", "replace") if content else ""


def lines_of(node: Node) -> range:
    """Return the 1-based lines that a node covers.

    A node that ends with a line break ends on the line before it.
    """
    first, last = node.start_point[0] + 1, node.end_point[0] + 1
    if node.end_point[1] == 0 and last > first:
        last -= 1
    return range(first, last + 1)


class _Collected:
    def __init__(self) -> None:
        self.functions: list[Span] = []
        self.data: list[Span] = []
        self.code: set[int] = set()
        self.imports: set[int] = set()
        self.words: dict[str, list[int]] = defaultdict(list)
        self.calls: set[tuple[str, int]] = set()


def outline(content: str, language: Language, naming_of: Callable[[], Naming]) -> Outline:
    """Return the outline of a source; one that is too large is empty and broken."""
    source = content.encode("utf-8", "replace")
    if len(source) > SOURCE_BYTES_MAX:
        return Outline(broken=True)
    tree = Parser(language).parse(source)
    naming = naming_of()
    found = _Collected()
    for node in _walk(tree.root_node, naming, found):
        _take_leaf(node, naming, found)
    return Outline(
        functions=tuple(found.functions),
        data=tuple(found.data),
        code=frozenset(found.code),
        imports=frozenset(found.imports),
        words={word: tuple(lines) for word, lines in found.words.items()},
        calls=frozenset(found.calls),
        broken=tree.root_node.has_error,
    )


def _walk(root: Node, naming: Naming, found: _Collected) -> Iterator[Node]:
    """Yield every leaf of code, noting functions and data on the way.

    A stack of its own: sources of strangers nest deeper than Python recurses.
    """
    stack: list[tuple[Node, str, bool]] = [(root, "", False)]
    while stack:
        node, prefix, inside = stack.pop()
        part = naming.part(node, prefix)
        if part.is_comment:
            continue
        covered = lines_of(node)
        if part.is_import and not inside:
            found.imports.update(covered)
        if part.function:
            found.functions.append(Span(part.function, covered[0], covered[-1]))
        elif not inside:
            found.data += [Span(name, covered[0], covered[-1]) for name in part.data]
        if node.child_count == 0:
            yield node
        below = prefix if part.prefix is None else part.prefix
        within = inside or bool(part.function)
        stack.extend((child, below, within) for child in reversed(node.children))


def _take_leaf(node: Node, naming: Naming, found: _Collected) -> None:
    covered = lines_of(node)
    found.code.update(covered)
    if node.type in naming.words:
        word = text(node)
        found.words[word].append(covered[0])
        if _is_called(node):
            found.calls.add((word, covered[0]))


def _is_called(node: Node) -> bool:
    """Whether an identifier is what a call calls: `f` and `o.f` of `o.f(x)`."""
    parent = node.parent
    if parent is not None and parent.type in _MEMBERS and parent.children[-1] == node:
        node, parent = parent, parent.parent
    if parent is None or parent.type not in {"call", "call_expression"}:
        return False
    return parent.child_by_field_name("function") == node
