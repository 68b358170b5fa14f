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
