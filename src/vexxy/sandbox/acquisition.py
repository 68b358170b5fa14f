"""Bringing an image to the engine: found, pulled or loaded, and the right one."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from vexxy.images.archive import inspect_archive
from vexxy.images.rootfs import RootFilesystem
from vexxy.images.rules import parse_reference
from vexxy.images.types import ArchivedImage, Image, Platform
from vexxy.kit.errors import VexxyError
from vexxy.kit.progress import Listener
from vexxy.sandbox import processes, repository, rules, wire
from vexxy.sandbox.errors import DigestMismatch, ImageUnsuitable
from vexxy.sandbox.ports import ContainerEngine
from vexxy.sandbox.types import MIB, Scratch

# A processor of the first kind also runs programs of the others.
_ALSO_RUNS: Final = {"amd64": {"386"}, "arm64": {"arm"}}
_MODE_BITS: Final = 0o7777
LARGE_BYTES: Final = 32 * MIB
MEASURED_BYTES_MAX: Final = 1024 * MIB


def resolve(
    engine: ContainerEngine,
    wanted: str,
    *,
    platform: str | None,
    listener: Listener,
    digest: str | None = None,
) -> Image:
    """Return the image that a reference names, pulled when the engine lacks it.

    Args:
        engine: Where it is to run.
        wanted: The reference.
        platform: `os/architecture`, None for the engine's own.
        listener: Hears of a pull.
        digest: The one that is meant, whatever the tag means by now; None for any.

    Raises:
        InvalidReference: The text is no reference.
        ImageMissing: Nobody has it.
        DigestMismatch: It is not the digest that was asked for.
    """
    reference = parse_reference(wanted)
    image = engine.find_image(wanted)
    meant = digest or reference.digest
    tagged = digest and reference.repository and not reference.digest
    if tagged and (image is None or digest not in _digests(image)):
        # The tag moved on, here or in the registry: ask for the digest itself.
        wanted = f"{reference.repository}@{digest}"
        image = engine.find_image(wanted)
    if image is None or (platform and not str(image.platform).startswith(platform)):
        image = engine.pull(wanted, platform=platform, listener=listener)
    demand_digest(image, meant, wanted)
    return image


def demand_digest(image: Image, digest: str | None, wanted: str) -> None:
    """Refuse an image that is not of the digest that was asked for, if one was.

    Raises:
        DigestMismatch: It is another.
    """
    if digest and digest not in _digests(image):
        raise DigestMismatch(
            f"{wanted} was asked for as {digest}, but the engine has {image.digest}",
            hint="pull it again, or name the digest that you want to analyze",
        )


def platform_from(text: str | None) -> Platform | None:
    """Return the platform that `os/architecture[/variant]` names."""
    if text is None:
        return None
    system, _, rest = text.partition("/")
    architecture, _, variant = rest.partition("/")
    return Platform(system, architecture, variant or None)


def _digests(image: Image) -> set[str]:
    known = {entry.rpartition("@")[2] for entry in image.repo_digests}
    return known | {image.image_id, image.digest} | ({image.index_digest or ""} - {""})


def check(image: Image, engine: ContainerEngine) -> None:
    """Refuse an image that this engine cannot run, before anything is created.

    Raises:
        ImageUnsuitable: Another operating system or architecture.
    """
    there = engine.info().platform
    wanted = image.platform
    runs = {there.architecture} | _ALSO_RUNS.get(there.architecture, set())
    if wanted.os != there.os or wanted.architecture not in runs:
        raise ImageUnsuitable(
            f"the image is for {wanted}, and this engine runs {there}",
            hint=f"name an image for {there}, for instance with --platform {there}",
        )


@contextmanager
def loaded(
    engine: ContainerEngine, path: Path, platform: Platform, *, wanted: str | None = None
) -> Iterator[tuple[Image, bool]]:
    """Load an archive; yield the image and whether it goes at the end.

    It stays when the engine had it before. What its names meant before they mean again.
    `wanted` names the one that is meant in an archive of several.
    """
    if path.is_dir():
        raise ImageUnsuitable(
            f"{path} is a folder, and engines load files",
            hint=f"pack it: tar -C {path} -cf image.tar .",
        )
    archived = inspect_archive(path, platform=platform, reference=wanted)
    image_id = archived.image.image_id
    if engine.has_image(image_id) and not is_loaded_by_us(engine, image_id):
        yield _known(engine, archived.image), False
        return
    names = (*archived.names, *archived.other_names)
    before = {name: engine.find_image(name) for name in names}
    had = engine.list_images()
    with repository.noted_load(image_id, processes.current_owner()):
        try:
            loaded = engine.load(path, manifest=_docker_manifest(archived))
            # What the archive has besides and the engine had before is the user's.
            for other in set(loaded) - {image_id} - had:
                remove_image(engine, other)
            yield _known(engine, archived.image), True
        finally:
            remove_image(engine, image_id)
            for name, image in before.items():
                if image is not None and image.image_id != image_id:
                    engine.tag_image(image.image_id, name)


def _docker_manifest(archived: ArchivedImage) -> bytes | None:
    """Return what docker would write of an OCI archive, None for docker's own.

    Source: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset
    Format"; blobs are where the OCI image layout has them.
    """
    if archived.format != "oci":
        return None
    digests = (archived.image.image_id, *(layer.digest for layer in archived.layers))
    config, *layers = (f"blobs/{digest.replace(':', '/')}" for digest in digests)
    entry = {"Config": config, "RepoTags": list(archived.names), "Layers": layers}
    return json.dumps([entry]).encode()


def _known(engine: ContainerEngine, archived: Image) -> Image:
    """Return the engine's image with the digests that the archive was verified for."""
    image = engine.find_image(archived.image_id)
    if image is None:
        raise DigestMismatch(
            f"the engine does not have {archived.image_id} after loading the archive"
        )
    return replace(
        image,
        reference=archived.reference,
        name=archived.name,
        manifest_digest=archived.manifest_digest,
        index_digest=archived.index_digest,
    )


