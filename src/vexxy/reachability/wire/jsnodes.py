"""What single nodes of a JavaScript syntax tree say."""

from typing import Final

from tree_sitter import Node

from vexxy.reachability.calls.javascript.facts import DEFAULT

METHODS: Final = frozenset(
    {"get", "post", "put", "delete", "patch", "head", "options", "all", "use"}
)


def text(node: Node | None) -> str:
    """Return the source text of a node."""
    if node is None or node.text is None:
        return ""
    return node.text.decode("utf-8", "replace")


def string(node: Node) -> str:
    """Return the content of a string without its quotes."""
    return "".join(text(one) for one in node.named_children)


def request(node: Node | None) -> str | None:
    """Return the module that `require("x")` or `import("x")` asks for."""
    if node is not None and node.type == "await_expression" and node.named_children:
        node = node.named_children[0]
    if node is None or node.type != "call_expression":
        return None
    function = node.child_by_field_name("function")
    arguments = node.child_by_field_name("arguments")
    if function is None or arguments is None or text(function) not in {"require", "import"}:
        return None
    first = arguments.named_children[:1]
    return string(first[0]) if first and first[0].type == "string" else None


def key(node: Node) -> str | None:
    """Return the name of the property that is meant; None when it is a value."""
    if node.type == "member_expression":
        return text(node.child_by_field_name("property"))
    index = node.child_by_field_name("index")
    return string(index) if index is not None and index.type == "string" else None


def property_name(node: Node) -> str | None:
    """Return the name of an object's key; None when it is a value."""
    if node.type == "string":
        return string(node)
    return None if node.type == "computed_property_name" else text(node)


def chain(node: Node) -> list[str]:
    """Return `a.b.c` as names, "" where a part is no name."""
    found: list[str] = []
    inner: Node | None = node
    while inner is not None and inner.type in {"member_expression", "subscript_expression"}:
        found.append(key(inner) or "")
        inner = inner.child_by_field_name("object")
    found.append(text(inner) if inner is not None and inner.child_count == 0 else "")
    found.reverse()
    return found


def is_exports(chain: list[str]) -> bool:
    """Return whether names are those of a module's exports."""
    return chain in (["exports"], ["module"], ["module", "exports"])


def export(chain: list[str]) -> str | None:
    """Return what an assignment to `exports.x` or `module.exports` exports."""
    if chain == ["module", "exports"]:
        return DEFAULT
    if len(chain) > 1 and is_exports(chain[:-1]) and chain[-1]:
        return chain[-1]
    return None


def pattern(node: Node) -> list[tuple[str, str]]:
    """Return the names a pattern binds, each with the property it takes."""
    found: list[tuple[str, str]] = []
    for child in node.named_children:
        if child.type == "shorthand_property_identifier_pattern":
            found.append((text(child), text(child)))
        elif child.type == "pair_pattern":
            value = child.child_by_field_name("value")
            key = child.child_by_field_name("key")
            if value is not None and key is not None:
                found.append((text(value), text(key)))
        elif child.type == "object_assignment_pattern":
            left = child.child_by_field_name("left")
            found.append((text(left), text(left)))
    return found


def route(function: Node | None, arguments: Node) -> str:
    """Return `GET /x` for `app.get("/x", ...)`, else nothing."""
    method = (key(function) or "") if function is not None else ""
    first = arguments.named_children[:1]
    path = string(first[0]) if first and first[0].type == "string" else ""
    if method not in METHODS or not path.startswith("/"):
        return ""
    return f"{'ANY' if method in {'all', 'use'} else method.upper()} {path}"


def whole(node: Node | None) -> str:
    """Return an identifier, `require:x` for a module that is loaded there, else nothing."""
    if node is None:
        return ""
    if node.type == "identifier":
        return text(node)
    module = request(node)
    return "" if module is None else f"require:{module}"
