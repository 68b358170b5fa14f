"""What one JavaScript file defines and mentions.

Functions are found by the names they are bound to in their file and by the properties
they are stored under anywhere, as in field-based call graphs (Feldthaus et al., ICSE
2013). A function that is handed on where it is written counts as called.
"""

from dataclasses import dataclass, field
from typing import Final

BODY: Final = 0
DEFAULT: Final = "default"
"""The name under which a module's own value is exported (`module.exports = f`)."""


@dataclass(slots=True)
class Function:
    """One function, class constructor or the top of a file (index `BODY`).

    Attributes:
        name: Qualified as people write it (`Parser.parse`, `module.exports`, `redirect`).
        line: First line, 1-based.
        start: First byte in the file.
        end: One past the last byte.
        parent: Index of the function around it.
        escapes: Whether it is handed on where it is written, or stored under a name
            that is not known: called, as far as anyone can tell.
        is_class: Whether this is a class; its members are functions inside it.
        route: `GET /x` where it was handed on as the handler of one.
        properties: Names of properties it is stored under.
        mentions: Identifiers it uses, each with the first line.
        reads: Properties it reads of anything, each with the first line.
        members: (identifier, property) it reads, each with the first line.
        requests: Modules it loads, with the line and whether the module's own value is
            used where it is loaded.
        texts: Constants that look like names.
        chosen: Identifiers of which it calls a property whose name is a value; "" for
            any other object. With the line.
        handed: Identifiers, or `require:x`, that it hands on whole, with the line.
        requires_value: Line where it loads a module whose name is a value, else 0.
        evaluates: Line where it runs text that is no constant, else 0.
    """

    name: str
    line: int
    start: int
    end: int
    parent: int
    escapes: bool = False
    is_class: bool = False
    route: str = ""
    properties: set[str] = field(default_factory=set)
    mentions: dict[str, int] = field(default_factory=dict)
    reads: dict[str, int] = field(default_factory=dict)
    members: dict[tuple[str, str], int] = field(default_factory=dict)
    requests: list[tuple[str, int, bool]] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    chosen: dict[str, int] = field(default_factory=dict)
    handed: dict[str, int] = field(default_factory=dict)
    evaluates: int = 0
    requires_value: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A name bound to a module, or to one of its exports; None is the module itself."""

    request: str
    export: str | None


@dataclass(slots=True)
class FileFacts:
    """Everything about one file.

    Attributes:
        names: Identifiers, with the functions of this file that they stand for.
        taken: Identifiers, with what they take from modules.
        aliases: Identifiers, with identifiers of the same file they are copies of.
        exported: Exported names, with identifiers of the file.
        stored: Properties, with identifiers that are stored under them and by whom.
        passed_on: Modules whose exports are exported again.
        words: For a file that could not be parsed, every identifier in it.
    """

    path: str
    functions: list[Function] = field(default_factory=list)
    names: dict[str, set[int]] = field(default_factory=dict)
    taken: dict[str, set[Taken]] = field(default_factory=dict)
    aliases: dict[str, set[str]] = field(default_factory=dict)
    exported: dict[str, set[str]] = field(default_factory=dict)
    exports: dict[str, set[int]] = field(default_factory=dict)
    stored: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    passed_on: set[str] = field(default_factory=set)
    words: frozenset[str] | None = None
    _inside: dict[int, list[int]] | None = None
    _stored: dict[int, list[tuple[str, str]]] | None = None

    def inside(self, index: int) -> list[int]:
        """Return the functions written directly in a function."""
        if self._inside is None:
            self._inside = {}
            for number, one in enumerate(self.functions):
                if number:
                    self._inside.setdefault(one.parent, []).append(number)
        return self._inside.get(index, [])

    def stored_by(self, index: int) -> list[tuple[str, str]]:
        """Return (property, identifier) of what a function stores."""
        if self._stored is None:
            self._stored = {}
            for key, pairs in self.stored.items():
                for name, owner in sorted(pairs):
                    self._stored.setdefault(owner, []).append((key, name))
        return self._stored.get(index, [])

    def named(self, name: str) -> list[int]:
        """Return the functions that a name may mean, all but the top for no name.

        A class means its members too.
        """
        if not name:
            return list(range(1, len(self.functions)))
        short = name.rpartition(".")[2].rpartition("#")[2]
        found = set(self.names.get(short, ())) | self.exports.get(short, set())
        for index, one in enumerate(self.functions):
            own = one.name.rpartition(".")[2]
            inside = one.name.startswith(f"{name}.")
            if index and (short == own or short in one.properties or inside):
                found.add(index)
        stored = {each for each, _ in self.stored.get(short, ())}
        for each in stored | self.exported.get(short, set()):
            found |= self.meant(each)[0]
        return sorted(found)

    def meant(self, name: str) -> tuple[set[int], set[Taken]]:
        """Return what an identifier stands for, copies followed."""
        functions: set[int] = set()
        taken: set[Taken] = set()
        pending, seen = [name], set[str]()
        while pending:
            one = pending.pop()
            if one not in seen:
                seen.add(one)
                functions |= self.names.get(one, set())
                taken |= self.taken.get(one, set())
                pending += self.aliases.get(one, ())
        return functions, taken
