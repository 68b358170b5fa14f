"""Reading Syft's own JSON, the one document that lists the files of Debian packages.

Source: anchore/syft, `schema/json`; only fields that are stable since 0.30 are read.
"""

from collections.abc import Sequence

import msgspec

from vexxy.sbom.types import Distribution, Inventory, Subject
from vexxy.sbom.wire import document


class _Location(msgspec.Struct):
    path: str | None = None


class _File(msgspec.Struct):
    path: str | None = None


class _Details(msgspec.Struct):
    files: list[_File] | None = None


class _Artifact(msgspec.Struct):
    name: str | None = None
    version: str | None = None
    purl: str | None = None
    places: list[_Location] | None = msgspec.field(default=None, name="locations")
    metadata: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def label(self) -> str:
        return f"{self.name or 'an artifact'} {self.version or ''}".strip()

    @property
    def locations(self) -> Sequence[str]:
        return sorted({place.path for place in self.places or () if place.path})

    @property
    def files(self) -> tuple[str, ...] | None:
        """What dpkg, apk and rpm own; other metadata has other fields of this name."""
        if not (self.purl or "").startswith(("pkg:deb/", "pkg:apk/", "pkg:rpm/")):
            return None
        try:
            details = msgspec.json.decode(self.metadata, type=_Details)
        except msgspec.DecodeError:
            return None
        if details.files is None:
            return None
        return tuple(sorted({file.path for file in details.files if file.path}))


class _SourceMetadata(msgspec.Struct):
    user_input: str | None = msgspec.field(default=None, name="userInput")
    image_id: str | None = msgspec.field(default=None, name="imageID")
    manifest_digest: str | None = msgspec.field(default=None, name="manifestDigest")
    repo_digests: list[str] | None = msgspec.field(default=None, name="repoDigests")


class _Source(msgspec.Struct):
    name: str | None = None
    version: str | None = None
    type: str | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


class _Distro(msgspec.Struct):
    id: str | None = None
    version: str | None = msgspec.field(default=None, name="versionID")
    codename: str | None = msgspec.field(default=None, name="versionCodename")


class _Syft(msgspec.Struct):
    artifacts: list[_Artifact]
    source: _Source | None = None
    distro: _Distro | None = None


def read_json(content: bytes) -> Inventory:
    """Return the inventory of a Syft JSON document.

    File lists are taken as Syft wrote them; they are canonical only after
    `service.reconcile` looked them up in the image.

    Raises:
        InvalidSbom: It is damaged.
    """
    syft = document.decode(content, _Syft, "Syft")
    distro = syft.distro
    return document.inventory_of(
        syft.artifacts,
        source="Syft JSON",
        distribution=Distribution(distro.id, distro.version or "", distro.codename or "")
        if distro and distro.id
        else None,
        subject=_subject(syft.source) if syft.source else None,
    )


def _subject(source: _Source) -> Subject:
    try:
        image = msgspec.json.decode(source.metadata, type=_SourceMetadata)
    except msgspec.DecodeError:  # a folder or a file: its metadata is a text
        image = _SourceMetadata()
    texts = [image.image_id, image.manifest_digest, *(image.repo_digests or ())]
    name = image.user_input or source.name or ""
    return document.subject_of(name, [source.version, *texts])
