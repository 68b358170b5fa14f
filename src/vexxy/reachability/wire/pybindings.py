"""What assignments, loops and patterns of Python bind in a scope."""

import ast
from collections.abc import Sequence

from vexxy.reachability.calls.python.facts import LITERAL, Mention, Scope
from vexxy.reachability.wire import pynodes


def bind_values(scope: Scope, targets: Sequence[ast.expr], value: ast.expr | None) -> None:
    """Bind what is assigned to where it was taken from."""
    made: Mention | None = None
    if isinstance(value, ast.Call):
        called = pynodes.chain(value.func)
        made = called and Mention((*called.names, "()"), called.line)
    elif isinstance(value, pynodes.LITERALS):
        made = Mention((LITERAL,), value.lineno)
    elif value is not None:
        made = pynodes.chain(value)
    for target in targets:
        for one in ast.walk(target):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                scope.bind(one.id, made if one is target else None)


def bind_targets(scope: Scope, node: ast.AST) -> None:
    """Bind what `for`, `with`, `except`, `:=`, `del` and patterns assign to unknowns."""
    if isinstance(node, ast.ExceptHandler) and node.name:
        scope.bind(node.name, None)
    for part in ("target", "optional_vars"):
        target = getattr(node, part, None)
        if isinstance(target, ast.AST):
            for one in ast.walk(target):
                if isinstance(one, ast.Name):
                    scope.bind(one.id, None)
    if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        scope.bind(node.name, None)
