"""What names of a JavaScript file are bound to."""

from tree_sitter import Node

from vexxy.reachability.calls.javascript.facts import DEFAULT, FileFacts, Taken
from vexxy.reachability.wire import jsnodes


def imported(facts: FileFacts, node: Node, request: str) -> None:
    """Note what one part of an import clause binds."""
    taken = facts.taken
    if node.type == "identifier":
        taken.setdefault(jsnodes.text(node), set()).update(
            {Taken(request, DEFAULT), Taken(request, None)}
        )
    elif node.type == "namespace_import":
        taken.setdefault(jsnodes.text(node.named_children[0]), set()).add(
            Taken(request, None)
        )
    else:
        for one in node.named_children:
            if one.type == "import_specifier":
                name = jsnodes.text(one.child_by_field_name("name"))
                local = jsnodes.text(one.child_by_field_name("alias")) or name
                taken.setdefault(local, set()).add(Taken(request, name))


def bind(facts: FileFacts, name: str, value: Node) -> None:
    """Note what a name is a copy of, if it is that simple."""
    request = jsnodes.request(value)
    if request is not None:
        facts.taken.setdefault(name, set()).add(Taken(request, None))
    elif value.type == "identifier":
        facts.aliases.setdefault(name, set()).add(jsnodes.text(value))
    elif value.type == "member_expression":
        inner = value.child_by_field_name("object")
        key = jsnodes.text(value.child_by_field_name("property"))
        request = jsnodes.request(inner)
        if request is not None:
            facts.taken.setdefault(name, set()).add(Taken(request, key))
    elif value.type == "assignment_expression":
        right = value.child_by_field_name("right")
        if right is not None:
            bind(facts, name, right)
