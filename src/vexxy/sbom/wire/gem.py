"""Ruby gems, default gems included.

Source: RubyGems, `Gem::Specification#to_ruby` (the `# stub:` line is made to be read
without running the file) and `Gem::Specification#full_name`.
"""

import posixpath
import re
from typing import Final

from vexxy.sbom.wire.survey import Survey

_LIMIT_BYTES: Final = 4 * 1024 * 1024
_STUB: Final = re.compile(
    r"^# stub: (?P<name>\S+) (?P<version>\S+) (?P<platform>\S+)", re.MULTILINE
)
_NAME: Final = re.compile(r"^\s*\w+\.name\s*=\s*[\"'](?P<value>[^\"']+)[\"']", re.MULTILINE)
_VERSION: Final = re.compile(
    r"^\s*\w+\.version\s*=\s*(?:Gem::Version\.new\s*\(?)?\s*[\"'](?P<value>[^\"']+)[\"']",
    re.MULTILINE,
)
_FILES: Final = re.compile(r"^\s*\w+\.files\s*=\s*\[(?P<value>[^\]]*)\]", re.MULTILINE)
_QUOTED: Final = re.compile(r"[\"']([^\"']+)[\"']")


def survey_packages(survey: Survey) -> None:
    """Add every installed gem; a gemspec in a source tree is no installation."""
    for entry in survey.suffixed(".gemspec"):
        directory = posixpath.dirname(entry.path)
        default = posixpath.basename(directory) == "default"
        specifications = posixpath.dirname(directory) if default else directory
        if posixpath.basename(specifications) == "specifications":
            _add(survey, entry.path, posixpath.dirname(specifications))


def _add(survey: Survey, path: str, home: str) -> None:
    text = survey.read_text(path, limit=_LIMIT_BYTES)
    if text is None:
        return
    stub = _STUB.search(text)
    name = stub or _NAME.search(text)
    version = stub or _VERSION.search(text)
    if name is None or version is None:
        survey.note(path, "a gem specification without a readable name and version")
        return
    found = name["name" if stub else "value"], version["version" if stub else "value"]
    survey.add_language_package(
        ("gem", *found), location=path, files=_files(survey, text, (path, home))
    )


def _files(survey: Survey, text: str, place: tuple[str, str]) -> list[str] | None:
    """Return the gem's own folder; a default gem lives among Ruby's libraries instead."""
    path, home = place
    full_name = posixpath.basename(path).removesuffix(".gemspec")
    files = list(survey.below(f"{home}/gems/{full_name}"))
    files += [
        file for file in survey.below(f"{home}/extensions") if f"/{full_name}/" in file
    ]
    listed = _FILES.search(text)
    if listed:
        library = _library(home)
        names = [name.removeprefix("lib/") for name in _QUOTED.findall(listed["value"])]
        files += survey.existing(posixpath.join(library, name) for name in names)
    if f"{home}/specifications/default/" in path:
        files += _extensions(survey, full_name.rpartition("-")[0])
    return sorted({*files, path}) if files else None


def _extensions(survey: Survey, name: str) -> list[str]:
    """Return the compiled parts of a default gem, which lie in folders per machine."""
    stem = "/" + name.replace("-", "/")
    return [
        entry.path
        for entry in survey.suffixed(".so")
        if "/ruby/" in entry.path
        and (entry.path.endswith(f"{stem}.so") or f"{stem}/" in entry.path)
    ]


def _library(home: str) -> str:
    """Return Ruby's library folder for a gem home such as `/usr/lib/ruby/gems/3.1.0`."""
    parent, version = posixpath.split(home)
    return posixpath.join(posixpath.dirname(parent), version)
