"""`vexxy sbom`: what is installed; nothing is run."""

import platform as host
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from vexxy import bootstrap
from vexxy.cli import console
from vexxy.images.rootfs import RootFilesystem
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.kit import files
from vexxy.kit.errors import Unavailable
from vexxy.kit.progress import Listener
from vexxy.sandbox import service as sandbox
from vexxy.sbom import service
from vexxy.sbom.types import Inventory, SbomFormat
from vexxy.settings import Settings


class Output(StrEnum):
    """What comes out."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"
    TABLE = "table"


def sbom(
    target: Annotated[
        str,
        typer.Argument(help="Image reference, archive, or folder with a root file system"),
    ],
    *,
    form: Annotated[Output, typer.Option("--format", help="What to write")] = Output.TABLE,
    output: Annotated[Path | None, typer.Option(help="Where to write")] = None,
    platform: Annotated[str | None, typer.Option(help="Such as linux/amd64")] = None,
    archive_image: Annotated[
        str | None,
        typer.Option(metavar="NAME:TAG", help="Which image of an archive of several"),
    ] = None,
    json_progress: Annotated[bool, typer.Option(help="Progress as JSON lines")] = False,
) -> None:
    """List what is installed in an image, with what could not be read."""
    with (
        console.listener(json_lines=json_progress) as listener,
        _opened(
            target, platform=platform, archive_image=archive_image, listener=listener
        ) as (image, root),
    ):
        found = service.inventory(root, progress=listener)
    for problem in found.problems:
        console.warn(f"not read: {problem.path}: {problem.message}")
    if form is Output.TABLE and output is None:
        _table(found)
        return
    kind = SbomFormat.SPDX if form is Output.SPDX else SbomFormat.CYCLONEDX
    content = service.write_sbom(found, image, sbom_format=kind).encode()
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        files.write_whole(output, content)
        console.note(f"wrote {output}: {len(found.packages)} packages")


@contextmanager
def _opened(
    target: str, *, platform: str | None, archive_image: str | None, listener: Listener
) -> Iterator[tuple[Image, RootFilesystem]]:
    folder = Path(target)
    if folder.is_dir() and not (folder / "index.json").exists():
        yield _folder(folder), RootFilesystem(folder)
        return
    with (
        bootstrap.engine(Settings()) as engine,
        sandbox.open_image(
            engine,
            target,
            platform=platform,
            archive_image=archive_image,
            listener=listener,
        ) as opened,
    ):
        if opened.root_path is None:
            raise Unavailable(
                "the image's files are not visible from here",
                hint="save the image, unpack it and name the folder",
            )
        yield opened.image, RootFilesystem(opened.root_path)


def _folder(path: Path) -> Image:
    """Name a plain folder as an image without a digest."""
    machine = "amd64" if host.machine() == "x86_64" else host.machine()
    return Image(
        reference=str(path),
        name=path.resolve().name or "rootfs",
        image_id="",
        manifest_digest=None,
        index_digest=None,
        repo_digests=(),
        platform=Platform("linux", machine),
        config=ImageConfig(),
        size_bytes=0,
    )


def _table(found: Inventory) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("type", "package", "version", "files", "found in"):
        table.add_column(heading)
    for package in found.packages:
        place = package.embedded_in or next(iter(package.locations), "")
        count = str(len(package.files)) if package.files_known else "?"
        row = (package.type, package.name, package.version, count, place)
        table.add_row(*(Text(console.clean(cell)) for cell in row))
    console.stdout().print(table)
