"""Images from a registry: what is pulled is what was named, by every digest it has."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import engines, registry
from tests.fakes.image_archive import Recipe
from tests.fakes.registry import Published
from vexxy.sandbox import service
from vexxy.sandbox.errors import ImageMissing
from vexxy.sandbox.ports import ContainerEngine

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def published() -> Iterator[Published]:
    with registry.serving(Recipe(environment={"SEED": uuid.uuid4().hex})) as found:
        yield found


@pytest.fixture(scope="module")
def engine(
    published: Published, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerEngine]:
    # Docker takes loopback registries without TLS; Podman has to be told.
    path = tmp_path_factory.mktemp("podman") / "registries.conf"
    path.write_text(f'[[registry]]\nlocation = "{published.host}"\ninsecure = true\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_REGISTRIES_CONF", str(path))
        yield from engines.real_engine()


@pytest.fixture(autouse=True)
def _nothing_pulled(engine: ContainerEngine, published: Published) -> Iterator[None]:
    yield
    engine.remove_image(published.image_id)
    assert not engine.has_image(published.image_id)


def test_a_tag_is_pulled_for_this_machine_and_its_digests_are_known(
    engine: ContainerEngine, published: Published
) -> None:
    heard: list[int] = []
    with service.open_image(
        engine, f"{published.host}/app:1", listener=lambda said: heard.append(said.percent)
    ) as opened:
        image = opened.image
    assert image.image_id == published.image_id
    assert image.platform.architecture == "amd64"
    known = {image.manifest_digest, image.index_digest}
    assert published.index_digest in known
    if engine.info().name == "podman":
        assert image.manifest_digest == published.manifest_digest
        assert image.index_digest == published.index_digest
    assert max(heard) == 100 or engine.info().name == "podman"
    assert engine.has_image(published.image_id)


@pytest.mark.parametrize("kind", ["index", "manifest"])
def test_a_digest_is_pulled_and_is_what_is_found(
    engine: ContainerEngine, published: Published, kind: str
) -> None:
    digest = {"index": published.index_digest, "manifest": published.manifest_digest}[kind]
    with service.open_image(engine, f"{published.host}/app@{digest}") as opened:
        assert opened.image.image_id == published.image_id
        assert any(digest in entry for entry in opened.image.repo_digests)


def test_what_the_registry_does_not_have_is_missing(
    engine: ContainerEngine, published: Published, tmp_path: Path
) -> None:
    wanted = f"{published.host}/app@sha256:{'0' * 64}"
    with pytest.raises(ImageMissing) as caught:
        service.open_image(engine, wanted).__enter__()
    assert caught.value.hint is not None
