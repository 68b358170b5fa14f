"""The engine's failures as ours; the SDK's exceptions stop here."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from docker import errors as docker_errors

from vexxy.sandbox.errors import DiskFull, EngineFailed

NO_SPACE = "no space left on device"


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
