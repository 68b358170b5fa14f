"""Evidence as files, whatever the image calls its own."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.fakes.values import a_profile, a_result, a_verdict
from vexxy.analysis import publication
from vexxy.analysis.publication import Publisher
from vexxy.images.rootfs import RootFilesystem
from vexxy.kit import files, jsontext
from vexxy.sbom import service
from vexxy.tracer.types import Access, FileAccess

NOT_UTF8 = b"/srv/bad\xff.bin".decode("utf-8", "surrogateescape")


def test_a_name_that_is_no_utf8_costs_nothing_of_the_result() -> None:
    profile = a_profile(files_accessed=(FileAccess(NOT_UTF8, Access.DATA, 0.5),))

    content = publication.render(
        a_result(a_verdict(), profile=profile), None, publisher=Publisher("Somebody")
    )

    (access,) = json.loads(content)["execution_profile"]["files_accessed"]
    assert access["path"] == "/srv/bad\\xff.bin"


def test_ordinary_text_is_written_as_it_is() -> None:
    assert jsontext.encode({"a": "é\u2028"}) == '{"a":"é\u2028"}'.encode()


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    with pytest.raises(files.NotWritable):
        files.write_whole(tmp_path / "missing" / "x", b"new")

    path = tmp_path / "x"
    files.write_whole(path, b"one")
    files.write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_an_rpm_database_without_end_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "var/lib/rpm/rpmdb.sqlite"
    database.parent.mkdir(parents=True)
    connection = sqlite3.connect(database)
    connection.execute(
        "CREATE VIEW Packages AS WITH RECURSIVE n(hnum) AS "
        "(SELECT 1 UNION ALL SELECT hnum + 1 FROM n) SELECT hnum, zeroblob(1000000) AS "
        "blob FROM n"
    )
    connection.close()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=rocky\nVERSION_ID="9"\n')

    found = service.inventory(RootFilesystem(tmp_path))

    assert any("rpmdb.sqlite" in problem.path for problem in found.problems)
