"""Walks the syntax tree of one JavaScript file."""

import re
from collections.abc import Callable
from typing import Final

from tree_sitter import Node

from vexxy.reachability.calls.javascript.facts import DEFAULT, FileFacts, Function, Taken
from vexxy.reachability.wire import jsbindings, jsnodes, jsplaces
from vexxy.reachability.wire.jsplaces import Place

NAME_LIKE: Final = re.compile(r"[A-Za-z_$][\w$-]*(?:[.#:/][A-Za-z_$][\w$-]*)*")
TEXT_CHARACTERS_MAX: Final = 80
FUNCTIONS: Final = frozenset(
    {"function_declaration", "generator_function_declaration", "function_expression",
     "generator_function", "arrow_function", "method_definition"}
)  # fmt: skip
IDENTIFIERS: Final = frozenset({"identifier", "shorthand_property_identifier"})
CLASSES: Final = frozenset({"class_declaration", "class", "abstract_class_declaration"})
TYPES: Final = frozenset(
    {"type_annotation", "type_alias_declaration", "interface_declaration",
     "type_arguments", "type_parameters", "ambient_declaration", "function_signature"}
)  # fmt: skip
EVALUATING: Final = frozenset({"eval", "Function", "runInContext", "runInNewContext",
                               "runInThisContext", "compileFunction"})  # fmt: skip
Visit = Callable[[Node, Place], None]


