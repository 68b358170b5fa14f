"""What an image is made of: one folder with a `recipe.toml` beside its files.

The digest of a recipe covers every byte that can change the image, so an image that
carries the digest as its tag never has to be built again.
"""

import hashlib
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent / "recipes"
SUITE: Final = "bookworm"
REVISION: Final = "2"  # of the base and of how images are put together
IGNORED: Final = {
    "truth.json",
    "test.sh",
    "all.sh",
    "README.md",
    "advisories",
    "__pycache__",
}


class BuildFailed(Exception):
    """A test image could not be made; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image.

    Attributes:
        apt: Debian packages, installed without recommendations.
        wheels: Exact requirements that have a wheel for the Python of the image.
        sdists: Exact requirements without one; installed as pure Python.
        npm: Folder with `package.json` and `package-lock.json`, and where it goes.
        go: Static binary in the image -> folder of its Go module.
        stripped: True to leave symbol tables out of the Go binaries.
        native: Folder compiled in a toolchain stage by its `Makefile`'s `install`,
            and the Debian packages that takes.
        copy: Folder or file of the recipe -> path in the image.
        run: Shell commands, run as root after everything is in place.
        scratch: True for an image without a distribution.
        config: Containerfile instructions: USER, WORKDIR, EXPOSE, ENV, CMD, ENTRYPOINT.
    """

    name: str
    description: str
    folder: Path
    parent: str | None = None
    apt: tuple[str, ...] = ()
    wheels: tuple[str, ...] = ()
    sdists: tuple[str, ...] = ()
    npm: Mapping[str, str] = field(default_factory=dict)
    go: Mapping[str, str] = field(default_factory=dict)
    stripped: bool = False
    native: Mapping[str, Any] = field(default_factory=dict)
    copy: Mapping[str, str] = field(default_factory=dict)
    run: tuple[str, ...] = ()
    scratch: bool = False
    config: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return the digest of everything that can change the image, 12 hex digits."""
        hashed = hashlib.sha256(f"{SUITE}\0{REVISION}\0{platform.machine()}\0".encode())
        for name in lineage(self):
            for path in sorted((FOLDER / name).rglob("*")):
                relative = path.relative_to(FOLDER)
                if path.is_file() and not IGNORED & set(relative.parts):
                    hashed.update(f"{relative}\0{path.stat().st_mode & 0o111}\0".encode())
                    hashed.update(hashlib.sha256(path.read_bytes()).digest())
        return hashed.hexdigest()[:12]

    @property
    def reference(self) -> str:
        """Return the name that the built image has in the container engine."""
        return f"localhost/vexxy/{self.name}:{self.digest}"

    @property
    def driver(self) -> Path:
        """Return the script that exercises the image through $HOST and $PORT."""
        return self.folder / "test.sh"


def lineage(recipe: Recipe) -> list[str]:
    """Return the names of the recipe and of those whose files it uses."""
    names = [recipe.name]
    names += [Path(s).parts[1] for s in recipe.go.values() if s.startswith("../")]
    while recipe.parent:
        recipe = load(recipe.parent)
        names.append(recipe.name)
    return sorted(set(names))


def names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/recipe.toml"))


def load(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        BuildFailed: There is none, or it has a field that means nothing.
    """
    folder = FOLDER / name
    try:
        fields = tomllib.loads((folder / "recipe.toml").read_text())
    except FileNotFoundError:
        known = ", ".join(names())
        raise BuildFailed(f"there is no image {name!r}; known: {known}") from None
    lists = {key: tuple(v) for key, v in fields.items() if isinstance(v, list)}
    try:
        return Recipe(name=name, folder=folder, **{**fields, **lists})
    except TypeError as error:
        raise BuildFailed(f"{folder / 'recipe.toml'}: {error}") from error
