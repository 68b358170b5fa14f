"""The three databases of rpm, real ones where the tools to make them are here."""

import pathlib
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.sbom import service
from vexxy.sbom.types import Inventory
from vexxy.sbom.wire import rpm_berkeley, rpm_header, rpm_ndb

Survey = Callable[..., Inventory]

SPECIFICATION = """
Name: sample
Epoch: 2
Version: 1.2
Release: 3.el9
Summary: A sample
License: MIT
BuildArch: noarch
%description
A sample.
%install
mkdir -p %{buildroot}/usr/share/sample
echo data > %{buildroot}/usr/share/sample/data.txt
%files
/usr/share/sample/data.txt
"""


def a_header(**texts: str) -> bytes:
    """Make a header blob: name, version, release, arch, source rpm and one file."""
    tags = {
        rpm_header.NAME: texts.get("name", "bash"),
        rpm_header.VERSION: "5.1",
        rpm_header.RELEASE: "4.el9",
        rpm_header.ARCHITECTURE: "x86_64",
        rpm_header.SOURCE_RPM: texts.get("source", "bash-5.1-4.el9.src.rpm"),
    }
    index, data = b"", b""
    for tag, text in tags.items():
        index += struct.pack(">IIII", tag, 6, len(data), 1)
        data += text.encode() + b"\0"
    for tag, text in (
        (rpm_header.BASE_NAMES, "bash"),
        (rpm_header.DIRECTORY_NAMES, "/usr/bin/"),
    ):
        index += struct.pack(">IIII", tag, 8, len(data), 1)
        data += text.encode() + b"\0"
    data += b"\0" * (-len(data) % 4)
    index += struct.pack(">IIII", rpm_header.DIRECTORY_INDEXES, 4, len(data), 1)
    data += struct.pack(">I", 0)
    return struct.pack(">II", 8, len(data)) + index + data


def an_sqlite_database(path: pathlib.Path, *blobs: bytes) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
    connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(b,) for b in blobs])
    connection.commit()
    connection.close()
    return path.read_bytes()


def an_ndb_database(blob: bytes) -> bytes:
    page = bytearray(4096)
    page[0:20] = struct.pack("<4sIIII", b"RpmP", 0, 1, 1, 2)
    for slot in range(2, 256):
        page[slot * 16 : slot * 16 + 16] = struct.pack("<4sIII", b"Slot", 0, 0, 0)
    page[32:48] = struct.pack("<4sIII", b"Slot", 1, 256, 9)
    return bytes(page) + struct.pack("<4sIII", b"BlbS", 1, 1, len(blob)) + blob


def test_an_rpm_package_has_epoch_source_and_files(
    survey: Survey, tmp_path: pathlib.Path
) -> None:
    database = an_sqlite_database(
        tmp_path / "db", a_header(), a_header(name="gpg-pubkey", source="(none)")
    )

    inventory = survey(
        {
            "/etc/os-release": 'ID="rocky"\nVERSION_ID="9.3"\n',
            "/var/lib/rpm/rpmdb.sqlite": database,
            "/usr/bin/bash": "code",
        }
    )

    (package,) = inventory.packages
    assert package.purl == "pkg:rpm/rocky/bash@5.1-4.el9?arch=x86_64&distro=rocky-9.3"
    assert package.ecosystem == "Rocky Linux:9"
    assert (package.source_name, package.source_version) == ("bash", "5.1-4.el9")
    assert package.files == ("/usr/bin/bash",)


def test_what_rpm_itself_installed_is_read(tmp_path: pathlib.Path) -> None:
    """Goal: read a real database, its write-ahead log included. Method: rpm makes it."""
    if shutil.which("rpmbuild") is None or shutil.which("rpm") is None:
        pytest.skip("rpm is not here: install the package rpm to run this")
    specification = tmp_path / "sample.spec"
    specification.write_text(SPECIFICATION)
    work = ["--define", f"_topdir {tmp_path}/build"]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *work, specification], check=True)
    built = next((tmp_path / "build/RPMS").rglob("*.rpm"))
    root = tmp_path / "root"
    root.mkdir()
    place = ["--root", root, "--define", "_dbpath /var/lib/rpm"]
    flags = ["--nodeps", "--noscripts", "--nosignature", "--define", "_db_backend sqlite"]
    subprocess.run(["rpm", *place, *flags, "-i", built], check=True, capture_output=True)

    inventory = service.inventory(RootFilesystem(root))

    (package,) = inventory.packages
    assert package.version == "2:1.2-3.el9"
    assert package.purl == "pkg:rpm/redhat/sample@1.2-3.el9?arch=noarch&epoch=2"
    assert (package.source_name, package.source_version) == ("sample", "2:1.2-3.el9")
    assert package.files == ("/usr/share/sample/data.txt",)


