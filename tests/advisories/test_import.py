"""Importing folders and archives: bad input is named, and costs nothing stored."""

import fcntl
import gzip
import json
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.osv import a_record, an_affected, pack, write
from vexxy.advisories import errors, examination, models, repository, service
from vexxy.advisories.types import OverlayLine, Symbol
from vexxy.advisories.wire import archives
from vexxy.kit.errors import InvalidInput

if TYPE_CHECKING:
    from vexxy.kit.progress import Progress


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "advisories.db"


def ids(database: Path, ecosystem: str = "PyPI", name: str = "thing") -> list[str]:
    with repository.open_index(database) as index:
        return [record_id for record_id, _ in index.list_affected(ecosystem, name)]


def test_a_folder_with_nested_folders_gzips_and_zips_is_read(
    database: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "in" / "deep" / "er", a_record("A"))
    (folder / "B.json.gz").write_bytes(gzip.compress(json.dumps(a_record("B")).encode()))
    pack(tmp_path / "in" / "all.zip", a_record("C"), a_record("D"))
    (tmp_path / "in" / "README.md").write_text("no record")
    seen: list[Progress] = []

    report = service.import_path(database, tmp_path / "in", progress=seen.append)

    assert report.records == 4
    assert report.rejected == ()
    assert ids(database) == ["A", "B", "C", "D"]
    assert seen[0].phase == "Reading advisories"


def test_one_file_and_one_archive_are_read(database: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", a_record("A"))
    assert service.import_path(database, folder / "A.json").records == 1
    packed = pack(tmp_path / "all.zip", a_record("A"), a_record("B"))
    assert service.import_path(database, packed).records == 2


def test_a_malformed_advisory_among_good_ones_is_named(
    database: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "in", a_record("A"), a_record("B"))
    (folder / "broken.json").write_text('{"id": "X", "affected": [{"package": 7}]}')
    (folder / "empty.json.gz").write_bytes(b"not gzip")

    report = service.import_path(database, folder)

    assert ids(database) == ["A", "B"]
    assert report.rejected_total == 2
    assert [Path(one.path).name for one in report.rejected] == [
        "broken.json",
        "empty.json.gz",
    ]
    assert "$.affected[0].package" in report.rejected[0].reason


def test_withdrawn_records_and_records_of_commits_are_counted(
    database: Path, tmp_path: Path
) -> None:
    gone = a_record("GONE", withdrawn="2026-01-01T00:00:00Z")
    commits = a_record("COMMITS", affected=[])
    report = service.import_path(
        database, write(tmp_path / "in", a_record("A"), gone, commits)
    )
    assert (report.records, report.withdrawn, report.without_package) == (1, 1, 1)
    assert ids(database) == ["A"]


def test_an_import_replaces_its_ecosystem_and_no_other(
    database: Path, tmp_path: Path
) -> None:
    npm = a_record("GHSA-n", an_affected("npm"))
    service.import_path(database, write(tmp_path / "one", a_record("OLD"), npm))

    report = service.import_path(database, write(tmp_path / "two", a_record("NEW")))

    assert ids(database) == ["NEW"]
    assert ids(database, "npm") == ["GHSA-n"]
    assert report.ecosystems[0].records_before == 1


def test_a_record_that_also_names_another_ecosystem_leaves_that_alone(
    database: Path, tmp_path: Path
) -> None:
    """Goal: 32 npm records that mention NuGet must not replace all of NuGet."""
    nuget = a_record("NUGET-1", an_affected("NuGet"))
    service.import_path(database, write(tmp_path / "one", nuget))
    both = a_record("GHSA-b", an_affected("npm"), an_affected("NuGet"))

    service.import_path(database, write(tmp_path / "two", both))

    assert ids(database, "NuGet") == ["GHSA-b", "NUGET-1"]


def test_merging_adds_and_replaces_by_id(database: Path, tmp_path: Path) -> None:
    first = write(tmp_path / "one", a_record("A"), a_record("B"))
    service.import_path(database, first)
    changed = a_record("B", an_affected("PyPI", "other"))

    service.import_path(
        database, write(tmp_path / "two", changed, a_record("C")), merge=True
    )

    assert ids(database) == ["A", "C"]
    assert ids(database, name="other") == ["B"]
    assert service.status(database).records == 3


@pytest.mark.parametrize("content", [b"{}", b"[1, 2", b""])
def test_nothing_usable_costs_nothing_stored(
    database: Path, tmp_path: Path, content: bytes
) -> None:
    service.import_path(database, write(tmp_path / "good", a_record("A")))
    before = database.read_bytes()
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "x.json").write_bytes(content)

    with pytest.raises(errors.NothingToImport, match="1 files rejected"):
        service.import_path(database, bad)

    assert database.read_bytes() == before
    assert sorted(path.name for path in database.parent.iterdir()) == [
        "advisories.db",
        "advisories.db.lock",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("missing", "no such file"), ("text.txt", "neither JSON nor a zip"), ("d", "no JSON")],
)
def test_a_path_that_holds_no_advisories_is_refused(
    database: Path, tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "d").mkdir()
    with pytest.raises(errors.NothingToImport, match=reason):
        service.import_path(database, tmp_path / name)
    assert not database.exists()


