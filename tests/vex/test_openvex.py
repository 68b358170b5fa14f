"""OpenVEX as JSON: written, read back, and read from strangers."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import vex_documents
from tests.fakes.vex_documents import a_claim, a_document, a_target, an_issuance
from vexxy.vex import service
from vexxy.vex.errors import UnreadableDocument
from vexxy.vex.rules import identity
from vexxy.vex.types import Document, Gravity, Status
from vexxy.vex.wire import openvex, openvex_schema, parsing


def a_raw_document(**given: object) -> dict:
    return json.loads(openvex.dump(a_document())) | given


def read(raw: object) -> openvex.Reading:
    return openvex.read(json.dumps(raw).encode())


@settings(max_examples=40)
@given(vex_documents.documents)
def test_writing_and_reading_a_document_gives_the_same_document(document: Document) -> None:
    reading = openvex.read(openvex.dump(document))
    assert reading.document == document
    assert reading.remarks == []


@settings(max_examples=40)
@given(vex_documents.documents)
def test_the_canonical_hash_survives_writing_and_reading(document: Document) -> None:
    again = openvex.read(openvex.dump(document)).document
    assert identity.canonical_hash(again) == identity.canonical_hash(document)


def test_what_we_build_is_valid_by_the_official_schema() -> None:
    claims = [
        a_claim(f"CVE-2026-{number:04}", status) for number, status in enumerate(Status)
    ]
    document = service.build_document(
        claims, target=a_target(), issuance=an_issuance(tag_products=True)
    )
    assert document is not None
    assert openvex_schema.check(json.loads(openvex.dump(document))) == ()
    assert document.id == identity.canonical_id(document)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"version": 0}, "/version"),
        ({"statements": []}, "/statements"),
        ({"confidence": 1}, ""),
        ({"author": None}, "/author"),
    ],
)
def test_the_schema_says_what_and_where(change: dict, where: str) -> None:
    (remark,) = openvex_schema.check(a_raw_document(**change))
    assert (remark.rule, remark.gravity, remark.where) == (
        "openvex.schema",
        Gravity.ERROR,
        where,
    )


def test_two_equal_statements_are_refused_by_the_schema() -> None:
    raw = a_raw_document()
    raw["statements"] *= 2
    assert [r.message for r in openvex_schema.check(raw)] == ["two items are equal"]


def test_a_missing_reason_is_told_by_its_choices() -> None:
    raw = a_raw_document()
    del raw["statements"][0]["justification"]
    (remark,) = openvex_schema.check(raw)
    assert remark.message == "one of justification or impact_statement must be given"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "nested deeper"),
        (b'{"bomFormat": "CycloneDX"}', "no OpenVEX document"),
        (b"{}", "no OpenVEX document"),
        (b'{"author": "\\ud800"}', "half of a surrogate pair"),
    ],
)
def test_what_is_no_document_is_refused_in_a_sentence(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableDocument, match=said):
        openvex.read(data)


def test_a_document_over_the_size_limit_is_not_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parsing, "SIZE_MAX_BYTES", 10)
    with pytest.raises(UnreadableDocument, match="at most 10 are read"):
        openvex.read(b" " * 11)


def test_another_vex_format_is_recognized() -> None:
    with pytest.raises(UnreadableDocument) as caught:
        read({"document": {"csaf_version": "2.0"}})
    assert caught.value.hint == "This is a CSAF document; only OpenVEX is read."


def test_a_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="No such file"):
        service.read_document(tmp_path / "absent.json")


def test_a_statement_with_an_unknown_status_is_left_out_loudly() -> None:
    raw = a_raw_document()
    raw["statements"][0]["status"] = "safe"
    reading = read(raw)
    assert reading.document.statements == ()
    assert [(r.rule, r.gravity) for r in reading.remarks] == [
        ("openvex.statement", Gravity.ERROR)
    ]


def test_the_supplier_that_go_vex_writes_into_components_is_borne_with() -> None:
    raw = a_raw_document()
    raw["statements"][0]["products"][0]["supplier"] = "somebody"
    reading = read(raw)
    assert reading.document == a_document()
    assert [remark.rule for remark in reading.remarks] == ["go-vex.supplier"]


def test_a_document_of_the_first_openvex_is_read() -> None:
    statement = {
        "vulnerability": "CVE-2026-0001",
        "products": ["pkg:oci/nginx"],
        "subcomponents": ["pkg:deb/debian/a@1"],
        "status": "fixed",
        "timestamp": "2023-01-08T18:02:03.647787998-06:00",
    }
    raw = {"@context": "https://openvex.dev/ns", "statements": [statement]}
    document = read(raw).document
    (found,) = document.statements
    assert found.vulnerability.name == "CVE-2026-0001"
    assert found.products[0].subcomponents[0].id == "pkg:deb/debian/a@1"
    assert document.timestamp == found.timestamp


def test_an_instant_without_an_offset_is_an_error() -> None:
    reading = read(a_raw_document(last_updated="2026-11-21T12:00:00"))
    assert reading.document.last_updated is None
    assert [remark.where for remark in reading.remarks] == ["/last_updated"]


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "yesterday"]
)
def test_an_impossible_instant_is_an_error_and_no_crash(text: str) -> None:
    reading = read(a_raw_document(last_updated=text))
    assert [remark.rule for remark in reading.remarks] == ["openvex.instant"]


def test_kubescapes_bare_hash_is_no_iri() -> None:
    report = read(a_raw_document(**{"@id": "5b1c"}))
    assert "openvex.iri" in {remark.rule for remark in report.remarks}


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "pkg:oci/a@b", "not_affected", "2026-11-21T12:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["@id", "name", "identifiers", "x"]), inner)
    ),
    max_leaves=4,
)


def places(value: object) -> list[tuple[dict | list, str | int]]:
    """Return every place in a document where a value can be exchanged."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    found: list = []
    for key, inner in list(pairs):
        found.append((value, key))
        if isinstance(inner, (dict, list)):
            found += places(inner)
    return found


@settings(max_examples=40)
@given(vex_documents.documents, st.data())
def test_a_damaged_document_is_reported_and_never_a_crash(
    document: Document, data: st.DataObject
) -> None:
    raw = openvex.to_json(document)
    holder, key = data.draw(st.sampled_from(places(raw)))
    holder[key] = data.draw(_JSON)  # type: ignore[index]
    try:
        reading = read(raw)
    except UnreadableDocument:
        return
    openvex_schema.check(reading.raw)
    service.validate(reading.document, target=a_target())
    again = openvex.read(openvex.dump(reading.document)).document
    assert again == reading.document