def is_loaded_by_us(engine: ContainerEngine, image_id: str) -> bool:
    """Return whether a sandbox on the engine uses the image and came with it."""
    owned = engine.list_owned().values()
    return any(labels.get(wire.LOADED_LABEL) == image_id for labels in owned)


def scratch_of(root_path: Path | None, volumes: Sequence[str]) -> tuple[Scratch, ...]:
    """Return the writable directories for an image with these files and volumes."""
    if root_path is None:
        return rules.scratch_directories((), volumes=volumes)
    root = RootFilesystem(root_path)
    asked = [
        *volumes,
        *(child for path in rules.STATE_PARENTS for child in _below(root, path)),
    ]
    for path in rules.USUAL_SCRATCH:
        children = _below(root, path)
        # A package cache is not worth copying for the sake of its small neighbors.
        large = _size(root, path, LARGE_BYTES) >= LARGE_BYTES
        asked += (
            [child for child in children if _size(root, child, LARGE_BYTES) < LARGE_BYTES]
            if large
            else [path]
        )
    present = {}
    for path in asked:
        canonical = root.resolve(path)
        if canonical is not None:
            status = root.host_path(canonical).lstat()
            present[canonical] = Scratch(
                canonical,
                status.st_uid,
                status.st_gid,
                status.st_mode & _MODE_BITS,
                size_bytes=_size(root, canonical, MEASURED_BYTES_MAX),
            )
    canonical_volumes = [root.resolve(path) or path for path in volumes]
    return rules.scratch_directories(tuple(present.values()), volumes=canonical_volumes)


def _below(root: RootFilesystem, parent: str) -> list[str]:
    """Return the directories just below one."""
    canonical = root.resolve(parent)
    if canonical is None:
        return []
    with suppress(OSError), os.scandir(root.host_path(canonical)) as listing:
        return [
            f"{canonical}/{entry.name}"
            for entry in listing
            if entry.is_dir(follow_symlinks=False)
        ]
    return []


def _size(root: RootFilesystem, path: str, enough: int) -> int:
    """Return the size of what is below, or anything from `enough` up if it is more."""
    canonical = root.resolve(path)
    total = 0
    pending = [] if canonical is None else [root.host_path(canonical)]
    while pending and total < enough:
        with suppress(OSError), os.scandir(pending.pop()) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def remove_image(engine: ContainerEngine, image_id: str) -> bool:
    """Remove an image that came with us; one that somebody uses by now stays."""
    try:
        engine.remove_image(image_id)
    except VexxyError:
        return False
    return True
