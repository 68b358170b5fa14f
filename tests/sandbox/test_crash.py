"""Nothing stays behind: not after Ctrl-C, not after kill -9, not after the engine went."""

import gc
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes import engines, image_archive
from tests.fakes.image_archive import Recipe
from tests.sandbox import owner_of_a_sandbox
from vexxy.integrations.container_engine.connection import open_engine
from vexxy.sandbox import service
from vexxy.sandbox.errors import DiskFull, EngineFailed
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import SandboxRequest

pytestmark = pytest.mark.engine

WAIT_SECONDS = 60
SWEEPS_MAX = 50


@dataclass
class Owner:
    process: subprocess.Popen[str]
    container_id: str
    sandbox_process_id: int
    sandbox_name: str
    image_id: str

    def end(self, number: signal.Signals) -> str:
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=WAIT_SECONDS)
        return said


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    recipe = Recipe(environment={"SEED": uuid.uuid4().hex})
    archive = tmp_path / "image.tar"
    archive.write_bytes(image_archive.docker_archive(recipe))
    process = subprocess.Popen(
        [sys.executable, owner_of_a_sandbox.__file__, str(archive)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    container_id, number, sandbox_id = process.stdout.readline().split()
    image_id = image_archive.image_id(recipe)
    owner = Owner(process, container_id, int(number), f"vexxy-{sandbox_id}", image_id)
    assert volumes(owner)
    yield owner
    process.kill()
    process.communicate()


def test_an_interrupted_run_removes_its_sandbox(
    engine: ContainerEngine, owner: Owner
) -> None:
    assert owner.container_id in engine.list_owned()
    assert "interrupted" in owner.end(signal.SIGINT)
    assert is_clean(engine, owner)


def test_a_killed_run_is_cleaned_up_by_the_next_one(
    engine: ContainerEngine, owner: Owner
) -> None:
    before = service.sweep(engine)
    assert owner.container_id in engine.list_owned(), before
    owner.end(signal.SIGKILL)
    for _ in range(SWEEPS_MAX):
        # Another run's sweep may be at it, too.
        service.sweep(engine)
        if is_clean(engine, owner):
            break
    assert is_clean(engine, owner)
    assert not Path(f"/proc/{owner.sandbox_process_id}").exists()


def is_clean(engine: ContainerEngine, owner: Owner) -> bool:
    owned = engine.list_owned().values()
    left = [labels for labels in owned if owner.image_id in labels.values()]
    return not left and not engine.has_image(owner.image_id) and not volumes(owner)


def volumes(owner: Owner) -> list[str]:
    """Return the volumes with files that were attached to the owner's sandbox."""
    with closing(open_engine(os.environ.get(engines.ADDRESS))) as engine:
        found = engine.client.volumes()["Volumes"] or ()
    return [one["Name"] for one in found if owner.sandbox_name in one["Name"]]


def test_the_sandbox_of_a_living_run_is_left_alone(
    engine: ContainerEngine, owner: Owner
) -> None:
    service.sweep(engine)
    assert owner.container_id in engine.list_owned()
    assert engine.has_image(owner.image_id)
    owner.end(signal.SIGINT)


@pytest.fixture
def own_podman(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if shutil.which("podman") is None:
        pytest.skip("these tests end an engine, and podman is not there to be ended")
    for name in ("DOCKER_HOST", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    # Sockets of this machine's engines belong to it; the tests start their own.
    monkeypatch.setattr(
        "vexxy.integrations.container_engine.connection.ROOTFUL_SOCKETS", ()
    )
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


# The SDK leaves the socket of a refused connection to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("own_podman")
def test_an_engine_that_stops_in_the_middle_is_told(tmp_path: Path) -> None:
    recipe = Recipe(environment={"SEED": uuid.uuid4().hex})
    archive = tmp_path / "image.tar"
    archive.write_bytes(image_archive.docker_archive(recipe))
    engine = open_engine()
    with pytest.raises(EngineFailed, match="went away") as caught:
        use_until_the_engine_is_gone(engine, archive)
    assert caught.value.hint is not None
    del caught  # its traceback holds the sockets
    again = open_engine()
    for container_id, labels in again.list_owned().items():
        if image_archive.image_id(recipe) in labels.values():
            again.remove(container_id)
    again.remove_image(image_archive.image_id(recipe))
    assert not again.has_image(image_archive.image_id(recipe))
    again.close()
    gc.collect()


def use_until_the_engine_is_gone(engine: ContainerEngine, archive: Path) -> None:
    with service.open_image(engine, str(archive)) as opened:
        request = SandboxRequest(
            image=opened.image, command=("/bin/sh", "-c", "sleep 1000")
        )
        with service.open_sandbox(engine, opened, request) as sandbox:
            sandbox.start()
            engine.close()
            sandbox.end()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk that is small enough to fill")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], check=True
    )
    yield disk
    subprocess.run(["umount", "-R", "-l", str(disk)], check=True)


@pytest.mark.usefixtures("own_podman")
def test_a_full_disk_is_told_and_nothing_stays(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "storage.conf"
    configuration.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{small_disk}/graph"\n'
        f'runroot = "{tmp_path}/run"\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(configuration))
    archive = tmp_path / "image.tar"
    recipe = Recipe(files={"large": os.urandom(4 * 1024 * 1024)})
    archive.write_bytes(image_archive.docker_archive(recipe))
    engine = open_engine()
    with pytest.raises(DiskFull, match="disk of the container engine is full") as caught:
        open_once(engine, archive)
    assert caught.value.hint is not None
    assert not engine.has_image(image_archive.image_id(recipe))
    engine.close()


def open_once(engine: ContainerEngine, archive: Path) -> None:
    with service.open_image(engine, str(archive)):
        pass
