"""Evidence of another organization cannot be seen, named or touched, by SQL neither."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from tests.evidence.values import an_analysis, some_evidence
from vexxy.evidence import service
from vexxy.evidence.errors import EvidenceNotFound
from vexxy.evidence.models import AnalysisEvidence, EvidenceBlob
from vexxy.evidence.types import Evidence
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit import ids
from vexxy.kit.db import Database

TABLES = [AnalysisEvidence, EvidenceBlob]


@pytest.fixture
def store(tmp_path: Path) -> LocalDisk:
    return LocalDisk(tmp_path / "evidence")


@pytest.fixture
def theirs(db_system: Database, db_worker: Database, store: LocalDisk) -> Evidence:
    new = some_evidence(an_analysis(db_system), b"theirs")
    with db_worker.transaction(new.organization_id) as session:
        return service.put(session, store, new)


@pytest.fixture
def attacker(db_system: Database) -> UUID:
    organization_id, _ = an_analysis(db_system)
    return organization_id


@pytest.fixture(params=["request", "worker"])
def database(
    request: pytest.FixtureRequest, db_request: Database, db_worker: Database
) -> Database:
    return {"request": db_request, "worker": db_worker}[request.param]


def test_evidence_of_another_organization_is_as_absent_as_none(
    database: Database, theirs: Evidence, attacker: UUID
) -> None:
    with database.transaction(attacker) as session:
        with pytest.raises(EvidenceNotFound):
            service.get(session, theirs.id)
        assert service.list_for_analysis(session, theirs.analysis_job_id) == []
        assert service.count_for_analysis(session, theirs.analysis_job_id) == 0


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_seen_without_an_organization_or_with_another(
    database: Database,
    theirs: Evidence,
    attacker: UUID,
    table: type[AnalysisEvidence | EvidenceBlob],
) -> None:
    for bound in (None, attacker):
        with database.transaction(bound) as session:
            assert session.scalars(select(table)).all() == []


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_changed_or_removed_without_an_organization_or_with_another(
    database: Database,
    theirs: Evidence,
    attacker: UUID,
    table: type[AnalysisEvidence | EvidenceBlob],
) -> None:
    for bound in (None, attacker):
        with database.transaction(bound) as session:
            changed = update(table).values(checksum="0" * 64).returning(table.checksum)
            removed = delete(table).returning(table.checksum)
            assert session.scalars(changed).all() == []
            assert session.scalars(removed).all() == []


def row_of(theirs: Evidence, organization_id: UUID) -> dict[str, object]:
    return {
        "id": ids.new_id(),
        "organization_id": organization_id,
        "analysis_job_id": theirs.analysis_job_id,
        "evidence_type": "sbom",
        "storage_path": theirs.blob.path,
        "file_size": 1,
        "checksum": "0" * 64,
        "content_type": "application/json",
    }


def refused(database: Database, bound: UUID, row: dict[str, object]) -> None:
    with pytest.raises(DBAPIError), database.transaction(bound) as session:
        session.execute(insert(AnalysisEvidence).values(**row))


def test_no_row_is_written_for_another_organization(
    database: Database, theirs: Evidence, attacker: UUID
) -> None:
    refused(database, attacker, row_of(theirs, theirs.organization_id))


def test_no_row_names_the_blob_of_another_organization(
    db_system: Database, database: Database, theirs: Evidence, attacker: UUID
) -> None:
    """Goal: a known path is of no use. Method: own row, own analysis, their path."""
    _, analysis_id = an_analysis(db_system, attacker)
    row = {**row_of(theirs, attacker), "analysis_job_id": analysis_id}
    refused(database, attacker, row)


def test_no_blob_row_claims_the_path_of_another_organization(
    database: Database, theirs: Evidence, attacker: UUID
) -> None:
    claimed = theirs.blob.path.replace(".zst", "2.zst")
    with pytest.raises(DBAPIError), database.transaction(attacker) as session:
        session.execute(
            insert(EvidenceBlob).values(
                storage_path=claimed,
                organization_id=attacker,
                checksum="0" * 64,
                size_bytes=1,
                stored_bytes=1,
                stored_checksum="0" * 64,
            )
        )


def test_no_evidence_is_kept_for_the_analysis_of_another_organization(
    db_worker: Database, theirs: Evidence, attacker: UUID, store: LocalDisk
) -> None:
    forged = some_evidence((attacker, theirs.analysis_job_id), b"planted")
    with pytest.raises(DBAPIError), db_worker.transaction(attacker) as session:
        service.put(session, store, forged)


def test_staged_bytes_are_not_recorded_by_another_organization(
    db_system: Database, db_worker: Database, attacker: UUID, store: LocalDisk
) -> None:
    staged = service.stage(store, some_evidence(an_analysis(db_system), b"staged"))
    _, analysis_id = an_analysis(db_system, attacker)
    mine = replace(staged.new, organization_id=attacker, analysis_job_id=analysis_id)
    for stolen in (staged, replace(staged, new=mine)):
        with pytest.raises(DBAPIError), db_worker.transaction(attacker) as session:
            service.record(session, stolen)


def test_the_vex_document_of_a_row_is_for_that_type_only(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    new = replace(some_evidence(an_analysis(db_system)), vex_document={"a": 1})
    with pytest.raises(DBAPIError), db_worker.transaction(new.organization_id) as session:
        service.put(session, store, new)
