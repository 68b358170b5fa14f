"""PHP packages that Composer installed.

Source: Composer, `vendor/composer/installed.json` (a list in version 1, an object in 2).
"""

import json
import posixpath
from collections.abc import Mapping
from typing import Final

from vexxy.sbom.wire.survey import Survey

_LIMIT_BYTES: Final = 64 * 1024 * 1024


def survey_packages(survey: Survey) -> None:
    """Add every package of every `vendor` folder."""
    for entry in survey.named("installed.json"):
        if posixpath.basename(posixpath.dirname(entry.path)) == "composer":
            _survey_vendor(survey, entry.path)


def _survey_vendor(survey: Survey, path: str) -> None:
    content = survey.read(path, limit=_LIMIT_BYTES)
    if content is None:
        return
    try:
        document = json.loads(content)
        packages = document["packages"] if isinstance(document, dict) else document
        for package in packages:
            _add(survey, path, package)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        survey.note(path, f"not a list of Composer packages: {error}")


def _add(survey: Survey, path: str, package: Mapping[str, object]) -> None:
    name, version = str(package["name"]), str(package["version"])
    composer = posixpath.dirname(path)
    installed = package.get("install-path")
    if isinstance(installed, str):
        directory = survey.root.resolve(posixpath.join(composer, installed))
    else:
        directory = survey.root.resolve(f"{posixpath.dirname(composer)}/{name}")
    survey.add_language_package(
        ("composer", name, version.removeprefix("v")),
        location=path,
        files=survey.below(directory) if directory not in {None, "/"} else None,
    )
