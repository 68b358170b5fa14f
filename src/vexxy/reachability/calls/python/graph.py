"""Everything that Python code which ran, or is registered to run, leads to.

By names, and generous: a function that is mentioned by code that can run can be called;
an attribute of an object that nobody knows may be every method of that name whose class
is in use. What was seen running is a root, so that a branch not taken counts as a path.
"""

import heapq
from collections.abc import Sequence
from typing import Final

from vexxy.reachability.calls import telling
from vexxy.reachability.calls.python import data, dispatch, entries
from vexxy.reachability.calls.python.dispatch import Dispatch
from vexxy.reachability.calls.python.facts import (
    BODY,
    MAIN,
    Decorator,
    Import,
    Mention,
    ModuleFacts,
    Scope,
)
from vexxy.reachability.calls.python.leads import Leads
from vexxy.reachability.calls.python.names import Names, Sources, Target
from vexxy.reachability.calls.python.start import Node, Origin, Start
from vexxy.reachability.calls.types import Loader, Reach, Reached, Step
from vexxy.reachability.wire import pydecorators

# What the interpreter and extension modules call by name on objects of any class.
CALLED_FROM_C: Final = (
    "read", "readline", "readlines", "readinto", "write", "writelines", "seek", "tell",
    "flush", "close", "fileno", "isatty", "truncate", "keys", "items", "values", "get",
    "send", "throw", "append", "extend", "update", "encode", "decode", "getvalue",
    "find_spec", "exec_module", "create_module", "find_module", "load_module", "tzinfo",
    "utcoffset", "dst", "tzname", "fromutc", "run", "emit", "filename", "lineno",
)  # fmt: skip
# Decorators that neither store nor hand on what they decorate.
PLAIN: Final = frozenset(
    {"property", "staticmethod", "classmethod", "cached_property", "lru_cache", "cache",
     "wraps", "abstractmethod", "abstractproperty", "contextmanager",
     "asynccontextmanager", "overload", "setter", "getter", "deleter", "dataclass",
     "total_ordering", "final", "override", "environ_property", "update_wrapper",
     "runtime_checkable", "unique", "deprecated"}
)  # fmt: skip


