"""Files beside an image's own: in a volume that is filled before anything runs.

The volume has the name of its sandbox and is only ever made together with a labeled
container, so that it is found through one of them after a crash. It is filled through a
container that never runs: an engine copies nothing into what is mounted read-only.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import Final

import docker
from docker import errors as docker_errors

from vexxy.integrations.container_engine import wire
from vexxy.integrations.container_engine.failures import patiently, translated
from vexxy.sandbox.errors import EngineFailed
from vexxy.sandbox.types import ContainerSpec

IN_USE: Final = 409


@contextmanager
def files(client: docker.APIClient, spec: ContainerSpec) -> Iterator[None]:
    """Have the volume of the spec's attachments filled while the block runs.

    It stays for the container that the block makes of the spec; else it goes.
    """
    if spec.attachments is None:
        yield
        return
    with translated("create a container for files"):
        made = client.create_container_from_config(  # type: ignore[no-untyped-call]
            wire.carrier(spec), name=f"{spec.name}-files"
        )
    carrier_id = str(made["Id"])
    path, content = spec.attachments.path, packed(spec.attachments.files)
    try:
        with translated("hand files to a container"):
            taken = patiently(lambda: client.put_archive(carrier_id, path, content))
        if not taken:
            raise EngineFailed("the container engine did not take the recorders' files")
        yield
    finally:
        remove(client, carrier_id)


def remove(client: docker.APIClient, container_id: str) -> None:
    """Remove a container with its volumes, except one that another container uses."""
    with translated("remove the container"), suppress(docker_errors.NotFound):
        found = client.inspect_container(container_id)
        client.remove_container(container_id, force=True, v=True)
        for name in wire.attached_volumes(found):
            _remove_volume(client, name)


def _remove_volume(client: docker.APIClient, name: str) -> None:
    try:
        client.remove_volume(name)
    except docker_errors.NotFound:
        return
    except docker_errors.APIError as error:
        if error.status_code != IN_USE:
            raise


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return the files and their directories as a tar; everybody may read them."""
    buffer = io.BytesIO()
    directories = {
        str(parent)
        for name in files
        for parent in PurePosixPath(name).parents
        if str(parent) != "."
    }
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in sorted(directories):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
