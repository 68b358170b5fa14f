"""What a test for the platform answers on Linux, where it is plain enough to be told.

Only `sys.platform`, `os.name` and `platform.system()`, of modules whose names the file
binds to nothing else.
"""

import ast
from collections.abc import Iterator
from typing import Final

MODULES: Final = frozenset({"sys", "os", "platform"})
MARKS: Final = (b"sys.platform", b"os.name", b"platform.system")
# What they are on Linux; `linux2` and `linux3` in old versions of Python.
SYSTEMS: Final = ("linux", "linux2", "linux3")
ANSWERS: Final = {
    "sys.platform": SYSTEMS,
    "os.name": ("posix",),
    "platform.system()": ("Linux",),
}


def trusted(tree: ast.Module, content: bytes) -> frozenset[str]:
    """Return which of the modules a file knows under their own names, and nothing else.

    A parameter `os`, or a test that sets `sys.platform`, makes a name mean nothing here.
    """
    if not any(one in content for one in MARKS):
        return frozenset()
    imported: set[str] = set()
    other: set[str] = set()
    for node in ast.walk(tree):
        for name, is_import in _bound(node):
            (imported if is_import else other).add(name)
    if "*" in other:
        return frozenset()
    return frozenset((imported & MODULES) - other)


def _bound(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """Yield the names that a node binds, and whether to the module of that name."""
    match node:
        case ast.Import(names=names):
            for one in names:
                top = one.name.partition(".")[0]
                plain = one.asname is None or one.asname == one.name
                yield (one.asname or top), plain
        case ast.ImportFrom(names=names):
            yield from ((one.asname or one.name, False) for one in names)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name, False
        case (
            ast.FunctionDef(name=name)
            | ast.AsyncFunctionDef(name=name)
            | ast.ClassDef(name=name)
            | ast.ExceptHandler(name=str() as name)
            | ast.MatchAs(name=str() as name)
            | ast.MatchStar(name=str() as name)
            | ast.MatchMapping(rest=str() as name)
        ):
            yield name, False
        case (
            ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del())
            | ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=name), *_])
        ):
            yield name, False
        case _:
            pass


def holds(test: ast.expr, modules: frozenset[str]) -> bool | None:
    """Return what a test answers on Linux; None where that is not certain."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            answer = holds(inner, modules)
            return None if answer is None else not answer
        case ast.BoolOp(op=operator, values=values):
            answers = [holds(one, modules) for one in values]
            decisive = isinstance(operator, ast.Or)
            if decisive in answers:
                return decisive
            return None if None in answers else not decisive
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _compared(left, operator, right, modules=modules)
        case ast.Call(
            func=ast.Attribute(value=value, attr="startswith"), args=[given], keywords=[]
        ):
            texts, starts = _answers(value, modules), _texts(given)
            return _agreed(one.startswith(tuple(starts)) for one in texts if starts)
        case _:
            return None


def _compared(
    left: ast.expr, operator: ast.cmpop, right: ast.expr, *, modules: frozenset[str]
) -> bool | None:
    answers, texts = _answers(left, modules), _texts(right)
    match operator:
        case ast.Eq() | ast.NotEq() if isinstance(right, ast.Constant):
            found = _agreed(one in texts for one in answers if texts)
        case ast.In() | ast.NotIn() if isinstance(right, ast.Tuple | ast.List | ast.Set):
            found = _agreed(one in texts for one in answers if texts)
        case ast.In() | ast.NotIn() if isinstance(left, ast.Constant):
            parts = _texts(left)
            within = _answers(right, modules)
            found = _agreed(parts[0] in one for one in within if parts)
        case _:
            return None
    inverted = isinstance(operator, ast.NotEq | ast.NotIn)
    return found if found is None else found is not inverted


def _agreed(answers: Iterator[bool]) -> bool | None:
    found = set(answers)
    return found.pop() if len(found) == 1 else None


def _answers(node: ast.expr, modules: frozenset[str]) -> tuple[str, ...]:
    called = isinstance(node, ast.Call) and not node.args and not node.keywords
    inner = node.func if called and isinstance(node, ast.Call) else node
    if not isinstance(inner, ast.Attribute) or not isinstance(inner.value, ast.Name):
        return ()
    name = f"{inner.value.id}.{inner.attr}" + "()" * called
    return ANSWERS.get(name, ()) if inner.value.id in modules else ()


def _texts(node: ast.expr) -> list[str]:
    """Return the texts of a constant, or of a list of nothing but constants."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    texts = [
        one.value
        for one in parts
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]
    return texts if len(texts) == len(parts) else []
