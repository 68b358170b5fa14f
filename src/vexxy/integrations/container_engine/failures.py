"""The engine's failures as ours; the SDK's exceptions stop here."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import requests
import urllib3
from docker import errors as docker_errors

from vexxy.sandbox.errors import DiskFull, EngineFailed

NO_SPACE: Final = "no space left on device"
# Podman looks at every image that shares a layer, and fails over one that another
# process is just loading or removing.
PASSING: Final = (
    "locating item named",
    "locating image with id",
    "failed to convert imagedata",
    "layer not known",
    "nil pointer dereference",
    # Podman reads what the kernel tells of the first process, which just ended.
    "/cgroup: no such process",
)
PASSING_SECONDS: Final = 0.1
PASSING_TRIES: Final = 30

Answer = TypeVar("Answer")


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask the engine again while its answer is a fault that passes by itself."""
    for _ in range(PASSING_TRIES):
        try:
            return ask()
        except docker_errors.APIError as error:
            if not is_passing(str(error)):
                raise
            time.sleep(PASSING_SECONDS)
    return ask()


def is_passing(said: str) -> bool:
    """Return whether what an engine said is a fault that passes by itself."""
    return any(text in said.lower() for text in PASSING)


@contextmanager
def translated(act: str) -> Iterator[None]:
    """Raise what goes wrong inside as an error of the sandbox.

    Args:
        act: What was being done, to complete "the container engine could not ...".

    Raises:
        DiskFull: The engine's storage is used up.
        EngineFailed: It refused, or does not answer any more.
    """
    try:
        yield
    except docker_errors.APIError as error:
        raise refused(act, error.explanation or str(error)) from error
    except docker_errors.DockerException as error:
        raise refused(act, str(error)) from error
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        TimeoutError,
    ) as error:
        raise EngineFailed(
            f"the container engine went away while it was to {act}",
            hint="start it again and run the same command; what is left of the sandbox "
            "is removed at the next start",
        ) from error


def refused(act: str, explanation: str) -> DiskFull | EngineFailed:
    """Return the error for what the engine said in place of doing it."""
    text = " ".join(explanation.split())
    if NO_SPACE in text.lower():
        return DiskFull(
            f"the disk of the container engine is full: it could not {act}",
            hint="free space (podman system prune, docker system prune) and try again",
        )
    return EngineFailed(f"the container engine could not {act}: {text}")
