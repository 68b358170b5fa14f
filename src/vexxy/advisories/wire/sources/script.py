"""Names of JavaScript and TypeScript.

As V8 reports them, so without enclosing functions, with what they are assigned to or
belong to: `parseObject`, `exports.parse`, `module.exports`, `Class.method`, `Type.method`
for `Type.prototype.method`, `object.method` for a literal. A constructor is `Class`.
"""

from typing import Final

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node

from vexxy.advisories.rules.outlines import Outline
from vexxy.advisories.wire.sources import walking
from vexxy.advisories.wire.sources.walking import Part, text

_SCRIPT: Final = Language(tree_sitter_javascript.language())
_TYPED: Final = Language(tree_sitter_typescript.language_typescript())
_TYPED_MARKUP: Final = Language(tree_sitter_typescript.language_tsx())
_DECLARED: Final = frozenset({"function_declaration", "generator_function_declaration"})
_EXPRESSIONS: Final = frozenset(
    {"function_expression", "arrow_function", "generator_function", "function"}
)
_CLASSES: Final = frozenset({"class_declaration", "class", "abstract_class_declaration"})
_TYPES: Final = frozenset(
    {"interface_declaration", "type_alias_declaration", "ambient_declaration"}
)
_FIELDS: Final = frozenset({"field_definition", "public_field_definition"})
_WORDS: Final = frozenset(
    {"identifier", "property_identifier", "shorthand_property_identifier"}
)


class _Script:
    words = _WORDS

    def part(self, node: Node, prefix: str) -> Part:  # noqa: PLR0911  one a kind of node
        kind = node.type
        if kind in {"comment", "hash_bang_line"} or kind in _TYPES:
            return Part(is_comment=True)
        if kind == "import_statement":
            return Part(is_import=True)
        if kind in _DECLARED:
            return Part(function=text(node.child_by_field_name("name")), prefix="")
        if kind in _CLASSES:
            name = text(node.child_by_field_name("name")) or _given(node, "")
            return Part(data=(name,), prefix=f"{name}." if name else "")
        if kind == "method_definition":
            return Part(function=_method(node, prefix), prefix="")
        if kind in _EXPRESSIONS:
            return self._expression(node, prefix)
        return self._data(node, prefix)

    def _expression(self, node: Node, prefix: str) -> Part:
        given = _given(node, prefix)
        own = text(node.child_by_field_name("name"))
        if own and given.rpartition(".")[2] != own:
            given = own
        # Below one without a name, names are those of the file.
        return Part(function=given or None, prefix="")

    def _data(self, node: Node, prefix: str) -> Part:
        kind = node.type
        if kind in {"variable_declarator", "assignment_expression"}:
            return _assigned(node)
        if kind == "pair" or kind in _FIELDS:
            name = _key(node.child_by_field_name("key") or _field_name(node))
            full = f"{prefix}{name}" if name else ""
            return Part(data=(full,) if name else (), prefix=f"{full}." if name else None)
        if kind == "call_expression":
            # What is handed to a call does not belong to what the call's result is named.
            return Part(data=("",), prefix="")
        return Part(data=("",)) if kind == "expression_statement" else Part()


def _assigned(node: Node) -> Part:
    left = node.child_by_field_name("name") or node.child_by_field_name("left")
    right = node.child_by_field_name("value") or node.child_by_field_name("right")
    name = _target(left)
    if right is not None and text(right).startswith("require("):
        return Part(is_import=True)
    return Part(data=(name,) if name else ("",), prefix=f"{name}." if name else "")


def _target(node: Node | None) -> str:
    """Return a dotted name without `prototype` and `this`; empty for anything else."""
    if node is None or node.type not in {"identifier", "member_expression"}:
        return ""
    parts = text(node).replace("?.", ".").split(".")
    if not all(part.replace("$", "_").isidentifier() for part in parts):
        return ""
    return ".".join(part for part in parts if part not in {"prototype", "this"})


def _given(node: Node, prefix: str) -> str:
    """Return the name under which an expression is kept by what is around it."""
    parent = node.parent
    while parent is not None and parent.type == "parenthesized_expression":
        node, parent = parent, parent.parent
    if parent is None:
        return ""
    if parent.type == "variable_declarator":
        return _target(parent.child_by_field_name("name"))
    if parent.type == "assignment_expression":
        return _target(parent.child_by_field_name("left"))
    if parent.type == "pair" or parent.type in _FIELDS:
        # The prefix already ends with the key of this pair.
        return prefix.removesuffix(".")
    if parent.type == "export_statement":
        return "default"
    return ""


def _method(node: Node, prefix: str) -> str:
    name = _key(node.child_by_field_name("name"))
    if name == "constructor":
        return prefix.removesuffix(".") or name
    return f"{prefix}{name}" if name else prefix.removesuffix(".")


def _field_name(node: Node) -> Node | None:
    return node.child_by_field_name("property") or node.child_by_field_name("name")


def _key(node: Node | None) -> str:
    if node is None or node.type == "computed_property_name":
        return ""
    return text(node).strip("\"'`")


def outline(content: str, *, path: str) -> Outline:
    """Return the outline of a script; the suffix of its path tells which language."""
    if path.endswith((".ts", ".mts", ".cts")):
        return walking.outline(content, _TYPED, _Script)
    if path.endswith(".tsx"):
        return walking.outline(content, _TYPED_MARKUP, _Script)
    return walking.outline(content, _SCRIPT, _Script)
