"""Archives of every kind on a real engine: loaded, run, and gone."""

import bz2
import gzip
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.fakes import image_archive
from tests.fakes.image_archive import Recipe
from vexxy.images.errors import InvalidArchive
from vexxy.sandbox import service
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import ReadyWhen, SandboxRequest

pytestmark = pytest.mark.engine

KINDS: dict[str, Callable[[Recipe], bytes]] = {
    "docker": image_archive.docker_archive,
    "oci": image_archive.oci_archive,
    "docker.gz": lambda recipe: gzip.compress(image_archive.docker_archive(recipe)),
    "oci.zst": lambda recipe: zstandard.compress(image_archive.oci_archive(recipe)),
    "docker.bz2": lambda recipe: bz2.compress(image_archive.docker_archive(recipe)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_of_any_kind_runs_and_leaves_nothing(
    engine: ContainerEngine, tmp_path: Path, kind: str
) -> None:
    recipe = Recipe(command=("/bin/echo", "ran"), environment={"S": uuid.uuid4().hex})
    path = tmp_path / f"image.{kind}"
    path.write_bytes(KINDS[kind](recipe))
    with service.open_image(engine, str(path)) as opened:
        assert opened.image.image_id == image_archive.image_id(recipe)
        assert (opened.image.manifest_digest is not None) == kind.startswith("oci")
        request = SandboxRequest(image=opened.image)
        with service.open_sandbox(engine, opened, request) as sandbox:
            sandbox.start()
            ready = sandbox.await_ready(timeout_seconds=20)
            assert ready.when is ReadyWhen.FINISHED
            assert sandbox.end().logs == "ran\n"
    assert not engine.has_image(image_archive.image_id(recipe))


def test_an_archive_that_is_cut_off_is_refused_and_leaves_nothing(
    engine: ContainerEngine, tmp_path: Path
) -> None:
    recipe = Recipe(environment={"S": uuid.uuid4().hex})
    whole = image_archive.docker_archive(recipe)
    path = tmp_path / "image.tar"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidArchive):
        service.open_image(engine, str(path)).__enter__()
    assert not engine.has_image(image_archive.image_id(recipe))


def test_a_name_that_the_archive_takes_is_given_back(
    engine: ContainerEngine, tmp_path: Path
) -> None:
    name = f"localhost/vexxy-test/{uuid.uuid4().hex[:12]}:1"
    theirs = Recipe(environment={"S": uuid.uuid4().hex}, name=name)
    ours = Recipe(environment={"S": uuid.uuid4().hex}, name=name)
    path = tmp_path / "theirs.tar"
    path.write_bytes(image_archive.docker_archive(theirs))
    (kept,) = engine.load(path)
    path.write_bytes(image_archive.docker_archive(ours))
    with service.open_image(engine, str(path)) as opened:
        assert opened.image.image_id == image_archive.image_id(ours)
    found = engine.find_image(name)
    engine.remove_image(kept)
    assert found is not None
    assert found.image_id == kept
