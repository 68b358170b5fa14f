"""Taking the inventory of an image, and SBOM documents in and out."""

import codecs
import importlib.metadata
import pathlib
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image
from vexxy.kit import clock
from vexxy.kit.progress import Listener, Progress, silent
from vexxy.sbom.errors import InvalidSbom, SbomMismatch, SbomMissing
from vexxy.sbom.rules import comparison
from vexxy.sbom.types import Distribution, Inventory, Package, Problem, SbomFormat
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
    sniffing,
    spdx_document,
)
from vexxy.sbom.wire.survey import Survey

SBOM_LIMIT_BYTES: Final = 256 * 1024 * 1024

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


def read_sbom(path: pathlib.Path) -> Inventory:
    """Return the inventory of a CycloneDX, SPDX 2 or Syft document, told by its content.

    Raises:
        SbomMissing: There is no such file.
        InvalidSbom: It is too large, damaged, or none of these.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SBOM_LIMIT_BYTES + 1)
    except FileNotFoundError as error:
        raise SbomMissing(f"there is no file {path}", hint="check the path") from error
    except OSError as error:
        raise InvalidSbom(f"{path} could not be read: {error.strerror}") from error
    if len(content) > SBOM_LIMIT_BYTES:
        raise InvalidSbom(f"{path.name} has more than {SBOM_LIMIT_BYTES} bytes")
    return parse_sbom(content)


def parse_sbom(content: bytes) -> Inventory:
    """Return the inventory of a CycloneDX, SPDX 2 or Syft document; `sources` says which.

    Raises:
        InvalidSbom: It is damaged, or none of these.
    """
    return sniffing.read_document(content.removeprefix(codecs.BOM_UTF8))


def write_sbom(
    inventory: Inventory,
    image: Image,
    *,
    sbom_format: SbomFormat = SbomFormat.CYCLONEDX,
    created_at: datetime | None = None,
) -> str:
    """Return the inventory as a document about the image, CycloneDX 1.6 or SPDX 2.3."""
    created_at = created_at or clock.now()
    version = importlib.metadata.version("vexxy-enterprise")
    if sbom_format is SbomFormat.SPDX:
        write = spdx_document.write_json
    else:
        # Its library costs a tenth of a second to load: only who writes it pays.
        from vexxy.sbom.wire import cyclonedx_document  # noqa: PLC0415  see above

        write = cyclonedx_document.write_json
    text = write(inventory, image, created_at=created_at, tool_version=version)
    # A file name that is no UTF-8 must not make the document unwritable.
    return text.encode("utf-8", "backslashreplace").decode()


def reconcile(
    given: Inventory, found: Inventory, *, digests: Collection[str] = ()
) -> Inventory:
    """Return an SBOM's packages with the files that they own in the image.

    Raises:
        SbomMismatch: The SBOM is about another image; the message says what differs.
    """
    reason = comparison.mismatch(given, found, digests=digests)
    if reason is not None:
        raise SbomMismatch(
            f"the SBOM describes another image: {reason}",
            hint="give the SBOM of this very image, or none: it is inventoried then",
        )
    return comparison.with_files(given, found)
