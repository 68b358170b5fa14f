"""Images of planted functions, made on the fly and found again by their digest."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.accuracy.planted import proxy
from bench.accuracy.planted.table import Project
from bench.images import build, debian, engine

REVISION: Final = "1"
PORT: Final = 8080


def reference(project: Project) -> str:
    """Return the image's name: it changes with every byte of the project."""
    text = json.dumps(asdict(project), sort_keys=True, default=str) + REVISION
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"localhost/vexxy/{project.name}:{digest}"


def made(project: Project) -> str:
    """Return the reference of the project's image, building it if it is not there."""
    name = reference(project)
    with build.only_one_builder(), tempfile.TemporaryDirectory(dir=engine.cache()) as at:
        if not engine.exists(name):
            engine.timed(f"{project.name}: image", lambda: assemble(project, Path(at)))
    return name


def assemble(project: Project, folder: Path) -> None:
    """Have the engine build the project below `folder`."""
    compiled = bool(project.binaries) or project.native
    write(project.files, folder / ("sources" if compiled else "rootfs"))
    (folder / "rootfs").mkdir(exist_ok=True)
    if project.binaries:
        proxy.build(project.binaries, folder / "sources", folder / "rootfs")
    (folder / "apt-install").write_text(debian.INSTALL)
    (folder / "Containerfile").write_text("\n".join(lines(project)) + "\n")
    command = [engine.engine(), "build", "--network", "host", *engine.ULIMITS]
    engine.run(
        [*command, "--tag", reference(project), str(folder)], step=f"image {project.name}"
    )


def lines(project: Project) -> list[str]:
    """Return the Containerfile."""
    found = []
    if project.native:
        found += [f"FROM {debian.base()} AS native"]
        found += debian.install_lines(build.TOOLCHAIN)
        found += ["COPY sources/native /native", "RUN make -C /native DESTDIR=/out"]
    start = "scratch" if project.binaries else debian.base()
    found += [f"FROM {start}"]
    if not project.binaries:
        found += debian.install_lines(project.apt)
    found += ["COPY rootfs/ /"]
    if project.native:
        found += ["COPY --from=native /out/ /"]
        found += ["RUN dpkg -i /packages/*.deb && rm -r /packages"]
    return [*found, *project.config]


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write the texts below `folder`."""
    for path, text in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
