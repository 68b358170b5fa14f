"""What Grype, Trivy and vexctl make of a document, for one image.

Ported from their source as studied (docs/vex.md names the files): which of several
statements a tool obeys, and whether the finding then disappears.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vexxy.vex.rules import consumers, matching, merging, purls
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.rules.matching import Shelf
from vexxy.vex.types import (
    Component,
    Consumer,
    Document,
    Effect,
    Honor,
    Statement,
    Target,
)

_LANGUAGES_BY_GHSA: Final = frozenset(
    {"npm", "pypi", "golang", "cargo", "maven", "gem", "composer", "nuget"}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool does with one finding: the statement it obeys, if any."""

    statement: int | None
    effect: Effect


def finding_id(consumer: Consumer, statement: Statement, purl: str) -> str:
    """Return the id under which a tool most likely reports the vulnerability.

    Grype reports GHSA ids for language packages; both report CVEs for the rest.
    """
    ids = (statement.vulnerability.name, *statement.vulnerability.aliases)
    type_ = purl.removeprefix("pkg:").partition("/")[0]
    grype = consumer in {Consumer.GRYPE, Consumer.GRYPE_0_117}
    order = (
        ("GHSA-", "CVE-") if grype and type_ in _LANGUAGES_BY_GHSA else ("CVE-", "GHSA-")
    )
    for prefix in order:
        found = next((i for i in ids if i.startswith(prefix)), None)
        if found is not None:
            return found
    return ids[0]


def answer(
    consumer: Consumer, shelf: Shelf, *, target: Target, finding: str, purl: str
) -> Answer:
    """Return what a tool does with a finding in one package of an image."""
    if consumer is Consumer.VEXCTL:
        return _obeyed(matching.by_vulnerability(shelf, finding)[:1])
    leaf = consumers.package_id(consumer, purl)
    if consumer is Consumer.TRIVY:
        for product, leaves in _trivy_steps(target, leaf):
            found = matching.matching(shelf, finding, product=product, subcomponents=leaves)
            told = _obeyed(found[-1:])
            if told.effect is Effect.SUPPRESSED or (product != leaf and found):
                return told
        return _obeyed([])
    for product in consumers.product_ids(consumer, target):
        found = matching.matching(shelf, finding, product=product, subcomponents=(leaf,))
        if found:
            return _obeyed(found[:1])
    return _obeyed(matching.matching(shelf, finding, product=leaf, subcomponents=())[:1])


def _trivy_steps(target: Target, leaf: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Give the questions of Trivy's walk from the package up to the image."""
    yield leaf, ("",)
    yield leaf, (leaf,)
    for product in consumers.product_ids(Consumer.TRIVY, target):
        yield product, (leaf,)


def _obeyed(found: Sequence[tuple[int, Statement]]) -> Answer:
    if not found:
        return Answer(None, Effect.UNMATCHED)
    index, statement = found[0]
    hides = statement.status in SUPPRESSING
    return Answer(index, Effect.SUPPRESSED if hides else Effect.KEPT)


def honors(
    document: Document, *, target: Target, packages: Sequence[str]
) -> tuple[Honor, ...]:
    """Return, for every statement and package it names, what each tool does.

    Without `packages` the statement's own subcomponents stand for them; an inventory
    also shows statements about packages that the image does not have.
    """
    shelf = Shelf(document)
    inventory = _Inventory(packages) if packages else None
    return tuple(
        _honor(consumer, shelf, index, target=target, purl=purl)
        for index, statement in enumerate(document.statements)
        for purl in _named_packages(statement, inventory)
        for consumer in Consumer
    )


class _Inventory:
    """Packages by type and name, so that a subcomponent finds its own at once."""

    def __init__(self, packages: Iterable[str]) -> None:
        self._packages: dict[tuple[str, str], list[str]] = defaultdict(list)
        for text in dict.fromkeys(packages):
            purl = purls.find(text)
            if purl is not None:
                self._packages[purl.type, purl.name.lower()].append(text)

    def named_by(self, leaf: Component) -> Iterable[str]:
        for text in (leaf.id, *(value for _, value in leaf.identifiers)):
            purl = purls.find(text)
            near = self._packages.get((purl.type, purl.name.lower()), ()) if purl else ()
            for package in near:
                if any(
                    matching.component_matches(leaf, consumers.package_id(tool, package))
                    for tool in (Consumer.GRYPE, Consumer.TRIVY)
                ):
                    yield package


def _named_packages(statement: Statement, inventory: _Inventory | None) -> Iterable[str]:
    leaves = [leaf for p in statement.products for leaf in p.subcomponents]
    if inventory is not None:
        return dict.fromkeys(purl for leaf in leaves for purl in inventory.named_by(leaf))
    texts = (merging.identifier(leaf) for leaf in leaves)
    return {min(purls.subcomponent_forms(text)): text for text in texts}.values()


def _honor(
    consumer: Consumer, shelf: Shelf, index: int, *, target: Target, purl: str
) -> Honor:
    statement = shelf.document.statements[index]
    finding = finding_id(consumer, statement, purl)
    told = answer(consumer, shelf, target=target, finding=finding, purl=purl)
    return Honor(
        consumer=consumer,
        statement=index,
        vulnerability=finding,
        purl=consumers.package_id(consumer, purl),
        effect=told.effect,
        reason=_reason(consumer, told, index, statement=statement, target=target),
    )


def _reason(
    consumer: Consumer, told: Answer, index: int, *, statement: Statement, target: Target
) -> str:
    if told.effect is Effect.UNMATCHED:
        return _mismatch(consumer, statement, target)
    if consumer is Consumer.VEXCTL:
        return f"obeys statement {told.statement}; the product is not looked at"
    if told.statement == index:
        return "the product, the package and the vulnerability match"
    return f"obeys statement {told.statement} instead"


def _mismatch(consumer: Consumer, statement: Statement, target: Target) -> str:
    if consumer is Consumer.VEXCTL:
        return "no statement names this vulnerability"
    known = consumers.product_ids(consumer, target)
    if not known:
        return f"{consumer} knows no product id of this image"
    if any(
        matching.component_matches(product.component, identifier)
        for product in statement.products
        for identifier in known
    ):
        return "the product matches, but no subcomponent is written as the package is"
    return f"no product of the statement matches {known[-1]} or its other ids"


def first_of_vulnerability(shelf: Shelf, vulnerability: str) -> Statement | None:
    """Return the statement that `vexctl filter` obeys for a vulnerability."""
    found = matching.by_vulnerability(shelf, vulnerability)
    return found[0][1] if found else None
