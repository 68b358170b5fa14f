"""Make an image of a recipe, once."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.images import debian, engine, languages
from bench.images.recipe import Recipe, load

TOOLCHAIN: Final = ("gcc", "libc6-dev", "make")


def build(name: str) -> str:
    """Return the reference of the recipe's image, building it if it is not there.

    The engine's copy is found by the digest of the recipe: calling again costs nothing,
    and a changed recipe is another image.

    Raises:
        BuildFailed: A step failed or a tool is missing; the message says which.
    """
    recipe = load(name)
    if engine.exists(recipe.reference):
        return recipe.reference
    parent = build(recipe.parent) if recipe.parent else None
    with only_one_builder(), tempfile.TemporaryDirectory(dir=engine.cache()) as folder:
        if not engine.exists(recipe.reference):
            assemble(recipe, Path(folder), parent)
    return recipe.reference


def archive(name: str, target: Path, *, kind: str = "oci-archive") -> None:
    """Write the image as an `oci-archive` or a `docker-archive`; replaces the target."""
    reference = build(name)
    target.unlink(missing_ok=True)
    command = [engine.engine(), "save", "--output", str(target), reference]
    if engine.engine() == "podman":
        command[2:2] = ["--format", kind]
    engine.run(command, step=f"saving {name}")


@contextmanager
def only_one_builder() -> Iterator[None]:
    """Let one process of this user build at a time; the others wait."""
    with (engine.cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def assemble(recipe: Recipe, folder: Path, parent: str | None) -> None:
    """Fetch what the recipe names into `folder` and have the engine build it."""
    root = folder / "rootfs"
    root.mkdir()
    if recipe.wheels or recipe.sdists:
        engine.timed(f"{recipe.name}: PyPI", lambda: languages.python(recipe, root))
    if recipe.npm:
        engine.timed(f"{recipe.name}: npm", lambda: languages.node(recipe, root))
    if recipe.go:
        engine.timed(f"{recipe.name}: Go", lambda: languages.go(recipe, root))
    for source, target in recipe.copy.items():
        place(recipe.folder / source, root / target.lstrip("/"))
    if recipe.native:
        shutil.copytree(recipe.folder / recipe.native["source"], folder / "native")
    (folder / "apt-install").write_text(debian.INSTALL)
    start = "scratch" if recipe.scratch else parent or debian.base()
    toolchain = debian.base() if recipe.native else ""
    lines = containerfile(recipe, start, toolchain)
    (folder / "Containerfile").write_text("\n".join(lines) + "\n")
    engine.timed(f"{recipe.name}: image", lambda: run_build(recipe, folder))


def place(source: Path, target: Path) -> None:
    """Copy a file or a folder of the recipe to where the image has it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=ignored)
    else:
        shutil.copy(source, target)


def containerfile(recipe: Recipe, start: str, toolchain: str) -> list[str]:
    """Return the Containerfile of the recipe."""
    lines = []
    if recipe.native:
        lines += [f"FROM {toolchain} AS native"]
        lines += debian.install_lines(TOOLCHAIN)
        lines += debian.install_lines(tuple(recipe.native.get("apt", ())))
        lines += ["COPY native /native", "RUN make -C /native install DESTDIR=/out"]
    lines += [f"FROM {start}"]
    if not recipe.scratch:
        lines += debian.install_lines(recipe.apt)
    lines += ["COPY rootfs/ /"]
    if recipe.native:
        lines += ["COPY --from=native /out/ /"]
    lines += [f"RUN {command}" for command in recipe.run]
    return [*lines, *recipe.config]


def run_build(recipe: Recipe, folder: Path) -> None:
    """Have the engine build the folder."""
    command = [engine.engine(), "build", "--network", "host", *engine.ULIMITS]
    if engine.engine() == "podman":
        command += ["--timestamp", debian.EPOCH]
    engine.run(
        [*command, "--tag", recipe.reference, str(folder)], step=f"image {recipe.name}"
    )
