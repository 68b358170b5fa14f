"""What single nodes of a Python syntax tree say."""

import ast
from collections.abc import Iterable
from typing import Final

from vexxy.reachability.calls.python.facts import (
    LITERAL,
    NAMESPACE,
    Decorator,
    Mention,
)

# Their attributes are those of built-in types.
LITERALS: Final = (ast.Constant, ast.List, ast.Dict, ast.Set, ast.Tuple, ast.JoinedStr,
                   ast.ListComp, ast.DictComp, ast.SetComp)  # fmt: skip


def chain(node: ast.AST) -> Mention | None:
    """Return `a.b.c` as a mention, with "" first where `a` is an expression."""
    names: list[str] = []
    line = getattr(node, "lineno", 0)
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    elif not names:
        return None
    elif isinstance(node, ast.Call) and last(node.func) == "super":
        names.append("super()")
    elif isinstance(node, LITERALS):
        names.append(LITERAL)
    else:
        names.append("")
    return Mention(tuple(reversed(names)), line)


def last(node: ast.AST) -> str:
    """Return the last name of `a.b`, nothing for an expression."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def decorator(node: ast.expr) -> Decorator:
    """Return what a decorator is and what constants it is given."""
    called = isinstance(node, ast.Call)
    function = node.func if isinstance(node, ast.Call) else node
    mention = chain(function) or Mention(("", ""), node.lineno)
    if not isinstance(node, ast.Call):
        return Decorator(mention, called)
    methods: list[str] = []
    for keyword in node.keywords:
        if keyword.arg == "methods":
            methods += constants(ast.walk(keyword.value))
    return Decorator(mention, called, tuple(constants(node.args)), tuple(methods))


def constants(nodes: Iterable[ast.AST]) -> list[str]:
    """Return the texts among some nodes."""
    return [
        one.value
        for one in nodes
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


def parameters(arguments: ast.arguments) -> list[str]:
    """Return the names of every parameter."""
    found = [*arguments.posonlyargs, *arguments.args]
    extra = [*arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [one.arg for one in (*found, *extra) if one is not None]


def prefix(node: ast.expr) -> str:
    """Return what a computed text begins with for certain."""
    match node:
        case ast.Constant(value=str() as text):
            return text.partition("%")[0].partition("{")[0]
        case ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]):
            return text
        case ast.BinOp(left=left):
            return prefix(left)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            return prefix(value)
        case _:
            return ""


def is_main(test: ast.expr) -> bool:
    """Return whether a test asks if the file is run as a program."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and constants(test.comparators) == ["__main__"]
        and isinstance(test.ops[0], ast.Eq)
    )


def namespace(node: ast.expr) -> tuple[str, ...] | None:
    """Return whose names `globals()`, `vars(x)` or `x.__dict__` are, None for others."""
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        found = chain(node.value)
        return found.names if found is not None else ("",)
    if isinstance(node, ast.Subscript) and last(node.value) == "modules":
        return (NAMESPACE,) if last(node.slice) == "__name__" else None
    if not isinstance(node, ast.Call) or last(node.func) not in {
        "globals",
        "locals",
        "vars",
    }:
        return None
    if not node.args:
        return (NAMESPACE,)
    found = chain(node.args[0])
    return found.names if found is not None else ("",)
