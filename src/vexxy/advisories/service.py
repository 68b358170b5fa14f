"""Use-cases of advisories: import, update, status, match."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from vexxy.advisories import errors, examination, repository, store
from vexxy.advisories.ports import Download, Feed, PatchedSource, PatchSource
from vexxy.advisories.repository import Imported, Index
from vexxy.advisories.rules import patches
from vexxy.advisories.store import Storing
from vexxy.advisories.types import (
    DatabaseStatus,
    Derivation,
    EcosystemReport,
    Examination,
    ImportReport,
    Match,
    OverlayLine,
    Symbol,
    Updated,
)
from vexxy.advisories.wire.intake import Intake
from vexxy.kit import clock
from vexxy.kit.errors import VexxyError
from vexxy.kit.progress import Listener, Progress, silent
from vexxy.sbom.types import Inventory, Problem

# What an image of today is made of; others on request.
DEFAULT_ECOSYSTEMS: Final = (
    "Alpine",
    "Debian",
    "Go",
    "Maven",
    "npm",
    "Packagist",
    "PyPI",
    "RubyGems",
    "crates.io",
)
# When `scripts/bundle_advisories.py` last ran.
BUNDLED_ON: Final = "2026-11-21"
_ONE_FAILED: Final = (
    errors.DownloadFailed,
    errors.NothingToImport,
    errors.SuspiciousUpdate,
)
# A download with fewer than half of what is stored is an accident, not news.
_SHRINK_MIN_RECORDS: Final = 100


class _Job(NamedTuple):
    """What to import, and how."""

    paths: tuple[Path, ...]
    imported: Imported
    only: str | None = None
    merge: bool = False


def _store(
    connection: sqlite3.Connection, job: _Job, *, progress: Listener
) -> ImportReport:
    intake = Intake(only=job.only)
    storing = Storing(connection, merge=job.merge)
    for origin, advisory in intake.read(job.paths, progress=progress):
        storing.take(origin, advisory)
    report = ImportReport(
        ecosystems=storing.finish(job.imported),
        withdrawn=intake.withdrawn,
        without_package=intake.without_package,
        rejected=tuple(intake.rejected),
        rejected_total=intake.rejected_total,
    )
    if not report.records:
        raise errors.NothingToImport(job.imported.source, reason=intake.why_nothing())
    return report


def import_path(
    database: Path, path: Path, *, merge: bool = False, progress: Listener = silent
) -> ImportReport:
    """Store the OSV records of a folder, a zip, or one file.

    Each ecosystem among them is replaced as a whole, others stay; with `merge`, records
    are added to it, in place of those with the same id. A malformed record is reported
    and the good ones are stored. The change is one step: readers see the old database
    or the new one.

    Raises:
        NothingToImport: There is no usable record; the database is unchanged.
        DatabaseNotWritten, DatabaseBusy, SchemaMismatch: It is unchanged as well.
    """
    job = _Job((path,), Imported(str(path), clock.now()), merge=merge)
    with store.replacing(database) as connection:
        return _store(connection, job, progress=progress)


def load(paths: Sequence[Path], *, progress: Listener = silent) -> Index:
    """Return an index in memory of the OSV records under the paths.

    What was stored and what was rejected is in its `report`.

    Raises:
        NothingToImport: There is no usable record.
    """
    source = ", ".join(str(path) for path in paths)
    job = _Job(tuple(paths), Imported(source, clock.now()))
    connection = repository.in_memory()
    try:
        report = _store(connection, job, progress=progress)
    except VexxyError:
        connection.close()
        raise
    return Index(connection, report=report)


def update(
    database: Path,
    ecosystems: Sequence[str] = DEFAULT_ECOSYSTEMS,
    *,
    feed: Feed,
    progress: Listener = silent,
) -> tuple[Updated, ...]:
    """Bring ecosystems up to date from a feed, each on its own.

    One that fails keeps what is stored, and what was downloaded of it is gone on with
    next time; the others are updated all the same.

    Raises:
        DatabaseNotWritten, DatabaseBusy, SchemaMismatch: The database is unchanged.
    """
    found: list[Updated] = []
    for place, ecosystem in enumerate(ecosystems):
        share = _share(progress, place, len(ecosystems), phase=f"Updating {ecosystem}")
        try:
            found.append(_update_one(database, ecosystem, feed=feed, progress=share))
        except _ONE_FAILED as problem:
            found.append(Updated(ecosystem, failure=problem.message))
    return tuple(found)


def _share(progress: Listener, place: int, total: int, *, phase: str) -> Listener:
    """Return a listener for one part of several."""

    def listen(one: Progress, /) -> None:
        percent = (100 * place + one.percent) // total
        progress(Progress(phase, percent, one.detail, one.remaining_seconds))

    return listen


def _update_one(
    database: Path, ecosystem: str, *, feed: Feed, progress: Listener
) -> Updated:
    known = None
    if database.exists():
        with repository.open_index(database) as index:
            known = index.find_validator(ecosystem, feed.url(ecosystem))
    download = feed.fetch(
        ecosystem, database.parent / "downloads", known=known, progress=progress
    )
    if download is None:
        with store.replacing(database) as connection:
            repository.touch_import(connection, ecosystem, clock.now())
        return Updated(ecosystem, unchanged=True)
    try:
        report = _store_download(database, ecosystem, download=download)
    finally:
        download.path.unlink(missing_ok=True)
    return Updated(ecosystem, downloaded_bytes=download.received_bytes, report=report)


def _store_download(database: Path, ecosystem: str, *, download: Download) -> ImportReport:
    imported = Imported(download.url, clock.now(), download.validator)
    job = _Job((download.path,), imported, only=ecosystem)
    with store.replacing(database) as connection:
        report = _store(connection, job, progress=silent)
        _demand_intact(report, download.url)
        _demand_plausible(report.ecosystems[0])
        return report


def _demand_intact(report: ImportReport, url: str) -> None:
    damaged = next((one for one in report.rejected if one.damaged), None)
    if damaged is not None:
        raise errors.DownloadFailed(
            f"{url} arrived damaged: {damaged.reason}",
            kept="the database is unchanged",
            hint="run `vexxy advisories update` again",
        )


def _demand_plausible(report: EcosystemReport) -> None:
    found, stored = report.records, report.records_before
    if stored >= _SHRINK_MIN_RECORDS and found < stored // 2:
        raise errors.SuspiciousUpdate(report.ecosystem, found=found, stored=stored)


def status(database: Path) -> DatabaseStatus:
    """Return what the database holds and how old each part is.

    Raises:
        DatabaseNotFound, DatabaseUnreadable, SchemaMismatch: There is none to read.
    """
    with repository.open_index(database) as index:
        return DatabaseStatus(
            path=str(database),
            size_bytes=database.stat().st_size,
            ecosystems=index.list_ecosystems(),
            derived_symbols=index.count_overlay(),
            shipped_symbols=sum(
                len(lines) for lines in examination.shipped_overlay().values()
            ),
        )


def bundled_path() -> Path:
    """Return the folder of the few advisories that ship with the product.

    They serve the offline demonstration; `bundled_warning` is to be shown with it.
    """
    return Path(str(resources.files("vexxy.advisories") / "bundled"))


def bundled_warning() -> str:
    """Return a sentence about the age and smallness of the bundled advisories."""
    count = sum(1 for _ in bundled_path().glob("*.json"))
    return (
        f"only the {count} advisories that ship with vexxy, as of {BUNDLED_ON}, were "
        "asked; run `vexxy advisories update` before relying on the result"
    )


def derive_debian_symbols(
    packages: Sequence[str], *, source: PatchSource, progress: Listener = silent
) -> Derivation:
    """Derive vulnerable functions from the security patches of Debian source packages.

    A package that cannot be read is a problem of the result; the others are derived.
    """
    lines: list[OverlayLine] = []
    done: list[str] = []
    problems: list[Problem] = []
    vulnerabilities = 0
    for place, package in enumerate(packages):
        progress(Progress("Reading patches", 100 * place // len(packages), package))
        try:
            patched = source.read_patches(package)
        except VexxyError as problem:
            problems.append(Problem(package, problem.message))
            continue
        found = patches.changed_functions(patched.patches)
        done.append(package)
        vulnerabilities += len(found)
        lines += _debian_lines(patched, found)
    return Derivation(tuple(lines), tuple(done), vulnerabilities, tuple(problems))


def _debian_lines(
    patched: PatchedSource, found: Mapping[str, Sequence[patches.Change]]
) -> Iterator[OverlayLine]:
    for cve, changes in found.items():
        for module, function, confidence, patch in changes:
            origin = f"Debian {patched.package} {patched.version} {patch}"
            symbol = Symbol(module, function, origin, confidence)
            yield OverlayLine("Debian", patched.package, cve, symbol)


def store_symbols(database: Path, lines: Iterable[OverlayLine]) -> None:
    """Keep derived functions, in place of earlier ones of the same packages."""
    with store.replacing(database) as connection:
        repository.replace_overlay(connection, lines)


def match(database: Path | Index, inventory: Inventory) -> tuple[Match, ...]:
    """Return every known vulnerability of what is installed.

    One match per vulnerability and installed copy. `examine` also tells what could not
    be decided, which must not be mistaken for free of vulnerabilities.
    """
    return examine(database, inventory).matches


def examine(database: Path | Index, inventory: Inventory) -> Examination:
    """Return every known vulnerability of what is installed, and what is undecided.

    Raises:
        DatabaseNotFound, DatabaseUnreadable, SchemaMismatch: There is none to read.
    """
    if isinstance(database, Index):
        return examination.examine(database, inventory)
    with repository.open_index(database) as index:
        return examination.examine(index, inventory)


def fingerprint(index: Index, ecosystem: str, name: str) -> bytes:
    """Return a digest that changes when anything known of a package name does."""
    return examination.fingerprint(index, ecosystem, name)
