"""Files that something else than an import statement leads to, and when it does."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from vexxy.reachability.calls.python.dispatch import top
from vexxy.reachability.calls.python.facts import ModuleFacts, Scope
from vexxy.reachability.calls.types import Loader

SOURCES: Final = (".py", ".pyw")
# Of several files that say parts of a name, the one that was read last.
SAYS: Final = "says the entry points"


class Leads:
    """What the overlay of loadable files knows, by the Python file that leads there.

    Of a name that is a value, and of entry points, the overlay says which file asks; which
    function does, the graph knows: then, and in any file of the same package.
    """

    def __init__(self, loadable: Mapping[str, tuple[Loader, ...]]) -> None:
        # Files that no Python file leads to: they may be loaded from the start.
        self.roots: Final[list[tuple[str, Loader]]] = []
        self._led: dict[str, list[tuple[str, Loader]]] = defaultdict(list)
        self._named: dict[str, list[str]] = defaultdict(list)
        self._named_near: dict[str, list[str]] = defaultdict(list)
        self._points: dict[str, list[str]] = defaultdict(list)
        self._points_near: dict[str, list[str]] = defaultdict(list)
        for path, loaders in sorted(loadable.items()):
            for loader in loaders:
                self._note(path, loader)

    def _note(self, path: str, loader: Loader) -> None:
        if not loader.via.endswith(SOURCES) or loader.how.startswith(SAYS):
            self.roots.append((path, loader))
        elif loader.entry_points:
            self._points[loader.via].append(path)
            self._points_near[top(loader.via)].append(path)
        elif loader.by_value:
            self._named[loader.via].append(path)
            self._named_near[top(loader.via)].append(path)
        else:
            self._led[loader.via].append((path, loader))

    def has(self, path: str) -> bool:
        """Return whether a file leads to others by more than a value."""
        return path in self._led

    def entered(self, facts: ModuleFacts, imported: frozenset[str]) -> Iterator[str]:
        """Yield what the top of a file leads to; `imported` by its statements.

        By a value only where no function of the file is seen to ask for one.
        """
        scopes = facts.scopes.values()
        if not any(one.imports_by_value for one in scopes):
            yield from self._named.get(facts.path, ())
        if not any(one.entry_points for one in scopes):
            yield from self._points.get(facts.path, ())
        for path, loader in self._led.get(facts.path, ()):
            if not (loader.statement and path in imported):
                yield path

    def by_name(self, facts: ModuleFacts) -> Iterator[str]:
        """Yield what an import of a value in a file may mean."""
        yield from self._named_near.get(top(facts.path), ())

    def by_entry_points(self, facts: ModuleFacts, scope: Scope) -> Iterator[str]:
        """Yield what a function loads that looks entry points up."""
        if scope.entry_points:
            yield from self._points_near.get(top(facts.path), ())
