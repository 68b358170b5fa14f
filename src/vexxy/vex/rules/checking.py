"""What is wrong with a document that its schema allows.

`go-vex.*`: the reference library's `Statement.Validate`, stricter than the
specification. `unsafe.*`: patterns that hide findings nobody looked at, or hide none.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from vexxy.vex.rules import identity, merging, purls
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.types import (
    Component,
    Document,
    Gravity,
    Product,
    Remark,
    Statement,
    Status,
)

_IMAGE_TYPES: Final = frozenset({"oci", "docker"})
_FORBIDDEN: Final = {
    Status.NOT_AFFECTED: ("action_statement",),
    Status.AFFECTED: ("justification", "impact_statement"),
    Status.FIXED: ("justification", "impact_statement", "action_statement"),
    Status.UNDER_INVESTIGATION: ("justification", "impact_statement", "action_statement"),
}


def remarks(document: Document) -> tuple[Remark, ...]:
    """Return every remark on a document that was read; order of the document."""
    found = list(_document(document))
    for index, statement in enumerate(document.statements):
        where = f"/statements/{index}"
        found += _fields(statement, where)
        found += _completeness(statement, where)
        for number, product in enumerate(statement.products):
            found += _product(statement, product, f"{where}/products/{number}")
    found += _several(document)
    return tuple(found)


def _document(document: Document) -> Iterable[Remark]:
    if not identity.reproducible(document):
        yield Remark(
            "go-vex.hash",
            Gravity.NOTE,
            "a component has several identifiers or hashes: go-vex computes another "
            "canonical hash on every run",
        )
    elif (
        document.id.startswith(identity.PUBLIC_NAMESPACE)
        and document.version == 1
        and document.id != identity.canonical_id(document)
    ):
        yield Remark(
            "go-vex.hash",
            Gravity.NOTE,
            "@id names a canonical hash that is not this document's; it was changed "
            f"after it was named (now {identity.canonical_hash(document)[:12]}...)",
            "/@id",
        )


def _fields(statement: Statement, where: str) -> Iterable[Remark]:
    for name in _FORBIDDEN[statement.status]:
        if getattr(statement, name):
            yield Remark(
                "go-vex.fields",
                Gravity.WARNING,
                f"go-vex refuses {name} on a statement that is {statement.status}",
                f"{where}/{name}",
            )
    if statement.status is Status.NOT_AFFECTED and statement.justification is None:
        yield Remark(
            "openvex.justification",
            Gravity.WARNING,
            "not_affected without a justification label: programs cannot read the reason",
            where,
        )


def _completeness(statement: Statement, where: str) -> Iterable[Remark]:
    if not statement.products:
        yield Remark(
            "openvex.incomplete",
            Gravity.WARNING,
            "no product: the statement is about nothing and no tool matches it",
            where,
        )
    names = (statement.vulnerability.name, *statement.vulnerability.aliases)
    if not any(name.startswith("CVE-") for name in names):
        yield Remark(
            "consumer.no-cve",
            Gravity.NOTE,
            f"{names[0]} has no CVE among its ids: tools that report a CVE do not match",
            f"{where}/vulnerability",
        )


def _product(statement: Statement, product: Product, where: str) -> Iterable[Remark]:
    hides = statement.status in SUPPRESSING
    purl = purls.find(merging.identifier(product.component))
    is_image = purl is None or purl.type in _IMAGE_TYPES
    if hides and is_image and not product.subcomponents:
        yield Remark(
            "unsafe.whole-product",
            Gravity.WARNING,
            f"{statement.status} without subcomponents hides "
            f"{statement.vulnerability.name} in every package of the product",
            where,
        )
    if hides and not is_image:
        yield Remark(
            "unsafe.package-product",
            Gravity.WARNING,
            "a package as the product hides the finding in every image that has it",
            where,
        )
    if purl is not None and purl.type in _IMAGE_TYPES:
        yield from _image(purl, where)
    for number, leaf in enumerate(product.subcomponents):
        yield from _leaf(leaf, f"{where}/subcomponents/{number}")


def _image(purl: purls.Purl, where: str) -> Iterable[Remark]:
    if not purl.version:
        yield Remark(
            "unsafe.tag-product",
            Gravity.WARNING,
            "no digest: the statement speaks of whatever the name or tag means tomorrow",
            where,
        )
    elif purl.qualifiers:
        yield Remark(
            "consumer.qualified-product",
            Gravity.WARNING,
            f"the qualifiers {', '.join(sorted(purl.qualifiers))} are matched by some "
            "tools and not by others; a digest without qualifiers is matched by all",
            where,
        )


def _leaf(leaf: Component, where: str) -> Iterable[Remark]:
    purl = purls.find(merging.identifier(leaf))
    if purl is None:
        yield Remark(
            "consumer.not-a-purl",
            Gravity.WARNING,
            "a subcomponent that is no package URL is matched by no scanner",
            where,
        )
        return
    extra = sorted(set(purl.qualifiers) - {"epoch"})
    if extra:
        yield Remark(
            "consumer.qualified-subcomponent",
            Gravity.WARNING,
            f"the qualifiers {', '.join(extra)} differ between tools and releases; "
            "without them the package is matched by all",
            where,
        )
    if not purl.version:
        yield Remark(
            "unsafe.any-version",
            Gravity.WARNING,
            "no version: the statement speaks of every version of the package",
            where,
        )


def _several(document: Document) -> Iterable[Remark]:
    """Give a remark for each vulnerability and package with more than one statement."""
    places: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for index, statement in enumerate(document.statements):
        ids = (statement.vulnerability.name, *statement.vulnerability.aliases)
        for product in statement.products:
            leaves = [merging.identifier(leaf) for leaf in product.subcomponents] or [""]
            for leaf in leaves:
                for name in ids:
                    places[name, merging.identifier(product.component), leaf].add(index)
    told: set[frozenset[int]] = set()
    for (name, _, leaf), indexes in places.items():
        group = frozenset(indexes)
        if len(group) == 1 or group in told:
            continue
        told.add(group)
        statuses = {document.statements[i].status in SUPPRESSING for i in group}
        clash = len(statuses) > 1
        yield Remark(
            "unsafe.several-statements",
            Gravity.WARNING if clash else Gravity.NOTE,
            f"statements {_listed(group)} all speak of {name} in {leaf or 'the product'}"
            + (
                ": Grype and vexctl obey the oldest, Trivy the newest"
                if clash
                else "; they agree"
            ),
            f"/statements/{max(group)}",
        )


def _listed(indexes: Iterable[int]) -> str:
    return ", ".join(str(index) for index in sorted(indexes))
