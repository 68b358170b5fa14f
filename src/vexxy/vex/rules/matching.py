"""Matching as go-vex 0.2 does it, on which Grype, Trivy and vexctl rest."""

from collections.abc import Sequence

from vexxy.vex.rules import identity, purls
from vexxy.vex.types import Component, Document, Product, Statement, Vulnerability


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
    document: Document, vulnerability: str, *, product: str, subcomponents: Sequence[str]
) -> list[tuple[int, Statement]]:
    """Port of `VEX.Matches`: (index, statement), by name and then oldest first.

    go-vex collects from the last statement to the first before its stable sort, so of
    two statements with one name and instant the later one in the document comes first.
    """
    found = [
        (index, statement)
        for index, statement in reversed(tuple(enumerate(document.statements)))
        if statement_matches(
            statement, vulnerability, product=product, subcomponents=subcomponents
        )
    ]
    return sorted(
        found,
        key=lambda pair: (
            pair[1].vulnerability.name.encode(),
            identity.effective_timestamp(document, pair[1]),
        ),
    )


def by_vulnerability(document: Document, vulnerability: str) -> list[tuple[int, Statement]]:
    """Port of `StatementsByVulnerability`: by name, oldest first, in document order."""
    found = [
        (index, statement)
        for index, statement in enumerate(document.statements)
        if vulnerability_matches(statement.vulnerability, vulnerability)
    ]
    return sorted(
        found,
        key=lambda pair: (
            pair[1].vulnerability.name.encode(),
            identity.effective_timestamp(document, pair[1]),
        ),
    )
