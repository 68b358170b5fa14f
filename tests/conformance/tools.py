"""The real tools: Go modules built by the Go toolchain, validators from npm.

Versions are pinned here and nowhere else. Each module is unpacked into a cache and
built in its own tree, so that its `go.sum` and its `replace` lines hold. The small
programs of `probes/` are built inside the tree of the library that they ask.

`python -m tests.conformance.tools` installs everything and says what could not be.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PROBES: Final = Path(__file__).with_name("probes")
_BUILD_TIMEOUT_SECONDS: Final = 3600
_WHY_MAX: Final = 300


@dataclass(frozen=True)
class Tool:
    """A program at a version: a Go package, a probe built within one, or from npm.

    `package` is what `go build` builds, or the npm package; `probe` is a folder of ours.
    """

    name: str
    module: str
    version: str
    package: str = "."
    probe: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    npm: bool = False

    @property
    def binary(self) -> str:
        if not self.probe:
            return f"{self.name}-{self.version}"
        source = (PROBES / self.probe / "main.go").read_bytes()
        return f"{self.name}-{self.version}-{hashlib.sha256(source).hexdigest()[:8]}"


@dataclass(frozen=True)
class Installed:
    """A tool that is there, or why it is not."""

    tool: Tool
    path: Path | None
    why: str = ""


_GRYPE: Final = "github.com/anchore/grype"
_TRIVY: Final = "github.com/aquasecurity/trivy"
_GO_VEX: Final = "github.com/openvex/go-vex"
# Trivy 0.74 uses encoding/json/v2, which Go 1.26 has behind an experiment.
_JSON_V2: Final = {"GOEXPERIMENT": "jsonv2"}

TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("vexctl", "github.com/openvex/vexctl", "v0.4.4"),
        Tool("syft", "github.com/anchore/syft", "v1.52.0", "./cmd/syft"),
        Tool("grype", _GRYPE, "v0.119.0", "./cmd/grype"),
        # The last one before #3659; 0.116 itself needs a Syft that the proxy lacks, and
        # its VEX code is the same, byte for byte.
        Tool("grype-before-3659", _GRYPE, "v0.117.0", "./cmd/grype"),
        Tool("trivy", _TRIVY, "v0.74.0", "./cmd/trivy", environment=_JSON_V2),
        Tool("govex", _GO_VEX, "v0.2.8", probe="govex"),
        Tool("grypedb", _GRYPE, "v0.119.0", probe="grypedb"),
        Tool("trivydb", _TRIVY, "v0.74.0", probe="trivydb", environment=_JSON_V2),
        Tool("csaf-validator", "@secvisogram/csaf-validator-lib", "2.0.10", npm=True),
        Tool("sarif-multitool", "@microsoft/sarif-multitool", "5.7.0", npm=True),
    )
}


def cache_folder() -> Path:
    """Return where tools are kept between runs, outside the project."""
    given = os.environ.get("VEXXY_CONFORMANCE_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "vexxy" / "conformance"


def install(tool: Tool) -> Installed:
    """Return the tool, building it if it is not in the cache yet."""
    if tool.npm:
        return _install_npm(tool)
    path = cache_folder() / "bin" / tool.binary
    if path.exists():
        return Installed(tool, path)
    if shutil.which("go") is None:
        return Installed(tool, None, "the Go toolchain (go) is not on PATH")
    try:
        tree = _unpacked(tool)
        package = _with_probe(tool, tree) if tool.probe else tool.package
        path.parent.mkdir(parents=True, exist_ok=True)
        _go("build", "-p", "1", "-mod=mod", "-o", str(path), package, tool=tool, at=tree)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        return Installed(tool, None, _why(error))
    return Installed(tool, path)


def _install_npm(tool: Tool) -> Installed:
    """Return the folder that an npm package is installed in."""
    folder = cache_folder() / "npm" / tool.binary
    if (folder / "node_modules" / tool.module / "package.json").exists():
        return Installed(tool, folder)
    if shutil.which("npm") is None:
        return Installed(tool, None, "npm is not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run(
            [*command, "--prefix", str(folder), f"{tool.module}@{tool.version}"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_BUILD_TIMEOUT_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as error:
        return Installed(tool, None, _why(error))
    return Installed(tool, folder)


def _unpacked(tool: Tool) -> Path:
    name = tool.module.rpartition("/")[2]
    tree = cache_folder() / "src" / f"{name}-{tool.version}"
    if not (tree / "go.mod").exists():
        answer = _go("mod", "download", "-json", f"{tool.module}@{tool.version}", tool=tool)
        shutil.copytree(json.loads(answer)["Dir"], tree, dirs_exist_ok=True)
        for item in (tree, *tree.rglob("*")):
            item.chmod(item.stat().st_mode | 0o200)
    return tree


def _with_probe(tool: Tool, tree: Path) -> str:
    folder = tree / "cmd" / "vexxyprobe"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROBES / tool.probe / "main.go", folder)
    return "./cmd/vexxyprobe"


def _go(*arguments: str, tool: Tool, at: Path | None = None) -> str:
    nice = ["nice", "-n", "19"] if shutil.which("nice") else []
    done = subprocess.run(
        [*nice, "go", *arguments],
        cwd=at or cache_folder(),
        env={**os.environ, "GOFLAGS": "-trimpath -buildvcs=false", **tool.environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=_BUILD_TIMEOUT_SECONDS,
    )
    return done.stdout


def _why(error: Exception) -> str:
    text = str(error)
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or "").strip().splitlines()
        text = said[-1] if said else text
        if error.stdout and '"Error"' in error.stdout:
            text = json.loads(error.stdout)["Error"]
    return text[:_WHY_MAX]


def main() -> int:
    """Install every tool; print a line for each."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    missing = 0
    for tool in TOOLS.values():
        sys.stdout.write(f"{tool.name} {tool.version} ... ")
        sys.stdout.flush()
        found = install(tool)
        sys.stdout.write(f"{'ready' if found.path else f'NOT INSTALLED: {found.why}'}\n")
        missing += found.path is None
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
