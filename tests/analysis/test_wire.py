"""The results object, both ways."""

from pathlib import Path

import msgspec
import pytest

from tests.fakes.values import a_package, a_profile, a_result, a_verdict
from vexxy.analysis import wire
from vexxy.analysis.errors import ResultUnreadable
from vexxy.tracer.types import Access, FileAccess
from vexxy.vex.types import Status

CONTRACT_FIELDS = {
    "job_id",
    "status",
    "image_ref",
    "image_digest",
    "vex_document",
    "generated_vex_id",
    "execution_profile",
    "reachability_results",
    "security_findings",
    "summary",
    "cost_credits",
    "created_at",
    "completed_at",
    "error_message",
}


def test_every_field_of_the_contract_is_there() -> None:
    data = wire.results_object(a_result(a_verdict()), vex=None, scan=None)

    assert set(data) >= CONTRACT_FIELDS
    assert data["created_at"] == "2026-11-21T12:00:00Z"


def test_a_saved_result_gives_back_the_verdicts_and_the_profile(tmp_path: Path) -> None:
    profile = a_profile(files_accessed=(FileAccess("/usr/bin/x", Access.EXECUTED, 0.5),))
    result = a_result(
        a_verdict(Status.AFFECTED, package=a_package("aaa")),
        a_verdict(Status.NOT_AFFECTED),
        profile=profile,
    )
    path = tmp_path / "result.json"
    path.write_bytes(
        msgspec.json.encode(wire.results_object(result, vex={"@id": "x"}, scan=None))
    )

    data = wire.read_results(path)

    read = wire.verdicts(data)
    assert [(v.status, v.reason, v.evidence) for v in read] == [
        (v.status, v.reason, v.evidence) for v in result.verdicts
    ]
    assert read[0].package.purl == result.verdicts[0].package.purl
    assert wire.profile(data) == profile


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"statements": []}', b"\xff"])
def test_something_else_is_not_a_result(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)

    with pytest.raises(ResultUnreadable):
        wire.read_results(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ResultUnreadable, match="No such file"):
        wire.read_results(tmp_path / "nowhere.json")


def test_a_malformed_finding_is_named() -> None:
    with pytest.raises(ResultUnreadable, match="malformed"):
        wire.verdicts({"reachability_results": [{"package": {}}]})
