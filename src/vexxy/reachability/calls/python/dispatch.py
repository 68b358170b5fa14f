"""What unknown objects may lead to: attributes, words, classes in use, modules at large.

A method may be called when its class is in use and its name is mentioned on an object
that nobody knows. Both come in any order, so each is joined with what is known of the
other.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from vexxy.reachability.calls.python.facts import (
    BODY,
    NAMESPACE,
    Computed,
    Import,
    Mention,
    ModuleFacts,
    Scope,
)
from vexxy.reachability.calls.python.names import Names, Target
from vexxy.reachability.calls.python.start import Node, Origin

PREFIX_CHARACTERS_MIN: Final = 2
Where = tuple[Node, int]
"""A node and the line in it."""


class Add(Protocol):
    """Takes a node as reached; a second time changes nothing."""

    def __call__(self, node: Node, origin: Origin, /) -> None:
        """Take it."""


class Dispatch:
    """Joins names with what they may mean; `add` hears of everything reached so."""

    def __init__(
        self, names: Names, is_application: Callable[[str], bool], add: Add
    ) -> None:
        self._names: Final = names
        self._is_application: Final = is_application
        self._add: Final = add
        self._live: set[tuple[str, str]] = set()
        # Attributes of unknown objects, and where each was first mentioned.
        self._attributes: dict[str, Where] = {}
        self._words: dict[str, dict[str, Where]] = defaultdict(dict)
        self._prefixes: dict[str, Where] = {}
        # Methods mentioned on `self`: subclasses that come into use later have them too.
        self._own: dict[tuple[str, str], dict[str, Where]] = defaultdict(dict)
        self._methods: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
        self._functions: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._escaped: set[str] = set()
        self._outside: set[str] = set()
        # Files that an import by a value loads once their name is written somewhere.
        self._awaited: dict[str, list[tuple[str, str, Where]]] = defaultdict(list)
        self._indexed: set[str] = set()
        self._heirs: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)

    def index(self, facts: ModuleFacts) -> None:
        """Note what a file defines, so that names find it."""
        if facts.path in self._indexed:
            return
        self._indexed.add(facts.path)
        for owner, one in facts.classes.items():
            for name, member in one.members.items():
                self._methods[name].add((facts.path, owner, member))
        for name, bounds in facts.bindings.items():
            for bound in bounds:
                if isinstance(bound, str):
                    self._functions[name].add((facts.path, bound))

    def everywhere(self, word: str, node: Node) -> None:
        """Take a word of a file that could not be parsed for any function of the name."""
        for path, name in self._functions[word]:
            facts = self._names.module(path)
            kind = "class" if facts is not None and name in facts.classes else "scope"
            self._add((kind, path, name), Origin(node, 0))

    def target(self, target: Target, node: Node, line: int) -> None:
        """Take what a mention certainly stands for."""
        if target.kind in {"scope", "class", "module"}:
            self._add((target.kind, target.path, target.name), Origin(node, line))

    def on_self(self, target: Target, name: str, where: Where) -> None:
        """Reach a method mentioned on `self` in every subclass in use, now and later."""
        key = (target.path, target.name)
        if name in self._own[key]:
            return
        self._own[key][name] = where
        for heir in self._heirs[key]:
            self._method(heir, name, where)

    def _method(self, key: tuple[str, str], name: str, where: Where) -> None:
        facts = self._names.module(key[0])
        if facts is not None and key[1] in facts.classes:
            member = facts.classes[key[1]].members.get(name)
            if member:
                kind = "class" if member in facts.classes else "scope"
                self._add((kind, key[0], member), Origin(*where))

    def use(self, facts: ModuleFacts, name: str, node: Node) -> None:
        """A class came into use: so did its bases, and what is called on it unseen."""
        key = (facts.path, name)
        if key in self._live:
            return
        self._live.add(key)
        self.index(facts)
        application = self._is_application(facts.path)
        for path, owner in self._names.ancestry(key):
            if (path, owner) == key or not path:
                continue
            self._heirs[path, owner].add(key)
            self._add(("class", path, owner), Origin(node, facts.classes[name].line))
            for method, where in list(self._own[path, owner].items()):
                self._method(key, method, where)
        for short, member in facts.classes[name].members.items():
            if not member:
                continue
            kind = "class" if member in facts.classes else "scope"
            found: Node = (kind, facts.path, member)
            called = self._called(short, facts.path)
            if short.startswith("__") and short.endswith("__"):
                self._add(found, Origin(node, facts.classes[name].line))
            elif application and kind == "scope":
                # Frameworks call methods by convention (`get`, `do_GET`, `setUp`).
                self._add(found, Origin(node, facts.classes[name].line))
            elif called is not None:
                self._add(found, Origin(*called))

    def _called(self, name: str, path: str) -> Where | None:
        """Return where an attribute of this name is mentioned that may be this one."""
        if name in self._attributes:
            return self._attributes[name]
        for prefix, where in self._prefixes.items():
            if name.startswith(prefix):
                return where
        words = self._words.get(name, {})
        application = self._is_application(path)
        for source, mentioned in words.items():
            near = top(source) == top(path)
            if near or application or self._is_application(source):
                return mentioned
        return None

    def attribute(self, name: str, node: Node, line: int) -> None:
        """Note an attribute of an unknown object."""
        if name in self._attributes:
            return
        self._attributes[name] = (node, line)
        self._join(name, (node, line))

    def _join(
        self,
        name: str,
        where: Where,
        *,
        near: Callable[[str], bool] = lambda _: True,
    ) -> None:
        for path, owner, member in list(self._methods.get(name, ())):
            if (path, owner) in self._live and member and near(path):
                self._method((path, owner), name, where)
        for path, bound in list(self._functions.get(name, ())):
            if path in self._escaped and near(path):
                facts = self._names.module(path)
                kind = "class" if facts is not None and bound in facts.classes else "scope"
                self._add((kind, path, bound), Origin(*where))

    def escape(self, path: str) -> None:
        """A module is handed on as a value: its attributes may be taken from it."""
        if path in self._escaped:
            return
        self._escaped.add(path)
        facts = self._names.module(path)
        if facts is None:
            return
        self.index(facts)
        for name, bounds in facts.bindings.items():
            where = self._called(name, path)
            for bound in bounds:
                if where is not None and isinstance(bound, str):
                    kind = "class" if bound in facts.classes else "scope"
                    self._add((kind, path, bound), Origin(*where))

    def text(self, facts: ModuleFacts, text: str, node: Node) -> None:
        """Take a constant that reads like a name, or a path of names, for a mention."""
        parts = text.replace(":", ".").split(".")
        if len(parts) > 1:
            self.dotted(parts, node, wide=self._is_application(facts.path))
        words = self._words[parts[-1]]
        if facts.path in words:
            return
        words[facts.path] = (node, 0)
        for path, importer, where in self._awaited.get(parts[-1], ()):
            if self._may_name(facts.path, importer):
                self._add(("module", path, BODY), Origin(*where))
        application = self._is_application
        if application(facts.path):
            self._join(parts[-1], (node, 0))
        else:
            own = top(facts.path)
            self._join(
                parts[-1],
                (node, 0),
                near=lambda path: top(path) == own or application(path),
            )

    def when_named(self, path: str, importer: str, where: Where) -> None:
        """Load a file once a text near the importer, or in the application, names it."""
        stem = path.rpartition("/")[2].partition(".")[0]
        names = {path.split("/")[-2] if stem == "__init__" else stem}
        if top(path) != top(importer):
            # Of another package; its own name leads to it, too.
            names.add(top(path).rpartition("/")[2].removesuffix(".py"))
        for name in names:
            sources = self._words.get(name, {})
            if name in self._outside or any(
                self._may_name(source, importer) for source in sources
            ):
                self._add(("module", path, BODY), Origin(*where))
                return
            self._awaited[name].append((path, importer, where))

    def _may_name(self, source: str, importer: str) -> bool:
        return top(source) == top(importer) or self._is_application(source)

    def outside(self, word: str) -> None:
        """Note a word that stands outside Python code."""
        self._outside.add(word)

    def dotted(self, parts: Sequence[str], node: Node, *, wide: bool) -> None:
        """Take a path of names in a text for a mention of what it leads to.

        `wide` also loads modules that nothing else loads: what configuration names, a
        framework imports.
        """
        for split in range(len(parts), 0, -1):
            one = Import(".".join(parts[:split]), 0, None, 0)
            files = self._names.files("", one)
            if not files:
                continue
            for path in files:
                if path in self._indexed or wide:
                    self._add(("module", path, BODY), Origin(node, 0))
                    self.escape(path)
                if split < len(parts):
                    targets, _ = self._names.member(path, parts[split])
                    for target in targets:
                        self.target(target, node, 0)
            return

    def computed(
        self, facts: ModuleFacts, scope: Scope, computed: Computed, *, node: Node
    ) -> None:
        """Take every attribute that a computed name may be."""
        where = (node, computed.line)
        receiver = computed.receiver
        if receiver == (NAMESPACE,):
            self._all_of(Target("module", facts.path), computed.prefix, where)
            return
        if receiver != ("",):
            places = self._names.resolve(
                facts, scope, Mention((*receiver, "()")[:-1], computed.line)
            )
            known = [one for one in places.targets if one.kind != "scope"]
            if known and not places.unknown:
                for target in known:
                    self._all_of(target, computed.prefix, where)
                return
        wide = self._is_application(facts.path)
        if len(computed.prefix) >= PREFIX_CHARACTERS_MIN or wide:
            self._prefix(computed.prefix, where)

    def _all_of(self, target: Target, prefix: str, where: Where) -> None:
        """Reach everything of a module, or of a class and its bases, with a prefix."""
        if target.kind == "module":
            facts = self._names.module(target.path)
            for name in () if facts is None else list(facts.bindings):
                if name.startswith(prefix):
                    targets, _ = self._names.member(target.path, name)
                    for one in targets:
                        self.target(one, *where)
            return
        keys = self._names.ancestry((target.path, target.name))
        heirs = self._heirs[target.path, target.name]
        for path, owner in (*keys, *heirs):
            facts = self._names.module(path) if path else None
            if facts is None or owner not in facts.classes:
                continue
            for name in list(facts.classes[owner].members):
                if name.startswith(prefix):
                    self.on_self(Target("instance", path, owner), name, where)
                    self._method((path, owner), name, where)

    def _prefix(self, prefix: str, where: Where) -> None:
        if prefix in self._prefixes:
            return
        self._prefixes[prefix] = where
        for name in [one for one in self._methods if one.startswith(prefix)]:
            self._join(name, where)
        for name in [one for one in self._functions if one.startswith(prefix)]:
            self._join(name, where)


def top(path: str) -> str:
    """Return the top-level package of an installed file, the directory of another."""
    _, found, inner = path.rpartition("-packages/")
    if found:
        return inner.partition("/")[0]
    return path.rpartition("/")[0]
