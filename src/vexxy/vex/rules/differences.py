"""What differs between two documents, and what has gone stale."""

from collections.abc import Collection, Iterable
from typing import Final

from vexxy.vex.rules import merging, purls
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.types import Change, Difference, Document, Product, Statement, Status

Places = dict[tuple[str, str], Statement]
_WORDS: Final = {
    Status.NOT_AFFECTED: "not affected",
    Status.AFFECTED: "affected",
    Status.FIXED: "fixed",
    Status.UNDER_INVESTIGATION: "under investigation",
}


def between(before: Document, after: Document) -> tuple[Difference, ...]:
    """Return new, gone and changed statements by vulnerability and package.

    Products are not compared: two editions about two digests of one image differ in
    every product and are compared by what they say of the packages.
    """
    old, new = _places(before), _places(after)
    found = [_compared(place, old.get(place), new.get(place)) for place in {**old, **new}]
    return _sorted(difference for difference in found if difference)


def stale(document: Document, packages: Collection[str]) -> tuple[Difference, ...]:
    """Return statements about package versions that an inventory does not have."""
    present = {form for purl in packages for form in purls.subcomponent_forms(purl)}
    found = [
        Difference(
            Change.STALE,
            name,
            leaf,
            statement,
            statement,
            f"{leaf} is not in the image: the statement matches nothing there.",
        )
        for (name, leaf), statement in _places(document).items()
        if leaf
        and not any(f in present for f in purls.subcomponent_forms(leaf))
        and not any(purls.matches(leaf, purl) for purl in packages)
    ]
    return _sorted(found)


def now_fixable(
    document: Document, fixable: Collection[tuple[str, str]]
) -> tuple[Difference, ...]:
    """Return open or excused statements whose package has a fixed version.

    Args:
        document: The statements in force.
        fixable: (vulnerability id, package purl) pairs with a known fix.
    """
    pairs = {(v, form) for v, purl in fixable for form in purls.subcomponent_forms(purl)}
    found = []
    for (name, leaf), statement in _places(document).items():
        ids = (name, *statement.vulnerability.aliases)
        forms = purls.subcomponent_forms(leaf)
        if statement.status is Status.FIXED or not leaf:
            continue
        if any((i, form) in pairs for i in ids for form in forms):
            detail = (
                f"A fixed version exists; the statement says {_WORDS[statement.status]}."
            )
            found.append(
                Difference(Change.NOW_FIXABLE, name, leaf, statement, statement, detail)
            )
    return _sorted(found)


def _places(document: Document) -> Places:
    places: Places = {}
    for statement in merging.current_statements((document,)):
        for product in statement.products:
            for leaf in _leaves(product):
                places.setdefault((statement.vulnerability.name, leaf), statement)
    return places


def _leaves(product: Product) -> tuple[str, ...]:
    """Return one text for each package: its forms count once."""
    if not product.subcomponents:
        return (merging.identifier(product.component),)
    texts = (merging.identifier(leaf) for leaf in product.subcomponents)
    return tuple(dict.fromkeys(min(purls.subcomponent_forms(text)) for text in texts))


def _compared(
    place: tuple[str, str], before: Statement | None, after: Statement | None
) -> Difference | None:
    name, leaf = place
    if before is None and after is not None:
        detail = f"Now stated: {_WORDS[after.status]}."
        return Difference(Change.NEW, name, leaf, None, after, detail)
    if after is None and before is not None:
        detail = f"No longer stated; it was {_WORDS[before.status]}."
        return Difference(Change.GONE, name, leaf, before, None, detail)
    if before is None or after is None or _same(before, after):
        return None
    return Difference(Change.CHANGED, name, leaf, before, after, _change(before, after))


def _same(before: Statement, after: Statement) -> bool:
    return (
        before.status is after.status
        and before.justification == after.justification
        and before.action_statement == after.action_statement
    )


def _change(before: Statement, after: Statement) -> str:
    if before.status is not after.status:
        loud = before.status in SUPPRESSING and after.status not in SUPPRESSING
        end = "; a finding that was hidden shows again." if loud else "."
        return f"{_WORDS[before.status]} became {_WORDS[after.status]}{end}"
    if before.justification != after.justification:
        return f"Justification {before.justification} became {after.justification}."
    return f"Action: {after.action_statement}"


def _sorted(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(sorted(differences, key=lambda d: (d.change, d.vulnerability, d.purl)))