def test_a_crash_in_the_middle_leaves_the_old_database(
    database: Path, tmp_path: Path
) -> None:
    service.import_path(database, write(tmp_path / "in", a_record("A")))

    class Killed(BaseException):
        """As kill -9 would, as far as the file is concerned."""

    def half_written() -> None:
        from vexxy.advisories import store  # noqa: PLC0415  kept beside its use

        with store.replacing(database) as connection:
            repository.remove_origin(connection, "PyPI")
            connection.commit()
            raise Killed

    with pytest.raises(Killed):
        half_written()

    assert ids(database) == ["A"]


KILLED = """
import os, pathlib, signal, sys
from vexxy.advisories import repository, store
with store.replacing(pathlib.Path(sys.argv[1])) as connection:
    repository.remove_origin(connection, "PyPI")
    connection.commit()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_the_old_database_and_no_lock(
    database: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "in", a_record("A"))
    service.import_path(database, folder)
    done = subprocess.run([sys.executable, "-c", KILLED, str(database)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert ids(database) == ["A"]
    service.import_path(database, folder)
    assert not database.with_name("advisories.db.new").exists()


def test_a_full_disk_leaves_the_old_database(database: Path, tmp_path: Path) -> None:
    """Goal: no half-written file. Method: forbid files beyond the size of the old one."""
    service.import_path(database, write(tmp_path / "few", a_record("A")))
    many = write(tmp_path / "many", *(a_record(f"B-{at}") for at in range(400)))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (database.stat().st_size, before[1]))
    try:
        with pytest.raises(errors.DatabaseNotWritten) as caught:
            service.import_path(database, many)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.kept == "the database is as it was before"
    assert ids(database) == ["A"]
    assert not database.with_name("advisories.db.new").exists()


def test_a_copy_that_a_crash_left_behind_is_in_nobodys_way(
    database: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "in", a_record("A"))
    service.import_path(database, folder)
    database.with_name("advisories.db.new").write_bytes(b"half a database")
    service.import_path(database, folder)
    assert ids(database) == ["A"]


def test_a_reader_keeps_what_it_opened(database: Path, tmp_path: Path) -> None:
    service.import_path(database, write(tmp_path / "one", a_record("A")))
    with repository.open_index(database) as index:
        service.import_path(database, write(tmp_path / "two", a_record("B")))
        assert [one for one, _ in index.list_affected("PyPI", "thing")] == ["A"]
    assert ids(database) == ["B"]


def test_two_writers_do_not_mix(database: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", a_record("A"))
    service.import_path(database, folder)
    with database.with_name("advisories.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(errors.DatabaseBusy, match="another process"):
            service.import_path(database, folder)
    assert ids(database) == ["A"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a folder")
    folder = write(tmp_path / "in", a_record("A"))
    with pytest.raises(errors.DatabaseNotWritten, match="could not be written"):
        service.import_path(occupied / "advisories.db", folder)


def test_there_may_be_no_database(database: Path) -> None:
    with pytest.raises(errors.DatabaseNotFound, match="no advisory database") as caught:
        service.status(database)
    assert "vexxy advisories update" in str(caught.value.hint)


def test_something_else_is_no_database(database: Path, tmp_path: Path) -> None:
    database.parent.mkdir()
    database.write_text("hello, I am a text" * 100)
    with pytest.raises(errors.DatabaseUnreadable):
        service.status(database)
    with pytest.raises(errors.DatabaseUnreadable):
        service.import_path(database, write(tmp_path / "in", a_record("A")))
    database.unlink()
    sqlite3.connect(database).execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(errors.DatabaseUnreadable, match="something else"):
        service.status(database)


@pytest.mark.parametrize(
    ("version", "age"),
    [(models.SCHEMA_VERSION + 1, "a newer"), (models.OLDEST_READABLE - 1, "an older")],
)
def test_another_schema_is_refused_for_reading_and_writing(
    database: Path, tmp_path: Path, version: int, age: str
) -> None:
    folder = write(tmp_path / "in", a_record("A"))
    service.import_path(database, folder)
    connection = sqlite3.connect(database)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    for act in (service.status, lambda path: service.import_path(path, folder)):
        with pytest.raises(errors.SchemaMismatch, match=age):
            act(database)


def test_an_older_overlay_is_read_and_brought_up_to_date(
    database: Path, tmp_path: Path
) -> None:
    """What was derived on this machine before an update of the product stays."""
    symbol = Symbol("lib.a", "f", "seen", 0.8)
    line = OverlayLine("PyPI", "lib", "CVE-2099-1", symbol)
    service.store_symbols(database, [line])
    connection = sqlite3.connect(database)
    connection.executescript(
        "ALTER TABLE overlay DROP COLUMN terms; PRAGMA user_version = 1;"
    )
    connection.close()
    with repository.open_index(database) as index:
        assert index.list_overlay("PyPI", "lib") == (line,)

    service.import_path(database, write(tmp_path / "in", a_record("A")))
    with repository.open_index(database) as index:
        assert index.list_overlay("PyPI", "lib") == (line,)


def test_a_read_only_database_can_be_read(database: Path, tmp_path: Path) -> None:
    service.import_path(database, write(tmp_path / "in", a_record("A")))
    database.chmod(0o444)
    moved = shutil.move(database, tmp_path / "with ? and # and %20.db")
    assert ids(Path(moved)) == ["A"]


def test_status_counts_records_and_functions(database: Path, tmp_path: Path) -> None:
    named = an_affected(
        "Go", "m", ecosystem_specific={"imports": [{"path": "m", "symbols": ["A", "B"]}]}
    )
    service.import_path(
        database, write(tmp_path / "in", a_record("GO-1", named), a_record("P"))
    )
    line = OverlayLine("Debian", "zlib", "CVE-1", Symbol("inflate.c", "inflate", "here"))
    service.store_symbols(database, [line])

    status = service.status(database)

    go, pypi = status.ecosystems
    assert (go.ecosystem, go.records, go.with_symbols, go.symbols) == ("Go", 1, 1, 2)
    assert (pypi.records, pypi.symbols) == (1, 0)
    assert status.derived_symbols == 1
    assert status.shipped_symbols > 1000
    assert status.records == 2
    assert go.age_days(go.imported_at) == 0


def test_derived_functions_survive_an_import_and_replace_their_package(
    database: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "in", a_record("A"))
    old = OverlayLine("Debian", "zlib", "CVE-1", Symbol("a.c", "old", "here"))
    new = OverlayLine("Debian", "zlib", "CVE-1", Symbol("a.c", "new", "here", 0.5))
    other = OverlayLine("Debian", "xz-utils", "CVE-2", Symbol("b.c", "f", "here"))
    service.store_symbols(database, [old, other])
    service.import_path(database, folder)
    service.store_symbols(database, [new])
    with repository.open_index(database) as index:
        assert index.list_overlay("Debian", "zlib") == (new,)
        assert index.list_overlay("Debian", "xz-utils") == (other,)


def test_records_are_loaded_without_a_database(tmp_path: Path) -> None:
    one = write(tmp_path / "one", a_record("A"))
    two = write(tmp_path / "two", a_record("A"), a_record("B"))
    (two / "bad.json").write_text("{")
    with service.load([one, two]) as index:
        assert index.report is not None
        assert index.report.records == 2
        assert index.report.rejected_total == 1
        assert len(index.list_affected("PyPI", "thing")) == 2
    with pytest.raises(errors.NothingToImport):
        service.load([tmp_path / "nowhere"])


class TestHostileArchives:
    def test_a_bomb_is_bounded(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("big.json", b" " * (archives.RECORD_BYTES_MAX + 2))
            archive.writestr("ok.json", "{}")
        found = list(archives.read(path, archives.Budget()))
        assert "larger than" in found[0].reason  # type: ignore[union-attr]
        assert isinstance(found[1], archives.Member)

    def test_many_small_bombs_are_bounded_together(self, tmp_path: Path) -> None:
        path = tmp_path / "bombs.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(20):
                archive.writestr(f"{number}.json", b" " * 100_000)
        with pytest.raises(errors.NothingToImport, match="unreasonable size"):
            list(archives.read(path, archives.Budget(total_bytes=1_000_000)))

    def test_names_that_climb_out_write_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "climb.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../../escaped.json", json.dumps(a_record("A")))
        (found,) = archives.read(path, archives.Budget())
        assert isinstance(found, archives.Member)
        assert not (tmp_path.parent / "escaped.json").exists()

    def test_a_damaged_member_is_named_and_the_rest_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "damaged.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("A.json", json.dumps(a_record("AAAA")))
            archive.writestr("B.json", json.dumps(a_record("BBBB")))
        path.write_bytes(path.read_bytes().replace(b"AAAA", b"XXXX"))
        bad, good = archives.read(path, archives.Budget())
        assert "CRC" in bad.reason  # type: ignore[union-attr]
        assert bad.damaged  # type: ignore[union-attr]
        assert isinstance(good, archives.Member)

    def test_an_encrypted_member_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "secret.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("A.json", "{}")
        content = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(signature) + offset] |= 1
        path.write_bytes(bytes(content))
        (found,) = archives.read(path, archives.Budget())
        assert "encrypted" in found.reason  # type: ignore[union-attr]

    def test_an_endless_table_of_contents_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "toc.zip"
        size = archives.DIRECTORY_BYTES_MAX + 1
        path.write_bytes(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, size, 0, 0))
        (found,) = archives.read(path, archives.Budget())
        assert "table of contents" in found.reason  # type: ignore[union-attr]

    @pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"PK" * 1000])
    def test_what_only_calls_itself_a_zip_is_named(
        self, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "no.zip"
        path.write_bytes(content)
        (found,) = archives.read(path, archives.Budget())
        assert "cannot be read" in found.reason  # type: ignore[union-attr]

    def test_a_zip_in_a_zip_is_not_opened(self, tmp_path: Path) -> None:
        inner = pack(tmp_path / "inner.zip", a_record("A"))
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
            archive.write(inner, "inner.zip")
        assert list(archives.read(tmp_path / "outer.zip", archives.Budget())) == []


def test_a_shipped_overlay_line_names_its_source() -> None:
    lines = [line for many in examination.shipped_overlay().values() for line in many]
    assert {line.ecosystem for line in lines} == {"Debian", "PyPI", "npm"}
    sources = (
        "commit https://",
        "Debian ",
        "advisory text of ",
        "field affected_functions",
    )
    assert all(line.symbol.provenance.startswith(sources) for line in lines)
    assert all(
        0 < line.symbol.confidence < 1
        # A person looked for when the code came, too.
        or line.symbol.provenance.endswith("looked into")
        for line in lines
    )
    assert all(line.symbol.module for line in lines)


def test_a_shipped_line_of_a_whole_module_is_unsure_or_was_read_by_a_person() -> None:
    lines = [line for many in examination.shipped_overlay().values() for line in many]
    whole = [line.symbol for line in lines if not line.symbol.name]
    assert whole
    assert all(
        one.confidence <= 0.5 or one.provenance.startswith("advisory text") for one in whole
    )


def test_an_overlay_with_a_bad_line_names_the_line(tmp_path: Path) -> None:
    from vexxy.advisories.wire import overlay  # noqa: PLC0415  kept beside its use

    good = OverlayLine("Debian", "zlib", "CVE-1", Symbol("a.c", "f", "a patch", 0.8))
    assert list(overlay.parse(overlay.dump([good, good]), source="x")) == [good]
    with pytest.raises(InvalidInput, match="x, line 2"):
        list(overlay.parse("# comment\nDebian\tzlib\n", source="x"))
    with pytest.raises(InvalidInput, match="confidence"):
        list(overlay.parse("Debian\tzlib\tCVE-1\ta.c\tf\t7\tpatch", source="x"))
