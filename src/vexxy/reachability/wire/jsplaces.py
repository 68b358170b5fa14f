"""Where a value stands in a JavaScript file, and what it is called because of that."""

from dataclasses import dataclass

from vexxy.reachability.calls.javascript.facts import DEFAULT


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands.

    Attributes:
        function: Index of the function around it.
        owner: Name of the class or object around it, for qualified names.
        binding: Identifier that the value is bound to, if it is.
        key: Property that the value is stored under, if it is; "" for one whose
            name is a value.
        export: Name under which the value is exported; "*" inside an exported object.
        label: What it is assigned to, as written.
    """

    function: int
    owner: str = ""
    binding: str | None = None
    key: str | None = None
    export: str | None = None
    label: str = ""

    @property
    def bound(self) -> bool:
        """Whether whoever calls the value needs a name for it."""
        return self.binding is not None or bool(self.key) or self.export is not None


def qualified(place: Place, declared: str, *, method: bool) -> str:
    """Return the name that people give a function written at a place."""
    if method:
        return f"{place.owner}.{declared}" if place.owner else declared
    if place.export == DEFAULT and not declared:
        return "module.exports"
    if place.key and not declared and place.owner:
        own = place.owner in {"exports", "module", "this", ""}
        return place.key if own else f"{place.owner}.{place.key}"
    return declared or place.binding or place.key or place.label
