"""`govulncheck -mode binary` on the Go binaries, where the Go proxy has it.

It reads a database of the vulndb v1 layout from a folder, so the planted records are
written as one. It says which vulnerable symbols are linked, and knows no run.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.accuracy import again
from bench.accuracy.planted import image
from bench.accuracy.planted.score import Said
from bench.accuracy.planted.table import COPY, Planted, Project
from bench.images import engine, languages
from bench.images.recipe import BuildFailed

TOOL: Final = "golang.org/x/vuln/cmd/govulncheck@v1.1.3"
MODIFIED: Final = "2026-11-01T00:00:00Z"


def answers(project: Project) -> Mapping[Planted, Said]:
    """Return what it says of each function; empty where it cannot be asked."""
    if not project.binaries:
        return {}
    try:
        program = installed()
    except BuildFailed as error:
        engine.say(f"govulncheck is left out: {error}")
        return {}
    with (
        tempfile.TemporaryDirectory() as name,
        again.mounted(image.made(project)) as root,
    ):
        database(project.rows, Path(name))
        found = {
            binary: called(program, Path(name), root / binary.lstrip("/"))
            for binary in project.binaries
        }
    first = next(iter(project.binaries))
    return {
        row: said(row, found[row.at if row.label == COPY else first])
        for row in project.rows
    }


def said(row: Planted, called: set[str]) -> Said:
    """Return its answer as a status: a symbol that is linked counts as affected."""
    return Said("affected" if row.advisory_id in called else "not_affected")


def installed() -> Path:
    """Return the program, compiled once."""
    folder = engine.cache() / "tools" / TOOL.rpartition("@")[2].replace("v", "govulncheck-")
    program = folder / "govulncheck"
    if not program.exists():
        compiler = languages.from_pypi(languages.GO, "go")
        compiler.chmod(0o755)
        own = {"GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
        engine.run(
            [str(compiler), "install", TOOL],
            step="govulncheck",
            env={**languages.go_environment(), **own},
        )
    return program


def database(rows: Iterable[Planted], folder: Path) -> None:
    """Write the records as a Go vulnerability database, layout v1."""
    records = [row.record() for row in rows]
    for part in ("ID", "index"):
        (folder / part).mkdir()
    modules: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        affected = record["affected"][0]
        (folder / "ID" / f"{record['id']}.json").write_text(json.dumps(record))
        entry = {"id": record["id"], "modified": MODIFIED}
        fixed = [e["fixed"] for e in affected["ranges"][0]["events"] if "fixed" in e]
        modules.setdefault(affected["package"]["name"], []).append(
            {**entry, **({"fixed": fixed[0]} if fixed else {})}
        )
    index = folder / "index"
    (index / "db.json").write_text(json.dumps({"modified": MODIFIED}))
    listed = [{"path": path, "vulns": vulns} for path, vulns in modules.items()]
    (index / "modules.json").write_text(json.dumps(listed))
    every = [
        {"id": record["id"], "modified": MODIFIED, "aliases": []} for record in records
    ]
    (index / "vulns.json").write_text(json.dumps(every))


def called(program: Path, database: Path, binary: Path) -> set[str]:
    """Return the ids whose symbols it finds in the binary."""
    command = [str(program), "-mode", "binary", "-format", "json"]
    done = subprocess.run(
        [*command, "-db", f"file://{database}", str(binary)],
        capture_output=True,
        text=True,
        check=False,
        env=dict(languages.go_environment()),
    )
    if done.returncode:
        raise BuildFailed(f"govulncheck failed: {done.stderr[-500:]}")
    return set(found_in(done.stdout))


def found_in(text: str) -> Iterable[str]:
    """Yield the ids of findings at the level of symbols."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        message, end = decoder.raw_decode(text, at)
        at = end + len(text[end:]) - len(text[end:].lstrip())
        finding = message.get("finding")
        if finding and finding["trace"][0].get("function"):
            yield finding["osv"]
