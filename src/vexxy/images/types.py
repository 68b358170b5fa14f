"""Values of images: platform, configuration, identity."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Platform:
    """An OCI platform, such as linux/amd64 or linux/arm64/v8."""

    os: str
    architecture: str
    variant: str | None = None

    def __str__(self) -> str:
        parts = (self.os, self.architecture, self.variant)
        return "/".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """The parts of an OCI image configuration that decide how an image runs.

    Source: OCI image specification, `config.md`.

    Attributes:
        user: `User` as written, empty for root.
        exposed_ports: TCP ports of `ExposedPorts`, ascending.
        volumes: Absolute paths of `Volumes`.
        health_check: Command that an orchestrator runs inside again and again; a shell
            line is one word. We do not run it, so it is only what could still run.
    """

    user: str = ""
    exposed_ports: tuple[int, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGTERM"
    health_check: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one platform, as the engine holds it.

    Attributes:
        reference: What the user named, for people; what runs is the digest.
        name: Last path component of the repository (`nginx`), empty if unnamed.
        image_id: Digest of the configuration, `sha256:<64 hex>`.
        manifest_digest: Digest of the platform's manifest, None when nobody knows it.
        index_digest: Digest of the multi-platform index, None when there is none.
        repo_digests: `repository@sha256:...` as the engine lists them.
        size_bytes: Unpacked size.
    """

    reference: str
    name: str
    image_id: str
    manifest_digest: str | None
    index_digest: str | None
    repo_digests: tuple[str, ...]
    platform: Platform
    config: ImageConfig
    size_bytes: int

    @property
    def digest(self) -> str:
        """The digest to publish: manifest if known, else the configuration's."""
        return self.manifest_digest or self.image_id


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference, normalized the way Docker and Podman read it.

    Source: distribution/reference, `reference.go` (grammar) and `normalize.go`.

    Attributes:
        domain: Registry host with port, `docker.io` when none was written; empty for
            a bare image id.
        path: Repository path inside the registry (`library/nginx`); empty for an id.
        tag: The tag as written, None when there is none.
        digest: `sha256:<64 hex>` after the `@`, None when there is none.
        image_id: `sha256:<64 hex>` when the text is an image id and no name, else None.
    """

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None
    image_id: str | None = None

    @property
    def repository(self) -> str:
        """`docker.io/library/nginx`: what is named, whatever the version."""
        return f"{self.domain}/{self.path}" if self.path else ""

    @property
    def name(self) -> str:
        """Last component of the path (`nginx`); empty for an image id."""
        return self.path.rpartition("/")[2]

    def __str__(self) -> str:
        if self.image_id:
            return self.image_id
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A regular file inside a root file system.

    Attributes:
        path: Canonical path inside the image; bytes that are not UTF-8 are kept as
            surrogate escapes.
        mode: Permission and type bits, as in `st_mode`.
    """

    path: str
    size_bytes: int
    device: int
    inode: int
    mode: int

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: equal for hard links, whatever their names."""
        return self.device, self.inode

    @property
    def executable(self) -> bool:
        """True when anyone may execute the file."""
        return bool(self.mode & 0o111)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image in an archive.

    Attributes:
        digest: Of the blob as it lies in the archive.
        diff_id: Digest of the uncompressed tar, as the configuration lists it.
    """

    digest: str
    size_bytes: int
    diff_id: str


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """The one image of an archive that was asked for, its digests verified.

    Attributes:
        format: `oci` or `docker`.
        names: References that the archive gives this image, possibly none.
        other_names: References that it gives the other images in it.
    """

    image: Image
    format: str
    layers: tuple[Layer, ...]
    names: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
