"""What an analysis stands on: advisories and an inventory."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vexxy.advisories import repository, service
from vexxy.advisories.errors import DatabaseNotFound
from vexxy.advisories.repository import Index
from vexxy.advisories.types import DatabaseStatus, Match
from vexxy.analysis.errors import AdvisoriesMissing
from vexxy.analysis.types import AdvisoryOrigin, Request
from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image
from vexxy.kit import clock
from vexxy.sbom import service as sbom_service
from vexxy.sbom.types import Inventory
from vexxy.vex.types import SbomLink

OLD_DAYS = 14


@dataclass(frozen=True, slots=True)
class Advice:
    """Advisories that are open for matching.

    Attributes:
        warnings: What a reader of the verdicts should know of them; sentences.
    """

    origin: AdvisoryOrigin
    index: Index
    warnings: tuple[str, ...] = ()

    def match(self, inventory: Inventory) -> tuple[Inventory, tuple[Match, ...]]:
        """Return the matches, and the inventory with what could not be decided."""
        found = service.examine(self.index, inventory)
        known = dataclasses.replace(
            inventory, problems=(*inventory.problems, *found.problems)
        )
        return known, found.matches


def advice(request: Request, database_path: Path) -> Advice:
    """Open the advisories that the request names, or the database.

    Raises:
        AdvisoriesMissing: There is no database and none were given.
        NothingToImport: The given paths hold no usable record.
    """
    if request.advisory_paths:
        return _given(request.advisory_paths)
    try:
        status = service.status(database_path)
    except DatabaseNotFound as error:
        raise AdvisoriesMissing(error.message, hint=error.hint) from error
    if not status.records:
        raise AdvisoriesMissing(
            f"the advisory database {database_path} is empty, so nothing can be found",
            hint="run `vexxy advisories update`",
        )
    return Advice(_stored(status), repository.open_index(database_path), _age(status))


def _given(paths: tuple[Path, ...]) -> Advice:
    index = service.load(paths)
    report = index.report
    rejected = () if report is None else report.rejected
    records = 0 if report is None else report.records
    warnings = tuple(f"{entry.path} was left out: {entry.reason}" for entry in rejected)
    bundled = all(path.resolve() == service.bundled_path() for path in paths)
    if bundled:
        warnings = (*warnings, service.bundled_warning())
    names = "the small set that ships with vexxy; it is no database"
    where = names if bundled else ", ".join(map(str, paths))
    origin = AdvisoryOrigin(f"{where} ({records} records)", records, bundled=bundled)
    return Advice(origin, index, warnings)


def _stored(status: DatabaseStatus) -> AdvisoryOrigin:
    newest = max(one.imported_at for one in status.ecosystems)
    return AdvisoryOrigin(
        f"{status.records} records, brought up to date {clock.rfc3339(newest)}",
        status.records,
        newest_at=newest,
    )


def _age(status: DatabaseStatus) -> tuple[str, ...]:
    now = clock.now()
    return tuple(
        f"advisories of {one.ecosystem} are {one.age_days(now)} days old; "
        "run `vexxy advisories update`"
        for one in status.ecosystems
        if one.age_days(now) > OLD_DAYS
    )


def sbom(request: Request) -> Inventory | None:
    """Return the inventory of the document that was given, None if none was.

    Raises:
        InvalidInput: The document is none, or damaged.
    """
    return None if request.sbom_path is None else sbom_service.read_sbom(request.sbom_path)


def sbom_link(request: Request) -> SbomLink | None:
    """Return what a CycloneDX VEX needs to point into the CycloneDX SBOM that was given.

    None for other formats, and for a document without a serial number: nothing can
    point into that.
    """
    if request.sbom_path is None:
        return None
    try:
        return link_into(request.sbom_path.read_bytes())
    except OSError:
        return None


def link_into(content: bytes) -> SbomLink | None:
    """Return what points into the CycloneDX SBOM that this is; see `sbom_link`."""
    try:
        bom = msgspec.json.decode(content, type=_Bom)
    except msgspec.MsgspecError:
        return None
    if bom.serial_number is None:
        return None
    refs = ((one.purl, one.ref) for one in bom.components if one.purl and one.ref)
    return SbomLink(
        serial_number=bom.serial_number.removeprefix("urn:uuid:"),
        version=bom.version,
        refs=tuple(refs),
    )


class _Component(msgspec.Struct):
    purl: str | None = None
    ref: str | None = msgspec.field(default=None, name="bom-ref")


class _Bom(msgspec.Struct, rename="camel"):
    serial_number: str | None = None
    version: int = 1
    components: list[_Component] = []


def reconciled(document: Inventory, root: RootFilesystem, image: Image) -> Inventory:
    """Return the document's packages with the files they own in the image.

    Raises:
        SbomMismatch: The document is about another image.
    """
    known = (image.image_id, image.manifest_digest, image.index_digest)
    return sbom_service.reconcile(
        document,
        sbom_service.inventory(root),
        digests=tuple(digest for digest in known if digest),
    )
