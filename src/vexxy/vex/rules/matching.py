"""Matching as go-vex 0.2 does it, on which Grype, Trivy and vexctl rest."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from vexxy.vex.rules import identity, purls
from vexxy.vex.types import Component, Document, Product, Statement, Vulnerability

Numbered = tuple[int, Statement]


class Shelf:
    """A document with its statements by vulnerability id: the same answers, sooner."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._by_id: dict[str, list[Numbered]] = defaultdict(list)
        for index, statement in enumerate(document.statements):
            vulnerability = statement.vulnerability
            ids = {vulnerability.id, vulnerability.name, *vulnerability.aliases}
            for identifier in ids - {None}:
                self._by_id[str(identifier)].append((index, statement))

    def about(self, vulnerability: str) -> list[Numbered]:
        """Return the statements that name a vulnerability, in document order."""
        return self._by_id.get(vulnerability, [])


def component_matches(component: Component, identifier: str) -> bool:
    """Port of `Component.Matches`: equal ids or hashes, purls from general to specific.

    CPEs are compared as text only.
    """
    if component.id and component.id == identifier:
        return True
    if component.id.startswith("pkg:") and purls.matches(component.id, identifier):
        return True
    for kind, value in component.identifiers:
        if value == identifier:
            return True
        is_purl = kind == "purl" and identifier.startswith("pkg:")
        if is_purl and purls.matches(value, identifier):
            return True
    return any(value == identifier for _, value in component.hashes)


def product_matches(product: Product, identifier: str, subcomponent: str) -> bool:
    """Port of `Product.Matches`; without subcomponents a product matches them all."""
    if not component_matches(product.component, identifier):
        return False
    if not product.subcomponents or not subcomponent:
        return True
    return any(component_matches(leaf, subcomponent) for leaf in product.subcomponents)


def vulnerability_matches(vulnerability: Vulnerability, identifier: str) -> bool:
    """Port of `Vulnerability.Matches`: the IRI, the name or an alias is equal."""
    return identifier in {vulnerability.id, vulnerability.name, *vulnerability.aliases}


def statement_matches(
    statement: Statement, vulnerability: str, *, product: str, subcomponents: Sequence[str]
) -> bool:
    """Port of `Statement.Matches`."""
    return vulnerability_matches(statement.vulnerability, vulnerability) and any(
        product_matches(own, product, leaf)
        for own in statement.products
        for leaf in (subcomponents or ("",))
    )


def matching(
    shelf: Shelf, vulnerability: str, *, product: str, subcomponents: Sequence[str]
) -> list[Numbered]:
    """Port of `VEX.Matches`: (index, statement), by name and then oldest first.

    go-vex collects from the last statement to the first before its stable sort, so of
    two statements with one name and instant the later one in the document comes first.
    """
    found = [
        (index, statement)
        for index, statement in reversed(shelf.about(vulnerability))
        if statement_matches(
            statement, vulnerability, product=product, subcomponents=subcomponents
        )
    ]
    return _sorted(shelf.document, found)


def by_vulnerability(shelf: Shelf, vulnerability: str) -> list[Numbered]:
    """Port of `StatementsByVulnerability`: by name, oldest first, in document order."""
    return _sorted(shelf.document, shelf.about(vulnerability))


def _sorted(document: Document, found: Iterable[Numbered]) -> list[Numbered]:
    """Port of `SortStatements`, which is stable."""
    return sorted(
        found,
        key=lambda pair: (
            pair[1].vulnerability.name.encode(),
            identity.effective_timestamp(document, pair[1]),
        ),
    )
