"""A container engine behind the Docker SDK; Podman and Docker both answer to it."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import docker
import requests
from docker import errors as docker_errors

from vexxy.images.types import Image
from vexxy.integrations.container_engine import (
    archives,
    attached,
    progress,
    storage,
    wire,
)
from vexxy.integrations.container_engine.description import describe
from vexxy.integrations.container_engine.failures import (
    is_passing,
    patiently,
    refused,
    translated,
)
from vexxy.kit.progress import Listener
from vexxy.sandbox.errors import (
    EngineFailed,
    EngineUnavailable,
    ImageMissing,
    ImageUnsuitable,
)
from vexxy.sandbox.types import (
    ContainerSpec,
    ContainerState,
    EngineInfo,
    Scratch,
    Usage,
)
from vexxy.sandbox.wire import SANDBOX_LABEL

LIBPOD: Final = "/v4.0.0/libpod"
NOT_MODIFIED: Final = 304
OK_MAX: Final = 299


class Engine:
    """One engine at one address; see `sandbox.ports.ContainerEngine`.

    Attributes:
        client: The SDK's, for what no sandbox needs.
    """

    def __init__(
        self,
        client: docker.APIClient,
        *,
        address: str,
        on_close: Callable[[], None],
        known: EngineInfo | None = None,
    ) -> None:
        self.client = client
        self._address = address
        self._on_close = on_close
        self._known = known
        self._scratch: dict[str, tuple[Scratch, ...]] = {}
        self._roots: dict[str, Path] = {}

    @cached_property
    def _info(self) -> EngineInfo:
        return self._known or describe(self.client, self._address)

    def info(self) -> EngineInfo:
        """Return what the engine is; asked once and kept."""
        return self._info

    def find_image(self, reference: str) -> Image | None:
        """Return the image if the engine has it; nothing is fetched."""
        found = self._inspect_image(reference)
        if found is None and self._info.name == "podman" and "/" not in reference:
            # The compatible endpoint looks for short names on Docker Hub only.
            found = self._inspect_image(f"localhost/{reference}")
        if found is None:
            return None
        digest = None
        if self._info.name == "podman":
            more = json.loads(self._libpod("get", f"images/{found['Id']}/json"))
            # What Podman calls the digest is the index's when it came through one.
            digest = storage.manifest_digest(more) or more.get("Digest")
            # The compatible endpoint leaves the health check out.
            found = {**found, "Healthcheck": more.get("Healthcheck")}
        return wire.image_from(found, reference=reference, manifest_digest=digest)

    def pull(self, reference: str, *, platform: str | None, listener: Listener) -> Image:
        """Fetch the image from its registry."""
        try:
            with translated(f"pull {reference}"):
                events = self.client.pull(
                    reference, stream=True, decode=True, platform=platform
                )
                progress.follow_pull(events, reference=reference, listener=listener)
        except EngineFailed as error:
            if "went away" in error.message:
                raise
            raise ImageMissing(
                f"no image {reference}: the engine does not have it and could not pull "
                f"it ({error.message.partition(': ')[2]})",
                hint="check the name and the network, or give the path of an OCI or "
                "docker archive",
            ) from error
        image = self.find_image(reference)
        if image is None:
            raise ImageMissing(f"{reference} was pulled, but the engine does not have it")
        return image

    def load(self, archive: Path, *, manifest: bytes | None = None) -> tuple[str, ...]:
        """Take in an OCI or docker archive; return the IDs of the images in it."""
        # Podman would find two kinds of archive in one and take the wrong one.
        before = manifest if self._info.name == "docker" else None
        said: list[str] = []
        failed = ""
        try:
            with translated(f"load {archive.name}"):
                pieces = archives.content(archive, manifest=before)
                for event in self.client.load_image(pieces):  # type: ignore[no-untyped-call]
                    said.append(str(event.get("stream", "")))
                    failed = failed or str(event.get("error") or "")
            if failed:
                raise refused(f"load {archive.name}", failed)
        except EngineFailed as error:
            if "went away" in error.message:
                raise
            raise ImageUnsuitable(
                f"{archive} is no image that the engine can load: {error.message}",
                hint="make it with: podman save --format oci-archive, or docker save",
            ) from error
        names = progress.loaded_names("".join(f"{text}\n" for text in said))
        found = [self._inspect_image(name) for name in names]
        return tuple({wire.with_algorithm(image["Id"]): None for image in found if image})

    def has_image(self, image_id: str) -> bool:
        """Return whether the engine has the image with this ID."""
        return self._inspect_image(image_id) is not None

    def list_images(self) -> frozenset[str]:
        """Return the IDs of every image the engine has."""
        with translated("list images"):
            found: list[str] = self.client.images(quiet=True, all=True)
        return frozenset(wire.with_algorithm(image_id) for image_id in found)

    def tag_image(self, image_id: str, reference: str) -> None:
        """Give the image a further name, taking it from whichever image had it."""
        repository, _, tag = reference.rpartition(":")
        if "/" in tag:
            repository, tag = reference, "latest"
        with translated(f"name {image_id}"):
            self.client.tag(image_id, repository, tag=tag, force=True)

    def remove_image(self, image_id: str) -> None:
        """Remove the image and its names; an absent one is no error.

        Never by force: Podman would remove the containers that use it, too.
        """
        found = self._inspect_image(image_id)
        if found is None:
            return
        for name in found.get("RepoTags") or ():
            self._remove_name(name)
        self._remove_name(image_id)

    def _remove_name(self, name: str) -> None:
        with translated(f"remove the image {name}"), suppress(docker_errors.NotFound):
            patiently(lambda: self.client.remove_image(name))

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its ID; no process exists yet."""
        body = wire.creation(spec, copies_into_memory=self._info.name == "podman")
        with attached.files(self.client, spec), translated("create a container"):
            made = self.client.create_container_from_config(  # type: ignore[no-untyped-call]
                body, name=spec.name
            )
        container_id = str(made["Id"])
        self._scratch[container_id] = spec.scratch
        if spec.runtime and self._info.name == "podman":
            self._demand_runtime(container_id, spec.runtime)
        return container_id

    def _demand_runtime(self, container_id: str, wanted: str) -> None:
        """Refuse a container that would run under another runtime than asked for.

        Podman's compatible endpoint takes the field and ignores it.
        """
        found = json.loads(self._libpod("get", f"containers/{container_id}/json"))
        used = str(found.get("OCIRuntime") or "")
        if used.rpartition("/")[2] != wanted.rpartition("/")[2]:
            self.remove(container_id)
            raise EngineUnavailable(
                f"the engine would run the image under {used or 'another runtime'}, not "
                f"under {wanted}",
                hint=f"let vexxy start podman by itself, with {wanted} installed",
            )

    def image_of(self, container_id: str) -> str:
        """Return the ID of the image the container was really created from."""
        return wire.with_algorithm(self._inspect(container_id)["Image"])

    def initialize(self, container_id: str) -> int:
        """Bring the namespaces up and hold the first process back; return its host ID."""
        self._libpod("post", f"containers/{container_id}/init")
        process_id = self.state(container_id).process_id
        if process_id is None:
            raise EngineFailed("the engine prepared a container that has no process")
        for scratch in self._scratch.get(container_id, ()):
            storage.give_to_owner(process_id, scratch)
        return process_id

    def root_path(self, container_id: str) -> Path | None:
        """Return the root file system as a host directory, None if there is none."""
        if not self._info.host_processes:
            return None
        if container_id not in self._roots:
            path = self._mount(container_id)
            if path is None:
                return None
            self._roots[container_id] = path
        return self._roots[container_id]

    def start(self, container_id: str) -> None:
        """Let the image's entry point run."""
        with translated("start the container"):
            self.client.start(container_id)

    def state(self, container_id: str) -> ContainerState:
        """Return where the container is in its life."""
        return wire.state_from(self._inspect(container_id))

    def usage(self, container_id: str) -> Usage:
        """Return what it used so far; what is no longer known is None."""
        found = self._inspect(container_id)
        process_id = wire.state_from(found).process_id
        memory, cpu = (
            storage.control_group_usage(process_id) if process_id else (None, None)
        )
        seen = self._info.host_processes
        written, is_all = storage.written(found) if seen else (None, True)
        return Usage(
            memory_peak_bytes=memory,
            cpu_seconds=cpu,
            written_bytes=written,
            hides_written=not is_all,
        )

    def logs(self, container_id: str, *, limit_bytes: int) -> str:
        """Return the end of standard output and error, in the order written."""
        with translated("read the container's log"):
            raw = self.client.logs(container_id, stdout=True, stderr=True)
        return bytes(raw)[-limit_bytes:].decode("utf-8", "replace")

    def stop(self, container_id: str, *, timeout_seconds: float) -> None:
        """Send the image's stop signal, and kill it after the time."""
        with translated("stop the container"), suppress(docker_errors.NotFound):
            self.client.stop(container_id, timeout=max(0, round(timeout_seconds)))

    def remove(self, container_id: str) -> None:
        """Kill and remove it with its anonymous volumes; an absent one is no error."""
        storage.unmount_root(container_id)
        attached.remove(self.client, container_id)
        self._roots.pop(container_id, None)
        self._scratch.pop(container_id, None)

    def list_owned(self) -> Mapping[str, Mapping[str, str]]:
        """Return ID and labels of every container with a `io.vexxy.sandbox` label."""
        with translated("list containers"):
            found = self.client.containers(all=True, filters={"label": SANDBOX_LABEL})
        return {entry["Id"]: entry.get("Labels") or {} for entry in found}

    def close(self) -> None:
        """Let go of the connection, and end the service if we started it."""
        self.client.close()
        self._on_close()

    def _mount(self, container_id: str) -> Path | None:
        if self._info.name == "podman":
            if self._info.rootless and os.geteuid() != 0:
                return None
            said = self._libpod("post", f"containers/{container_id}/mount")
            path = Path(said.strip().strip('"'))
            # From inside a helper the engine's mounts are not seen, but its layers are.
            if path.is_mount():
                return path
        return storage.mount_root(container_id, self._inspect(container_id))

    def _inspect(self, container_id: str) -> Mapping[str, Any]:
        with translated("describe the container"):
            found: Mapping[str, Any] = patiently(
                lambda: self.client.inspect_container(container_id)
            )
        return found

    def _inspect_image(self, reference: str) -> Mapping[str, Any] | None:
        with translated(f"look for the image {reference}"):
            try:
                found: Mapping[str, Any] = patiently(
                    lambda: self.client.inspect_image(reference)  # type: ignore[no-untyped-call]
                )
            except docker_errors.NotFound:
                return None
        return found

    def _libpod(self, method: str, path: str) -> str:
        act = f"{path.rpartition('/')[2]} the container"
        with translated(act):
            answer = patiently(lambda: self._ask_libpod(method, path))
        if answer.status_code > OK_MAX and answer.status_code != NOT_MODIFIED:
            raise refused(act, _told(answer))
        return str(answer.text)

    def _ask_libpod(self, method: str, path: str) -> requests.Response:
        answer = self.client.request(
            method,
            f"{self.client.base_url}{LIBPOD}/{path}",
            timeout=self.client.timeout,
        )
        if is_passing(answer.text):
            raise docker_errors.APIError(_told(answer), response=answer)
        return answer


def _told(answer: requests.Response) -> str:
    """Return what a libpod endpoint says of its failure."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return str(answer.text)
