"""SBOMs and VEX documents, kept in a real database."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from tests.fakes.values import NOON, a_match, a_result, a_verdict
from tests.service_values import an_organization
from vexxy.analysis import publication
from vexxy.analysis.documents import service
from vexxy.analysis.documents.errors import (
    EditionNotFound,
    SbomNotFound,
    SbomTooLarge,
    VexNotFound,
)
from vexxy.analysis.documents.service import Upload
from vexxy.analysis.publication import Publisher
from vexxy.analysis.submission.models import AnalysisRow
from vexxy.audit.types import system
from vexxy.kit import clock, ids
from vexxy.kit.db import Database
from vexxy.sbom.errors import InvalidSbom
from vexxy.vex.service import Format
from vexxy.vex.types import Document

ACTOR = system("test")
PURL = "pkg:deb/debian/libfoo1@1.0-1?arch=amd64&distro=debian-12"
CYCLONEDX = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "web"}},
        "components": [
            {"type": "library", "name": "libfoo1", "version": "1.0-1", "purl": PURL,
             "bom-ref": "one"}
        ],
    }
).encode()  # fmt: skip
SPDX = json.dumps(
    {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "x", "packages": []}
).encode()
SYFT = json.dumps({"artifacts": [], "source": {}, "schema": {"version": "16.0.0"}}).encode()


def an_upload(organization_id: UUID, content: bytes, **given: object) -> Upload:
    values = {"limit_bytes": 1_000_000, **given}
    return Upload(organization_id, content, **values)  # type: ignore[arg-type]


def a_document() -> Document:
    result = a_result(a_verdict(), matches=(a_match(),))
    document = publication.document(result, Publisher("Somebody", "urn:test"))
    assert document is not None
    return document


def an_analysis(session: Session, organization_id: UUID) -> UUID:
    row = AnalysisRow(
        id=ids.new_id(),
        organization_id=organization_id,
        image_ref="web:1",
        profile="standard",
        config={},
        status="queued",
        deadline_seconds=900,
        estimated_duration_minutes=1,
        estimated_cost_credits=10,
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row.id


@pytest.mark.parametrize(
    ("content", "form", "packages"),
    [(CYCLONEDX, "cyclonedx", 1), (SPDX, "spdx", 0), (SYFT, "syft", 0)],
)
def test_an_sbom_comes_back_byte_for_byte(
    db_system: Database, db_request: Database, *, content: bytes, form: str, packages: int
) -> None:
    organization = an_organization(db_system)
    with db_request.transaction(organization) as session:
        stored = service.store_sbom(session, an_upload(organization, content), actor=ACTOR)
    with db_request.transaction(organization) as session:
        found, again = service.read_sbom(session, stored.id)

    assert again == content
    assert (found.format, found.packages) == (form, packages)
    assert found == stored


def test_an_sbom_is_named_by_who_sends_it_or_by_what_it_describes(
    db_system: Database, db_request: Database
) -> None:
    organization = an_organization(db_system)
    with db_request.transaction(organization) as session:
        upload = an_upload(organization, CYCLONEDX, name="mine\x00")
        given = service.store_sbom(session, upload, actor=ACTOR)
        own = service.store_sbom(session, an_upload(organization, CYCLONEDX), actor=ACTOR)

    assert (given.name, own.name) == ("mine", "web")


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b"[1]", b"{" * 5000])
def test_what_is_no_sbom_is_refused_and_not_kept(
    db_system: Database, db_request: Database, content: bytes
) -> None:
    organization = an_organization(db_system)
    with pytest.raises(InvalidSbom), db_request.transaction(organization) as session:
        service.store_sbom(session, an_upload(organization, content), actor=ACTOR)
    with db_request.transaction(organization) as session:
        assert service.list_sboms(session, skip=0, limit=10) == (0, [])


def test_an_sbom_over_the_limit_is_refused_before_it_is_read(
    db_system: Database, db_request: Database
) -> None:
    organization = an_organization(db_system)
    with pytest.raises(SbomTooLarge), db_request.transaction(organization) as session:
        service.store_sbom(
            session, an_upload(organization, b"{" * 101, limit_bytes=100), actor=ACTOR
        )


def test_an_sbom_of_another_organization_is_not_there(
    db_system: Database, db_request: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    with db_request.transaction(other) as session:
        theirs = service.store_sbom(session, an_upload(other, CYCLONEDX), actor=ACTOR)

    with db_request.transaction(mine) as session:
        with pytest.raises(SbomNotFound):
            service.get_sbom(session, theirs.id)
        with pytest.raises(SbomNotFound):
            service.read_sbom(session, theirs.id)
        assert service.list_sboms(session, skip=0, limit=10) == (0, [])


def test_a_document_issued_twice_is_one_document(
    db_system: Database, db_worker: Database
) -> None:
    organization = an_organization(db_system)
    with db_worker.transaction(organization) as session:
        analysis = an_analysis(session, organization)
        given = {"organization_id": organization, "analysis_id": analysis}
        first = service.issue(session, a_document(), **given)
        again = service.issue(session, a_document(), **given)

        assert first == again == service.vex_id_of(analysis)
        assert len(service.list_editions(session, first, skip=0, limit=10)) == 1


def test_an_edition_is_kept_when_the_next_one_comes(
    db_system: Database, db_worker: Database
) -> None:
    organization = an_organization(db_system)
    one = a_document()
    two = replace(one, version=2, last_updated=NOON + timedelta(days=1))
    with db_worker.transaction(organization) as session:
        analysis = an_analysis(session, organization)
        vex_id = service.issue(
            session, one, organization_id=organization, analysis_id=analysis
        )
        assert service.publish_edition(session, vex_id, two, reason="news") == 2
        # A step that is repeated publishes once, and an old edition never comes back.
        assert service.publish_edition(session, vex_id, two, reason="news") == 2
        assert service.publish_edition(session, vex_id, one, reason="old") == 2

    with db_worker.transaction(organization) as session:
        assert service.document_of(service.get_vex(session, vex_id)) == two
        old = service.get_vex(session, vex_id, version=1)
        assert service.document_of(old) == one
        with pytest.raises(EditionNotFound):
            service.get_vex(session, vex_id, version=3)
        editions = service.list_editions(session, vex_id, skip=0, limit=10)
        assert [(e.version, e.reason) for e in editions] == [
            (2, "news"),
            (1, service.REASON_FIRST),
        ]


@pytest.mark.parametrize(
    "statement",
    [
        "update vex_document_history set document = 'x'",
        "delete from vex_document_history",
    ],
)
def test_what_was_published_cannot_be_rewritten(
    db_system: Database, db_worker: Database, statement: str
) -> None:
    organization = an_organization(db_system)
    with (
        pytest.raises(ProgrammingError),
        db_worker.transaction(organization) as session,
    ):
        session.execute(text(statement))


def test_a_document_of_another_organization_is_not_there(
    db_system: Database, db_request: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    with db_request.transaction(other) as session:
        analysis = an_analysis(session, other)
        vex_id = service.issue(
            session, a_document(), organization_id=other, analysis_id=analysis
        )

    with db_request.transaction(mine) as session:
        for look in (service.get_vex, service.list_editions):
            with pytest.raises(VexNotFound):
                look(session, vex_id, **({} if look is service.get_vex else PAGE))  # type: ignore[operator]


PAGE = {"skip": 0, "limit": 10}


@pytest.mark.parametrize("form", [Format.OPENVEX, Format.CYCLONEDX, Format.CSAF])
def test_a_document_is_written_in_every_format(
    db_system: Database, db_worker: Database, form: Format
) -> None:
    organization = an_organization(db_system)
    with db_worker.transaction(organization) as session:
        analysis = an_analysis(session, organization)
        vex_id = service.issue(
            session, a_document(), organization_id=organization, analysis_id=analysis
        )
        issued = service.get_vex(session, vex_id)

    written = service.render(issued, form, namespace=None, sbom=CYCLONEDX)

    assert b"CVE-2026-0001" in written
    if form is Format.CYCLONEDX:
        assert b"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#one" in written
