"""npm packages, every installed copy by its own folder.

A lock file is no installation and an application's own `package.json` is no dependency:
only folders that Node's resolution finds by name are packages.
"""

import json
import posixpath
from typing import Final

from vexxy.sbom.wire.survey import Survey

MODULES: Final = "node_modules"
# Debian's Node.js looks here too, whatever the folder of the application.
_GLOBAL_DIRECTORIES: Final = frozenset({"/usr/share/nodejs", "/usr/lib/nodejs"})
_LIMIT_BYTES: Final = 8 * 1024 * 1024


def survey_packages(survey: Survey) -> None:
    """Add every copy of every package that Node.js can resolve by name."""
    for entry in survey.named("package.json"):
        directory = posixpath.dirname(entry.path)
        if _is_installed(directory):
            _add(survey, directory, entry.path)
    for entry in survey.named(".pnp.cjs"):
        survey.note(entry.path, "Yarn Plug'n'Play: the packages in its cache are not read")


def _is_installed(directory: str) -> bool:
    parent, name = posixpath.split(directory)
    if name.startswith("."):
        return False
    if posixpath.basename(parent).startswith("@"):
        parent = posixpath.dirname(parent)
    elif name.startswith("@"):
        return False
    return posixpath.basename(parent) == MODULES or parent in _GLOBAL_DIRECTORIES


def _add(survey: Survey, directory: str, path: str) -> None:
    content = survey.read(path, limit=_LIMIT_BYTES)
    if content is None:
        return
    try:
        manifest = json.loads(content.decode("utf-8-sig"))
        name, version = manifest["name"], manifest["version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        survey.note(path, f"package.json without a usable name and version: {error}")
        return
    if not isinstance(name, str) or not isinstance(version, str) or not name.strip("@/"):
        survey.note(path, "package.json whose name or version is no text")
        return
    nested = f"/{MODULES}/"
    files = [
        file for file in survey.below(directory) if nested not in file[len(directory) :]
    ]
    survey.add_language_package(
        ("npm", name, version.removeprefix("v").strip()), location=path, files=files
    )
