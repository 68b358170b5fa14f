"""What JavaScript modules export, followed through those that pass it on."""

from collections.abc import Callable
from typing import Final

from vexxy.reachability.calls.javascript.facts import DEFAULT, FileFacts
from vexxy.reachability.calls.javascript.start import Node, Sources

DEPTH_MAX: Final = 8


class Exports:
    """Looks exports up; `facts` gives what a file says."""

    def __init__(self, facts: Callable[[str], FileFacts | None], sources: Sources) -> None:
        self._facts: Final = facts
        self._sources: Final = sources

    def default(self, path: str) -> set[int]:
        """Return the functions of a file that are its module's own value."""
        facts = self._facts(path)
        if facts is None:
            return set()
        found = set(facts.exports.get(DEFAULT, ()))
        for name in facts.exported.get(DEFAULT, ()):
            found |= facts.meant(name)[0]
        return found

    def named(self, path: str, export: str, depth: int = 0) -> set[Node]:
        """Return the functions that a module exports under a name."""
        facts = self._facts(path)
        if facts is None or depth > DEPTH_MAX:
            return set()
        found = {(path, index) for index in facts.exports.get(export, ())}
        for name in facts.exported.get(export, ()):
            functions, taken = facts.meant(name)
            found |= {(path, index) for index in functions}
            for one in taken:
                for file in self._sources.resolve(one.request, path):
                    if one.export in {None, DEFAULT}:
                        found |= {(file, index) for index in self.default(file)}
                    else:
                        found |= self.named(file, one.export or "", depth + 1)
        for request in facts.passed_on:
            for file in self._sources.resolve(request, path):
                found |= self.named(file, export, depth + 1)
        return found

    def all(self, path: str, depth: int = 0) -> set[Node]:
        """Return every function that a module exports."""
        facts = self._facts(path)
        if facts is None or depth > DEPTH_MAX:
            return set()
        found = {(path, index) for index in self.default(path)}
        for export in {*facts.exports, *facts.exported}:
            found |= self.named(path, export)
        # `module.exports = lib` hands out everything that is stored under a property.
        if DEFAULT in {*facts.exports, *facts.exported}:
            found |= {
                (path, index) for index, one in enumerate(facts.functions) if one.properties
            }
            for stored in facts.stored.values():
                for name, _ in stored:
                    found |= {(path, index) for index in facts.meant(name)[0]}
        for request in facts.passed_on:
            for file in self._sources.resolve(request, path):
                found |= self.all(file, depth + 1)
        return found
