"""Editions of one document: what changes, what keeps its instant.

OpenVEX 0.2.0: any change raises `version` and sets `last_updated`; a statement keeps
the instant at which it was known to be true.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from vexxy.vex.rules import identity
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.types import Document, Issuance, Statement

Key = tuple[str, frozenset[tuple[str, str]]]


def first(statements: tuple[Statement, ...], issuance: Issuance) -> Document:
    """Return version 1 of a document; without an id given, the canonical one."""
    stamped = tuple(
        s if s.timestamp else replace(s, timestamp=issuance.timestamp) for s in statements
    )
    draft = _document(stamped, issuance, version=1)
    return replace(draft, id=issuance.id or identity.canonical_id(draft))


def following(
    previous: Document, statements: tuple[Statement, ...], issuance: Issuance
) -> Document:
    """Return the next edition, or `previous` itself when nothing changed."""
    known = {key(statement): statement for statement in previous.statements}
    restated = _to_restate(known, statements)
    carried = tuple(
        _carried(previous, known.get(key(s)), s, at=issuance, restate=key(s) in restated)
        for s in statements
    )
    same = len(carried) == len(previous.statements) and all(
        content(s) == content(old)
        for s, old in zip(carried, previous.statements, strict=True)
    )
    if same and issuance.author == previous.author and issuance.role == previous.role:
        return previous
    return replace(
        _document(carried, issuance, version=max(previous.version, 0) + 1),
        id=issuance.id or previous.id,
        last_updated=issuance.timestamp,
    )


def key(statement: Statement) -> Key:
    """Return what a statement is about: the vulnerability and where."""
    where = {
        (product.component.id, leaf.id)
        for product in statement.products
        for leaf in product.subcomponents
    }
    where |= {(product.component.id, "") for product in statement.products}
    return statement.vulnerability.name, frozenset(where)


def content(statement: Statement) -> Statement:
    """Return the statement without what dates or numbers it."""
    return replace(
        statement,
        id=None,
        version=None,
        timestamp=None,
        last_updated=None,
        action_statement_timestamp=None,
    )


def _to_restate(
    known: Mapping[Key, Statement], statements: Iterable[Statement]
) -> frozenset[Key]:
    """Return unchanged statements that need the new instant all the same.

    `vexctl filter` looks at the vulnerability alone and obeys its oldest statement.
    If one package is affected and another not, the one that keeps the finding must
    not become the younger of the two, so they are stated anew together.
    """
    groups: dict[str, list[Statement]] = defaultdict(list)
    for statement in statements:
        groups[statement.vulnerability.name].append(statement)
    keys: set[Key] = set()
    for group in groups.values():
        mixed = len({statement.status in SUPPRESSING for statement in group}) > 1
        if mixed and any(_changed(known.get(key(s)), s) for s in group):
            keys |= {key(statement) for statement in group}
    return frozenset(keys)


def _changed(old: Statement | None, new: Statement) -> bool:
    return old is None or content(old) != content(new)


def _carried(
    previous: Document,
    old: Statement | None,
    new: Statement,
    *,
    at: Issuance,
    restate: bool,
) -> Statement:
    if old is None:
        return replace(new, timestamp=new.timestamp or at.timestamp)
    if _changed(old, new):
        return replace(
            new,
            id=old.id,
            version=(old.version or 1) + 1,
            timestamp=at.timestamp,
            last_updated=at.timestamp,
        )
    known_at = identity.effective_timestamp(previous, old)
    return replace(old, timestamp=at.timestamp if restate else known_at)


def _document(
    statements: tuple[Statement, ...], issuance: Issuance, *, version: int
) -> Document:
    return Document(
        id=issuance.id or "",
        author=issuance.author,
        timestamp=issuance.timestamp,
        version=version,
        statements=statements,
        role=issuance.role,
        tooling=issuance.tooling,
    )
