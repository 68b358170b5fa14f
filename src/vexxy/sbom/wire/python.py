"""Installed Python distributions: `dist-info`, `egg-info`, eggs and links to sources.

Source: PyPA specifications, "Recording installed projects" and "Direct URL"; the egg
formats of setuptools.
"""

import csv
import json
import lzma
import posixpath
import struct
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

from vexxy.kit.errors import VexxyError
from vexxy.sbom.wire.survey import Survey

_SUFFIXES: Final = (".py", ".pyc", ".so", ".pth")
_PKG_INFO_LIMIT_BYTES: Final = 4 * 1024 * 1024


def survey_packages(survey: Survey) -> None:
    """Add every Python distribution; one that Debian installed is added as well."""
    for entry in survey.named("METADATA"):
        directory = posixpath.dirname(entry.path)
        if directory.endswith(".dist-info"):
            _add(survey, entry.path, partial(_dist_info_files, survey, directory))
    for entry in survey.named("PKG-INFO"):
        directory = posixpath.dirname(entry.path)
        if directory.endswith(".egg-info"):
            _add(survey, entry.path, partial(_egg_info_files, survey, directory))
        elif posixpath.basename(directory) == "EGG-INFO":
            egg = posixpath.dirname(directory)
            _add(survey, entry.path, partial(survey.below, egg))
    for entry in survey.suffixed(".egg-info"):
        _add(survey, entry.path, partial(_egg_info_files, survey, entry.path))
    for entry in survey.suffixed(".egg"):
        _add_zipped(survey, entry.path)


def _add(survey: Survey, metadata: str, files: Callable[[], Iterable[str] | None]) -> None:
    text = survey.read_text(metadata)
    if text is not None:
        _add_named(survey, metadata, (text, files()))


def _missing_files(survey: Survey, metadata: str) -> tuple[str, ...]:
    """Return the modules of a RECORD that the image lacks; its scripts often are left."""
    directory, name = posixpath.split(metadata)
    record = f"{directory}/RECORD"
    if name != "METADATA" or survey.root.find_file(record) is None:
        return ()
    rows = (survey.read_text(record) or "").splitlines()
    paths = (row.partition(",")[0].strip('"') for row in rows)
    site = posixpath.dirname(directory)
    inside = (path for path in paths if not path.startswith(".."))
    return survey.missing(posixpath.join(site, path) for path in inside)


def _add_named(
    survey: Survey, metadata: str, found: tuple[str, Iterable[str] | None]
) -> None:
    text, files = found
    fields = _headers(text)
    name, version = fields.get("name", ""), fields.get("version", "")
    if not name or not version:
        survey.note(metadata, "Python metadata without a name or a version")
        return
    survey.add_language_package(
        ("pypi", name, version),
        location=metadata,
        files=files,
        missing=_missing_files(survey, metadata),
    )


def _headers(text: str) -> dict[str, str]:
    """Return the header fields, names in lower case; the description is left out."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            break
        key, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            fields.setdefault(key.strip().lower(), value.strip())
    return fields


def _dist_info_files(survey: Survey, directory: str) -> tuple[str, ...] | None:
    site = posixpath.dirname(directory)
    record = f"{directory}/RECORD"
    if survey.root.find_file(record) is None:
        return _guessed_files(survey, directory)
    text = survey.read_text(record)
    if text is None:
        return None
    try:
        rows = [row[0] for row in csv.reader(text.splitlines()) if row]
    except csv.Error as error:
        survey.note(record, f"not a RECORD: {error}")
        return None
    listed = survey.existing(posixpath.join(site, row) for row in rows)
    editable = _editable_files(survey, directory)
    return tuple(sorted({*listed, *survey.below(directory), *editable}))


def _editable_files(survey: Survey, directory: str) -> Iterator[str]:
    """Yield the modules of a project that is installed in place (PEP 660)."""
    path = f"{directory}/direct_url.json"
    if survey.root.find_file(path) is None:
        return
    text = survey.read_text(path, limit=_PKG_INFO_LIMIT_BYTES)
    try:
        direct = json.loads(text or "{}")
        editable = direct.get("dir_info", {}).get("editable") is True
        url = urllib.parse.urlsplit(direct.get("url", ""))
    except (ValueError, AttributeError, RecursionError) as error:
        survey.note(path, f"not a direct URL record: {error}")
        return
    source = survey.root.resolve(urllib.parse.unquote(url.path))
    if editable and url.scheme == "file" and source not in {None, "/"}:
        yield from _modules(survey.below(str(source)))


def _modules(paths: Iterable[str]) -> Iterator[str]:
    return (path for path in paths if path.endswith(_SUFFIXES))


def _egg_info_files(survey: Survey, metadata: str) -> tuple[str, ...] | None:
    """Return the files of an `egg-info`, a directory or a single file."""
    listed = f"{metadata}/installed-files.txt"
    if survey.root.find_file(listed) is not None:
        lines = (survey.read_text(listed) or "").splitlines()
        files = survey.existing(posixpath.join(metadata, line) for line in lines if line)
        return tuple(sorted({*files, *survey.below(metadata)}))
    site = posixpath.dirname(metadata)
    if survey.root.find_file(f"{site}/setup.py") is not None:
        # A source tree, reached through an egg-link or PYTHONPATH.
        return tuple(_modules(survey.below(site)))
    return _guessed_files(survey, metadata)


def _guessed_files(survey: Survey, metadata: str) -> tuple[str, ...] | None:
    """Return what lies under the names in `top_level.txt`.

    Debian deletes RECORD. Its own list of the package's files is then the referee, so
    that two distributions in one namespace do not own each other's modules.
    """
    site = posixpath.dirname(metadata)
    own = set(survey.below(metadata))
    if survey.root.find_file(metadata) is not None:
        own.add(metadata)
    owned = survey.distribution_files(min(own)) if own else None
    names = _top_level(survey, metadata)
    if not names and owned is not None:
        return tuple(sorted(path for path in owned if path.startswith(site + "/")))
    modules = {path for name in names for path in _module_files(survey, site, name)}
    if owned is not None:
        modules &= owned
    return tuple(sorted(modules | own)) if modules else None


def _top_level(survey: Survey, metadata: str) -> list[str]:
    path = f"{metadata}/top_level.txt"
    if survey.root.find_file(path) is not None:
        return (survey.read_text(path) or "").split()
    if survey.distribution_files(metadata) is not None:
        return []
    project = posixpath.basename(metadata).partition("-")[0]
    return [project, project.lower(), project.replace("_", "/")]


def _module_files(survey: Survey, site: str, name: str) -> Iterator[str]:
    stem = f"{site}/{name}"
    yield from survey.below(stem)
    yield from survey.existing([f"{stem}.py"])
    directory = posixpath.dirname(stem)
    for path in survey.siblings(directory):
        if path.startswith(f"{stem}.") and path.endswith(".so"):
            yield path


def _add_zipped(survey: Survey, path: str) -> None:
    """Add an egg that is one archive, imported by Python without unpacking it."""
    try:
        with (
            survey.root.open_file(path) as file,
            zipfile.ZipFile(file) as archive,
            archive.open("EGG-INFO/PKG-INFO") as member,
        ):
            content = member.read(_PKG_INFO_LIMIT_BYTES)
    except VexxyError as error:
        survey.note(path, error.message)
        return
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        KeyError,
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,  # an encrypted member
    ) as error:
        survey.note(path, f"not a readable egg: {error}")
        return
    _add_named(survey, path, (content.decode("utf-8", "replace"), [path]))
