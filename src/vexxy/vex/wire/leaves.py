"""The packages of a statement, each once, whatever number of forms name it."""

from dataclasses import dataclass

from vexxy.vex.rules import merging, purls
from vexxy.vex.types import Component, Statement


@dataclass(frozen=True, slots=True)
class Leaf:
    """A package or, where a statement names none, a product itself.

    Attributes:
        id: The first form, or whatever text identifies the component.
        forms: Every form that the statement lists.
    """

    id: str
    forms: tuple[str, ...]

    @property
    def purl(self) -> purls.Purl | None:
        """The parts of the first form, None when it is no purl."""
        return purls.find(self.id)


def of(statement: Statement) -> tuple[Leaf, ...]:
    """Return the packages that a statement is about, in its order."""
    grouped: dict[str, list[str]] = {}
    for product in statement.products:
        parts: tuple[Component, ...] = product.subcomponents or (product.component,)
        for part in parts:
            text = merging.identifier(part)
            known = grouped.setdefault(min(purls.subcomponent_forms(text)), [])
            if text not in known:
                known.append(text)
    return tuple(Leaf(forms[0], tuple(forms)) for forms in grouped.values())