def test_the_ndb_database_of_suse_is_read(survey: Survey) -> None:
    inventory = survey(
        {
            "/etc/os-release": "ID=sles\nVERSION_ID=15.5\n",
            "/usr/lib/sysimage/rpm/Packages.db": an_ndb_database(a_header()),
        }
    )

    assert [package.name for package in inventory.packages] == ["bash"]
    assert inventory.packages[0].ecosystem == "SUSE:Linux Enterprise Server 15 SP5"


def test_a_berkeley_database_is_read(tmp_path: pathlib.Path) -> None:
    """Goal: read what RHEL 8 carries. Method: Berkeley DB's own loader makes one."""
    loader = shutil.which("db5.3_load")
    if loader is None:
        pytest.skip("db5.3_load is not here: install the package db5.3-util to run this")
    blobs = [a_header(name=f"package-{number}" + "x" * 3000) for number in range(20)]
    rows = [(struct.pack("<I", 0), struct.pack("<I", 21))]
    rows += [(struct.pack("<I", n), blob) for n, blob in enumerate(blobs, start=1)]
    text = "VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END\n"
    text += "".join(f" {key.hex()}\n {value.hex()}\n" for key, value in rows) + "DATA=END\n"
    subprocess.run([loader, tmp_path / "Packages"], input=text, text=True, check=True)

    found = list(rpm_berkeley.headers((tmp_path / "Packages").read_bytes()))

    assert sorted(found) == sorted(blobs)


def real_databases() -> Iterator[tuple[pathlib.Path, int]]:
    """Databases of real distributions, kept as test data by the module go-rpmdb."""
    counts = {
        "centos7-plain/Packages": 144,
        "centos8-modularitylabel/Packages": 518,
        "ubi8-s390x/Packages": 183,
        "sle15-bci/Packages.db": 35,
        "fedora35/rpmdb.sqlite": 138,
    }
    go = shutil.which("go")
    if go is None:
        return
    answer = subprocess.run(
        [go, "env", "GOMODCACHE"], check=True, capture_output=True, text=True
    )
    cache = pathlib.Path(answer.stdout.strip())
    folder = cache / "github.com/knqyf263/go-rpmdb@v0.1.1/pkg/testdata"
    for name, count in counts.items():
        if (folder / name).exists():
            yield folder / name, count


def test_databases_of_real_distributions_are_read_whole(tmp_path: pathlib.Path) -> None:
    databases = list(real_databases())
    if not databases:
        pytest.skip(
            "the real databases are not here: "
            "run go mod download github.com/knqyf263/go-rpmdb@v0.1.1 in any Go module"
        )
    for path, count in databases:
        root = tmp_path / path.parent.name
        (root / "var/lib/rpm").mkdir(parents=True)
        shutil.copy(path, root / "var/lib/rpm" / path.name)

        inventory = service.inventory(RootFilesystem(root))

        keys = count - _signing_keys(path)
        assert len(inventory.packages) == keys, path
        assert inventory.problems == (), path


def _signing_keys(path: pathlib.Path) -> int:
    content = path.read_bytes()
    readers = {"Packages": rpm_berkeley.headers, "Packages.db": rpm_ndb.headers}
    if path.name not in readers:
        connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
        blobs = [row[0] for row in connection.execute("SELECT blob FROM Packages")]
        connection.close()
    else:
        blobs = list(readers[path.name](content))
    names = [rpm_header.read_header(blob).text(rpm_header.NAME) for blob in blobs]
    return names.count("gpg-pubkey")


@pytest.mark.parametrize("name", ["rpmdb.sqlite", "Packages.db", "Packages"])
def test_a_damaged_database_is_a_problem(survey: Survey, name: str) -> None:
    inventory = survey(
        {
            "/etc/os-release": "ID=rhel\nVERSION_ID=8.9\n",
            f"/var/lib/rpm/{name}": b"\x00\x01damaged" * 2000,
        }
    )

    assert inventory.packages == ()
    assert [problem.path for problem in inventory.problems] == [f"/var/lib/rpm/{name}", "/"]


def test_a_header_cut_off_anywhere_is_refused() -> None:
    blob = a_header()
    for length in range(len(blob)):
        with pytest.raises(ValueError, match="rpm header"):
            rpm_header.read_header(blob[:length])


def test_a_header_larger_than_rpm_takes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blob = a_header()
    monkeypatch.setattr(rpm_header, "HEADER_LIMIT_BYTES", len(blob) - 1)
    with pytest.raises(ValueError, match="too large"):
        rpm_header.read_header(blob)


def test_an_ndb_cut_off_anywhere_is_refused() -> None:
    content = an_ndb_database(a_header())
    for length in range(0, len(content), 97):
        with pytest.raises(ValueError, match=r"."):
            list(rpm_ndb.headers(content[:length]))
