"""Everything that JavaScript code which ran, or is registered to run, leads to.

A function runs when what is around it ran and its name is mentioned: the identifier in
its own file, an export where the module is taken, the property anywhere. Objects are not
told apart, so a property is every function stored under that name.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from vexxy.reachability.calls import telling
from vexxy.reachability.calls.javascript.exports import Exports
from vexxy.reachability.calls.javascript.facts import (
    BODY,
    DEFAULT,
    FileFacts,
    Function,
    Taken,
)
from vexxy.reachability.calls.javascript.start import (
    CALLED_UNSEEN,
    SUFFIXES,
    Node,
    Origin,
    Ran,
    Sources,
    Start,
    Where,
    package_of,
)
from vexxy.reachability.calls.types import Loader, Reach, Reached, Step
from vexxy.reachability.wire import jscalls


class Graph:
    """The closure over one image and one run; see `calls.types.CallGraph`."""

    def __init__(self, sources: Sources, start: Start) -> None:
        self._sources: Final = sources
        self._start: Final = start
        self._files: dict[str, FileFacts | None] = {}
        self._exports: Final = Exports(self._facts, sources)
        self._origins: dict[Node, Origin] = {}
        self._queue: list[tuple[int, int, Node]] = []
        self._reads: dict[str, Where] = {}
        self._words: dict[str, dict[str, Where]] = defaultdict(dict)
        # Functions whose surroundings ran, by the properties that they are stored under.
        self._stored: dict[str, list[Node]] = defaultdict(list)
        self._aliased: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._wide: dict[str, Where] = {}
        self._opened: list[str] = []
        self._led: dict[str, list[tuple[str, Loader]]] = defaultdict(list)
        self._close()

    def reach(self, files: Sequence[str], name: str) -> Reached:
        """Return whether a function could be called; see `calls.types.CallGraph`."""
        doubts: list[str] = []
        for path in files:
            found = self._candidates(path, name)
            for index in found:
                if (path, index) in self._origins:
                    return self._told((path, index))
            if not found:
                doubts.append(f"how {path} defines {name or 'anything'} was not understood")
        doubts += self._opened[:1]
        if not self._start.ran:
            doubts.append("no function was seen running, so nothing is known to start from")
        if doubts:
            return Reached(Reach.OPEN, doubts[0])
        return Reached(
            Reach.NO_PATH,
            f"nothing mentions it among the {len(self._origins)} functions that ran, are "
            "registered, or are mentioned by those",
        )

    def _candidates(self, path: str, name: str) -> list[int]:
        """Return the functions of a file that a name may mean."""
        facts = self._facts(path)
        if facts is None:
            return []
        if name in {"module.exports", DEFAULT}:
            return sorted(self._exports.default(path))
        return facts.named(name)

    def _told(self, node: Node) -> Reached:
        steps: list[Step] = []
        line, current = 0, node
        while True:
            origin = self._origins[current]
            one = self._function(current)
            steps.append(Step(current[0], one.name, line or one.line))
            if origin.parent is None:
                break
            line, current = origin.line, origin.parent
        steps.reverse()
        entry = self._origins[current].root
        return telling.told(entry, steps)

    def _function(self, node: Node) -> Function:
        facts = self._facts(node[0])
        if facts is None:
            return Function("", 0, 0, 0, BODY)
        return facts.functions[node[1]]

    def _facts(self, path: str) -> FileFacts | None:
        if path not in self._files:
            content = self._sources.read(path)
            self._files[path] = None if content is None else jscalls.parse(path, content)
        return self._files[path]

    # The closure.

    def _close(self) -> None:
        for path in sorted(self._start.loaded):
            if self._start.is_application(path):
                self._routes_first(path)
        for ran in sorted(self._start.ran):
            self._root_ran(ran)
        for path in sorted(self._start.loaded):
            self._root((path, BODY), f"the loading of {path}", 2)
        for path, loaders in sorted(self._start.loadable.items()):
            for loader in loaders:
                if loader.by_value or not loader.via.endswith(SUFFIXES):
                    why = f"{loader.via or 'the run'} {loader.how}"
                    self._root((path, BODY), f"{path} could be loaded ({why})", 3)
                else:
                    self._led[loader.via].append((path, loader))
        self._outside()
        while self._queue:
            _, _, node = heapq.heappop(self._queue)
            self._expand(node)

    def _outside(self) -> None:
        """Take what the runtime and texts outside JavaScript mention."""
        outside: Node = ("", BODY)
        self._origins[outside] = Origin(None, 0, "the runtime")
        for name in CALLED_UNSEEN:
            self._read(name, (outside, 0))
        for word, path in self._start.texts.items():
            text: Node = (path, BODY)
            self._origins.setdefault(text, Origin(None, 0, f"the text of {path}"))
            for part in word.replace(":", ".").split("."):
                self._read(part, (text, 0))

    def _routes_first(self, path: str) -> None:
        facts = self._facts(path)
        ran = {(one.line, one.name) for one in self._start.ran if one.path == path}
        lines = {line for line, _ in ran}
        for index, one in enumerate(facts.functions if facts is not None else ()):
            if one.route and one.line not in lines:
                self._root((path, index), one.route, 0)

    def _root_ran(self, ran: Ran) -> None:
        """Root every function of a file that a report of a call may mean."""
        facts = self._facts(ran.path)
        if facts is None:
            return
        label = f"{ran.name or 'a function'} of {ran.path}:{ran.line}, which ran"
        short = ran.name.rpartition(".")[2]
        there = [index for index, one in enumerate(facts.functions) if one.line == ran.line]
        named = [
            index
            for index in there or range(len(facts.functions))
            if facts.functions[index].name.rpartition(".")[2] == short
        ]
        # Not to be told apart: any of them may have run, or all.
        for index in named or there or range(len(facts.functions)):
            self._root((ran.path, index), label, 1)

    def _root(self, node: Node, label: str, priority: int) -> None:
        self._add(node, Origin(None, 0, label), priority)

    def _add(self, node: Node, origin: Origin, priority: int = 4) -> None:
        if node not in self._origins:
            self._origins[node] = origin
            heapq.heappush(self._queue, (priority, len(self._origins), node))

    def _expand(self, node: Node) -> None:
        path, index = node
        facts = self._facts(path)
        if facts is None or index >= len(facts.functions):
            return
        one = facts.functions[index]
        if index == BODY and facts.words is not None:
            self._everything(facts, node)
        if index == BODY:
            for request in facts.passed_on:
                self._request(path, request, (node, 0))
            self._loads(facts, node)
        for number in facts.inside(index):
            self._live(facts, number, node)
        for key, name in facts.stored_by(index):
            self._alias(key, path, name)
        self._follow(facts, one, node)

    def _loads(self, facts: FileFacts, node: Node) -> None:
        """Load what a file leads to otherwise than by a request that is understood."""
        led = self._led.get(facts.path)
        if not led:
            return
        requests = {one for each in facts.functions for one, _, _ in each.requests}
        known = {
            file
            for one in requests | facts.passed_on
            for file in self._sources.resolve(one, facts.path)
        }
        for path, loader in led:
            if not (loader.statement and path in known):
                self._add((path, BODY), Origin(node, 0))

    def _everything(self, facts: FileFacts, node: Node) -> None:
        """Take every word of a file that could not be parsed for a mention."""
        for word in facts.words or ():
            self._read(word, (node, 0))
        for number in range(1, len(facts.functions)):
            self._add((facts.path, number), Origin(node, 0))

    def _live(self, facts: FileFacts, number: int, node: Node) -> None:
        """What is around a function ran, so the function exists."""
        inner = facts.functions[number]
        found: Node = (facts.path, number)
        if inner.escapes:
            self._add(found, Origin(node, inner.line))
            return
        for key in inner.properties:
            self._stored[key].append(found)
            where = self._reads.get(key) or self._word(key, facts.path)
            if where is not None:
                self._add(found, Origin(*where))
        where = self._wide.get(package_of(facts.path))
        if inner.properties and where is not None:
            self._add(found, Origin(*where))

    def _follow(self, facts: FileFacts, one: Function, node: Node) -> None:
        for name, line in one.mentions.items():
            self._mention(facts, name, (node, line))
        for (name, key), line in one.members.items():
            self._member(facts, name, key, where=(node, line))
        for key, line in one.reads.items():
            self._read(key, (node, line))
        for request, line, used in one.requests:
            self._request(facts.path, request, (node, line))
            if used:
                self._take(facts.path, Taken(request, None), (node, line))
        for text in one.texts:
            self._text(facts.path, text, (node, one.line))
        for name, line in one.chosen.items():
            self._choose(facts, name, (node, line))
        if self._start.is_application(facts.path):
            self._application(facts, one, node)

    def _application(self, facts: FileFacts, one: Function, node: Node) -> None:
        """Follow what only the application's own code is asked for."""
        for name, line in one.handed.items():
            self._hand_on(facts, name, (node, line))
        doubts = (
            (one.requires_value, "loads a module whose name is a value"),
            (one.evaluates, "runs text that is made while it runs"),
        )
        self._opened += [f"{facts.path}:{line} {what}" for line, what in doubts if line]

    def _mention(self, facts: FileFacts, name: str, where: Where) -> None:
        functions, taken = facts.meant(name)
        for index in functions:
            self._add((facts.path, index), Origin(*where))
        for one in taken:
            self._take(facts.path, one, where)

    def _member(self, facts: FileFacts, name: str, key: str, *, where: Where) -> None:
        functions, taken = facts.meant(name)
        for index in functions:
            if key in {"call", "apply", "bind"} or facts.functions[index].is_class:
                self._add((facts.path, index), Origin(*where))
        exact = False
        for one in taken:
            if one.export in {None, DEFAULT}:
                exact = self._take(facts.path, Taken(one.request, key), where) or exact
                if key in {"call", "apply", "bind", "[]"}:
                    self._take(facts.path, Taken(one.request, None), where)
            else:
                self._take(facts.path, one, where)
        if not exact:
            self._read(key, where)

    def _take(self, path: str, taken: Taken, where: Where) -> bool:
        """Reach what is taken from a module; return whether it was found there."""
        exact = False
        for file in self._sources.resolve(taken.request, path):
            if taken.export in {None, DEFAULT}:
                found = {(file, index) for index in self._exports.default(file)}
            else:
                found = self._exports.named(file, taken.export)
            for node in found:
                self._add(node, Origin(*where))
            exact = exact or bool(found)
        if not exact and taken.export not in {None, DEFAULT}:
            self._read(taken.export, where)
        return exact

    def _request(self, path: str, request: str, where: Where) -> None:
        for file in self._sources.resolve(request, path):
            self._add((file, BODY), Origin(*where))

    def _read(self, key: str, where: Where) -> None:
        """Note that a property is read of something."""
        if key in self._reads:
            return
        self._reads[key] = where
        for node in list(self._stored.get(key, ())):
            self._add(node, Origin(*where))
        for path, name in list(self._aliased.get(key, ())):
            self._alias_read(path, name, where)

    def _alias(self, key: str, path: str, name: str) -> None:
        self._aliased[key].append((path, name))
        where = self._reads.get(key) or self._word(key, path)
        where = where or self._wide.get(package_of(path))
        if where is not None:
            self._alias_read(path, name, where)

    def _alias_read(self, path: str, name: str, where: Where) -> None:
        facts = self._facts(path)
        if facts is not None:
            self._mention(facts, name, where)

    def _word(self, key: str, path: str) -> Where | None:
        """Return where a text names a property that may be this one."""
        for source, where in self._words.get(key, {}).items():
            if self._near(source, path):
                return where
        return None

    def _near(self, source: str, path: str) -> bool:
        application = self._start.is_application
        return (
            package_of(source) == package_of(path)
            or application(source)
            or application(path)
        )

    def _text(self, path: str, text: str, where: Where) -> None:
        """Take a constant that reads like a name for a property read by a value."""
        key = text.replace("#", ".").replace("/", ".").replace(":", ".").rpartition(".")[2]
        words = self._words[key]
        if path in words:
            return
        words[path] = where
        for node in list(self._stored.get(key, ())):
            if self._near(path, node[0]):
                self._add(node, Origin(*where))
        for file, name in list(self._aliased.get(key, ())):
            if self._near(path, file):
                self._alias_read(file, name, where)

    def _modules(self, facts: FileFacts, name: str) -> set[str]:
        """Return the files of the module that an identifier, or `require:x`, stands for."""
        _, found, request = name.partition("require:")
        requests = {request} if found else {one.request for one in facts.meant(name)[1]}
        return {file for one in requests for file in self._sources.resolve(one, facts.path)}

    def _hand_on(self, facts: FileFacts, name: str, where: Where) -> None:
        """A module is handed on as a value: whoever gets it may call all it exports."""
        for file in self._modules(facts, name):
            for node in self._exports.all(file):
                self._add(node, Origin(*where))

    def _choose(self, facts: FileFacts, name: str, where: Where) -> None:
        """A property whose name is a value is called: of a module, or of anything near."""
        files = self._modules(facts, name)
        packages = {package_of(file) for file in files} or {package_of(facts.path)}
        for package in packages - self._wide.keys():
            self._wide[package] = where
            for nodes in list(self._stored.values()):
                for node in nodes:
                    if package_of(node[0]) == package:
                        self._add(node, Origin(*where))
            for aliases in list(self._aliased.values()):
                for path, alias in aliases:
                    if package_of(path) == package:
                        self._alias_read(path, alias, where)
