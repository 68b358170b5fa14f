"""A container engine in memory, for everything that needs no kernel.

It passes the contract suite of the real engines. What its containers do is read from
their command: `sh -c` with `exit N`, `echo TEXT`, `sleep` and `trap` in any order.
"""

import hashlib
import io
import json
import re
import tarfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.kit.progress import Listener
from vexxy.sandbox.errors import EngineFailed, ImageMissing, ImageUnsuitable
from vexxy.sandbox.types import (
    ContainerSpec,
    ContainerState,
    ContainerStatus,
    EngineInfo,
    Usage,
)
from vexxy.sandbox.wire import SANDBOX_LABEL

KILLED = 137


@dataclass
class FakeContainer:
    spec: ContainerSpec
    image_id: str
    status: ContainerStatus = ContainerStatus.CREATED
    exit_code: int | None = None
    output: str = ""


@dataclass
class FakeEngine:
    images: dict[str, Image] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    registry: dict[str, Image] = field(default_factory=dict)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    gone: bool = False
    swaps_image: str | None = None
    root: Path | None = None

    def info(self) -> EngineInfo:
        return EngineInfo(
            name="fake",
            version="1",
            address="memory:",
            platform=Platform("linux", "amd64"),
            rootless=False,
            default_runtime="none",
            runtimes=(),
            host_processes=False,
            starts_in_two_steps=False,
        )

    def find_image(self, reference: str) -> Image | None:
        self._answer("look for the image")
        return self.images.get(self.names.get(reference, reference))

    def pull(self, reference: str, *, platform: str | None, listener: Listener) -> Image:
        self._answer("pull")
        if reference not in self.registry:
            raise ImageMissing(f"no image {reference}")
        image = self.registry[reference]
        self.images[image.image_id] = image
        self.names[reference] = image.image_id
        return image

    def load(self, archive: Path, *, manifest: bytes | None = None) -> tuple[str, ...]:
        self._answer("load")
        try:
            with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
                entries = json.loads(_member(tar, "manifest.json"))
                found = [
                    (entry, _member(tar, entry["Config"]), entry.get("RepoTags") or ())
                    for entry in entries
                ]
        except (tarfile.TarError, KeyError, ValueError) as error:
            raise ImageUnsuitable(f"{archive} is no image") from error
        ids = []
        for _, config, names in found:
            image = _image(config, names)
            self.images[image.image_id] = image
            self.names.update(dict.fromkeys(names, image.image_id))
            ids.append(image.image_id)
        return tuple(ids)

    def tag_image(self, image_id: str, reference: str) -> None:
        self._answer("name the image")
        self.names[reference] = image_id

    def has_image(self, image_id: str) -> bool:
        return self.find_image(image_id) is not None

    def list_images(self) -> frozenset[str]:
        return frozenset(self.images)

    def remove_image(self, image_id: str) -> None:
        self._answer("remove the image")
        if any(container.image_id == image_id for container in self.containers.values()):
            raise EngineFailed("the image is in use")
        self.images.pop(image_id, None)
        self.names = {name: to for name, to in self.names.items() if to != image_id}

    def create(self, spec: ContainerSpec) -> str:
        self._answer("create a container")
        if spec.image_id not in self.images:
            raise EngineFailed(f"no such image: {spec.image_id}")
        container_id = uuid.uuid4().hex * 2
        image_id = self.swaps_image or spec.image_id
        self.containers[container_id] = FakeContainer(spec, image_id)
        return container_id

    def image_of(self, container_id: str) -> str:
        return self._container(container_id).image_id

    def initialize(self, container_id: str) -> int:
        raise EngineFailed(f"{container_id} cannot be held back")

    def root_path(self, container_id: str) -> Path | None:
        self._container(container_id)
        return self.root

    def start(self, container_id: str) -> None:
        container = self._container(container_id)
        spec = container.spec
        command = spec.command or self.images[spec.image_id].config.command
        if command[:2] != ("/bin/sh", "-c"):
            raise EngineFailed(f"no such file: {command[0]}")
        script = command[2]
        container.output = "".join(
            f"{text}\n" for text in re.findall(r"echo ([^;&]+?)(?=;|&|$)", script)
        )
        container.output = _attached(spec, script) + container.output
        exits = re.search(r"exit (\d+)", script)
        if "sleep" in script:
            container.status = ContainerStatus.RUNNING
        else:
            container.status = ContainerStatus.EXITED
            container.exit_code = int(exits[1]) if exits else 0

    def state(self, container_id: str) -> ContainerState:
        container = self._container(container_id)
        return ContainerState(container.status, None, container.exit_code)

    def usage(self, container_id: str) -> Usage:
        self._container(container_id)
        return Usage()

    def logs(self, container_id: str, *, limit_bytes: int) -> str:
        return self._container(container_id).output[-limit_bytes:]

    def stop(self, container_id: str, *, timeout_seconds: float) -> None:
        container = self._container(container_id)
        if container.status is ContainerStatus.RUNNING:
            command = container.spec.command or ()
            graceful = "trap" in " ".join(command) and timeout_seconds > 0
            container.exit_code = 0 if graceful else KILLED
        container.status = ContainerStatus.EXITED

    def remove(self, container_id: str) -> None:
        self._answer("remove the container")
        self.containers.pop(container_id, None)

    def list_owned(self) -> Mapping[str, Mapping[str, str]]:
        self._answer("list containers")
        return {
            container_id: container.spec.labels
            for container_id, container in self.containers.items()
            if SANDBOX_LABEL in container.spec.labels
        }

    def close(self) -> None:
        self.gone = True

    def _container(self, container_id: str) -> FakeContainer:
        self._answer("describe the container")
        if container_id not in self.containers:
            raise EngineFailed(f"no such container: {container_id}")
        return self.containers[container_id]

    def _answer(self, act: str) -> None:
        if self.gone:
            raise EngineFailed(f"the container engine went away while it was to {act}")


def _attached(spec: ContainerSpec, script: str) -> str:
    """Return what `cat` of attached files writes."""
    attached = spec.attachments
    if attached is None:
        return ""
    names = re.findall(rf"cat {attached.path}/([^;& ]+)", script)
    return "".join(attached.files[name].decode() for name in names)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def _image(config: bytes, names: tuple[str, ...]) -> Image:
    found = json.loads(config)
    inner = found["config"]
    return Image(
        reference=names[0] if names else "",
        name="",
        image_id=f"sha256:{hashlib.sha256(config).hexdigest()}",
        manifest_digest=None,
        index_digest=None,
        repo_digests=(),
        platform=Platform("linux", found["architecture"]),
        config=ImageConfig(
            user=inner["User"],
            command=tuple(inner["Cmd"]),
            entrypoint=tuple(inner["Entrypoint"] or ()),
            exposed_ports=tuple(int(port.split("/")[0]) for port in inner["ExposedPorts"]),
            volumes=tuple(inner["Volumes"]),
        ),
        size_bytes=0,
    )
