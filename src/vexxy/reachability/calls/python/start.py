"""What a closure over Python code starts from, and how each node was reached."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from vexxy.reachability.calls.python.facts import ModuleFacts
from vexxy.reachability.calls.types import Loader

Node = tuple[str, str, str]
"""Kind (`scope`, `class`, `module`), path, qualified name."""


class Origin(NamedTuple):
    """How a node was reached: from which node, at which line, or as what root."""

    parent: Node | None
    line: int
    root: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """What a graph starts from.

    Attributes:
        loaded: Canonical paths of Python files whose top level ran.
        ran: Functions that were seen running, as (path, qualified name).
        loadable: Files that could be loaded, with everything that leads to them.
        mains: Files that were run as programs.
        texts: Names that texts outside Python code mention (templates, configuration),
            each with the path of the text.
        is_application: Whether a file is the application's own: what frameworks call by
            convention, and whose computed names nothing bounds.
        full_loader: Whether PyYAML's full loader makes objects of any name.
        parsed: Files that another graph of the same image parsed; this one adds its own.
    """

    loaded: frozenset[str]
    ran: frozenset[tuple[str, str]]
    loadable: Mapping[str, tuple[Loader, ...]] = field(default_factory=dict)
    mains: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)
    is_application: Callable[[str], bool] = lambda _: False
    full_loader: bool = True
    parsed: dict[str, ModuleFacts | None] = field(default_factory=dict)
