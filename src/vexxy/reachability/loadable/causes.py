"""Every way in which code that is followed could be loaded, not only the first.

One way is enough to leave a package open. A call graph asks whether each of them can
happen, so the second may matter where the first cannot.
"""

from collections.abc import Mapping
from typing import Final

from vexxy.reachability.loadable.node_modules import SOURCE_SUFFIXES
from vexxy.reachability.loadable.tree import Lead
from vexxy.reachability.types import Reference

SUFFIXES: Final = (".py", ".pyw", ".pyc", *SOURCE_SUFFIXES)
CAUSES_MAX: Final = 200


class Causes:
    """What leads to each source file."""

    def __init__(self) -> None:
        self._found: dict[str, dict[Reference, None]] = {}

    def note(self, via: str, lead: Lead) -> None:
        """Note one way; beyond a limit those that come first stand for the rest."""
        path = lead.target
        if path == via or not path.endswith(SUFFIXES):
            return
        found = self._found.setdefault(path, {})
        if len(found) < CAUSES_MAX:
            found[Reference(path, via, lead.how, lead.source)] = None

    def all(self) -> Mapping[str, tuple[Reference, ...]]:
        """Return what was noted."""
        return {path: tuple(found) for path, found in self._found.items()}
