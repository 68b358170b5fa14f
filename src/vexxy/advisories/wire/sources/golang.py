"""Names of Go: `Function`, `T.Method` whatever the receiver, as Go's own records do."""

from typing import Final

import tree_sitter_go
from tree_sitter import Language, Node

from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.wire.sources import walking
from vexxy.advisories.wire.sources.walking import Part, text

_LANGUAGE: Final = Language(tree_sitter_go.language())
_SPECS: Final = frozenset({"const_spec", "var_spec", "type_spec", "type_alias"})


class _Go:
    words = frozenset({"identifier", "field_identifier", "type_identifier"})

    def part(self, node: Node, prefix: str) -> Part:
        del prefix
        match node.type:
            case "comment":
                return Part(is_comment=True)
            case "import_declaration" | "package_clause":
                return Part(is_import=True)
            case "function_declaration":
                return Part(function=text(node.child_by_field_name("name")))
            case "method_declaration":
                name = text(node.child_by_field_name("name"))
                return Part(function=f"{_receiver(node)}.{name}".strip("."))
            case kind if kind in _SPECS:
                names = node.children_by_field_name("name")
                return Part(data=tuple(text(name) for name in names))
        return Part()


def _receiver(node: Node) -> str:
    """Return the type's name: `(t *Tree[K])` is `Tree`."""
    stack = [node.child_by_field_name("receiver")]
    while stack:
        one = stack.pop(0)
        if one is None:
            continue
        if one.type == "type_identifier":
            return text(one)
        stack += one.named_children
    return ""


def outline(content: str) -> Outline:
    """Return the outline of a Go file."""
    return walking.outline(content, _LANGUAGE, _Go)
