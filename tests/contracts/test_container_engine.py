"""What every container engine does, the one in memory included."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import engines, image_archive
from tests.fakes.image_archive import Recipe
from vexxy.kit.progress import silent
from vexxy.sandbox.errors import EngineFailed, ImageMissing, ImageUnsuitable
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import (
    Attachments,
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    Limits,
    Privileges,
    Scratch,
)
from vexxy.sandbox.wire import SANDBOX_LABEL

RECIPE = Recipe(environment={"SEED": uuid.uuid4().hex}, ports=(80, 443), user="65534")
NEVER = "localhost/vexxy-test/there-is-no-such-image:1"


@pytest.fixture(
    scope="module", params=["fake", pytest.param("real", marks=pytest.mark.engine)]
)
def engine(request: pytest.FixtureRequest) -> Iterator[ContainerEngine]:
    if request.param == "fake":
        yield engines.fake_engine()
    else:
        yield from engines.real_engine()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "image.tar"
    path.write_bytes(image_archive.docker_archive(RECIPE))
    return path


@pytest.fixture(scope="module")
def image_id(engine: ContainerEngine, archive: Path) -> Iterator[str]:
    (loaded,) = engine.load(archive)
    yield loaded
    engine.remove_image(loaded)
    assert not engine.has_image(loaded)


@pytest.fixture
def container(engine: ContainerEngine, image_id: str) -> Iterator["Maker"]:
    maker = Maker(engine, image_id)
    yield maker
    for container_id in maker.made:
        engine.remove(container_id)


class Maker:
    def __init__(self, engine: ContainerEngine, image_id: str) -> None:
        self._engine = engine
        self._image_id = image_id
        self.made: list[str] = []

    def __call__(
        self,
        script: str,
        *,
        command: tuple[str, ...] | None = None,
        attachments: Attachments | None = None,
    ) -> str:
        name = f"vexxy-test-{uuid.uuid4().hex[:12]}"
        spec = ContainerSpec(
            name=name,
            image_id=self._image_id,
            command=command or ("/bin/sh", "-c", script),
            environment={"GIVEN": "yes"},
            labels={SANDBOX_LABEL: name, "other": "label"},
            limits=Limits(),
            privileges=Privileges(),
            scratch=(Scratch("/run", mode=0o1777),),
            attachments=attachments,
        )
        self.made.append(self._engine.create(spec))
        return self.made[-1]


def ended(engine: ContainerEngine, container_id: str) -> ContainerState:
    while engine.state(container_id).status is not ContainerStatus.EXITED:
        pass
    return engine.state(container_id)


def test_the_engine_says_what_it_is(engine: ContainerEngine) -> None:
    info = engine.info()
    assert info.name
    assert info.platform.os == "linux"
    assert info.platform.architecture


def test_an_image_that_is_not_there_is_not_found(engine: ContainerEngine) -> None:
    assert engine.find_image(NEVER) is None
    assert not engine.has_image("sha256:" + "0" * 64)


def test_an_image_that_nobody_has_cannot_be_pulled(engine: ContainerEngine) -> None:
    # A registry of this machine's loopback, where nothing listens.
    with pytest.raises(ImageMissing):
        engine.pull("127.0.0.1:9/vexxy/absent:1", platform=None, listener=silent)


def test_every_image_it_has_is_listed(engine: ContainerEngine, image_id: str) -> None:
    assert image_id in engine.list_images()


def test_a_loaded_image_has_the_digest_of_its_configuration(
    engine: ContainerEngine, image_id: str
) -> None:
    assert image_id == image_archive.image_id(RECIPE)
    image = engine.find_image(image_id)
    assert image is not None
    assert image.image_id == image_id
    assert image.platform.architecture == "amd64"
    assert image.config.exposed_ports == (80, 443)
    assert image.config.command == image_archive.HTTPD
    assert image.config.user == "65534"


def test_what_is_no_image_is_refused(engine: ContainerEngine, tmp_path: Path) -> None:
    path = tmp_path / "noise.tar"
    path.write_bytes(b"this is no archive" * 100)
    with pytest.raises(ImageUnsuitable):
        engine.load(path)


def test_an_image_takes_a_further_name(engine: ContainerEngine, image_id: str) -> None:
    name = f"localhost/vexxy-test/{uuid.uuid4().hex}:1"
    engine.tag_image(image_id, name)
    image = engine.find_image(name)
    assert image is not None
    assert image.image_id == image_id


def test_a_created_container_has_run_nothing(
    engine: ContainerEngine, container: Maker, image_id: str
) -> None:
    made = container("echo ran")
    assert engine.image_of(made) == image_id
    assert engine.state(made).status is ContainerStatus.CREATED
    assert engine.logs(made, limit_bytes=1000) == ""


def test_a_container_that_runs_is_stopped(
    engine: ContainerEngine, container: Maker
) -> None:
    made = container("sleep 1000")
    engine.start(made)
    assert engine.state(made).status is ContainerStatus.RUNNING
    engine.stop(made, timeout_seconds=0)
    assert ended(engine, made).exit_code == 137


def test_the_exit_code_and_the_end_of_the_log_are_kept(
    engine: ContainerEngine, container: Maker
) -> None:
    made = container("echo first; echo second; exit 3")
    engine.start(made)
    assert ended(engine, made).exit_code == 3
    assert engine.logs(made, limit_bytes=1000) == "first\nsecond\n"
    assert engine.logs(made, limit_bytes=7) == "second\n"


def test_a_command_that_does_not_exist_cannot_be_started(
    engine: ContainerEngine, container: Maker
) -> None:
    made = container("", command=("/no/such/program",))
    with pytest.raises(EngineFailed):
        engine.start(made)


def test_attached_files_can_be_read_and_nobody_can_change_them(
    engine: ContainerEngine, container: Maker
) -> None:
    attachments = Attachments({"hello": b"first\n", "below/it": b"second\n"})
    made = container(
        "cat /.vexxy/hello; cat /.vexxy/below/it; > /.vexxy/hello || echo refused",
        attachments=attachments,
    )
    engine.start(made)
    assert ended(engine, made).exit_code == 0
    said = engine.logs(made, limit_bytes=1000)
    assert said.startswith("first\nsecond\n")
    assert "refused" in said


def test_nothing_but_the_container_is_left_for_attached_files(
    engine: ContainerEngine, container: Maker
) -> None:
    made = container("sleep 1000", attachments=Attachments({"hello": b""}))
    name = engine.list_owned()[made][SANDBOX_LABEL]
    owned = engine.list_owned().items()
    assert [key for key, labels in owned if labels[SANDBOX_LABEL] == name] == [made]


def test_removing_twice_is_no_error(engine: ContainerEngine, container: Maker) -> None:
    made = container("sleep 1000")
    engine.start(made)
    engine.remove(made)
    engine.remove(made)
    with pytest.raises(EngineFailed):
        engine.state(made)


def test_removing_an_image_that_is_not_there_is_no_error(engine: ContainerEngine) -> None:
    engine.remove_image("sha256:" + "0" * 64)


def test_a_container_of_an_image_that_is_not_there_is_refused(
    engine: ContainerEngine,
) -> None:
    spec = ContainerSpec(
        name=f"vexxy-test-{uuid.uuid4().hex[:12]}",
        image_id="sha256:" + "0" * 64,
        command=None,
        environment={},
        labels={},
        limits=Limits(),
        privileges=Privileges(),
        scratch=(),
    )
    with pytest.raises(EngineFailed):
        engine.create(spec)


def test_containers_of_ours_are_listed_with_their_labels(
    engine: ContainerEngine, container: Maker
) -> None:
    made = container("sleep 1000")
    labels = engine.list_owned()[made]
    assert labels["other"] == "label"
    assert labels[SANDBOX_LABEL].startswith("vexxy-test-")


def test_the_usage_of_a_created_container_is_known_or_none(
    engine: ContainerEngine, container: Maker
) -> None:
    usage = engine.usage(container("sleep 1000"))
    assert usage.memory_peak_bytes is None or usage.memory_peak_bytes >= 0
