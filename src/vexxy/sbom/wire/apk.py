"""The database of apk-tools.

Source: Alpine wiki, "Apk spec", installed database; apk-tools 3 moved it below `/usr`.
"""

from collections.abc import Iterator
from typing import Final

from vexxy.sbom.wire.survey import Installed, Survey

DATABASES: Final = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")


def survey_packages(survey: Survey) -> None:
    """Add every package of the apk database."""
    seen: set[str] = set()
    for candidate in DATABASES:
        path = survey.root.resolve(candidate)
        if path is None or path in seen:
            continue
        seen.add(path)
        for lines in _records(survey.read_text(path) or ""):
            _add(survey, path, lines)


def _records(text: str) -> Iterator[list[tuple[str, str]]]:
    lines: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not line:
            if lines:
                yield lines
            lines = []
        else:
            key, _, value = line.partition(":")
            lines.append((key, value))
    if lines:
        yield lines


def _add(survey: Survey, path: str, lines: list[tuple[str, str]]) -> None:
    fields = dict(lines)
    name, version = fields.get("P", ""), fields.get("V", "")
    if not name or not version:
        survey.note(path, f"a record without name or version: {name or version or '?'}")
        return
    survey.add_installed(
        Installed(
            type="apk",
            name=name,
            version=version,
            architecture=fields.get("A", ""),
            source=(fields.get("o") or name, version),
            location=path,
            files=_files(lines),
        )
    )


def _files(lines: list[tuple[str, str]]) -> list[str]:
    """Return the paths: `F:` opens a directory, each `R:` after it is a file in it."""
    directory, files = "", []
    for key, value in lines:
        if key == "F":
            directory = value.strip("/")
        elif key == "R":
            files.append(f"/{directory}/{value}" if directory else f"/{value}")
    return files
