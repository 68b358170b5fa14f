"""The canonical hash of a document, and the id made of it."""

import hashlib
from datetime import datetime
from typing import Final

from vexxy.vex.types import Component, Document, Product, Statement, Vulnerability

PUBLIC_NAMESPACE: Final = "https://openvex.dev/docs/public/vex-"


def effective_timestamp(document: Document, statement: Statement) -> datetime:
    """Return the instant that a statement speaks of; the document's if it has none."""
    return statement.timestamp or document.timestamp


def in_canonical_order(document: Document) -> tuple[Statement, ...]:
    """Return the statements by vulnerability name, then oldest first; ties keep order."""
    return tuple(
        sorted(
            document.statements,
            key=lambda s: (s.vulnerability.name.encode(), effective_timestamp(document, s)),
        )
    )


def canonical_hash(document: Document) -> str:
    """Return the hash that go-vex computes (`CanonicalHash`), 64 hex digits.

    go-vex walks a component's hashes and identifiers in the random order of a Go map;
    here they are sorted, so both agree wherever go-vex agrees with itself.
    """
    parts = [f"{_unix(document.timestamp)}:{document.version}:{document.author}"]
    for statement in in_canonical_order(document):
        parts.append(_vulnerability(statement.vulnerability))
        parts.append(f":{statement.status.value}:{statement.justification or ''}")
        parts.append(f":{_unix(effective_timestamp(document, statement))}")
        products = sorted((_product(p) for p in statement.products), key=str.encode)
        parts.append(":".join(products))
    text = "".join(parts)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def canonical_id(document: Document) -> str:
    """Return the IRI that go-vex gives to a document without one."""
    return PUBLIC_NAMESPACE + canonical_hash(document)


def reproducible(document: Document) -> bool:
    """Tell whether go-vex computes the same hash on every run."""
    return all(
        len(part.hashes) <= 1 and len(part.identifiers) <= 1
        for statement in document.statements
        for product in statement.products
        for part in (product.component, *product.subcomponents)
    )


def _unix(instant: datetime) -> int:
    return int(instant.replace(microsecond=0).timestamp())


def _vulnerability(vulnerability: Vulnerability) -> str:
    aliases = ":".join(sorted(vulnerability.aliases, key=str.encode))
    return f":{vulnerability.id or ''}:{vulnerability.name}:{aliases}"


def _product(product: Product) -> str:
    parts = (product.component, *product.subcomponents)
    return "".join(_component(part) for part in parts)


def _component(component: Component) -> str:
    pairs = (*sorted(component.hashes), *sorted(component.identifiers))
    return f":{component.id}" + "".join(f":{name}@{value}" for name, value in pairs)
