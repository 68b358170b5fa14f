"""Which Python functions may keep the function they are given.

A decorator that only wraps says nothing about who calls the wrapped function; one that
stores it (a route, a signal, a command) registers an entry point.
"""

import ast
import warnings
from typing import Final

FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
# Functions that look at the function they are given and do not keep it.
HARMLESS: Final = frozenset(
    {"wraps", "update_wrapper", "isinstance", "callable", "iscoroutinefunction",
     "iscoroutine", "isgeneratorfunction", "getattr", "setattr", "hasattr", "signature",
     "getfullargspec", "type", "id", "repr", "str", "bool"}
)  # fmt: skip


def keepers(content: bytes) -> frozenset[tuple[str, bool]] | None:
    """Return the functions that may keep the function they decorate.

    As (plain name, whether it is called first): `@keep` is `("keep", False)`, `@keep(1)`
    is `("keep", True)`. Two functions of one name in a file count together. None where
    the file cannot be parsed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: set[tuple[str, bool]] = set()
    for one in ast.walk(tree):
        if isinstance(one, FUNCTIONS):
            if _keeps(one):
                found.add((one.name, False))
            if any(_keeps(inner) for inner in one.body if isinstance(inner, FUNCTIONS)):
                found.add((one.name, True))
    return frozenset(found)


def _keeps(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether its first argument may be stored or handed on.

    It may be called, returned, wrapped and given attributes; anything else keeps it.
    """
    given = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
    names = set(given[:2] if given[:1] == ["self"] else given[:1])
    harmless: set[int] = set()
    for one in ast.walk(node):
        match one:
            case ast.Return(value=ast.Name() as name):
                harmless.add(id(name))
            case ast.Attribute(value=ast.Name() as name):
                harmless.add(id(name))
            case ast.Call(func=function):
                harmless.add(id(function))
                if _last(function) in HARMLESS:
                    harmless |= {id(part) for part in one.args}
            case ast.Compare() | ast.UnaryOp():
                harmless |= {id(part) for part in ast.walk(one)}
            case _:
                pass
    return any(
        isinstance(one, ast.Name) and one.id in names and id(one) not in harmless
        for one in ast.walk(node)
    )


def _last(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
