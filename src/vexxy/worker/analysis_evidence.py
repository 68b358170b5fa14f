"""What of an analysis is kept as evidence (contract, section 5)."""

from collections.abc import Iterator, Mapping
from typing import Final

from vexxy.analysis.attempts import service as attempts
from vexxy.analysis.publication import Publisher
from vexxy.analysis.submission.types import Work
from vexxy.analysis.submission.wire import storable
from vexxy.analysis.types import Result
from vexxy.evidence.types import EvidenceType, NewEvidence
from vexxy.kit import logging
from vexxy.vex.wire import openvex
from vexxy.worker.analysis_folder import Folder

_TEXT: Final = "text/plain"
_JSON: Final = "application/json"
_FILES: Final[Mapping[str, tuple[EvidenceType, str, str]]] = {
    "execution_trace.json": (EvidenceType.EXECUTION_TRACE, _JSON, "processes, programs"),
    "file_access_log.json": (EvidenceType.FILE_ACCESS_LOG, _JSON, "files, by their use"),
    "syscall_log.json": (EvidenceType.SYSCALL_LOG, _JSON, "system calls and refusals"),
    "network_log.json": (EvidenceType.NETWORK_LOG, _JSON, "sockets"),
    "traffic.json": (EvidenceType.FUZZING_RESULTS, _JSON, "what was sent and answered"),
    "code_coverage.json": (EvidenceType.CODE_COVERAGE, _JSON, "functions that ran"),
    "profile.json": (EvidenceType.PROFILER_OUTPUT, _JSON, "the execution profile"),
    "inventory.json": (EvidenceType.SBOM, _JSON, "packages with their files"),
    "container_logs.txt": (EvidenceType.CONTAINER_LOGS, _TEXT, "output of the image"),
    "test_script.txt": (EvidenceType.CONTAINER_LOGS, _TEXT, "output of the test script"),
}

log = logging.logger(__name__)


def observed(work: Work, folder: Folder, *, bytes_max: int) -> Iterator[NewEvidence]:
    """Return what the process of an analysis left of what it saw.

    A piece that is larger than what is kept is left out: the verdicts do not need it.
    """
    for name, (kind, content_type, description) in _FILES.items():
        path = folder.evidence / name
        size = path.stat().st_size if path.exists() else 0
        if size > bytes_max:
            log.warning("evidence.too_large", name=name, size_bytes=size)
        elif size:
            yield NewEvidence(
                organization_id=work.organization_id,
                analysis_job_id=work.analysis_id,
                evidence_type=kind,
                content=path,
                content_type=content_type,
                description=description,
            )


def stated(work: Work, result: Result, *, publisher: Publisher) -> Iterator[NewEvidence]:
    """Return the VEX document of a result, if it has one."""
    document = attempts.document_of(work.analysis_id, result, publisher=publisher)
    if document is not None:
        yield NewEvidence(
            organization_id=work.organization_id,
            analysis_job_id=work.analysis_id,
            evidence_type=EvidenceType.VEX_DOCUMENT,
            content=openvex.dump(document),
            description="OpenVEX, as it was first issued",
            vex_document=storable(openvex.to_json(document)),
        )
