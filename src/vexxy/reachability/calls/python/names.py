"""Where a mention in Python code leads: modules, classes, functions, or nobody knows."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from vexxy.reachability.calls.python.facts import (
    BODY,
    LITERAL,
    Bound,
    Import,
    Mention,
    ModuleFacts,
    Scope,
)
from vexxy.reachability.wire import pycalls


class Sources(Protocol):
    """The Python files of one image."""

    def read(self, path: str) -> bytes | None:
        """Return a file's content, None where there is none to be read."""

    def find(self, name: str) -> Sequence[str]:
        """Return the files of an absolute module, its parents' among them."""

    def find_relative(self, path: str, level: int, name: str) -> Sequence[str]:
        """Return the files of a relative import of `level` dots from `path`."""


class Target(NamedTuple):
    """What a name stands for; `kind` is `module`, `class`, `instance` or `scope`."""

    kind: str
    path: str
    name: str = ""


Meaning = tuple[list[Target], bool]
"""What a name may stand for, and whether it can be nothing else."""


class Places(NamedTuple):
    """Everything one mention may stand for.

    Attributes:
        targets: What it ends at.
        passed: What it passes on the way (`a.b` of `a.b.c`).
        unknown: Attributes of objects that nobody knows.
    """

    targets: tuple[Target, ...]
    passed: tuple[Target, ...] = ()
    unknown: tuple[str, ...] = ()


