"""One document of several: for every vulnerability in every package, the newest word.

Consumers disagree about history (Grype obeys the oldest statement that matches,
Trivy the newest), so a merged document has no history: one current statement each.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vexxy.vex.rules import building, identity, purls
from vexxy.vex.types import Component, Document, Product, Statement

_WHOLE_PRODUCT = ""


@dataclass(frozen=True, slots=True)
class _Word:
    """A statement about one product and one subcomponent of it.

    `source` is the number of the statement, and of this word within it.
    """

    source: tuple[int, int]
    statement: Statement
    product: Component
    subcomponent: Component | None
    at: datetime

    @property
    def place(self) -> tuple[str, str]:
        """The product and subcomponent, in one spelling."""
        leaf = self.subcomponent
        return identifier(self.product), _WHOLE_PRODUCT if leaf is None else identifier(
            leaf
        )


def identifier(component: Component) -> str:
    """Return one text for a component, the same for every spelling of its purl."""
    known = component.id or next((value for _, value in sorted(component.identifiers)), "")
    return purls.key(known or ";".join(f"{a}@{h}" for a, h in sorted(component.hashes)))


def current_statements(documents: Sequence[Document]) -> tuple[Statement, ...]:
    """Return the statements that nothing newer replaces, each with its own instant.

    A newer statement replaces an older one at the same product and subcomponent when
    it names the older one's vulnerability, and takes over the ids that both name. At
    one instant the one that keeps the finding visible wins.
    """
    places: dict[tuple[str, str], list[_Word]] = defaultdict(list)
    for word in _words(documents):
        places[word.place].append(word)
    kept: dict[tuple[int, tuple[str, ...]], list[_Word]] = defaultdict(list)
    for words in places.values():
        for word, aliases in _newest(words):
            kept[word.source[0], aliases].append(word)
    joined = [_joined(words, aliases) for (_, aliases), words in kept.items()]
    return tuple(sorted(joined, key=building.order))


def _words(documents: Sequence[Document]) -> Iterable[_Word]:
    listed = [(document, s) for document in documents for s in document.statements]
    for number, (document, statement) in enumerate(listed):
        at = identity.effective_timestamp(document, statement)
        parts = [
            (product.component, leaf)
            for product in statement.products
            for leaf in (product.subcomponents or (None,))
        ]
        for place, (product, leaf) in enumerate(parts):
            yield _Word((number, place), statement, product, leaf, at)


def _newest(words: Sequence[_Word]) -> Iterable[tuple[_Word, tuple[str, ...]]]:
    """Give the words that stand at one place, each with the aliases left to it."""
    taken: set[str] = set()
    for word in sorted(words, key=_precedence):
        vulnerability = word.statement.vulnerability
        if vulnerability.name in taken:
            continue
        yield word, tuple(alias for alias in vulnerability.aliases if alias not in taken)
        taken |= {vulnerability.name, *vulnerability.aliases}


def _precedence(word: _Word) -> tuple[float, bool, tuple[int, int]]:
    hides = word.statement.status in building.SUPPRESSING
    return -word.at.timestamp(), hides, word.source


def _joined(words: Sequence[_Word], aliases: tuple[str, ...]) -> Statement:
    leaves: dict[Component, list[Component]] = {}
    for word in sorted(words, key=lambda word: word.source):
        found = leaves.setdefault(word.product, [])
        if word.subcomponent is not None:
            found.append(word.subcomponent)
    statement = words[0].statement
    return replace(
        statement,
        vulnerability=replace(statement.vulnerability, aliases=aliases),
        products=tuple(Product(product, tuple(found)) for product, found in leaves.items()),
        timestamp=words[0].at,
    )
