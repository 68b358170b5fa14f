"""Small roots, made file by file."""

import pathlib
from collections.abc import Mapping
from typing import Protocol

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.sbom import service
from vexxy.sbom.types import Inventory


class MakeRoot(Protocol):
    def __call__(
        self,
        files: Mapping[str, str | bytes],
        *,
        links: Mapping[str, str] | None = None,
        executable: tuple[str, ...] = (),
    ) -> RootFilesystem: ...


class Survey(Protocol):
    def __call__(
        self,
        files: Mapping[str, str | bytes],
        *,
        links: Mapping[str, str] | None = None,
        executable: tuple[str, ...] = (),
    ) -> Inventory: ...


@pytest.fixture
def make_root(tmp_path: pathlib.Path) -> MakeRoot:
    """Make a root file system of these files and links."""

    def make(
        files: Mapping[str, str | bytes],
        *,
        links: Mapping[str, str] | None = None,
        executable: tuple[str, ...] = (),
    ) -> RootFilesystem:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        for name, target in (links or {}).items():
            place = root / name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        for name, content in files.items():
            place = root / name.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            place.write_bytes(data)
        for name in executable:
            (root / name.lstrip("/")).chmod(0o755)
        return RootFilesystem(root)

    return make


@pytest.fixture
def survey(make_root: MakeRoot) -> Survey:
    """Take the inventory of a root made of these files."""

    def take(
        files: Mapping[str, str | bytes],
        *,
        links: Mapping[str, str] | None = None,
        executable: tuple[str, ...] = (),
    ) -> Inventory:
        return service.inventory(make_root(files, links=links, executable=executable))

    return take
