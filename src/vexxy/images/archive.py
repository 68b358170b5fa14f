"""Which image of an archive is meant, and whether the archive is whole."""

import pathlib
import platform as host
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from vexxy.images import rules
from vexxy.images.errors import ArchiveMissing, InvalidArchive, InvalidReference
from vexxy.images.types import ArchivedImage, Platform
from vexxy.images.wire import manifests
from vexxy.images.wire.contents import read_contents
from vexxy.images.wire.manifests import Candidate

_NAMES_SHOWN_MAX: Final = 10


def inspect_archive(
    path: pathlib.Path,
    *,
    platform: Platform | None = None,
    reference: str | None = None,
) -> ArchivedImage:
    """Return the image in an OCI layout (tar or folder) or a docker archive.

    Every blob's digest and size is verified, in one pass and in little memory; nothing
    is unpacked to the disk. `reference` chooses among several images by name or tag,
    `platform` (by default this machine's) among the platforms of one image.

    Raises:
        ArchiveMissing: There is nothing at `path`.
        InvalidArchive: Damaged, incomplete, no image, several images and none chosen, or
            no image for the platform.
    """
    if not path.exists():
        raise ArchiveMissing(f"there is no file {path}", hint="check the path")
    try:
        files = read_contents(path)
    except OSError as error:
        raise InvalidArchive(f"{path} could not be read: {error.strerror}") from error
    wanted = platform or rules.platform_of_machine(host.machine())
    if "index.json" in files:
        candidates = manifests.oci_candidates(files)
        chosen = _choose(candidates, wanted, reference)
        found = manifests.oci_image(files, chosen)
    elif "manifest.json" in files:
        candidates = manifests.docker_candidates(files)
        chosen = _choose(candidates, wanted, reference)
        found = manifests.docker_image(files, chosen)
    else:
        raise InvalidArchive(
            f"{path.name} holds no image: neither index.json nor manifest.json is in it",
            hint="save an image with `podman save` or `docker save`; a plain root file "
            "system has to be imported by the engine first",
        )
    names = {name for item in candidates for name in item.names} - set(found.names)
    others = sorted(name for name in names if "/" in name or ":" in name)
    return replace(_named(found, path), other_names=tuple(others))


def _named(found: ArchivedImage, path: pathlib.Path) -> ArchivedImage:
    """Return the image with the name the archive gives it, else the archive's path.

    A name without `/` and `:` is only a tag: OCI layouts write `1.25` for nginx:1.25.
    """
    reference, name = found.image.reference, ""
    if "/" in reference or ":" in reference:
        with suppress(InvalidReference):
            name = rules.parse_reference(reference).name
    else:
        reference = f"{path}:{reference}" if reference else str(path)
    return replace(found, image=replace(found.image, reference=reference, name=name))


def _choose(
    candidates: Sequence[Candidate], platform: Platform, reference: str | None
) -> Candidate:
    if not candidates:
        raise InvalidArchive("the archive lists no image")
    named = [item for item in candidates if _is_named(item, reference)]
    if not named:
        raise InvalidArchive(
            f"the archive has no image named {reference}", hint=_listing(candidates)
        )
    fitting = [item for item in named if _fits(item.platform, platform)]
    if not fitting:
        offered = ", ".join(sorted({str(item.platform) for item in named}))
        raise InvalidArchive(
            f"the image is made for {offered}, not for {platform}",
            hint="choose an image for this machine; it has to run here to be analyzed",
        )
    if len({item.digest for item in fitting}) > 1:
        exact = [item for item in fitting if item.platform == platform]
        if len({item.digest for item in exact}) == 1:
            return exact[0]
        raise InvalidArchive(
            "the archive holds several images and none was chosen",
            hint=f"choose one with --archive-image; {_listing(fitting)}",
        )
    return fitting[0]


def _is_named(candidate: Candidate, reference: str | None) -> bool:
    """Tell whether the image has this name, written in full, in short, or as a tag."""
    if reference is None:
        return True
    return any(
        reference in {name, name.rpartition(":")[2]} or _same(reference, name)
        for name in candidate.names
    )


def _same(first: str, second: str) -> bool:
    try:
        return rules.parse_reference(first) == rules.parse_reference(second)
    except InvalidReference:
        return False


def _fits(offered: Platform, wanted: Platform) -> bool:
    same = (offered.os, offered.architecture) == (wanted.os, wanted.architecture)
    variants = offered.variant, wanted.variant
    return same and (None in variants or variants[0] == variants[1])


def _listing(candidates: Sequence[Candidate]) -> str:
    names = sorted({name for item in candidates for name in item.names})
    if not names:
        return "its images have no names; save the one to analyze alone"
    shown = ", ".join(names[:_NAMES_SHOWN_MAX])
    return f"it holds {shown}" + (", ..." if len(names) > _NAMES_SHOWN_MAX else "")
