"""What a document does to one image as a whole, in both directions.

A statement that matches nothing is as loud here as one that hides too much: both look
like success in a scanner's output.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from vexxy.vex.rules import consumers, honoring
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.rules.matching import Shelf
from vexxy.vex.types import (
    Consumer,
    Document,
    Effect,
    Gravity,
    Honor,
    Remark,
    Statement,
    Target,
)


def remarks(
    document: Document,
    *,
    target: Target,
    packages: Sequence[str],
    honors: Sequence[Honor],
) -> tuple[Remark, ...]:
    """Return what the image makes of the document."""
    found = list(_unknown_products(target))
    found += _absent(document, packages, honors)
    found += _unmatched(document, honors)
    found += _mixed(document)
    found += _hidden_unsaid(document, target=target, packages=packages)
    return tuple(found)


def _unknown_products(target: Target) -> Iterable[Remark]:
    for consumer in (Consumer.GRYPE, Consumer.TRIVY):
        if not consumers.product_ids(consumer, target):
            yield Remark(
                "target.no-identity",
                Gravity.WARNING,
                f"{consumer} knows no product id of an image without "
                + ("tag or " if consumer is Consumer.GRYPE else "")
                + "repository digest: push it, or give it a CycloneDX document with its "
                "SBOM",
            )


def _absent(
    document: Document, packages: Sequence[str], honors: Sequence[Honor]
) -> Iterable[Remark]:
    if not packages:
        return
    named = {honor.statement for honor in honors}
    for index, statement in enumerate(document.statements):
        leaves = [leaf for product in statement.products for leaf in product.subcomponents]
        if leaves and index not in named:
            yield Remark(
                "target.no-such-package",
                Gravity.WARNING,
                f"{statement.vulnerability.name}: {leaves[0].id or 'its subcomponent'} is "
                "not in the image; the statement matches nothing",
                f"/statements/{index}",
            )


def _unmatched(document: Document, honors: Sequence[Honor]) -> Iterable[Remark]:
    """Give, for each tool, the statements that would hide a finding and do not."""
    hiding = {i for i, s in enumerate(document.statements) if s.status in SUPPRESSING}
    asked = {honor.statement for honor in honors} & hiding
    if not asked:
        return
    for consumer in Consumer:
        done = {
            honor.statement
            for honor in honors
            if honor.consumer is consumer and honor.effect is Effect.SUPPRESSED
        }
        lost = sorted(asked - done)
        if lost:
            reason = next(
                h.reason
                for h in honors
                if h.consumer is consumer and h.statement == lost[0]
            )
            yield Remark(
                "consumer.unmatched",
                Gravity.WARNING,
                f"{consumer} would not honor {len(lost)} of {len(asked)} statements that "
                f"clear a finding: {reason}",
                f"/statements/{lost[0]}",
            )


def _mixed(document: Document) -> Iterable[Remark]:
    """Give a remark where `vexctl filter` would hide what another statement keeps."""
    shelf = Shelf(document)
    by_name: dict[str, list[Statement]] = defaultdict(list)
    for statement in document.statements:
        by_name[statement.vulnerability.name].append(statement)
    for name, statements in by_name.items():
        told = {statement.status in SUPPRESSING for statement in statements}
        if len(told) == 1:
            continue
        first = honoring.first_of_vulnerability(shelf, name)
        if first is not None and first.status in SUPPRESSING:
            yield Remark(
                "consumer.vexctl-mixed",
                Gravity.WARNING,
                f"{Consumer.VEXCTL} ignores packages: it would drop every result of "
                f"{name}, though one package is {_kept(statements)}",
            )


def _kept(statements: Iterable[Statement]) -> str:
    return next(s.status for s in statements if s.status not in SUPPRESSING).value


def _hidden_unsaid(
    document: Document, *, target: Target, packages: Sequence[str]
) -> Iterable[Remark]:
    """Give a remark where a tool hides a finding in packages no statement names."""
    shelf = Shelf(document)
    for consumer in (Consumer.GRYPE, Consumer.TRIVY):
        counts: Counter[int] = Counter()
        for index in _broad(document):
            name = document.statements[index].vulnerability.name
            for purl in packages:
                told = honoring.answer(
                    consumer, shelf, target=target, finding=name, purl=purl
                )
                if told.statement == index and told.effect is Effect.SUPPRESSED:
                    counts[index] += 1
        for index, count in counts.items():
            yield Remark(
                "consumer.over-applies",
                Gravity.WARNING,
                f"{consumer} would hide {document.statements[index].vulnerability.name} in "
                f"{count} packages that the statement does not name",
                f"/statements/{index}",
            )


def _broad(document: Document) -> list[int]:
    """Return the statements that hide and leave a product without subcomponents."""
    return [
        index
        for index, statement in enumerate(document.statements)
        if statement.status in SUPPRESSING
        and any(not product.subcomponents for product in statement.products)
    ]
