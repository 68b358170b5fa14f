"""A Python file's syntax tree, read for what it defines and mentions.

Unlike `pysource` this needs a parser: which function a mention stands in is what matters.
A file in a grammar that this Python does not know falls back to its words.
"""

import ast
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.calls.python.facts import (
    BODY,
    MAIN,
    NAMESPACE,
    ClassFacts,
    Computed,
    Import,
    Mention,
    ModuleFacts,
    Registration,
    Scope,
)
from vexxy.reachability.wire import pybindings, pynodes, pyplatform

WORD: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{1,99}")
NAME_LIKE: Final = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*")
CODE_CHARACTERS_MAX: Final = 64 * 1024
TEXT_CHARACTERS_MAX: Final = 120
TEMPLATE_MARKS: Final = ("{{", "{%", "${")
TEMPLATE_WORD: Final = re.compile(r"[A-Za-z_]\w*")
# The name they are asked for is what somebody mentioned, so it is a mention already.
PASSING_ON: Final = ("__getattr__", "__getattribute__")
IMPORTERS: Final = frozenset(
    {"import_module", "__import__", "import_string", "import_object", "import_item",
     "import_app", "load_module", "exec_module", "spec_from_file_location", "find_spec",
     "find_module", "find_loader", "run_module", "run_path", "import_by_path", "locate",
     "resolve_name", "_import_module", "importstr", "safe_import", "lazy_import",
     "LazyModule", "LazyLoader", "safeimport", "load_entry_point"}
)  # fmt: skip
# They list what lies in a directory; what imports beside them may take all of it.
ENUMERATORS: Final = frozenset(
    {"iter_modules", "walk_packages", "listdir", "scandir", "iterdir", "glob", "rglob",
     "iglob", "walk"}
)  # fmt: skip
# They import whatever packages say of themselves.
ENTRY_POINTS: Final = frozenset(
    {"entry_points", "iter_entry_points", "get_entry_map", "load_entry_point",
     "get_entry_info", "EntryPoint", "ExtensionManager", "NamedExtensionManager",
     "EnabledExtensionManager", "DispatchExtensionManager", "DriverManager", "HookManager",
     "NameDispatchExtensionManager", "load_setuptools_entrypoints"}
)  # fmt: skip
GLUED: Final = re.compile(r"\w(?:%\w|\{)|(?:%[sdr]|\})\w")


def parse(path: str, content: bytes) -> ModuleFacts:
    """Return what a file defines and mentions; never raises for what is in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return words_only(path, content)
    facts = ModuleFacts(path, scopes={BODY: Scope(BODY)})
    try:
        reader = _Reader(facts, pyplatform.trusted(tree, content))
        reader.body(tree.body, _Place(facts.body))
    except RecursionError:
        return words_only(path, content)
    return facts


def words_only(path: str, content: bytes) -> ModuleFacts:
    """Return the facts of a file that only its words are known of (compiled, foreign)."""
    words = frozenset(one.decode("ascii") for one in set(WORD.findall(content)))
    return ModuleFacts(path, scopes={BODY: Scope(BODY)}, words=words)


# What binds names in ways of its own.
BINDING: Final = (
    ast.For, ast.AsyncFor, ast.comprehension, ast.withitem, ast.ExceptHandler,
    ast.NamedExpr, ast.AugAssign, ast.MatchAs, ast.MatchStar,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stands: the scope it runs in, and the class around it."""

    scope: Scope
    owner: str | None = None

    @property
    def prefix(self) -> str:
        """What the qualified names of definitions here begin with."""
        inner = self.scope.name not in {BODY, MAIN}
        return f"{self.owner}." if self.owner else f"{self.scope.name}." * inner


