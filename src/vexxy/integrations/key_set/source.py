"""Where a key set comes from."""

import ipaddress
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from vexxy.identity.errors import UnusableKey
from vexxy.identity.ports import KeySetSource
from vexxy.kit.errors import ExternalFailure

BYTES_MAX: Final = 64 * 1024
# Of the whole fetch: a server that drips a byte a second must not hold a request.
SECONDS_MAX: Final = 5.0


class KeySetUnavailable(ExternalFailure):
    """A key set could not be had; the keys that were fetched before stay in use."""


class PublishedKeySet:
    """A key set at an address; redirects are refused."""

    def __init__(self, url: str, *, seconds: float = SECONDS_MAX) -> None:
        self._url = url
        self._seconds = seconds

    def fetch(self) -> bytes:
        """Return the document."""
        until = time.monotonic() + self._seconds
        received = bytearray()
        try:
            with (
                httpx.Client(
                    timeout=self._seconds, follow_redirects=False, trust_env=False
                ) as client,
                client.stream("GET", self._url) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise KeySetUnavailable(f"JWT_JWKS_URL answered {response.status_code}")
                for chunk in response.iter_bytes():
                    received += chunk
                    if len(received) > BYTES_MAX or time.monotonic() > until:
                        raise KeySetUnavailable("JWT_JWKS_URL answers too much or slowly")
        except httpx.HTTPError as error:
            raise KeySetUnavailable(
                f"JWT_JWKS_URL cannot be fetched: {type(error).__name__}"
            ) from error
        return bytes(received)


class KeySetFile:
    """A key set in a file, such as a mounted config map."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fetch(self) -> bytes:
        """Return the document."""
        try:
            with self._path.open("rb") as stream:
                content = stream.read(BYTES_MAX + 1)
        except OSError as error:
            raise KeySetUnavailable(
                f"the file of JWT_JWKS_URL cannot be read: {error.strerror}"
            ) from error
        if len(content) > BYTES_MAX:
            raise KeySetUnavailable("the file of JWT_JWKS_URL is no key set: too large")
        return content


def source(location: str) -> KeySetSource:
    """Return the key set at an https address, or in a file.

    Raises:
        UnusableKey: Plain http to another machine: whoever is on the way could put their
            own key into the set and be anybody.
    """
    parts = urlsplit(location)
    if parts.scheme == "https" and parts.hostname:
        return PublishedKeySet(location)
    if parts.scheme == "http" and _is_loopback(parts.hostname):
        return PublishedKeySet(location)
    if parts.scheme == "file":
        return KeySetFile(Path(parts.path))
    if not parts.scheme:
        return KeySetFile(Path(location))
    raise UnusableKey(
        "JWT_JWKS_URL is neither an https address nor a file",
        hint="plain http is taken from this machine only",
    )


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
