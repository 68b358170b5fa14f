"""The database of rpm in each of its three backends.

Source: rpm, `lib/backend`: sqlite since 4.16 (one row a header), ndb (SUSE), and the
Berkeley DB hash that CentOS 7, RHEL 8 and Amazon Linux 2 still carry.
"""

import pathlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from vexxy.sbom.rules import purls
from vexxy.sbom.wire import rpm_berkeley, rpm_header, rpm_ndb
from vexxy.sbom.wire.survey import Installed, Survey

DIRECTORIES: Final = ("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm")
DATABASE_LIMIT_BYTES: Final = 1024 * 1024 * 1024


def survey_packages(survey: Survey) -> None:
    """Add every package of every rpm database."""
    seen: set[str] = set()
    for directory in DIRECTORIES:
        for name, read in _BACKENDS.items():
            path = survey.root.resolve(f"{directory}/{name}")
            if path is None or path in seen or path not in survey.root.entries:
                continue
            seen.add(path)
            _survey_database(survey, path, read)


def _survey_database(
    survey: Survey, path: str, read: Callable[[Survey, str], Iterator[bytes]]
) -> None:
    try:
        for blob in read(survey, path):
            _add(survey, path, rpm_header.read_header(blob))
    except (ValueError, TypeError, sqlite3.Error) as error:
        survey.note(path, f"the rpm database could not be read to its end: {error}")


def _add(survey: Survey, path: str, header: rpm_header.Header) -> None:
    name = header.text(rpm_header.NAME)
    if name == "gpg-pubkey":  # a key that rpm keeps as if it were a package
        return
    if not name or not header.text(rpm_header.VERSION):
        survey.note(path, "an rpm header without name or version")
        return
    source = purls.source_of_rpm(header.text(rpm_header.SOURCE_RPM), header.version)
    survey.add_installed(
        Installed(
            type="rpm",
            name=name,
            version=header.version,
            architecture=header.text(rpm_header.ARCHITECTURE),
            source=source if source[0] else (name, header.version),
            location=path,
            files=header.files,
        )
    )


def _sqlite_blobs(survey: Survey, path: str) -> Iterator[bytes]:
    """Yield the headers of a copy: an image's write-ahead log must be replayed."""
    with tempfile.TemporaryDirectory(prefix="vexxy-rpm-") as directory:
        copy = pathlib.Path(directory, "rpmdb.sqlite")
        for suffix in ("", "-wal"):
            if suffix and path + suffix not in survey.root.entries:
                continue
            content = survey.read(path + suffix, limit=DATABASE_LIMIT_BYTES)
            if content is None:
                return
            copy.with_name(copy.name + suffix).write_bytes(content)
        connection = sqlite3.connect(copy)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            kind = "SELECT type FROM sqlite_master WHERE name = 'Packages'"
            # A view could make rows without end out of a file of a few bytes.
            if connection.execute(kind).fetchall() != [("table",)]:
                raise sqlite3.DatabaseError("Packages is no table")
            for (blob,) in connection.execute("SELECT blob FROM Packages"):
                yield bytes(blob or b"")
        finally:
            connection.close()


def _ndb_blobs(survey: Survey, path: str) -> Iterator[bytes]:
    content = survey.read(path, limit=DATABASE_LIMIT_BYTES)
    return iter(()) if content is None else rpm_ndb.headers(content)


def _berkeley_blobs(survey: Survey, path: str) -> Iterator[bytes]:
    content = survey.read(path, limit=DATABASE_LIMIT_BYTES)
    return iter(()) if content is None else rpm_berkeley.headers(content)


_BACKENDS: Final[Mapping[str, Callable[[Survey, str], Iterator[bytes]]]] = {
    "rpmdb.sqlite": _sqlite_blobs,
    "Packages.db": _ndb_blobs,
    "Packages": _berkeley_blobs,
}