class Reader:
    """Walks one tree."""

    def __init__(self, facts: FileFacts) -> None:
        self._facts: Final = facts
        self._special: Final[dict[str, Visit]] = {
            **dict.fromkeys(FUNCTIONS, self._function),
            **dict.fromkeys(CLASSES, self._class),
            **dict.fromkeys(TYPES, lambda _node, _place: None),
            "variable_declarator": self._declarator,
            "assignment_expression": self._assignment,
            "pair": self._pair,
            "shorthand_property_identifier": self._shorthand,
            "identifier": self._identifier,
            "member_expression": self._member,
            "subscript_expression": self._subscript,
            "call_expression": self._call,
            "new_expression": self._new,
            "string": self._string,
            "import_statement": self._import,
            "export_statement": self._export,
            "formal_parameters": self._parameters,
            "field_definition": self._field,
            "public_field_definition": self._field,
            "catch_clause": self._catch,
            "object": self._object,
            "for_in_statement": self._iterated,
            "spread_element": self._iterated,
            "parenthesized_expression": self._through,
        }

    def visit(self, node: Node, place: Place) -> None:
        """Read a node and everything in it."""
        special = self._special.get(node.type)
        if special is not None:
            special(node, place)
        else:
            self._children(node, Place(place.function, place.owner))

    def _children(self, node: Node, place: Place) -> None:
        for child in node.named_children:
            self.visit(child, place)

    def _through(self, node: Node, place: Place) -> None:
        self._children(node, place)

    def _here(self, place: Place) -> Function:
        return self._facts.functions[place.function]

    def _function(self, node: Node, place: Place) -> None:
        declared = jsnodes.text(node.child_by_field_name("name"))
        method = node.type == "method_definition"
        key = declared if method else place.key
        name = jsplaces.qualified(place, declared, method=method)
        index = len(self._facts.functions)
        made = Function(
            name,
            node.start_point[0] + 1,
            node.start_byte,
            node.end_byte,
            place.function,
            escapes=not (method or place.bound or node.type.endswith("_declaration")),
        )
        self._facts.functions.append(made)
        if key:
            made.properties.add(key)
        if place.export is not None:
            self._facts.exports.setdefault(place.export, set()).add(index)
        for bound in {declared if not method else "", place.binding or ""} - {""}:
            self._facts.names.setdefault(bound, set()).add(index)
        inner = Place(index)
        for part in ("parameters", "parameter", "body"):
            child = node.child_by_field_name(part)
            if child is not None and child.type != "identifier":
                self.visit(child, inner)

    def _parameters(self, node: Node, place: Place) -> None:
        """Read defaults; the names themselves mention nothing."""
        for child in node.named_children:
            if child.type in {"assignment_pattern", "required_parameter",
                              "optional_parameter"}:  # fmt: skip
                for part in ("right", "value"):
                    value = child.child_by_field_name(part)
                    if value is not None:
                        self.visit(value, Place(place.function))

    def _class(self, node: Node, place: Place) -> None:
        declared = jsnodes.text(node.child_by_field_name("name")) or place.binding or ""
        name = declared or place.key or place.label or ""
        index = len(self._facts.functions)
        made = Function(
            name,
            node.start_point[0] + 1,
            node.start_byte,
            node.end_byte,
            place.function,
            escapes=not (place.bound or node.type.endswith("_declaration")),
            is_class=True,
        )
        self._facts.functions.append(made)
        for bound in {declared, place.binding or ""} - {""}:
            self._facts.names.setdefault(bound, set()).add(index)
        if place.key:
            made.properties.add(place.key)
        if place.export is not None:
            self._facts.exports.setdefault(place.export, set()).add(index)
        body = node.child_by_field_name("body")
        for child in node.named_children:
            if child != body and child.type not in {"identifier", "type_identifier"}:
                self.visit(child, Place(place.function))
        if body is not None:
            # What its members run, they run once the class is used.
            self._children(body, Place(index, owner=name))

    def _field(self, node: Node, place: Place) -> None:
        key = node.child_by_field_name("property") or node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if value is not None:
            inner = Place(place.function, place.owner, key=jsnodes.text(key))
            self.visit(value, inner)

    def _declarator(self, node: Node, place: Place) -> None:
        target = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        if target is None:
            return
        if target.type == "identifier":
            name = jsnodes.text(target)
            if value is not None:
                jsbindings.bind(self._facts, name, value)
                export = name if place.export is not None else None
                inner = Place(place.function, place.owner, binding=name, export=export)
                self.visit(value, inner)
            return
        request = jsnodes.request(value)
        for local, key in jsnodes.pattern(target):
            if request is not None:
                self._facts.taken.setdefault(local, set()).add(Taken(request, key))
            if key:
                self._here(place).reads.setdefault(key, target.start_point[0] + 1)
        self._children(target, Place(place.function))
        if value is not None:
            self.visit(value, Place(place.function, binding=""))

    def _assignment(self, node: Node, place: Place) -> None:
        left = node.child_by_field_name("left")
        right = node.child_by_field_name("right")
        if left is None or right is None:
            return
        line = node.start_point[0] + 1
        if left.type == "identifier":
            name = jsnodes.text(left)
            jsbindings.bind(self._facts, name, right)
            self.visit(right, Place(place.function, place.owner, binding=name))
            return
        chain = jsnodes.chain(left)
        key = jsnodes.key(left)
        inner = left.child_by_field_name("object")
        if inner is not None and not jsnodes.is_exports(chain[:-1]):
            self.visit(inner, Place(place.function, binding=""))
        index = left.child_by_field_name("index")
        if index is not None:
            self.visit(index, Place(place.function))
        export = jsnodes.export(chain)
        if right.type in IDENTIFIERS:
            self._store(key, jsnodes.text(right), place, export=export)
            if not key and export is None:
                self._here(place).mentions.setdefault(jsnodes.text(right), line)
            return
        if export == DEFAULT:
            key = None
        label = ".".join(chain)
        self.visit(
            right,
            Place(
                place.function,
                owner=chain[0] if len(chain) > 1 else "",
                key=key if key is not None else None,
                export=export,
                label=label,
            ),
        )

    def _store(
        self, key: str | None, name: str, place: Place, *, export: str | None = None
    ) -> None:
        if export is not None:
            self._facts.exported.setdefault(export, set()).add(name)
        if key and export != DEFAULT:
            self._facts.stored.setdefault(key, set()).add((name, place.function))

    def _object(self, node: Node, place: Place) -> None:
        """Read an object; what it holds is stored under the keys."""
        exported = place.export == DEFAULT
        for child in node.named_children:
            inner = Place(place.function, place.owner, export="*" if exported else None)
            self.visit(child, inner)

    def _pair(self, node: Node, place: Place) -> None:
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is None or value is None:
            return
        name = jsnodes.property_name(key)
        if name is None:
            self.visit(key, Place(place.function))
        export = name if place.export == "*" and name else None
        if value.type in IDENTIFIERS:
            if name:
                self._store(name, jsnodes.text(value), place, export=export)
            else:
                line = value.start_point[0] + 1
                self._here(place).mentions.setdefault(jsnodes.text(value), line)
            return
        self.visit(value, Place(place.function, place.owner, key=name or "", export=export))

    def _shorthand(self, node: Node, place: Place) -> None:
        name = jsnodes.text(node)
        export = name if place.export == "*" else None
        self._store(name, name, place, export=export)

    def _identifier(self, node: Node, place: Place) -> None:
        if place.binding is not None and place.binding:
            return  # `a = b` is a copy, noted where it is bound.
        if place.export == DEFAULT:
            self._facts.exported.setdefault(DEFAULT, set()).add(jsnodes.text(node))
            return
        here = self._here(place)
        here.mentions.setdefault(jsnodes.text(node), node.start_point[0] + 1)

    def _member(self, node: Node, place: Place) -> None:
        inner = node.child_by_field_name("object")
        key = jsnodes.text(node.child_by_field_name("property"))
        line = node.start_point[0] + 1
        here = self._here(place)
        if inner is not None and inner.type == "identifier":
            here.members.setdefault((jsnodes.text(inner), key), line)
        else:
            here.reads.setdefault(key, line)
            if inner is not None:
                request = jsnodes.request(inner)
                if request is not None:
                    here.requests.append((request, line, False))
                else:
                    self.visit(inner, Place(place.function, place.owner))

    def _subscript(self, node: Node, place: Place) -> None:
        inner = node.child_by_field_name("object")
        index = node.child_by_field_name("index")
        if index is not None and index.type == "string":
            line = node.start_point[0] + 1
            self._here(place).reads.setdefault(jsnodes.string(index), line)
        for child in (inner, index):
            if child is not None:
                if child.type == "identifier" and child == inner:
                    self._here(place).members.setdefault(
                        (jsnodes.text(child), "[]"), node.start_point[0] + 1
                    )
                else:
                    self.visit(child, Place(place.function, place.owner))

    def _call(self, node: Node, place: Place) -> None:
        here, line = self._here(place), node.start_point[0] + 1
        request = jsnodes.request(node)
        if request is not None:
            bound = place.binding is not None or place.export == DEFAULT
            here.requests.append((request, line, not bound))
            if place.export == DEFAULT:
                self._facts.passed_on.add(request)
            return
        function = node.child_by_field_name("function")
        arguments = node.child_by_field_name("arguments")
        if arguments is not None and jsnodes.text(function) in {"require", "import"}:
            here.requires_value = here.requires_value or line
        if function is not None:
            plain = function.type == "identifier"
            name = jsnodes.text(function) if plain else jsnodes.key(function) or ""
            self._evaluated(name, arguments, here, line=line)
            index = function.child_by_field_name("index")
            if index is not None and index.type not in {"string", "number"}:
                inner = function.child_by_field_name("object")
                here.chosen.setdefault(jsnodes.whole(inner), line)
            self.visit(function, Place(place.function, place.owner))
        if arguments is not None:
            self._handed(arguments, here, line)
            before = len(self._facts.functions)
            self.visit(arguments, Place(place.function, place.owner))
            route = jsnodes.route(function, arguments)
            for made in self._facts.functions[before:] if route else ():
                if made.parent == place.function and made.escapes:
                    made.route = route

    def _handed(self, arguments: Node, here: Function, line: int) -> None:
        """Note what is handed on whole: whoever gets it may take anything from it."""
        for given in arguments.named_children:
            inner = given.named_children[0] if given.type == "spread_element" else given
            name = jsnodes.whole(inner)
            if name:
                here.handed.setdefault(name, line)

    def _iterated(self, node: Node, place: Place) -> None:
        """Note what `for (k in x)` and `{...x}` take apart."""
        inner = node.child_by_field_name("right")
        if inner is None and node.named_children:
            inner = node.named_children[0]
        name = jsnodes.whole(inner)
        if name:
            line = node.start_point[0] + 1
            self._here(place).handed.setdefault(name, line)
        self._children(node, Place(place.function, place.owner))

    def _new(self, node: Node, place: Place) -> None:
        constructor = node.child_by_field_name("constructor")
        arguments = node.child_by_field_name("arguments")
        line = node.start_point[0] + 1
        self._evaluated(jsnodes.text(constructor), arguments, self._here(place), line=line)
        self._children(node, Place(place.function, place.owner))

    def _evaluated(
        self, name: str, arguments: Node | None, here: Function, *, line: int
    ) -> None:
        given = arguments.named_children if arguments is not None else []
        made = any(one.type not in {"string", "number"} for one in given[-1:])
        if name in EVALUATING and made:
            here.evaluates = here.evaluates or line

    def _string(self, node: Node, place: Place) -> None:
        text = jsnodes.string(node)
        if len(text) <= TEXT_CHARACTERS_MAX and NAME_LIKE.fullmatch(text):
            self._here(place).texts.add(text)

    def _catch(self, node: Node, place: Place) -> None:
        body = node.child_by_field_name("body")
        if body is not None:
            self.visit(body, Place(place.function, place.owner))

    def _import(self, node: Node, place: Place) -> None:
        source = node.child_by_field_name("source")
        if source is None:
            return
        request = jsnodes.string(source)
        self._here(place).requests.append((request, node.start_point[0] + 1, False))
        clauses = [one for one in node.named_children if one.type == "import_clause"]
        for child in (one for clause in clauses for one in clause.named_children):
            jsbindings.imported(self._facts, child, request)

    def _export(self, node: Node, place: Place) -> None:
        source = node.child_by_field_name("source")
        if source is not None:
            request = jsnodes.string(source)
            self._here(place).requests.append((request, node.start_point[0] + 1, False))
            self._facts.passed_on.add(request)
            return
        declared = node.child_by_field_name("declaration")
        value = node.child_by_field_name("value")
        default = any(child.type == "default" for child in node.children)
        if value is not None:
            self.visit(value, Place(place.function, export=DEFAULT))
        elif declared is not None:
            name = jsnodes.text(declared.child_by_field_name("name"))
            export = DEFAULT if default else name
            if declared.type in {"lexical_declaration", "variable_declaration"}:
                for one in declared.named_children:
                    self.visit(one, Place(place.function, export=""))
            else:
                self.visit(declared, Place(place.function, export=export))
        for clause in node.named_children:
            if clause.type == "export_clause":
                for one in clause.named_children:
                    local = jsnodes.text(one.child_by_field_name("name"))
                    name = jsnodes.text(one.child_by_field_name("alias")) or local
                    self._facts.exported.setdefault(name, set()).add(local)
