"""Images and sandboxes on an engine in memory: what is refused, and what is removed."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import image_archive
from tests.fakes.container_engine import FakeEngine
from tests.fakes.image_archive import Recipe
from tests.fakes.values import DIGEST
from vexxy.images.errors import ArchiveMissing, InvalidArchive, InvalidReference
from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.sandbox import processes, repository, rules, service, wire
from vexxy.sandbox.errors import (
    DigestMismatch,
    EngineFailed,
    ImageMissing,
    ImageUnsuitable,
)
from vexxy.sandbox.service import Asked
from vexxy.sandbox.types import Owner, SandboxRequest

OTHER = "sha256:" + "e" * 64
IMAGE = Image(
    reference="app:1",
    name="app",
    image_id="sha256:" + "a" * 64,
    manifest_digest=DIGEST,
    index_digest=None,
    repo_digests=(f"docker.io/library/app@{DIGEST}",),
    platform=Platform("linux", "amd64"),
    config=ImageConfig(command=("/bin/sh", "-c", "sleep 1")),
    size_bytes=1,
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def engine_with(image: Image = IMAGE) -> FakeEngine:
    return FakeEngine(
        images={image.image_id: image},
        names={image.reference: image.image_id, f"app@{DIGEST}": image.image_id},
    )


def opened_and_closed(
    engine: FakeEngine, wanted: str, request: SandboxRequest | None = None
) -> None:
    with service.open_image(engine, wanted) as opened:
        if request is not None:
            with service.open_sandbox(engine, opened, request):
                pass


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(image_archive.docker_archive(Recipe(name="localhost/app:1")))
    return path


@pytest.mark.parametrize("text", ["-v", "--privileged", "Nginx", "a b", "", "x@sha256:1"])
def test_what_is_no_reference_never_reaches_the_engine(text: str) -> None:
    engine = FakeEngine(gone=True)
    with pytest.raises(InvalidReference):
        opened_and_closed(engine, text)


def test_an_image_that_nobody_has_is_missing() -> None:
    with pytest.raises(ImageMissing):
        opened_and_closed(FakeEngine(), "absent:1")


def test_an_image_that_the_engine_lacks_is_pulled() -> None:
    engine = FakeEngine(registry={"app:1": IMAGE})
    with service.open_image(engine, "app:1") as opened:
        assert opened.image == IMAGE
    assert engine.has_image(IMAGE.image_id)


def test_the_digest_that_was_asked_for_is_what_is_found() -> None:
    with service.open_image(engine_with(), f"app@{DIGEST}") as opened:
        assert opened.image.manifest_digest == DIGEST


def test_another_digest_than_asked_for_is_a_failure() -> None:
    engine = engine_with()
    engine.names[f"app@{OTHER}"] = IMAGE.image_id
    with pytest.raises(DigestMismatch):
        opened_and_closed(engine, f"app@{OTHER}")
    assert engine.containers == {}


def test_a_tag_that_moved_on_is_not_what_runs_when_a_digest_was_named() -> None:
    engine = engine_with()
    moved = replace(
        IMAGE, image_id="sha256:" + "9" * 64, manifest_digest=OTHER, repo_digests=()
    )
    engine.images[moved.image_id] = moved
    engine.names["app:1"] = moved.image_id
    engine.names[f"docker.io/library/app@{DIGEST}"] = IMAGE.image_id

    with service.open_image(engine, "app:1", asked=Asked(digest=DIGEST)) as opened:
        assert opened.image.image_id == IMAGE.image_id


def test_a_digest_that_nobody_has_is_never_replaced_by_the_tag() -> None:
    engine = engine_with()
    with pytest.raises(ImageMissing):
        service.open_image(engine, "app:1", asked=Asked(digest=OTHER)).__enter__()
    engine.registry[f"docker.io/library/app@{OTHER}"] = IMAGE
    with pytest.raises(DigestMismatch):
        service.open_image(engine, "app:1", asked=Asked(digest=OTHER)).__enter__()
    assert engine.containers == {}


def test_a_stranger_cannot_name_a_file_of_this_machine(archive: Path) -> None:
    asked = Asked(files_allowed=False)
    with pytest.raises((InvalidReference, ImageMissing)):
        service.open_image(engine_with(), str(archive), asked=asked).__enter__()


def test_everything_of_one_analysis_can_be_removed_by_its_name() -> None:
    engine = engine_with()
    with service.open_image(engine, "app:1", asked=Asked(job_id="mine")) as opened:
        request = SandboxRequest(opened.image, command=("/bin/sh", "-c", "sleep 9"))
        with (
            service.open_sandbox(engine, opened, request),
            service.open_image(engine, "app:1", asked=Asked(job_id="other")),
        ):
            assert {job: len(ids) for job, ids in service.list_jobs(engine).items()} == {
                "mine": 2,
                "other": 1,
            }
            assert service.remove_job(engine, "mine").containers == 2
            assert list(service.list_jobs(engine)) == ["other"]
            assert service.remove_job(engine, "mine").containers == 0


@pytest.mark.parametrize(
    "platform", [Platform("linux", "arm64", "v8"), Platform("windows", "amd64")]
)
def test_an_image_for_another_machine_is_refused_before_anything_is_made(
    platform: Platform,
) -> None:
    engine = engine_with(replace(IMAGE, platform=platform))
    with pytest.raises(ImageUnsuitable, match=str(platform)) as caught:
        opened_and_closed(engine, "app:1")
    assert caught.value.hint is not None
    assert engine.containers == {}


def test_an_image_without_a_command_needs_one() -> None:
    image = replace(IMAGE, config=ImageConfig())
    engine = engine_with(image)
    with pytest.raises(ImageUnsuitable, match="no command"):
        opened_and_closed(engine, "app:1", SandboxRequest(image=image))
    request = SandboxRequest(image=image, command=("/bin/sh", "-c", "exit 0"))
    opened_and_closed(engine, "app:1", request)
    assert engine.containers == {}


def test_a_container_of_another_image_than_asked_for_is_removed_and_told() -> None:
    engine = engine_with()
    engine.swaps_image = OTHER
    with pytest.raises(DigestMismatch, match=OTHER):
        opened_and_closed(engine, "app:1", SandboxRequest(image=IMAGE))
    assert engine.containers == {}


def test_an_archive_is_loaded_and_leaves_nothing(archive: Path) -> None:
    engine = FakeEngine()
    with service.open_image(engine, str(archive)) as opened:
        assert opened.loaded
        assert engine.has_image(opened.image.image_id)
        assert len(repository.list_loads()) == 1
    assert engine.images == {}
    assert engine.containers == {}
    assert repository.list_loads() == []


def test_an_archive_of_an_image_the_engine_has_leaves_it_there(archive: Path) -> None:
    engine = FakeEngine()
    (image_id,) = engine.load(archive)
    with service.open_image(engine, str(archive)) as opened:
        assert not opened.loaded
    assert engine.has_image(image_id)


def test_a_name_that_the_archive_takes_is_given_back(archive: Path) -> None:
    engine = engine_with(replace(IMAGE, reference="localhost/app:1"))
    with service.open_image(engine, str(archive)) as opened:
        assert engine.names["localhost/app:1"] == opened.image.image_id
    assert engine.names["localhost/app:1"] == IMAGE.image_id


def test_a_damaged_archive_is_refused_before_the_engine_is_asked(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes().replace(b"about", b"other"))
    engine = FakeEngine()
    with pytest.raises(InvalidArchive):
        opened_and_closed(engine, str(archive))
    assert engine.images == {}


def test_an_archive_for_another_machine_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arm.tar"
    recipe = Recipe(architecture="arm64")
    path.write_bytes(image_archive.docker_archive(recipe))
    engine = FakeEngine()
    with pytest.raises(InvalidArchive, match="arm64"):
        opened_and_closed(engine, str(path))
    assert engine.images == {}


@pytest.fixture
def archive_of_two(tmp_path: Path) -> Path:
    path = tmp_path / "two.tar"
    path.write_bytes(
        image_archive.docker_archive(
            Recipe(name="localhost/one:1", user="1"),
            Recipe(name="localhost/two:2", user="2"),
        )
    )
    return path


@pytest.mark.parametrize("wanted", ["localhost/two:2", "2"])
def test_the_image_that_is_meant_is_taken_from_an_archive_of_several(
    archive_of_two: Path, wanted: str
) -> None:
    engine = FakeEngine()
    chosen = service.open_image(engine, str(archive_of_two), archive_image=wanted)
    with chosen as opened:
        assert opened.image.reference == "localhost/two:2"
        assert list(engine.images) == [opened.image.image_id]
    assert engine.images == {}


def test_an_archive_of_several_is_refused_where_none_was_chosen(
    archive_of_two: Path,
) -> None:
    with pytest.raises(InvalidArchive, match="several") as caught:
        opened_and_closed(FakeEngine(), str(archive_of_two))
    hint = str(caught.value.hint)
    assert "--archive-image" in hint
    assert "localhost/one:1, localhost/two:2" in hint


def test_names_that_the_others_in_an_archive_take_are_given_back(
    archive_of_two: Path,
) -> None:
    engine = engine_with(replace(IMAGE, reference="localhost/one:1"))
    chosen = service.open_image(engine, str(archive_of_two), archive_image="2")
    with chosen:
        pass
    assert engine.names["localhost/one:1"] == IMAGE.image_id


def test_an_image_of_an_archive_cannot_be_chosen_where_there_is_none() -> None:
    with pytest.raises(ImageUnsuitable, match="no archive"):
        service.open_image(engine_with(), "app:1", archive_image="2").__enter__()


def test_doubt_about_an_image_is_told_without_pulling_it(archive: Path) -> None:
    engine = engine_with()
    engine.registry["far:1"] = IMAGE
    assert service.find_doubt(engine, "app:1") == ""
    assert service.find_doubt(engine, str(archive)) == ""
    assert "no image far:1" in service.find_doubt(engine, "far:1")
    assert "no file ./absent" in service.find_doubt(engine, "./absent")
    assert "far:1" not in engine.names
    with pytest.raises(InvalidReference):
        service.find_doubt(engine, "A B")


def test_a_path_where_nothing_is_is_told_as_a_path(tmp_path: Path) -> None:
    with pytest.raises(ArchiveMissing, match="no file"):
        opened_and_closed(FakeEngine(), str(tmp_path / "absent.tar"))


def test_a_sandbox_that_is_to_be_kept_stays_also_through_a_sweep() -> None:
    engine = engine_with()
    with service.open_image(engine, "app:1") as opened:
        request = SandboxRequest(image=IMAGE)
        with service.open_sandbox(engine, opened, request, keep=True):
            pass
    (container,) = engine.containers.values()
    assert container.spec.labels[wire.KEPT_LABEL] == "true"
    service.sweep(engine)
    assert len(engine.containers) == 1


def test_an_engine_that_goes_away_is_told_and_swept_later() -> None:
    engine = engine_with()
    with ExitStack() as stack:
        opened = stack.enter_context(service.open_image(engine, "app:1"))
        request = SandboxRequest(image=IMAGE)
        stack.enter_context(service.open_sandbox(engine, opened, request))
        engine.gone = True
        with pytest.raises(EngineFailed, match="went away"):
            stack.close()
    engine.gone = False
    assert len(engine.containers) == 2
    disown(engine)
    assert service.sweep(engine).containers == 2
    assert engine.containers == {}


def test_a_sweep_takes_what_the_dead_left_and_nothing_else(archive: Path) -> None:
    engine = FakeEngine()
    (image_id,) = engine.load(archive)
    live = processes.current_owner()
    dead = replace(live, started_ticks=live.started_ticks + 1)
    elsewhere = replace(dead, boot_id="another kernel")
    for name, owner in (("live", live), ("dead", dead), ("elsewhere", elsewhere)):
        create(engine, image_id, name=name, owner=owner)
    assert service.sweep(engine).containers == 1
    left = [container.spec.name for container in engine.containers.values()]
    assert left == ["live", "elsewhere"]


def test_a_sweep_removes_the_image_that_came_with_the_dead(archive: Path) -> None:
    engine = FakeEngine()
    (image_id,) = engine.load(archive)
    live = processes.current_owner()
    dead = replace(live, started_ticks=live.started_ticks + 1)
    create(engine, image_id, name="dead", owner=dead, loaded=True)
    found = service.sweep(engine)
    assert (found.containers, found.images) == (1, 1)
    assert engine.images == {}


def test_a_sweep_removes_an_image_whose_load_was_cut_off(archive: Path) -> None:
    engine = FakeEngine()
    live = processes.current_owner()
    dead = replace(live, started_ticks=live.started_ticks + 1)
    load = repository.noted_load(
        image_archive.image_id(Recipe(name="localhost/app:1")), dead
    )
    load.__enter__()
    engine.load(archive)
    assert service.sweep(engine).images == 1
    assert engine.images == {}
    assert repository.list_loads() == []


def create(
    engine: FakeEngine, image_id: str, *, name: str, owner: Owner, loaded: bool = False
) -> None:
    request = SandboxRequest(image=replace(IMAGE, image_id=image_id))
    labels = wire.labels(name, owner, loaded_image=image_id if loaded else None, keep=False)
    spec = rules.container_spec(request, sandbox_id=name, labels=labels, scratch=())
    engine.create(replace(spec, name=name))


def disown(engine: FakeEngine) -> None:
    """Make every container that of a process that has ended."""
    for container in engine.containers.values():
        labels = {**container.spec.labels, wire.STARTED_LABEL: "1"}
        container.spec = replace(container.spec, labels=labels)
