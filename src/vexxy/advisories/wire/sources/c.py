"""Names of C: functions, macros and data of a file."""

from typing import Final

import tree_sitter_c
from tree_sitter import Language, Node

from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.wire.sources import walking
from vexxy.advisories.wire.sources.walking import Part, text

_LANGUAGE: Final = Language(tree_sitter_c.language())


class _C:
    words = frozenset({"identifier", "field_identifier", "type_identifier"})

    def part(self, node: Node, prefix: str) -> Part:  # noqa: PLR0911  one a kind of node
        del prefix
        match node.type:
            case "comment":
                return Part(is_comment=True)
            case "preproc_include":
                return Part(is_import=True)
            case "function_definition":
                return Part(function=_declared(node))
            case "preproc_def" | "preproc_function_def":
                return Part(data=(text(node.child_by_field_name("name")),))
            case "declaration" if _is_prototype(node):
                return Part(is_import=True)
            case "declaration" | "type_definition":
                return Part(data=(_declared(node),))
            case "struct_specifier" | "enum_specifier" | "union_specifier":
                name = text(node.child_by_field_name("name"))
                return Part(data=(name,) if name else ())
        return Part()


def _is_prototype(node: Node) -> bool:
    declarator = node.child_by_field_name("declarator")
    while declarator is not None and declarator.type == "pointer_declarator":
        declarator = declarator.child_by_field_name("declarator")
    return declarator is not None and declarator.type == "function_declarator"


def _declared(node: Node) -> str:
    """Follow declarators (pointers, arrays, functions) down to the name."""
    inner: Node | None = node
    while inner is not None:
        if inner.type in {"identifier", "field_identifier", "type_identifier"}:
            return text(inner)
        inner = inner.child_by_field_name("declarator") or _parenthesized(inner)
    return ""


def _parenthesized(node: Node) -> Node | None:
    if node.type == "parenthesized_declarator" and node.named_children:
        return node.named_children[0]
    return None


def outline(content: str) -> Outline:
    """Return the outline of a C file or header."""
    return walking.outline(content, _LANGUAGE, _C)
