"""An image on an engine, and sandboxes of it; nothing stays behind."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vexxy.images.rules import parse_reference
from vexxy.images.types import Image
from vexxy.kit.progress import Listener, silent
from vexxy.sandbox import acquisition, processes, repository, rules, wire
from vexxy.sandbox.errors import (
    DigestMismatch,
    EngineFailed,
    ImageUnsuitable,
)
from vexxy.sandbox.life import Sandbox, demand_same_machine, unstartable
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import (
    ContainerSpec,
    Limits,
    Owner,
    Prepared,
    Privileges,
    SandboxRequest,
    Scratch,
    Swept,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an image beyond its name.

    Attributes:
        digest: The one that is meant, whatever a tag means by now; None for any.
        job_id: The analysis to label everything with that is made of it.
        files_allowed: Whether the name may be the path of an archive on this machine,
            which is no stranger's to name.
    """

    digest: str | None = None
    job_id: str | None = None
    files_allowed: bool = True


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image that is on the engine, with its files to look at.

    Attributes:
        root_path: The image's root file system, untouched by any run; None where the
            engine's files are not visible from here.
        scratch: What a sandbox of it gets as writable directories.
        loaded: Whether it came from an archive, and goes when this is closed.
        job_id: The analysis that everything made of it is labeled with.
    """

    image: Image
    root_path: Path | None
    scratch: tuple[Scratch, ...]
    loaded: bool
    job_id: str | None = None


def is_archive(wanted: str) -> bool:
    """Return whether the text means a file, not a reference."""
    return Path(wanted).is_file() or wanted.startswith(("/", "./", "../"))


def find_doubt(engine: ContainerEngine, wanted: str) -> str:
    """Return why it is not sure that there is such an image, empty when it is.

    Nothing is pulled or loaded.

    Raises:
        InvalidReference: The text is no reference.
    """
    if is_archive(wanted):
        return "" if Path(wanted).exists() else f"there is no file {wanted}"
    parse_reference(wanted)
    if engine.find_image(wanted) is not None:
        return ""
    return f"the engine has no image {wanted} and would have to pull it"


@contextmanager
def open_image(
    engine: ContainerEngine,
    wanted: str,
    *,
    platform: str | None = None,
    archive_image: str | None = None,
    listener: Listener = silent,
    asked: Asked | None = None,
) -> Iterator[OpenedImage]:
    """Find, pull or load an image and show its files; all of it goes at the end.

    A pulled image stays with the engine, as with any other pull; one from an archive
    is removed unless the engine had it before.

    Args:
        engine: Where it is to run.
        wanted: A reference, or the path of an OCI or docker archive.
        platform: `os/architecture`, None for the engine's own.
        archive_image: Name or tag of the one that is meant in an archive of several.
        listener: Hears of a pull.
        asked: What else was asked of it; None asks nothing.

    Raises:
        InvalidInput: No reference, damaged archive, another architecture.
        ImageMissing: Nobody has it.
        DigestMismatch: It is not the digest that was asked for.
    """
    terms = asked or Asked()
    if archive_image is not None and not is_archive(wanted):
        raise ImageUnsuitable(
            f"{wanted} is no archive of which one image could be chosen",
            hint="leave out --archive-image, or name the archive's file",
        )
    if terms.files_allowed and is_archive(wanted):
        there = acquisition.platform_from(platform) or engine.info().platform
        with acquisition.loaded(engine, Path(wanted), there, wanted=archive_image) as (
            image,
            loaded,
        ):
            acquisition.demand_digest(image, terms.digest, wanted)
            acquisition.check(image, engine)
            with _surveyed(engine, image, loaded=loaded, job_id=terms.job_id) as opened:
                yield opened
    else:
        image = acquisition.resolve(
            engine, wanted, platform=platform, listener=listener, digest=terms.digest
        )
        acquisition.check(image, engine)
        with _surveyed(engine, image, loaded=False, job_id=terms.job_id) as opened:
            yield opened


@contextmanager
def open_sandbox(
    engine: ContainerEngine,
    opened: OpenedImage,
    request: SandboxRequest,
    *,
    keep: bool = False,
) -> Iterator[Sandbox]:
    """Create a sandbox whose first process waits; remove it at the end.

    Args:
        engine: Where the image is.
        opened: The image, from `open_image`.
        request: What to run, and how tightly.
        keep: Leave the container behind, stopped and marked so that no sweep takes it.

    Raises:
        DigestMismatch: The engine made the container from another image.
        EngineFailed: The engine could not make it.
    """
    if not (request.command or opened.image.config.command):
        _demand_entrypoint(opened.image)
    sandbox_id = uuid.uuid4().hex[:12]
    spec = rules.container_spec(
        request,
        sandbox_id=sandbox_id,
        labels={
            **_labels(sandbox_id, opened.image, loaded=opened.loaded, job_id=opened.job_id),
            **({wire.KEPT_LABEL: "true"} if keep else {}),
        },
        scratch=opened.scratch,
    )
    container_id = engine.create(spec)
    try:
        prepared = _prepare(engine, container_id, sandbox_id=sandbox_id, opened=opened)
        sandbox = Sandbox(engine, request, prepared)
        try:
            yield sandbox
        finally:
            sandbox.close()
    finally:
        if keep:
            # It may still run after an error, and no sweep will ever end it.
            with suppress(EngineFailed):
                engine.stop(container_id, timeout_seconds=0)
        else:
            engine.remove(container_id)


def list_jobs(engine: ContainerEngine) -> Mapping[str, tuple[str, ...]]:
    """Return the containers of each analysis that a container is labeled with."""
    found: dict[str, tuple[str, ...]] = {}
    for container_id, labels in engine.list_owned().items():
        job_id = labels.get(wire.JOB_LABEL)
        if job_id is not None:
            found[job_id] = (*found.get(job_id, ()), container_id)
    return found


def remove_job(engine: ContainerEngine, job_id: str) -> Swept:
    """Remove every container of one analysis, whoever made it and whether it runs.

    For whoever knows that the analysis is over: it was cancelled, or its process is
    dead. Images that came with it are left to `sweep`. Nothing there is no error.
    """
    containers = list_jobs(engine).get(job_id, ())
    for container_id in containers:
        engine.remove(container_id)
    return Swept(containers=len(containers))


def sweep(engine: ContainerEngine) -> Swept:
    """Remove what runs of ours left behind when they were killed.

    What belongs to a process that still runs stays, and so does what nobody here can
    judge: its owner is on another machine or in another process namespace.
    """
    here = processes.current_owner()
    notes = [
        (note, image_id)
        for note, image_id, loader in repository.list_loads()
        if rules.is_gone(loader, here, processes.find_started_ticks(loader.process_id))
    ]
    containers = 0
    images = {image_id for _, image_id in notes}
    for container_id, labels in engine.list_owned().items():
        owner = wire.find_owner(labels)
        if owner is None or wire.KEPT_LABEL in labels:
            continue
        if rules.is_gone(owner, here, processes.find_started_ticks(owner.process_id)):
            images.update(filter(None, [labels.get(wire.LOADED_LABEL)]))
            # Another sweep may be at the same container; the image goes with the last.
            with suppress(EngineFailed):
                engine.remove(container_id)
                containers += 1
    present = {image_id for image_id in images if engine.has_image(image_id)}
    removed = sum(acquisition.remove_image(engine, image_id) for image_id in present)
    for note, image_id in notes:
        if not acquisition.is_loaded_by_us(engine, image_id):
            note.unlink(missing_ok=True)
    return Swept(containers=containers, images=removed)


def _prepare(
    engine: ContainerEngine, container_id: str, *, sandbox_id: str, opened: OpenedImage
) -> Prepared:
    made_from = engine.image_of(container_id)
    if made_from != opened.image.image_id:
        raise DigestMismatch(
            f"the engine made the sandbox from {made_from}, not from "
            f"{opened.image.image_id}"
        )
    info = engine.info()
    process_id = None
    root_path = opened.root_path
    if info.starts_in_two_steps and info.host_processes:
        try:
            process_id = engine.initialize(container_id)
        except EngineFailed as error:
            raise unstartable(error) from error
        demand_same_machine(process_id, container_id)
        root_path = engine.root_path(container_id)
    return Prepared(
        sandbox_id=sandbox_id,
        container_id=container_id,
        process_id=process_id,
        root_path=root_path,
        scratch=tuple(scratch.path for scratch in opened.scratch),
    )


def _demand_entrypoint(image: Image) -> None:
    if not image.config.entrypoint:
        raise ImageUnsuitable(
            "the image names no command to run",
            hint="give one with --command",
        )


@contextmanager
def _surveyed(
    engine: ContainerEngine, image: Image, *, loaded: bool, job_id: str | None
) -> Iterator[OpenedImage]:
    """Show the image's files through a container that never runs."""
    sandbox_id = uuid.uuid4().hex[:12]
    spec = ContainerSpec(
        name=f"vexxy-files-{sandbox_id}",
        image_id=image.image_id,
        command=("/never-started",),
        environment={},
        labels=_labels(sandbox_id, image, loaded=loaded, job_id=job_id),
        limits=Limits(),
        privileges=Privileges(),
        scratch=(),
    )
    container_id = engine.create(spec)
    try:
        root_path = engine.root_path(container_id)
        yield OpenedImage(
            image=image,
            root_path=root_path,
            scratch=acquisition.scratch_of(root_path, image.config.volumes),
            loaded=loaded,
            job_id=job_id,
        )
    finally:
        engine.remove(container_id)


def _labels(
    sandbox_id: str, image: Image, *, loaded: bool, job_id: str | None
) -> dict[str, str]:
    mine: Owner = processes.current_owner()
    return wire.labels(
        sandbox_id,
        mine,
        loaded_image=image.image_id if loaded else None,
        keep=False,
        job_id=job_id,
    )
