"""The database of dpkg, also as distroless images keep it.

Source: deb-control(5), dpkg(1) FILES, dpkg-divert(1). Distroless images write one
paragraph a file into `status.d`, with the package's `md5sums` beside it.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from vexxy.sbom.rules import purls
from vexxy.sbom.wire.survey import Installed, Survey

STATUS: Final = "/var/lib/dpkg/status"
STATUS_DIRECTORY: Final = "/var/lib/dpkg/status.d"
INFO: Final = "/var/lib/dpkg/info"
DIVERSIONS: Final = "/var/lib/dpkg/diversions"
# The states in which the files of a package are on the disk.
_UNPACKED: Final = frozenset(
    {
        "installed",
        "triggers-pending",
        "triggers-awaited",
        "unpacked",
        "half-configured",
        "half-installed",
    }
)

Fields: TypeAlias = Mapping[str, str]


def survey_packages(survey: Survey) -> None:
    """Add every Debian package whose files are in the image."""
    status = survey.root.resolve(STATUS)
    if status is not None:
        diversions = _diversions(survey)
        for fields in _paragraphs(survey.read_text(status) or ""):
            listed = _listed_files(survey, fields)
            if listed is not None and diversions:
                listed = _diverted(listed, fields.get("package", ""), diversions)
            _add(survey, fields, (status, listed))
    directory = survey.root.resolve(STATUS_DIRECTORY)
    for path in survey.below(directory) if directory else ():
        if posixpath.splitext(path)[1] in {".md5sums", ".list"}:
            continue
        for fields in _paragraphs(survey.read_text(path) or ""):
            _add(survey, fields, (path, _md5sums(survey, f"{path}.md5sums")))


def _add(survey: Survey, fields: Fields, found: tuple[str, list[str] | None]) -> None:
    location, files = found
    name, version = fields.get("package", ""), fields.get("version", "")
    state = fields.get("status", "installed").rpartition(" ")[2]
    if not name or state not in _UNPACKED:
        return
    if not version:
        survey.note(location, f"package {name} has no version")
        return
    survey.add_installed(
        Installed(
            type="deb",
            name=name,
            version=version,
            architecture=fields.get("architecture", ""),
            source=purls.debian_source(name, version, fields.get("source", "")),
            location=location,
            files=files,
        )
    )


def _paragraphs(text: str) -> Iterator[Fields]:
    """Yield the fields of each paragraph, names in lower case, first lines only."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            if fields:
                yield fields
            fields = {}
        elif line[0] not in " \t":
            key, _, value = line.partition(":")
            fields[key.lower()] = value.strip()
    if fields:
        yield fields


def _listed_files(survey: Survey, fields: Fields) -> list[str] | None:
    """Return what the package unpacked, None when the list was deleted."""
    name = fields.get("package", "")
    stems = (name, f"{name}:{fields.get('architecture', '')}")
    if fields.get("multi-arch") == "same":
        stems = stems[::-1]
    for stem in stems:
        path = survey.root.locate(f"{INFO}/{stem}.list")
        if path is not None and path in survey.root.entries:
            return survey.read_paths(path)
    for stem in stems:
        sums = _md5sums(survey, f"{INFO}/{stem}.md5sums")
        if sums is not None:
            return sums
    return None


def _md5sums(survey: Survey, path: str) -> list[str] | None:
    if survey.root.find_file(path) is None:
        return None
    lines = survey.read_paths(path)
    if lines is None:
        return None
    return ["/" + line[34:].removeprefix("./") for line in lines if len(line) > 34]  # noqa: PLR2004  32 digits, two blanks


def _diversions(survey: Survey) -> Mapping[str, tuple[str, str]]:
    """Return where diverted paths went, and the package that they were moved for."""
    if survey.root.find_file(DIVERSIONS) is None:
        return {}
    lines = survey.read_paths(DIVERSIONS) or []
    triples = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
    return {path: (moved_to, package) for path, moved_to, package in triples}


def _diverted(
    files: list[str], package: str, diversions: Mapping[str, tuple[str, str]]
) -> list[str]:
    """Return the files where they really lie; the diverting package keeps the path."""
    return [
        diversions[path][0]
        if path in diversions and diversions[path][1] != package
        else path
        for path in files
    ]
