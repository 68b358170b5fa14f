"""Keeping evidence, handing it out, and what is done about damage."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from tests.evidence.values import an_analysis, some_evidence
from vexxy.evidence import service
from vexxy.evidence.errors import (
    BlobMissing,
    EvidenceDamaged,
    EvidenceNotFound,
    EvidenceTooLarge,
    UnknownContentType,
)
from vexxy.evidence.models import EvidenceBlob
from vexxy.evidence.types import Evidence, EvidenceType, NewEvidence
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit.db import Database

CONTENT = b'{"processes": ["nginx"]}'


@pytest.fixture
def store(tmp_path: Path) -> LocalDisk:
    return LocalDisk(tmp_path / "evidence")


def keep(database: Database, store: LocalDisk, new: NewEvidence) -> Evidence:
    with database.transaction(new.organization_id) as session:
        return service.put(session, store, new)


def content(store: LocalDisk, evidence: Evidence) -> bytes:
    with service.open_content(store, evidence) as opened:
        return b"".join(opened.pieces())


def blobs(database: Database, organization_id: UUID) -> int:
    with database.transaction(organization_id) as session:
        return session.scalars(select(func.count()).select_from(EvidenceBlob)).one()


def paths(store: LocalDisk) -> set[str]:
    return {blob.path for blob in store.list_blobs("")}


def test_evidence_comes_back_as_it_was_kept(
    db_system: Database, db_worker: Database, db_request: Database, store: LocalDisk
) -> None:
    analysis = an_analysis(db_system)
    new = NewEvidence(
        organization_id=analysis[0],
        analysis_job_id=analysis[1],
        evidence_type=EvidenceType.VEX_DOCUMENT,
        content=CONTENT,
        description="what was published",
        summary={"statements": 3},
        vex_document={"@id": "x"},
    )

    kept = keep(db_worker, store, new)

    with db_request.transaction(analysis[0]) as session:
        found = service.get(session, kept.id)
        listed = service.list_for_analysis(session, analysis[1])
        count = service.count_for_analysis(session, analysis[1])
    assert found == kept
    assert listed == [kept]
    assert count == 1
    assert found.summary == {"statements": 3}
    assert found.description == "what was published"
    assert found.blob.sums.size_bytes == len(CONTENT)
    assert content(store, found) == CONTENT


def test_empty_evidence_is_evidence(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    kept = keep(db_worker, store, some_evidence(an_analysis(db_system), b""))
    assert content(store, kept) == b""


def test_large_evidence_is_streamed_from_a_file(
    db_system: Database, db_worker: Database, store: LocalDisk, tmp_path: Path
) -> None:
    path = tmp_path / "trace"
    path.write_bytes(os.urandom(12 * 1024 * 1024))
    kept = keep(db_worker, store, some_evidence(an_analysis(db_system), path))
    assert content(store, kept) == path.read_bytes()


def test_bytes_are_stored_before_a_row_names_them(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, analysis_id = analysis = an_analysis(db_system)
    staged = service.stage(store, some_evidence(analysis, CONTENT))
    assert paths(store) == {staged.blob.path}
    with db_worker.transaction(organization_id) as session:
        assert service.list_for_analysis(session, analysis_id) == []
        kept = service.record(session, staged)
    assert content(store, kept) == CONTENT


def test_the_same_content_is_stored_once_and_named_by_each_analysis(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    first = an_analysis(db_system)
    second = an_analysis(db_system, first[0])

    one = keep(db_worker, store, some_evidence(first, CONTENT))
    other = keep(db_worker, store, some_evidence(second, CONTENT))
    staged = service.stage(store, some_evidence(second, CONTENT))
    with db_worker.transaction(first[0]) as session:
        service.record(session, staged)

    assert one.id != other.id
    assert one.blob == other.blob
    assert blobs(db_worker, first[0]) == 1


def test_a_phase_that_is_run_again_keeps_its_evidence_once(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, analysis_id = analysis = an_analysis(db_system)
    first = keep(db_worker, store, some_evidence(analysis, CONTENT))
    again = keep(db_worker, store, some_evidence(analysis, CONTENT))
    assert again == first
    with db_worker.transaction(organization_id) as session:
        assert service.count_for_analysis(session, analysis_id) == 1


def test_the_same_content_of_two_organizations_shares_nothing(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    """A shared blob would tell one tenant, by time or size, what another one has."""
    mine = keep(db_worker, store, some_evidence(an_analysis(db_system), CONTENT))
    theirs = keep(db_worker, store, some_evidence(an_analysis(db_system), CONTENT))

    assert mine.blob.sums.checksum == theirs.blob.sums.checksum
    assert mine.blob.path != theirs.blob.path
    assert mine.blob.path.startswith(f"{mine.organization_id}/")
    assert theirs.blob.path.startswith(f"{theirs.organization_id}/")
    store.delete([theirs.blob.path])
    assert content(store, mine) == CONTENT


def test_writers_of_the_same_content_at_once_end_with_one_blob(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, _ = an_analysis(db_system)
    analyses = [an_analysis(db_system, organization_id) for _ in range(6)]

    with ThreadPoolExecutor(6) as pool:
        kept = list(
            pool.map(
                lambda analysis: keep(db_worker, store, some_evidence(analysis, CONTENT)),
                analyses,
            )
        )

    assert len({evidence.id for evidence in kept}) == 6
    assert blobs(db_worker, organization_id) == 1
    assert {content(store, evidence) for evidence in kept} == {CONTENT}


def test_what_is_too_large_leaves_nothing(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, analysis_id = analysis = an_analysis(db_system)
    new = some_evidence(analysis, b"12345")
    with (
        pytest.raises(EvidenceTooLarge),
        db_worker.transaction(organization_id) as session,
    ):
        service.put(session, store, new, bytes_max=4)
    with pytest.raises(EvidenceTooLarge):
        service.stage(store, new, bytes_max=4)
    with db_worker.transaction(organization_id) as session:
        assert service.list_for_analysis(session, analysis_id) == []
    assert paths(store) == set()


def test_a_type_that_is_not_handed_out_is_refused_before_anything_is_stored(
    db_system: Database, store: LocalDisk
) -> None:
    organization_id, analysis_id = an_analysis(db_system)
    page = NewEvidence(
        organization_id=organization_id,
        analysis_job_id=analysis_id,
        evidence_type=EvidenceType.FUZZING_RESULTS,
        content=b"<script>alert(1)</script>",
        content_type="text/html",
    )
    with pytest.raises(UnknownContentType):
        service.stage(store, page)
    assert paths(store) == set()


def test_evidence_that_is_not_there_is_not_found(
    db_system: Database, db_request: Database
) -> None:
    organization_id, _ = an_analysis(db_system)
    with (
        pytest.raises(EvidenceNotFound),
        db_request.transaction(organization_id) as session,
    ):
        service.get(session, uuid4())


def damaged(store: LocalDisk, evidence: Evidence) -> None:
    with pytest.raises(EvidenceDamaged):
        service.open_content(store, evidence)


def test_a_truncated_blob_is_an_error_before_the_first_byte(
    db_system: Database, db_worker: Database, store: LocalDisk, tmp_path: Path
) -> None:
    kept = keep(db_worker, store, some_evidence(an_analysis(db_system), CONTENT))
    file = tmp_path / "evidence" / kept.blob.path
    file.write_bytes(file.read_bytes()[:-1])
    damaged(store, kept)
    file.write_bytes(b"")
    damaged(store, kept)


def test_a_blob_that_was_swapped_for_a_genuine_other_one_is_an_error(
    db_system: Database, db_worker: Database, store: LocalDisk, tmp_path: Path
) -> None:
    analysis = an_analysis(db_system)
    one = keep(db_worker, store, some_evidence(analysis, b"verdict: affected"))
    other = keep(db_worker, store, some_evidence(analysis, b"verdict: not a bit"))
    root = tmp_path / "evidence"
    (root / one.blob.path).write_bytes((root / other.blob.path).read_bytes())
    damaged(store, one)
    assert content(store, other) == b"verdict: not a bit"


def test_a_blob_the_store_lost_is_an_error_that_says_what_to_do(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    kept = keep(db_worker, store, some_evidence(an_analysis(db_system), CONTENT))
    store.delete([kept.blob.path])
    with pytest.raises(BlobMissing) as missing:
        service.open_content(store, kept)
    assert missing.value.hint
    assert kept.blob.path not in f"{missing.value.message}{missing.value.hint}"


def test_keeping_the_same_content_again_mends_a_lost_blob(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    first = an_analysis(db_system)
    second = an_analysis(db_system, first[0])
    lost = keep(db_worker, store, some_evidence(first, CONTENT))
    store.delete([lost.blob.path])

    keep(db_worker, store, some_evidence(second, CONTENT))

    assert content(store, lost) == CONTENT


def test_a_path_is_not_in_what_is_printed_or_logged(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    kept = keep(db_worker, store, some_evidence(an_analysis(db_system), CONTENT))
    assert kept.blob.path not in repr(kept)
