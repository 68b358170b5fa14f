"""Ours against the reference library, go-vex, on generated documents."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conformance.scanners import Scanners
from tests.conformance.table import Table
from tests.fakes import vex_documents
from vexxy.vex.rules import checking, identity, matching, purls
from vexxy.vex.rules.matching import Shelf
from vexxy.vex.types import Document, Statement, Status
from vexxy.vex.wire import openvex

DOCUMENTS = 300
SECTION = "Against go-vex"
T = TypeVar("T")
_SAMPLING = settings(
    max_examples=DOCUMENTS,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def sampled(strategy: st.SearchStrategy[T]) -> list[T]:
    """Return generated values, so that one process of the library answers for all."""
    found: list[T] = []

    @_SAMPLING
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    return [
        replace(document, statements=_numbered(document))
        for document in sampled(vex_documents.documents)
    ]


def _numbered(document: Document) -> tuple:
    return tuple(
        replace(statement, id=f"urn:statement:{number}")
        for number, statement in enumerate(document.statements)
    )


def asked(scanners: Scanners, questions: Sequence[dict[str, object]]) -> list[dict]:
    lines = "\n".join(json.dumps(question) for question in questions)
    answers = scanners.run("govex", given=lines.encode())
    return [json.loads(line) for line in answers.splitlines()]


def test_the_canonical_hash_is_the_one_go_vex_computes(
    scanners: Scanners, documents: list[Document], table: Table
) -> None:
    questions = [{"ask": "hash", "document": openvex.to_json(d)} for d in documents]
    answers = asked(scanners, questions)
    pairs = [
        (identity.canonical_hash(document), answer["hash"])
        for document, answer in zip(documents, answers, strict=True)
        if identity.reproducible(document)
    ]
    equal = sum(ours == theirs for ours, theirs in pairs)
    table.record(SECTION, "canonical hash", "go-vex", f"{equal}/{len(pairs)} equal")
    assert equal == len(pairs) > DOCUMENTS // 2


def explained(statement: Statement) -> bool:
    """Tell whether a statement has the explanation that its status demands."""
    match statement.status:
        case Status.NOT_AFFECTED:
            return bool(statement.justification or statement.impact_statement)
        case Status.AFFECTED:
            return bool(statement.action_statement)
        case Status.FIXED | Status.UNDER_INVESTIGATION:
            return True


def test_statements_that_go_vex_refuses_are_remarked_on(
    scanners: Scanners, documents: list[Document], table: Table
) -> None:
    questions = [{"ask": "hash", "document": openvex.to_json(d)} for d in documents]
    equal = 0
    for document, answer in zip(documents, asked(scanners, questions), strict=True):
        told = {
            int(remark.where.split("/")[2])
            for remark in checking.remarks(document)
            if remark.rule == "go-vex.fields"
        }
        told |= {i for i, s in enumerate(document.statements) if not explained(s)}
        assert told == set(answer.get("invalid", [])), document
        equal += 1
    table.record(SECTION, "Statement.Validate", "go-vex", f"{equal} documents equal")


def test_purls_match_as_in_go_vex(scanners: Scanners, table: Table) -> None:
    pairs = sampled(st.tuples(vex_documents.purls, vex_documents.purls))
    questions = [{"ask": "purl", "general": a, "specific": b} for a, b in pairs]
    answers = asked(scanners, questions)
    for (general, specific), answer in zip(pairs, answers, strict=True):
        assert purls.matches(general, specific) == answer["matches"], (general, specific)
    table.record(SECTION, "PurlMatches", "go-vex", f"{len(pairs)} pairs equal")


def test_documents_match_as_in_go_vex(
    scanners: Scanners, documents: list[Document], table: Table
) -> None:
    """Order counts: Grype obeys the first of these statements, Trivy the last."""
    names = ("CVE-2026-1", "GHSA-a", "b")
    found = sampled(st.tuples(vex_documents.purls, vex_documents.purls))
    cases = [
        (document, names[number % len(names)], *found[number % len(found)])
        for number, document in enumerate(documents)
    ]
    questions = [
        {
            "ask": "matches",
            "document": openvex.to_json(document),
            "vulnerability": name,
            "product": product,
            "subcomponents": [leaf],
        }
        for document, name, product, leaf in cases
    ]
    matched = 0
    answers = asked(scanners, questions)
    for (document, name, product, leaf), answer in zip(cases, answers, strict=True):
        ours = matching.matching(
            Shelf(document), name, product=product, subcomponents=(leaf,)
        )
        assert [s.id for _, s in ours] == (answer.get("ids") or []), (
            document,
            product,
            leaf,
        )
        matched += bool(ours)
    table.record(SECTION, "VEX.Matches", "go-vex", f"{len(cases)} questions equal")
    assert matched
