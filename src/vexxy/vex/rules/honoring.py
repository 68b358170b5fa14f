"""What Grype, Trivy and vexctl make of a document, for one image.

Ported from their source as studied (docs/vex.md names the files): which of several
statements a tool obeys, and whether the finding then disappears.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vexxy.vex.rules import consumers, matching, purls
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.types import Consumer, Document, Effect, Honor, Statement, Target

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
    consumer: Consumer, document: Document, *, target: Target, finding: str, purl: str
) -> Answer:
    """Return what a tool does with a finding in one package of an image."""
    if consumer is Consumer.VEXCTL:
        return _obeyed(matching.by_vulnerability(document, finding)[:1])
    leaf = consumers.package_id(consumer, purl)
    if consumer is Consumer.TRIVY:
        for product, leaves in _trivy_steps(target, leaf):
            found = matching.matching(
                document, finding, product=product, subcomponents=leaves
            )
            told = _obeyed(found[-1:])
            if told.effect is Effect.SUPPRESSED or (product != leaf and found):
                return told
        return _obeyed([])
    for product in consumers.product_ids(consumer, target):
        found = matching.matching(document, finding, product=product, subcomponents=(leaf,))
        if found:
            return _obeyed(found[:1])
    return _obeyed(matching.matching(document, finding, product=leaf, subcomponents=())[:1])


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
    found: list[Honor] = []
    for index, statement in enumerate(document.statements):
        for purl in _named_packages(statement, packages):
            found += [
                _honor(consumer, document, index, target=target, purl=purl)
                for consumer in Consumer
            ]
    return tuple(found)


def _named_packages(statement: Statement, packages: Sequence[str]) -> tuple[str, ...]:
    leaves = [leaf for p in statement.products for leaf in p.subcomponents]
    if packages:
        named = [
            purl
            for purl in packages
            if any(
                matching.component_matches(leaf, consumers.package_id(consumer, purl))
                for leaf in leaves
                for consumer in (Consumer.GRYPE, Consumer.TRIVY)
            )
        ]
        return tuple(dict.fromkeys(named))
    ids = [leaf.id or next((v for _, v in leaf.identifiers), "") for leaf in leaves]
    forms = (purls.subcomponent_forms(i)[0] for i in ids if i)
    return tuple(dict.fromkeys(forms))


def _honor(
    consumer: Consumer, document: Document, index: int, *, target: Target, purl: str
) -> Honor:
    statement = document.statements[index]
    finding = finding_id(consumer, statement, purl)
    told = answer(consumer, document, target=target, finding=finding, purl=purl)
    return Honor(
        consumer=consumer,
        statement=index,
        vulnerability=finding,
        purl=consumers.package_id(consumer, purl),
        effect=told.effect,
        reason=_reason(consumer, told, index, target=target),
    )


def _reason(consumer: Consumer, told: Answer, index: int, *, target: Target) -> str:
    if told.effect is not Effect.UNMATCHED:
        if consumer is Consumer.VEXCTL:
            return f"obeys statement {told.statement}; the product is not looked at"
        if told.statement == index:
            return "the product, the package and the vulnerability match"
        return f"obeys statement {told.statement} instead"
    if consumer is Consumer.VEXCTL:
        return "no statement names this vulnerability"
    known = consumers.product_ids(consumer, target)
    if not known:
        return f"{consumer} knows no product id of this image"
    return f"no product of the statement matches {known[0]} or its other ids"


def first_of_vulnerability(document: Document, vulnerability: str) -> Statement | None:
    """Return the statement that `vexctl filter` obeys for a vulnerability."""
    found = matching.by_vulnerability(document, vulnerability)
    return found[0][1] if found else None