class Names:
    """Resolves mentions; parses each file once, when it is first asked about."""

    def __init__(
        self,
        sources: Sources,
        *,
        loaded: frozenset[str],
        parsed: dict[str, ModuleFacts | None] | None = None,
    ) -> None:
        self._sources: Final = sources
        self._loaded: Final = loaded
        self._modules: Final = {} if parsed is None else parsed
        self._found: dict[tuple[str, int, str], tuple[str, ...]] = {}
        # What a name in a scope stands for; None while that is being found out, so that
        # a name bound in terms of itself ends as not known.
        self._meant: dict[tuple[str, str, str], Meaning | None] = {}
        self._lineages: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def module(self, path: str) -> ModuleFacts | None:
        """Return what a file says; None where it is no Python source."""
        if path not in self._modules:
            content = self._sources.read(path) if path.endswith((".py", ".pyw")) else None
            made = None if content is None else pycalls.parse(path, content)
            if path.endswith(".pyc") and (raw := self._sources.read(path)) is not None:
                made = pycalls.words_only(path, raw)
            self._modules[path] = made
        return self._modules[path]

    def parsed(self) -> Iterator[ModuleFacts]:
        """Yield every file that was parsed so far."""
        yield from (one for one in list(self._modules.values()) if one is not None)

    def files(self, path: str, one: Import) -> tuple[str, ...]:
        """Return the files of the module that an import names, parents left out.

        Several where several directories have one; then those that were loaded.
        """
        key = (path if one.level else "", one.level, one.module)
        if key not in self._found:
            if one.level:
                found = self._sources.find_relative(path, one.level, one.module)
            else:
                found = self._sources.find(one.module)
            stem = "/" + one.module.replace(".", "/") if one.module else ""
            if not stem:
                base = path.rpartition("/")[0]
                for _ in range(one.level - 1):
                    base = base.rpartition("/")[0]
                stem = "/" + base.rpartition("/")[2]
            exact = tuple(path for path in found if _stem(path).endswith(stem))
            ran = tuple(path for path in exact if path in self._loaded)
            self._found[key] = ran or exact
        return self._found[key]

    def parents(self, path: str, one: Import) -> tuple[str, ...]:
        """Return every file that an import runs, packages around the module included."""
        if one.level:
            found = self._sources.find_relative(path, one.level, one.module)
        else:
            found = self._sources.find(one.module)
        exact = self.files(path, one)
        tops = {_stem(inner).rpartition("/")[0] for inner in exact}
        around = [each for each in found if any(_around(each, top) for top in tops)]
        return tuple(dict.fromkeys((*around, *exact)))

    def loaded_by(self, path: str, one: Import) -> tuple[str, ...]:
        """Return every file that an import runs, also where the attribute is a module."""
        found = self.parents(path, one)
        if one.attribute is None:
            return found
        inner = f"{one.module}.{one.attribute}".strip(".")
        return (*found, *self.files(path, Import(inner, one.level, None, one.line)))

    def submodule(self, path: str, name: str) -> tuple[str, ...]:
        """Return the files of a module inside the package whose `__init__` is `path`."""
        if not path.rpartition("/")[2].startswith("__init__."):
            return ()
        return self.files(path, Import(name, 1, None, 0))

    def member(self, path: str, name: str) -> Meaning:
        """Return what a module's attribute is, and whether that is all it can be."""
        key = (path, BODY, name)
        if key not in self._meant:
            self._meant[key] = None
            self._meant[key] = self._member(path, name)
        return self._meant[key] or ([], False)

    def _member(self, path: str, name: str) -> Meaning:
        facts = self.module(path)
        if facts is None or facts.words is not None:
            return [], False
        found, certain = self._all(facts, facts.body, facts.bindings.get(name, ()))
        if name not in facts.bindings:
            certain = False
            for star in facts.body.stars:
                for file in self.files(path, star):
                    targets, sure = self.member(file, name)
                    found += targets
                    certain = certain or (bool(targets) and sure)
        inner = self.submodule(path, name)
        found += [Target("module", one) for one in inner]
        return list(dict.fromkeys(found)), certain or bool(inner)

    def _bound(self, facts: ModuleFacts, scope: Scope, bound: Bound) -> Meaning:
        """Return what a name is that was bound so in a scope."""
        if bound is None:
            return [], False
        if isinstance(bound, str):
            kind = "class" if bound in facts.classes else "scope"
            return [Target(kind, facts.path, bound)], True
        if isinstance(bound, Mention):
            places = self.resolve(facts, scope, bound)
            return list(places.targets), not places.unknown and bool(places.targets)
        files = self.files(facts.path, bound)
        if bound.attribute is None:
            return [Target("module", one) for one in files], bool(files)
        found: list[Target] = []
        certain = bool(files)
        for file in files:
            targets, sure = self.member(file, bound.attribute)
            found += targets
            certain = certain and sure
        if not files and not bound.module:
            inner = Import(bound.attribute, bound.level, None, bound.line)
            found += [Target("module", one) for one in self.files(facts.path, inner)]
        return found, certain

    def resolve(self, facts: ModuleFacts, scope: Scope, mention: Mention) -> Places:
        """Return everything that a mention in a scope may stand for."""
        first, *rest = mention.names
        current, certain = self._first(facts, scope, first)
        passed: list[Target] = []
        unknown: list[str] = []
        for name in rest:
            passed += current
            following: list[Target] = []
            lost = not current or not certain
            for target in current:
                targets, sure = self._step(target, name)
                following += targets
                lost = lost or not sure
            if lost and name != "()":
                unknown.append(name)
            current, certain = list(dict.fromkeys(following)), not lost
        return Places(tuple(current), tuple(passed), tuple(unknown))

    def _first(self, facts: ModuleFacts, scope: Scope, name: str) -> Meaning:
        special = _special(facts, scope, name)
        if special is not None:
            return [special], bool(special.kind)
        inner: Scope | None = scope
        while inner is not None and inner.name != BODY:
            if inner.owner and name == inner.receiver:
                return [Target("instance", facts.path, inner.owner)], True
            if name in inner.bindings:
                return self._local(facts, inner, name)
            inner = facts.scopes.get(inner.parent or BODY)
        if name in facts.classes and name not in facts.bindings:
            return [Target("class", facts.path, name)], True
        if name in facts.bindings or facts.body.stars:
            return self.member(facts.path, name)
        return [], False

    def _local(self, facts: ModuleFacts, scope: Scope, name: str) -> Meaning:
        key = (facts.path, scope.name, name)
        if key not in self._meant:
            self._meant[key] = None
            self._meant[key] = self._all(facts, scope, scope.bindings[name])
        return self._meant[key] or ([], False)

    def _all(self, facts: ModuleFacts, scope: Scope, bounds: Sequence[Bound]) -> Meaning:
        found: list[Target] = []
        certain = True
        for bound in bounds:
            targets, sure = self._bound(facts, scope, bound)
            found += targets
            certain = certain and sure
        return list(dict.fromkeys(found)), certain

    def _step(self, target: Target, name: str) -> Meaning:
        if target.kind == "module":
            return self.member(target.path, name)
        if target.kind in {"literal", ""}:
            return [], bool(target.kind)
        if target.kind == "scope":
            return [], False
        if name == "()":
            made = target.kind == "class"
            return [target._replace(kind="instance")] * made, made
        return self.attribute(target, name)

    def attribute(self, target: Target, name: str) -> Meaning:
        """Return what an attribute of a class or its instances is, bases included."""
        found: list[Target] = []
        known = True
        for path, owner in self.ancestry((target.path, target.name)):
            facts = self.module(path) if path else None
            if facts is None or owner not in facts.classes:
                known = False
                continue
            if target.kind == "super" and (path, owner) == (target.path, target.name):
                continue
            member = facts.classes[owner].members.get(name)
            if member:
                kind = "class" if member in facts.classes else "scope"
                found.append(Target(kind, path, member))
                break
        return found, bool(found) and known

    def ancestry(self, key: tuple[str, str]) -> list[tuple[str, str]]:
        """Return a class and everything it inherits from, as (path, qualified name).

        A base that is not known here is ("", its name).
        """
        if key not in self._lineages:
            self._lineages[key] = [key]
            self._lineages[key] = self._ancestry(key)
        return self._lineages[key]

    def _ancestry(self, key: tuple[str, str]) -> list[tuple[str, str]]:
        facts = self.module(key[0]) if key[0] else None
        if facts is None or key[1] not in facts.classes:
            return [key]
        one = facts.classes[key[1]]
        scope = facts.scopes.get(one.scope, facts.body)
        found: dict[tuple[str, str], None] = {key: None}
        for base in one.bases:
            places = self.resolve(facts, scope, base)
            classes = [each for each in places.targets if each.kind == "class"]
            for each in classes:
                found.update(dict.fromkeys(self.ancestry((each.path, each.name))))
            if not classes and base.names != ("object",):
                found["", ".".join(base.names)] = None
        return list(found)


def _stem(path: str) -> str:
    """Return the path without suffix; a package's is its directory."""
    directory, _, name = path.rpartition("/")
    plain = name.partition(".")[0]
    return directory if plain == "__init__" else f"{directory}/{plain}"


def _around(path: str, directory: str) -> bool:
    """Whether a file is the initializer of a package around a directory."""
    own, _, name = path.rpartition("/")
    return name.startswith("__init__.") and f"{directory}/".startswith(f"{own}/")


def _special(facts: ModuleFacts, scope: Scope, name: str) -> Target | None:
    """Return what a constant or `super()` is; an empty kind where nobody knows."""
    if name == LITERAL:
        return Target("literal", "")
    if name == "super()":
        owner = _owner(facts, scope)
        return Target("super", facts.path, owner) if owner else Target("", "")
    return None


def _owner(facts: ModuleFacts, scope: Scope) -> str | None:
    inner: Scope | None = scope
    while inner is not None and inner.name != BODY:
        if inner.owner:
            return inner.owner
        inner = facts.scopes.get(inner.parent or BODY)
    return None
