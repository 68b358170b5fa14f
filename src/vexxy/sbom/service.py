"""Taking the inventory of an image."""

from collections.abc import Callable, Mapping
from typing import Final

from vexxy.images.rootfs import RootFilesystem
from vexxy.kit.progress import Listener, Progress, silent
from vexxy.sbom.rules import owners
from vexxy.sbom.types import Distribution, Inventory, Package, Problem
from vexxy.sbom.wire import (
    apk,
    binaries,
    composer,
    dpkg,
    gem,
    java,
    npm,
    os_release,
    python,
    rpm,
)
from vexxy.sbom.wire.survey import Survey

# Distribution databases first: Python's reader asks them who owns a file.
READERS: Final[Mapping[str, Callable[[Survey], None]]] = {
    "dpkg": dpkg.survey_packages,
    "apk": apk.survey_packages,
    "rpm": rpm.survey_packages,
    "python": python.survey_packages,
    "npm": npm.survey_packages,
    "java": java.survey_packages,
    "gem": gem.survey_packages,
    "composer": composer.survey_packages,
    "binaries": binaries.survey_packages,
}
_DATABASES: Final[Mapping[str, str]] = {
    "debian": "dpkg",
    "ubuntu": "dpkg",
    "alpine": "apk",
    "wolfi": "apk",
    "chainguard": "apk",
    "rhel": "rpm",
    "centos": "rpm",
    "rocky": "rpm",
    "almalinux": "rpm",
    "fedora": "rpm",
    "amzn": "rpm",
    "opensuse-leap": "rpm",
    "opensuse-tumbleweed": "rpm",
    "sles": "rpm",
    "ol": "rpm",
    "photon": "rpm",
    "azurelinux": "rpm",
}


def inventory(root: RootFilesystem, *, progress: Listener = silent) -> Inventory:
    """Return everything installed in the image, with the files of each package.

    What cannot be read is a problem in the answer, never an error: one damaged database
    must not hide the packages of the others.
    """
    survey = Survey(root, os_release.find_distribution(root))
    sources: list[str] = []
    for number, (name, read) in enumerate(READERS.items()):
        progress(Progress("Taking inventory", 100 * number // len(READERS), name))
        before = len(survey.packages)
        read(survey)
        if len(survey.packages) > before:
            sources.append(name)
    for path in root.unreadable:
        survey.note(path, "could not be looked into")
    progress(Progress("Taking inventory", 100, f"{len(survey.packages)} packages"))
    return Inventory(
        distribution=survey.distribution,
        packages=tuple(sorted(set(survey.packages), key=_order)),
        sources=tuple(sources),
        problems=(*survey.problems, *_missing_database(survey.distribution, sources)),
    )


def _order(package: Package) -> tuple[str, str, str, tuple[str, ...], str]:
    return (
        package.type,
        package.name,
        package.version,
        package.locations,
        package.embedded_in or "",
    )


def _missing_database(
    distribution: Distribution | None, sources: list[str]
) -> tuple[Problem, ...]:
    """Say so when a distribution's own packages are not listed anywhere."""
    database = _DATABASES.get(distribution.id) if distribution else None
    if distribution is None or database is None or database in sources:
        return ()
    message = f"no readable {database} database: {distribution.id} packages are unknown"
    return (Problem(path="/", message=message),)


index_owners = owners.index_owners