class _Reader:
    """Walks the statements of one file, one scope at a time."""

    def __init__(self, facts: ModuleFacts, trusted: frozenset[str]) -> None:
        self._facts: Final = facts
        self._trusted: Final = trusted
        self._handed: set[int] = set()
        self._special: Final[Mapping[type[ast.AST], Callable[..., None]]] = {
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.If: self._if,
            ast.Call: self._call,
            ast.Attribute: self._mention,
            ast.Name: self._mention,
            ast.Constant: self._constant,
            ast.Assign: self._assign,
            ast.AnnAssign: self._assign,
            ast.Global: self._global,
            ast.JoinedStr: self._joined,
            ast.Subscript: self._subscript,
            ast.BinOp: self._joined,
        }

    def body(self, statements: Iterable[ast.AST], place: _Place) -> None:
        """Read what runs at one place."""
        for statement in statements:
            self._visit(statement, place)

    def _visit(self, node: ast.AST, place: _Place) -> None:
        special = self._special.get(type(node))
        if special is not None:
            special(node, place)
            return
        self._children(node, place)
        if place.owner is None and isinstance(node, BINDING):
            pybindings.bind_targets(place.scope, node)

    def _children(self, node: ast.AST, place: _Place) -> None:
        # As `ast.iter_child_nodes`, without its cost: hundreds of thousands of nodes.
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                for one in value:
                    if isinstance(one, ast.AST):
                        self._visit(one, place)
            elif isinstance(value, ast.AST) and value._fields:
                self._visit(value, place)

    def _if(self, node: ast.If, place: _Place) -> None:
        answer = pyplatform.holds(node.test, self._trusted) if self._trusted else None
        if place.scope.name == BODY and place.owner is None and pynodes.is_main(node.test):
            main = self._facts.scopes.setdefault(MAIN, Scope(MAIN, node.lineno))
            self.body(node.body, _Place(main))
            self.body(node.orelse, place)
        elif pynodes.last(node.test) == "TYPE_CHECKING":
            self.body(node.orelse, place)
        elif answer is not None:
            runs, never = node.body, node.orelse
            if not answer:
                runs, never = never, runs
            self._visit(node.test, place)
            self.body(runs, place)
            self._elsewhere(never, place)
        else:
            self._children(node, place)

    def _elsewhere(self, statements: Iterable[ast.AST], place: _Place) -> None:
        """Read what runs on another platform only: it defines, and leads nowhere."""
        own = place.scope
        scope = Scope(own.name, own.line, own.owner, own.parent, own.receiver)
        self.body(statements, _Place(scope, place.owner))
        self._facts.elsewhere += scope.imports

    def _joined(self, node: ast.JoinedStr | ast.BinOp, place: _Place) -> None:
        """Note names that are made of parts."""
        parts = node.values if isinstance(node, ast.JoinedStr) else [node.left, node.right]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            parts = [node.left]
        text = "".join(
            one.value
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
            else "{}"
            for one in parts
        )
        place.scope.glues = place.scope.glues or GLUED.search(text) is not None
        self._children(node, place)

    def _constant(self, node: ast.Constant, place: _Place) -> None:
        if isinstance(node.value, str):
            _text(node.value, place.scope)
            self._code(node.value, place)

    def _code(self, text: str, place: _Place) -> None:
        """Read a text that is code itself, as another Python may be given it."""
        if "import" not in text or len(text) > CODE_CHARACTERS_MAX:
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(textwrap.dedent(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        if any(isinstance(one, ast.Import | ast.ImportFrom) for one in ast.walk(tree)):
            self.body(tree.body, _Place(place.scope))

    def _subscript(self, node: ast.Subscript, place: _Place) -> None:
        """Note names that are looked up in a namespace by a value."""
        names = pynodes.namespace(node.value)
        if names is None:
            self._children(node, place)
            return
        self._looked_up(names, node.slice, place)
        self.body([node.slice], place)

    def _looked_up(self, names: tuple[str, ...], key: ast.expr, place: _Place) -> None:
        constants = pynodes.constants([key])
        for one in constants:
            # In the module's own names a constant is the name itself.
            own = names[1:] if names[0] == NAMESPACE else names
            place.scope.mentions.append(Mention((*own, one), key.lineno))
        if not constants:
            computed = Computed(names, pynodes.prefix(key), key.lineno)
            place.scope.computed.append(computed)

    def _assign(self, node: ast.Assign | ast.AnnAssign, place: _Place) -> None:
        """Bind what is assigned. An annotation names a type and calls nothing."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        self.body([*targets, *([node.value] if node.value else [])], place)
        if place.owner is None:
            pybindings.bind_values(place.scope, targets, node.value)

    def _global(self, node: ast.Global, place: _Place) -> None:
        place.scope.shared |= set(node.names)
        for name in node.names:
            self._facts.body.bind(name, None)

    def _function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: _Place
    ) -> None:
        defaults = (*node.args.defaults, *(one for one in node.args.kw_defaults if one))
        self.body((*node.decorator_list, *defaults), place)
        name = place.prefix + node.name
        names = pynodes.parameters(node.args)
        decorators = tuple(pynodes.decorator(one) for one in node.decorator_list)
        static = any(one.mention.names[-1] == "staticmethod" for one in decorators)
        scope = self._facts.scopes.setdefault(
            name,
            Scope(
                name,
                node.lineno,
                owner=place.owner,
                parent=place.scope.name,
                receiver=names[0] if place.owner and names and not static else None,
            ),
        )
        # Defined twice (`if`, overloads, setters): each may run, one scope stands.
        scope.decorators = (*scope.decorators, *decorators)
        for one in names:
            scope.bind(one, None)
        self._define(node.name, name, place)
        self.body(node.body, _Place(scope))
        for one in scope.shared:
            scope.bindings.pop(one, None)

    def _class(self, node: ast.ClassDef, place: _Place) -> None:
        name = place.prefix + node.name
        given = (*node.bases, *(one.value for one in node.keywords))
        self.body((*node.decorator_list, *given), place)
        bases = tuple(chain for one in given if (chain := pynodes.chain(one)))
        made = ClassFacts(name, node.lineno, (), scope=place.scope.name)
        facts = self._facts.classes.setdefault(name, made)
        facts.bases = tuple(dict.fromkeys((*facts.bases, *bases)))
        self._define(node.name, name, place)
        self.body(node.body, _Place(place.scope, owner=name))

    def _define(self, short: str, name: str, place: _Place) -> None:
        if place.owner is not None:
            self._facts.classes[place.owner].members[short] = name
        elif place.scope.name == MAIN:
            self._facts.body.bind(short, name)
        else:
            place.scope.bind(short, name)

    def _import(self, node: ast.Import, place: _Place) -> None:
        for alias in node.names:
            whole = Import(alias.name, 0, None, node.lineno)
            place.scope.imports.append(whole)
            top = alias.name.partition(".")[0]
            value = whole if alias.asname else Import(top, 0, None, node.lineno)
            self._bind_import(alias.asname or top, value, place)

    def _import_from(self, node: ast.ImportFrom, place: _Place) -> None:
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                star = Import(module, node.level, None, node.lineno)
                place.scope.imports.append(star)
                place.scope.stars.append(star)
                continue
            if alias.asname and alias.name in ENTRY_POINTS:
                place.scope.entry_points = place.scope.entry_points or node.lineno
            value = Import(module, node.level, alias.name, node.lineno)
            place.scope.imports.append(value)
            self._bind_import(alias.asname or alias.name, value, place)

    def _bind_import(self, name: str, value: Import, place: _Place) -> None:
        if place.owner is not None:
            self._facts.classes[place.owner].members.setdefault(name, "")
        body = self._facts.body if place.scope.name == MAIN else place.scope
        body.bind(name, value)

    def _call(self, node: ast.Call, place: _Place) -> None:
        name, scope = pynodes.last(node.func), place.scope
        if isinstance(node.func, ast.Attribute) and node.args:
            names = pynodes.namespace(node.func.value)
            if names is not None:
                self._looked_up(names, node.args[0], place)
        elif name in {"globals", "locals"} and id(node) not in self._handed:
            scope.computed.append(Computed((NAMESPACE,), "", node.lineno))
        if name == "getattr" and len(node.args) > 1:
            _computed(node, scope)
        elif name in {"eval", "exec"} and isinstance(node.func, ast.Name):
            if node.args and not isinstance(node.args[0], ast.Constant):
                scope.evaluates = scope.evaluates or node.lineno
        elif name in IMPORTERS and node.args:
            self._import_call(node, name, scope)
        scope.enumerates = scope.enumerates or name in ENUMERATORS
        _registration(node, name, scope)
        self._children(node, place)

    def _import_call(self, node: ast.Call, name: str, scope: Scope) -> None:
        constants = pynodes.constants(node.args[:1])
        scope.imports += [Import(one, 0, None, node.lineno) for one in constants]
        if not constants:
            scope.imports_by_value = scope.imports_by_value or node.lineno
        if name == "__import__" and isinstance(node.func, ast.Name):
            # It only asks its namespaces which package they are of.
            self._handed |= {id(one) for one in node.args[1:3]}

    def _mention(self, node: ast.Attribute | ast.Name, place: _Place) -> None:
        inner: ast.AST = node
        while isinstance(inner, ast.Attribute):
            inner = inner.value
        if not isinstance(inner, ast.Name):
            self._visit(inner, place)
        elif isinstance(inner.ctx, ast.Store) and inner is node:
            return
        chain = pynodes.chain(node)
        if chain is None:
            return
        if chain.names[-1] in ENTRY_POINTS:
            place.scope.entry_points = place.scope.entry_points or chain.line
        if place.owner is not None:
            member = self._facts.classes[place.owner].members.get(chain.names[0], "")
            if member:
                inside = (place.owner, *chain.names)
                place.scope.mentions.append(Mention(inside, chain.line))
        place.scope.mentions.append(chain)


def _computed(node: ast.Call, scope: Scope) -> None:
    name = node.args[1]
    chain = pynodes.chain(node.args[0])
    own = pynodes.namespace(node.args[0])
    names = own or (chain.names if chain else ("",))
    if isinstance(name, ast.Constant):
        if isinstance(name.value, str):
            scope.mentions.append(Mention((*names, name.value), node.lineno))
    elif not (isinstance(name, ast.Name) and scope.name.endswith(PASSING_ON)):
        scope.computed.append(Computed(names, pynodes.prefix(name), node.lineno))


def _registration(node: ast.Call, name: str, scope: Scope) -> None:
    texts = pynodes.constants(node.args)
    if not texts:
        return
    for given in (*node.args, *(one.value for one in node.keywords)):
        chain = pynodes.chain(given)
        if chain is not None and not isinstance(given, ast.Constant):
            scope.registrations.append(Registration(name, texts[0], chain))


def _text(text: str, scope: Scope) -> None:
    if len(text) <= TEXT_CHARACTERS_MAX and NAME_LIKE.fullmatch(text):
        scope.texts.add(text)
    elif "{" in text and GLUED.search(text):
        scope.glues = True
    elif any(mark in text for mark in TEMPLATE_MARKS):
        scope.templates |= set(TEMPLATE_WORD.findall(text))
