"""`vexxy advisories symbols`: which functions are vulnerable, and how that is known."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from vexxy import sources
from vexxy.advisories import derivation, knowledge, repository, service
from vexxy.advisories.derivation import Fix
from vexxy.advisories.errors import DatabaseNotFound
from vexxy.advisories.knowledge import Place
from vexxy.advisories.rules import names
from vexxy.advisories.types import Derivation, OverlayLine, Symbol
from vexxy.advisories.wire import fixes, overlay
from vexxy.cli import console
from vexxy.images.rootfs import RootFilesystem
from vexxy.kit import files
from vexxy.kit.errors import InvalidInput
from vexxy.sbom import service as sbom
from vexxy.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Which functions are vulnerable.")

Output = Annotated[
    Path | None, typer.Option(help="Write the lines here instead of storing them")
]
JsonProgress = Annotated[bool, typer.Option(help="Progress as JSON lines")]


@app.command("list")
def list_(
    wanted: Annotated[str, typer.Argument(help="A vulnerability's id, or a package")],
) -> None:
    """Show every known vulnerable function with its source and how sure it is."""
    path = Settings().database_path
    try:
        with repository.open_index(path) as index:
            found = knowledge.list_symbols(wanted, index=index)
    except DatabaseNotFound:
        found = knowledge.list_symbols(wanted)
        console.note("there is no database of advisories; showing what ships with vexxy")
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "vulnerability", "function", "confidence", "known from"):
        table.add_column(heading, overflow="fold")
    for line in found:
        symbol = line.symbol
        table.add_row(
            f"{line.ecosystem} {line.package}",
            line.vulnerability_id,
            f"{symbol.module}:{symbol.name or '(the whole module)'}",
            f"{symbol.confidence:.2f}",
            "\n".join((symbol.provenance, *_terms(symbol))),
        )
    shown = console.stdout()
    shown.print(table)
    shown.print(f"{len(found)} functions; functions that call these are not included")


def _terms(symbol: Symbol) -> Iterable[str]:
    if symbol.platforms:
        yield f"on {', '.join(symbol.platforms)} only"
    for one in symbol.preconditions:
        yield f"needs: {one.sentence} ({one.kind} {one.form})"


@app.command()
def debian(
    packages: Annotated[list[str], typer.Argument(help="Debian source packages")],
    *,
    output: Output = None,
    json_progress: JsonProgress = False,
) -> None:
    """Derive vulnerable functions from the security patches that Debian carries."""
    with (
        sources.debian_patches() as source,
        console.listener(json_lines=json_progress) as listener,
    ):
        found = service.derive_debian_symbols(packages, source=source, progress=listener)
    _keep(found, output)


@app.command()
def records(
    path: Annotated[Path, typer.Argument(help="A folder of OSV records, or one record")],
    *,
    repositories: Annotated[
        Path, typer.Option(help="Clones: OWNER/NAME or OWNER+NAME below this folder")
    ],
    output: Output = None,
    json_progress: JsonProgress = False,
) -> None:
    """Derive vulnerable functions from the fixes that records link, in clones at hand."""
    paths = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    read = (fixes.parse(one.read_bytes()) for one in paths)
    wanted = [one for one in read if one is not None]
    with console.listener(json_lines=json_progress) as listener:
        found = derivation.derive_records(
            wanted, histories=sources.clones(repositories), progress=listener
        )
    _keep(found, output)


@app.command()
def derive(
    source: Annotated[Path, typer.Argument(help="A git clone, or a unified diff")],
    *,
    package: Annotated[str, typer.Option(help="Its name in the ecosystem")],
    vulnerability: Annotated[str, typer.Option(help="Such as CVE-2026-1")],
    ecosystem: Annotated[str, typer.Option(help="PyPI, npm, Go or Debian")],
    commit: Annotated[
        list[str] | None, typer.Option(help="A commit of the clone; may be repeated")
    ] = None,
    affects: Annotated[str, typer.Option(help="Versions, such as '<2.2.5'")] = "",
    output: Output = None,
) -> None:
    """Derive vulnerable functions from one fix: commits of a clone, or a diff alone."""
    if source.is_file():
        text = source.read_text("utf-8", "replace")
        symbols = derivation.diff_symbols(text, source=f"diff {source.name}")
    elif commit:
        history = sources.history(source)
        symbols = tuple(
            symbol
            for one in commit
            for symbol in derivation.commit_symbols(
                history,
                Fix(one, f"commit {one} of {source.resolve().name}"),
                ecosystem=ecosystem,
                package=package,
            )
        )
    else:
        raise InvalidInput(
            f"{source} is a folder, and no commit of it is named",
            hint="add --commit with the commit that fixes the vulnerability",
        )
    name = names.normalize(ecosystem, package)
    lines = tuple(
        OverlayLine(ecosystem, name, vulnerability, _with_versions(symbol, affects))
        for symbol in symbols
    )
    _keep(Derivation(lines, (name,), 1), output)


def _with_versions(symbol: Symbol, affects: str) -> Symbol:
    origin = f"{symbol.provenance}; affects {affects}" if affects else symbol.provenance
    return Symbol(symbol.module, symbol.name, origin, symbol.confidence)


def _keep(found: Derivation, output: Path | None) -> None:
    for problem in found.problems:
        console.warn(f"{problem.path}: {problem.message}")
    if output is not None:
        files.write_whole(output, overlay.dump(found.lines).encode())
    else:
        settings = Settings()
        settings.data_directory.mkdir(parents=True, exist_ok=True)
        service.store_symbols(settings.database_path, found.lines)
    console.note(
        f"{len(found.lines)} functions of {found.vulnerabilities} vulnerabilities in "
        f"{len(found.packages)} packages"
    )


@app.command()
def check(
    root: Annotated[Path, typer.Argument(help="A folder with an image's file system")],
    *,
    advisories: Annotated[
        Path | None, typer.Option(help="OSV records to use instead of the database")
    ] = None,
    missing: Annotated[bool, typer.Option(help="Only names that are not there")] = False,
) -> None:
    """Look in a root file system for the vulnerable functions of what is installed."""
    filesystem = RootFilesystem(root)
    inventory = sbom.inventory(filesystem)
    source = service.load([advisories]) if advisories else Settings().database_path
    matches = service.match(source, inventory)
    table = Table(box=None, pad_edge=False)
    for heading in ("package", "vulnerability", "function", "there", "where"):
        table.add_column(heading, overflow="fold")
    counts = dict.fromkeys(Place, 0)
    for one in knowledge.check_names(matches, filesystem):
        counts[one.place] += 1
        if not missing or one.place in {Place.NO_SUCH_FILE, Place.NO_SUCH_FUNCTION}:
            table.add_row(
                f"{one.package.name} {one.package.version}",
                one.vulnerability_id,
                f"{one.symbol.module}:{one.symbol.name}",
                one.place,
                one.where,
            )
    shown = console.stdout()
    shown.print(table)
    shown.print(", ".join(f"{count} {place}" for place, count in counts.items()))