class Graph:
    """The closure over one image and one run; see `calls.types.CallGraph`."""

    def __init__(self, sources: Sources, start: Start) -> None:
        self._names: Final = Names(sources, loaded=start.loaded, parsed=start.parsed)
        self._sources: Final = sources
        self._start: Final = start
        self._origins: dict[Node, Origin] = {}
        self._queue: list[tuple[int, int, Node]] = []
        self._dispatch: Final = Dispatch(self._names, start.is_application, self._add)
        self._leads: Final = Leads(start.loadable)
        self._keepers: dict[str, frozenset[tuple[str, bool]] | None] = {}
        self._opened: list[str] = []
        self._entered: set[str] = set()
        self._close()

    def reach(self, files: Sequence[str], name: str) -> Reached:
        """Return whether a function could be called; see `calls.types.CallGraph`."""
        name = name.replace(".<locals>", "")
        for path in files:
            found = self._hit(path, name)
            if found is not None:
                return self._told(found)
        doubts = [doubt for path in files if (doubt := self._doubt(path, name))]
        doubts += self._opened[:1]
        if not self._start.ran:
            doubts.append("no function was seen running, so nothing is known to start from")
        if doubts:
            return Reached(Reach.OPEN, doubts[0])
        scopes = sum(1 for kind, _, _ in self._origins if kind == "scope")
        return Reached(
            Reach.NO_PATH,
            f"nothing mentions it among the {scopes} functions that ran, are registered, "
            f"or are mentioned by those",
        )

    def _hit(self, path: str, name: str) -> Node | None:
        """Return the node of the function, of a class's method, or of any in the file."""
        exact: Node = ("scope", path, name)
        if name and exact in self._origins:
            return exact
        inside = f"{name}." if name else ""
        for node in self._origins:
            kind, where, inner = node
            if where == path and inner not in {BODY, MAIN}:
                if kind == "class" and name and inner == name:
                    return node
                if kind == "scope" and inner.startswith(inside):
                    return node
        return None

    def _doubt(self, path: str, name: str) -> str | None:
        facts = self._names.module(path)
        if facts is None:
            return f"{path} is no Python source, so nobody here can tell what calls it"
        if facts.words is not None:
            return f"{path} could not be parsed"
        known = not name or name in facts.scopes or name in facts.classes
        if not known and not self._is_inside(facts, name):
            return f"how {path} defines {name} was not understood"
        return None

    def _is_inside(self, facts: ModuleFacts, name: str) -> bool:
        """Whether what has no definition here would be of a function or class not used.

        Whatever it is there, it comes to be when that function runs, or is called on that
        class; what the class inherits under the name must not be reached either.
        """
        outer, _, member = name.rpartition(".")
        while outer:
            if outer in facts.classes:
                return self._is_unused(facts, outer, member)
            if outer in facts.scopes:
                return ("scope", facts.path, outer) not in self._origins
            outer, _, member = outer.rpartition(".")
        return False

    def _is_unused(self, facts: ModuleFacts, owner: str, member: str) -> bool:
        if self._hit(facts.path, owner) is not None:
            return False
        target = Target("instance", facts.path, owner)
        inherited, _ = self._names.attribute(target, member)
        known = all(path for path, _ in self._names.ancestry((facts.path, owner)))
        return known and not any(
            (one.kind, one.path, one.name) in self._origins for one in inherited
        )

    def _told(self, node: Node) -> Reached:
        steps: list[Step] = []
        line, current = 0, node
        while True:
            origin = self._origins[current]
            kind, path, name = current
            label = f"class {name}" if kind == "class" else name
            steps.append(Step(path, label, line or self._line(current)))
            if origin.parent is None:
                break
            line, current = origin.line, origin.parent
        steps.reverse()
        entry = self._origins[current].root
        return telling.told(entry, steps)

    def _line(self, node: Node) -> int:
        kind, path, name = node
        facts = self._names.module(path)
        if facts is None:
            return 0
        if kind == "class":
            return facts.classes[name].line
        return facts.scopes[name].line if name in facts.scopes else 0

    # The closure.

    def _close(self) -> None:
        for path in sorted(self._start.loaded):
            if self._start.is_application(path):
                self._handlers_first(path)
        for path, name in sorted(self._start.ran):
            self._root(("scope", path, name), f"{name} of {path}, which ran", 1)
        for path in sorted(self._start.loaded):
            self._root(("module", path, BODY), f"the import of {path}", 2)
        for path, loader in self._leads.roots:
            self._root(("module", path, BODY), _could_load(path, loader), 3)
        self._outside()
        while self._queue:
            _, _, node = heapq.heappop(self._queue)
            self._expand(node)

    def _outside(self) -> None:
        """Take what the interpreter and texts outside Python code mention."""
        outside: Node = ("module", "", BODY)
        self._origins[outside] = Origin(None, 0, "the interpreter")
        for name in CALLED_FROM_C:
            self._dispatch.attribute(name, outside, 0)
        for word, path in self._start.texts.items():
            text: Node = ("module", path, BODY)
            self._origins.setdefault(text, Origin(None, 0, f"the text of {path}"))
            parts = word.replace(":", ".").split(".")
            self._dispatch.attribute(parts[-1], text, 0)
            self._dispatch.outside(parts[-1])
            if len(parts) > 1:
                self._dispatch.dotted(parts, text, wide=True)

    def _handlers_first(self, path: str) -> None:
        """Reach what the application registers before anything else.

        A route that nobody took explains more than the framework around it.
        """
        facts = self._names.module(path)
        if facts is None:
            return
        for scope in facts.scopes.values():
            label = entries.label(scope, self._registering(facts, scope))
            if label and (path, scope.name) not in self._start.ran:
                self._root(("scope", path, scope.name), label, 0)

    def _root(self, node: Node, label: str, priority: int) -> None:
        self._add(node, Origin(None, 0, label), priority)

    def _add(self, node: Node, origin: Origin, priority: int | None = None) -> None:
        if node in self._origins:
            return
        self._origins[node] = origin
        if priority is None:
            priority = 4
        heapq.heappush(self._queue, (priority, len(self._origins), node))

    def _expand(self, node: Node) -> None:
        kind, path, name = node
        facts = self._names.module(path)
        if facts is None:
            return
        if kind == "module":
            self._enter(facts, node)
        elif kind == "class":
            self._dispatch.use(facts, name, node)
        elif name in facts.scopes:
            self._scope(facts, facts.scopes[name], node)

    def _enter(self, facts: ModuleFacts, node: Node) -> None:
        """Run the top of a file."""
        if facts.path in self._entered:
            return
        self._entered.add(facts.path)
        self._dispatch.index(facts)
        if facts.words is not None:
            for word in facts.words:
                self._dispatch.attribute(word, node, 0)
                self._dispatch.everywhere(word, node)
            return
        known = self._imported(facts) if self._leads.has(facts.path) else frozenset()
        for path in list(self._leads.entered(facts, known)):
            self._add(("module", path, BODY), Origin(node, 0))
        self._scope(facts, facts.body, node)
        if facts.path in self._start.mains and MAIN in facts.scopes:
            self._scope(facts, facts.scopes[MAIN], node)
        if self._start.is_application(facts.path):
            self._dispatch.escape(facts.path)
            self._by_data(facts.path)

    def _by_data(self, path: str) -> None:
        text = (self._sources.read(path) or b"").decode("utf-8", "replace")
        found = data.doubt(
            path,
            text,
            program=path in self._start.mains,
            full_loader=self._start.full_loader,
        )
        if found is not None:
            self._opened.append(found)

    def _scope(self, facts: ModuleFacts, scope: Scope, node: Node) -> None:
        for one in scope.imports:
            self._import(facts, one, node)
        for mention in scope.mentions:
            self._mention(facts, scope, mention, node=node)
        for text in scope.texts:
            self._dispatch.text(facts, text, node)
        for word in scope.templates:
            self._dispatch.attribute(word, node, scope.line)
        for computed in scope.computed:
            self._dispatch.computed(facts, scope, computed, node=node)
        for registration in scope.registrations:
            self._registered(facts, scope, registration)
        self._definitions(facts, scope, node)
        application = self._start.is_application(facts.path)
        self._by_value(facts, scope, node)
        if scope.evaluates and application:
            self._opened.append(
                f"{facts.path}:{scope.evaluates} runs text that is made while it runs"
            )

    def _by_value(self, facts: ModuleFacts, scope: Scope, node: Node) -> None:
        """Load what an import of a name that is a value may mean.

        All of it where names are made of parts or listed from a directory: then only
        modules of the importer's own package have such names.
        """
        for path in self._leads.by_entry_points(facts, scope):
            self._add(("module", path, BODY), Origin(node, scope.entry_points))
        line = scope.imports_by_value
        if not line:
            return
        every = self._start.is_application(facts.path)
        made = scope.glues or any(one.enumerates for one in facts.scopes.values())
        for path in self._leads.by_name(facts):
            if every or (made and dispatch.top(path) == dispatch.top(facts.path)):
                self._add(("module", path, BODY), Origin(node, line))
            else:
                self._dispatch.when_named(path, facts.path, (node, line))

    def _definitions(self, facts: ModuleFacts, scope: Scope, node: Node) -> None:
        """Reach what decorators in this scope register."""
        for inner in facts.inside(scope.name):
            keeping = self._registering(facts, inner)
            if keeping:
                label = entries.label(inner, keeping)
                application = self._start.is_application(facts.path)
                found: Node = ("scope", facts.path, inner.name)
                if label and application:
                    self._root(found, label, 0)
                else:
                    self._add(found, Origin(node, keeping[0].mention.line))

    def _registering(self, facts: ModuleFacts, scope: Scope) -> tuple[Decorator, ...]:
        """Return the decorators of a function that may keep it."""
        return tuple(
            one for one in scope.decorators if self._may_keep(facts, scope, decorator=one)
        )

    def _may_keep(self, facts: ModuleFacts, scope: Scope, *, decorator: Decorator) -> bool:
        if decorator.mention.names[-1] in PLAIN:
            return False
        outer = facts.scopes.get(scope.parent or BODY, facts.body)
        places = self._names.resolve(facts, outer, decorator.mention)
        if not places.targets or places.unknown:
            return True
        for target in places.targets:
            if target.kind != "scope":
                return True
            if target.path not in self._keepers:
                content = self._sources.read(target.path) or b"("
                self._keepers[target.path] = pydecorators.keepers(content)
            keepers = self._keepers[target.path]
            short = target.name.rpartition(".")[2]
            if keepers is None or (short, decorator.called) in keepers:
                return True
        return False

    def _registered(
        self,
        facts: ModuleFacts,
        scope: Scope,
        registration: "entries.Registration",
    ) -> None:
        label = entries.registered(registration)
        if not label or not self._start.is_application(facts.path):
            return
        places = self._names.resolve(facts, scope, registration.mention)
        for target in places.targets:
            if target.kind in {"scope", "class"}:
                self._root((target.kind, target.path, target.name), label, 0)

    def _imported(self, facts: ModuleFacts) -> frozenset[str]:
        """Return every file that an import statement anywhere in a file leads to."""
        if facts.words is not None:
            return frozenset()
        statements = [one for scope in facts.scopes.values() for one in scope.imports]
        statements += facts.elsewhere
        return frozenset(
            path for one in statements for path in self._names.loaded_by(facts.path, one)
        )

    def _import(self, facts: ModuleFacts, one: Import, node: Node) -> None:
        for path in self._names.loaded_by(facts.path, one):
            self._add(("module", path, BODY), Origin(node, one.line))

    def _mention(
        self, facts: ModuleFacts, scope: Scope, mention: Mention, *, node: Node
    ) -> None:
        places = self._names.resolve(facts, scope, mention)
        for target in (*places.passed, *places.targets):
            self._dispatch.target(target, node, mention.line)
        for target in places.targets:
            if target.kind == "module":
                self._dispatch.escape(target.path)
        for target in places.passed:
            if target.kind == "instance":
                for name in mention.names[1:]:
                    self._dispatch.on_self(target, name, (node, mention.line))
        for name in places.unknown:
            self._dispatch.attribute(name, node, mention.line)


def _could_load(path: str, loader: Loader) -> str:
    return f"{path} could be loaded ({loader.via or 'the run'} {loader.how})"
