"""The documents of an image archive: index, manifest, configuration, Docker's list.

Source: OCI image specification, `image-layout.md`, `image-index.md`, `manifest.md`;
Docker's `manifest.json` is described in moby, `image/spec/v1.2.md`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from vexxy.images.errors import InvalidArchive
from vexxy.images.types import ArchivedImage, Image, ImageConfig, Layer, Platform
from vexxy.images.wire import config as config_wire
from vexxy.images.wire.contents import File

DEPTH_MAX: Final = 4
IMAGES_MAX: Final = 1000
_NAME_ANNOTATIONS: Final = (
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
)
_ATTESTATION: Final = "vnd.docker.reference.type"

Files = Mapping[str, File]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One image of an archive, before one of them was chosen."""

    names: tuple[str, ...]
    digest: str
    index_digest: str | None
    platform: Platform
    manifest: Document
    config: Document


@dataclass(frozen=True, slots=True)
class _Above:
    """The index that an image was reached through, None for the archive's own."""

    digest: str | None = None
    names: tuple[str, ...] = ()
    depth: int = 0


def oci_candidates(files: Files) -> list[Candidate]:
    """Return the images that `index.json` leads to, attestations left out."""
    index = _document(files, "index.json")
    found = list(_descend(files, index, _Above()))
    tags = _docker_tags(files)
    return [
        replace(item, names=item.names or tags.get(_config_digest(item.manifest), ()))
        for item in found
    ]


def docker_candidates(files: Files) -> list[Candidate]:
    """Return the images of `manifest.json`."""
    found = []
    for entry in _list(_parsed(files, "manifest.json"), "manifest.json"):
        name = str(entry.get("Config", ""))
        config = _document(files, name)
        tags = tuple(str(tag) for tag in entry.get("RepoTags") or ())
        platform = config_wire.read_platform(config)
        found.append(Candidate(tags, files[name].digest, None, platform, entry, config))
    return found


def oci_image(files: Files, chosen: Candidate) -> ArchivedImage:
    """Return the chosen image; every layer was found, measured and matches its digest."""
    diff_ids = _diff_ids(chosen.config)
    descriptors = _list(chosen.manifest.get("layers"), "layers")
    if len(descriptors) != len(diff_ids):
        raise InvalidArchive(
            f"the manifest has {len(descriptors)} layers, the configuration {len(diff_ids)}"
        )
    layers, size = [], 0
    for descriptor, diff_id in zip(descriptors, diff_ids, strict=True):
        file = _blob(files, descriptor, "layer")
        packed_otherwise = not str(descriptor.get("mediaType", "")).endswith(
            ("tar", "gzip", "tar+gzip")
        )
        _check_diff_id(file, diff_id, packed_otherwise=packed_otherwise)
        layers.append(Layer(file.digest, file.size_bytes, diff_id))
        size += file.unpacked_bytes
    image_id = _config_digest(chosen.manifest)
    image = _image(chosen, image_id, size)
    return ArchivedImage(
        replace(image, manifest_digest=chosen.digest, index_digest=chosen.index_digest),
        format="oci",
        layers=tuple(layers),
        names=chosen.names,
    )


def docker_image(files: Files, chosen: Candidate) -> ArchivedImage:
    """Return the chosen image; a layer is what its diff id in the configuration says."""
    diff_ids = _diff_ids(chosen.config)
    names = [str(name) for name in chosen.manifest.get("Layers") or ()]
    if len(names) != len(diff_ids):
        raise InvalidArchive(
            f"the archive lists {len(names)} layers, the configuration {len(diff_ids)}"
        )
    layers, size = [], 0
    for name, diff_id in zip(names, diff_ids, strict=True):
        file = files.get(name)
        if file is None:
            raise InvalidArchive(f"the layer {name} is missing from the archive")
        _check_diff_id(file, diff_id, packed_otherwise=False)
        layers.append(Layer(file.digest, file.size_bytes, diff_id))
        size += file.unpacked_bytes
    return ArchivedImage(
        _image(chosen, chosen.digest, size),
        format="docker",
        layers=tuple(layers),
        names=chosen.names,
    )


