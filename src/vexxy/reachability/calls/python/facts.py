"""What one Python file defines and mentions.

A *mention* is any use of a name or an attribute, called or not: a function that is handed
on may be called by whoever got it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

BODY: Final = ""
LITERAL: Final = "<literal>"
NAMESPACE: Final = "<namespace>"
"""The names of the module itself, as `globals()` has them."""
MAIN: Final = "if __name__ == '__main__'"


@dataclass(frozen=True, slots=True)
class Mention:
    """`a.b.c` is `("a", "b", "c")`; a first name of "" is the value of an expression."""

    names: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Import:
    """What a name is bound to by an import; `attribute` is None for the module itself.

    `level` counts the dots; `import a.b` binds `a` and loads `a.b`, too.
    """

    module: str
    level: int
    attribute: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Decorator:
    """One decorator with the constants it is given.

    Attributes:
        texts: Its constant positional arguments.
        methods: Constants of its `methods` argument.
    """

    mention: Mention
    called: bool
    texts: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Computed:
    """`getattr` with a name that is not a constant.

    Attributes:
        receiver: Of which object; a first name of "" when it is an expression.
        prefix: What the name begins with for certain, often nothing.
    """

    receiver: tuple[str, ...]
    prefix: str
    line: int


Bound = Import | Mention | str | None


@dataclass(slots=True)
class Scope:
    """A function, or the code at the top of a module.

    Attributes:
        name: Qualified (`Class.method`, `outer.inner`), `BODY` or `MAIN`.
        owner: Qualified name of the class that a method belongs to, else None.
        parent: Qualified name of the function around it, else None.
        bindings: Local names with everything they are bound to: an import, the qualified
            name of a function or class, the mention that the value was taken from (with
            "()" last where it was called), None for anything else.
        receiver: The first parameter of a method (`self`, `cls`), else None.
        imports: Every import in it, those that bind nothing new included.
        texts: Constants that look like names or dotted paths.
        templates: Words of texts that look like templates.
        shared: Names declared `global`.
        evaluates: Line of an `eval` or `exec` of text that is not a constant, else 0.
        glues: Whether it makes names out of parts (`"handler_" + kind`).
        enumerates: Whether it lists directories.
        entry_points: Line where it asks for every entry point of a group, else 0.
        imports_by_value: Line of an import of a name that is not a constant, else 0.
    """

    name: str
    line: int = 0
    owner: str | None = None
    parent: str | None = None
    receiver: str | None = None
    mentions: list[Mention] = field(default_factory=list)
    bindings: dict[str, list["Bound"]] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    stars: list[Import] = field(default_factory=list)
    decorators: tuple[Decorator, ...] = ()
    texts: set[str] = field(default_factory=set)
    templates: set[str] = field(default_factory=set)
    computed: list[Computed] = field(default_factory=list)
    registrations: list["Registration"] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)
    evaluates: int = 0
    imports_by_value: int = 0
    entry_points: int = 0
    glues: bool = False
    enumerates: bool = False

    def bind(self, name: str, value: Bound) -> None:
        """Note one more thing that a name may stand for."""
        self.bindings.setdefault(name, []).append(value)


@dataclass(frozen=True, slots=True)
class Registration:
    """A call that hands on a name beside a constant path: `path("x/", views.x)`."""

    call: str
    text: str
    mention: Mention


@dataclass(slots=True)
class ClassFacts:
    """A class: its bases as mentions, its members by name."""

    name: str
    line: int
    bases: tuple[Mention, ...]
    members: dict[str, str] = field(default_factory=dict)
    scope: str = BODY


@dataclass(slots=True)
class ModuleFacts:
    """Everything about one file; scopes and classes by qualified name.

    Attributes:
        words: For a file that could not be parsed, every identifier in it.
        elsewhere: Imports that run on other platforms only.
    """

    path: str
    scopes: dict[str, Scope] = field(default_factory=dict)
    classes: dict[str, ClassFacts] = field(default_factory=dict)
    words: frozenset[str] | None = None
    elsewhere: list[Import] = field(default_factory=list)
    _inside: dict[str, list[Scope]] | None = None

    def inside(self, name: str) -> list[Scope]:
        """Return the functions defined directly in a scope, methods of its classes too."""
        if self._inside is None:
            self._inside = {}
            for scope in self.scopes.values():
                if scope.parent is not None and scope.parent != scope.name:
                    self._inside.setdefault(scope.parent, []).append(scope)
        return self._inside.get(name, [])

    @property
    def body(self) -> Scope:
        """The code at the top."""
        return self.scopes[BODY]

    @property
    def bindings(self) -> Mapping[str, list[Bound]]:
        """What the names at the top are bound to."""
        return self.body.bindings
