"""Names of Python: `Class.method`, `outer.inner`, as `__qualname__` without `<locals>`."""

from typing import Final

import tree_sitter_python
from tree_sitter import Language, Node

from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.wire.sources import walking
from vexxy.advisories.wire.sources.walking import Part, text

_LANGUAGE: Final = Language(tree_sitter_python.language())
_DEFINITIONS: Final = frozenset({"function_definition", "class_definition"})
_IMPORTS: Final = frozenset(
    {"import_statement", "import_from_statement", "future_import_statement"}
)
_STATEMENTS: Final = frozenset(
    {"expression_statement", "delete_statement", "assert_statement", "raise_statement"}
)
# Their headers run at import; what is below them is looked at by itself.
_COMPOUND: Final = frozenset(
    {"if_statement", "try_statement", "for_statement", "while_statement", "with_statement"}
)


class _Python:
    words = frozenset({"identifier"})

    def part(self, node: Node, prefix: str) -> Part:  # noqa: PLR0911  one a kind of node
        kind = node.type
        if kind == "comment" or _is_documentation(node):
            return Part(is_comment=True)
        if kind in _IMPORTS:
            return Part(is_import=True)
        if kind == "decorated_definition":
            # Decorators belong to what they decorate: the whole is the function.
            return self._definition(node.child_by_field_name("definition"), prefix)
        if kind in _DEFINITIONS:
            parent = node.parent
            if parent is not None and parent.type == "decorated_definition":
                return Part()
            return self._definition(node, prefix)
        if kind in _STATEMENTS:
            return Part(data=tuple(prefix + name for name in _targets(node)) or ("",))
        return Part(data=("",)) if kind in _COMPOUND else Part()

    def _definition(self, node: Node | None, prefix: str) -> Part:
        name = prefix + text(node.child_by_field_name("name") if node else None)
        if node is None or node.type == "class_definition":
            return Part(data=(name,), prefix=f"{name}.")
        return Part(function=name, prefix=f"{name}.")


def _is_documentation(node: Node) -> bool:
    return (
        node.type == "expression_statement"
        and node.named_child_count == 1
        and node.named_children[0].type in {"string", "concatenated_string"}
    )


def _targets(statement: Node) -> list[str]:
    """Return the plain names that a statement assigns."""
    found: list[str] = []
    for child in statement.named_children:
        if child.type in {"assignment", "augmented_assignment"}:
            left = child.child_by_field_name("left")
            if left is not None and left.type == "identifier":
                found.append(text(left))
            elif left is not None:
                inner = left.named_children
                found += [text(one) for one in inner if one.type == "identifier"]
    return found


def outline(content: str) -> Outline:
    """Return the outline of a Python module, of Python 2 too."""
    return walking.outline(content, _LANGUAGE, _Python)