def _descend(files: Files, index: Document, above: _Above) -> Iterator[Candidate]:
    """Yield the images below an index."""
    if above.depth >= DEPTH_MAX:
        raise InvalidArchive("the archive's indexes are nested too deep")
    for descriptor in _list(index.get("manifests"), "manifests"):
        annotations = descriptor.get("annotations") or {}
        stated = descriptor.get("platform") or {}
        if _ATTESTATION in annotations or stated.get("os") == "unknown":
            continue
        digest = str(descriptor.get("digest"))
        _blob(files, descriptor, "manifest")
        document = _document(files, _blob_path(digest))
        names = _names(annotations) or above.names
        if "manifests" in document:
            below = _Above(digest, names, above.depth + 1)
            yield from _descend(files, document, below)
            continue
        config = _config(files, document)
        yield Candidate(
            names=names,
            digest=digest,
            index_digest=above.digest,
            platform=config_wire.read_platform(stated or config),
            manifest=document,
            config=config,
        )


def _names(annotations: Mapping[str, Any]) -> tuple[str, ...]:
    for key in _NAME_ANNOTATIONS:
        if annotations.get(key):
            return (str(annotations[key]),)
    return ()


def _config(files: Files, manifest: Document) -> Document:
    descriptor = manifest.get("config")
    if not isinstance(descriptor, dict) or "layers" not in manifest:
        raise InvalidArchive("a manifest of the archive lists no configuration or layers")
    media_type = str(descriptor.get("mediaType", ""))
    if media_type and "image" not in media_type:
        raise InvalidArchive(f"the archive holds no container image but {media_type}")
    _blob(files, descriptor, "configuration")
    return _document(files, _blob_path(str(descriptor.get("digest"))))


def _docker_tags(files: Files) -> dict[str, tuple[str, ...]]:
    """Return the tags of archives that serve Docker and OCI alike, by configuration."""
    if "manifest.json" not in files:
        return {}
    tags = {}
    for entry in _list(_parsed(files, "manifest.json"), "manifest.json"):
        config = files.get(str(entry.get("Config", "")))
        if config is not None:
            tags[config.digest] = tuple(str(tag) for tag in entry.get("RepoTags") or ())
    return tags


def _image(chosen: Candidate, image_id: str, size_bytes: int) -> Image:
    fields = chosen.config.get("config") or {}
    if not isinstance(fields, dict):
        raise InvalidArchive("the image's configuration is damaged")
    run: ImageConfig = config_wire.read_config(fields)
    return Image(
        reference=chosen.names[0] if chosen.names else "",
        name="",
        image_id=image_id,
        manifest_digest=None,
        index_digest=None,
        repo_digests=(),
        platform=config_wire.read_platform(chosen.config),
        config=run,
        size_bytes=size_bytes,
    )


def _check_diff_id(file: File, diff_id: str, *, packed_otherwise: bool) -> None:
    if not packed_otherwise and diff_id not in {file.diff_id, file.digest}:
        raise InvalidArchive(
            f"the layer {file.digest} is corrupt: it does not unpack to {diff_id}",
            hint="the archive was changed or damaged; make or fetch it again",
        )


def _diff_ids(config: Document) -> list[str]:
    rootfs = config.get("rootfs")
    if not isinstance(rootfs, dict) or not isinstance(rootfs.get("diff_ids"), list):
        raise InvalidArchive("the image's configuration does not list its layers")
    return [str(diff_id) for diff_id in rootfs["diff_ids"]]


def _config_digest(manifest: Document) -> str:
    return str((manifest.get("config") or {}).get("digest"))


def _blob(files: Files, descriptor: Document, role: str) -> File:
    """Return the blob of a descriptor; its digest was checked when it was read."""
    digest = str(descriptor.get("digest"))
    file = files.get(_blob_path(digest))
    if file is None:
        raise InvalidArchive(
            f"the {role} {digest} is missing from the archive",
            hint="save the image again; an index alone does not contain its images",
        )
    if descriptor.get("size") != file.size_bytes:
        raise InvalidArchive(
            f"the {role} {digest} has {file.size_bytes} bytes, not {descriptor.get('size')}"
        )
    return file


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/", 1)


def _document(files: Files, name: str) -> Document:
    parsed = _parsed(files, name)
    if not isinstance(parsed, dict):
        raise InvalidArchive(f"{name} of the archive is no JSON object")
    return parsed


def _parsed(files: Files, name: str) -> object:
    file = files.get(name)
    if file is None or file.document is None:
        raise InvalidArchive(
            f"{name or 'a document'} is missing from the archive or no JSON"
        )
    try:
        return json.loads(file.document)
    except (ValueError, RecursionError) as error:
        raise InvalidArchive(f"{name} of the archive is damaged: {error}") from error


def _list(value: object, name: str) -> list[dict[str, Any]]:
    if (
        not isinstance(value, list)
        or len(value) > IMAGES_MAX
        or not all(isinstance(item, dict) for item in value)
    ):
        raise InvalidArchive(f"{name} of the archive is no list of objects")
    return value
