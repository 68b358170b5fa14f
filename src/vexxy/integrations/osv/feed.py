"""Downloading one ecosystem's records, in as many attempts as it takes."""

import re
import time
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from vexxy.advisories.errors import DownloadFailed
from vexxy.advisories.ports import Download
from vexxy.integrations.osv import digests
from vexxy.integrations.osv.partial import Partial, State
from vexxy.kit.errors import InvalidInput
from vexxy.kit.progress import Listener, Progress

# https://google.github.io/osv.dev/data/, "Data dumps".
DEFAULT_URL: Final = "https://storage.googleapis.com/osv-vulnerabilities"
ARCHIVE_BYTES_MAX: Final = 4 << 30
_ATTEMPTS: Final = 6
_PAUSE_MAX_SECONDS: Final = 30.0
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Interrupted(Exception):
    """An attempt that ended early; what it received stays."""


class OsvFeed:
    """OSV's exports: `<base>/<ecosystem>/all.zip`.

    Args:
        base_url: OSV's bucket, or a mirror of it; http or https.
        pause: Waits between attempts, given seconds.

    Raises:
        InvalidInput: `base_url` is no http or https address.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = (base_url or DEFAULT_URL).rstrip("/")
        if not self._base.startswith(("https://", "http://")):
            raise InvalidInput(
                f"{self._base} is no address of a mirror of OSV",
                hint="it begins with https:// or http://",
            )
        self._timeout_seconds = timeout_seconds
        self._pause = pause

    def url(self, ecosystem: str) -> str:
        """Return the address of the ecosystem's archive."""
        return f"{self._base}/{quote(ecosystem, safe='')}/all.zip"

    def fetch(
        self, ecosystem: str, folder: Path, *, known: str | None, progress: Listener
    ) -> Download | None:
        """Fetch the ecosystem's archive into `folder`; None if `known` still holds.

        Raises:
            DownloadFailed: After the last attempt, or when the file is not what the
                server announced.
        """
        try:
            partial = Partial.open(folder, ecosystem, url=self.url(ecosystem))
            work = _Work(ecosystem, partial, known=known, progress=progress)
            return self._persist(work)
        except OSError as problem:
            raise DownloadFailed(
                f"{ecosystem} could not be written to {folder}: {problem.strerror}",
                kept="the database is unchanged",
                hint="check free space and permissions",
            ) from problem

    def _persist(self, work: "_Work") -> Download | None:
        reason = ""
        with httpx.Client(timeout=self._timeout_seconds) as client:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    self._pause(min(2.0 ** (attempt - 1), _PAUSE_MAX_SECONDS))
                try:
                    return work.attempt(client)
                except httpx.ConnectError as problem:
                    reason = str(problem) or "no connection"
                    if attempt:  # without a network, waiting long helps nobody
                        break
                except (httpx.TransportError, _Interrupted) as problem:
                    reason = str(problem) or type(problem).__name__
                except httpx.HTTPError as problem:
                    reason = str(problem)
                    break
        left = work.partial.size_bytes
        raise DownloadFailed(
            f"{work.ecosystem} could not be downloaded from {work.url}: {reason}",
            kept=f"{left:,} bytes, gone on with next time" if left else None,
            hint="check the connection, then run `vexxy advisories update` again",
        )


class _Work:
    """One download and its account."""

    def __init__(
        self, ecosystem: str, partial: Partial, *, known: str | None, progress: Listener
    ) -> None:
        self.ecosystem = ecosystem
        self.partial = partial
        self.url = partial.state.url
        self._known = known
        self._progress = progress
        self._received_bytes = 0

    def attempt(self, client: httpx.Client) -> Download | None:
        """Ask once; return the file, None if it is known, or raise how it ended."""
        headers, condition = self._conditions()
        with client.stream("GET", self.url, headers=headers) as response:
            status = response.status_code
            if status == HTTPStatus.NOT_MODIFIED and condition is not None:
                return None if condition == self._known else self._checked()
            if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self.partial.discard()
                raise _Interrupted("the server does not have the part that is missing")
            if status in _TRY_AGAIN:
                raise _Interrupted(f"the server answered {status}")
            if status == HTTPStatus.PARTIAL_CONTENT and "Range" in headers:
                self._demand_continuation(response)
            elif status == HTTPStatus.OK:
                self.partial.begin(_state(self.url, response))
            else:
                raise self._refused(response)
            self._receive(response)
        return self._checked()

    def _conditions(self) -> tuple[dict[str, str], str | None]:
        """Return the request's headers, and the ETag that a 304 would confirm."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "vexxy"}
        if self.partial.is_complete and self.partial.state.validator:
            confirmed = self.partial.state.validator
            return headers | {"If-None-Match": confirmed}, confirmed
        if (validator := self.partial.resumable) is not None:
            place = f"bytes={self.partial.size_bytes}-"
            return headers | {"Range": place, "If-Range": validator}, None
        if self._known is not None:
            return headers | {"If-None-Match": self._known}, self._known
        return headers, None

    def _demand_continuation(self, response: httpx.Response) -> None:
        found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None or int(found[1]) != self.partial.size_bytes:
            self.partial.discard()
            raise _Interrupted("the server sent another part than was asked for")

    def _refused(self, response: httpx.Response) -> DownloadFailed:
        if response.status_code == HTTPStatus.NOT_FOUND:
            return DownloadFailed(
                f"{self.url} does not exist",
                hint="check the ecosystem's spelling (OSV's: Debian, PyPI, crates.io ...)",
            )
        return DownloadFailed(
            f"{self.url} answered {response.status_code} {response.reason_phrase}",
            hint="check the address of the mirror; redirections are not followed",
        )

    def _receive(self, response: httpx.Response) -> None:
        begun, before = time.monotonic(), self.partial.size_bytes
        size = before
        with self.partial.path.open("ab") as file:
            # Without a block size: a block that is never filled would be lost at a cut.
            for block in response.iter_raw():
                file.write(block)
                size += len(block)
                self._received_bytes += len(block)
                if size > ARCHIVE_BYTES_MAX:
                    self.partial.discard()
                    raise DownloadFailed(f"{self.url} is larger than 4 GiB")
                self._tell(size, (size - before) / max(time.monotonic() - begun, 1e-6))
        total = self.partial.state.total_bytes
        if total is not None and size < total:
            raise _Interrupted(f"the connection ended {total - size:,} bytes early")

    def _tell(self, size: int, bytes_per_second: float) -> None:
        total = self.partial.state.total_bytes
        self._progress(
            Progress(
                f"Downloading {self.ecosystem}",
                min(99, 100 * size // total) if total else 0,
                detail=f"{size / 1e6:.1f} MB" + (f" of {total / 1e6:.1f}" if total else ""),
                remaining_seconds=(total - size) / bytes_per_second if total else None,
            )
        )

    def _checked(self) -> Download:
        """Return the file if it is what was announced; else remove it."""
        state = self.partial.state
        path = self.partial.path
        wrong = None
        if state.total_bytes is not None and self.partial.size_bytes != state.total_bytes:
            wrong = f"it has {self.partial.size_bytes:,} bytes, not {state.total_bytes:,}"
        elif (algorithm := digests.find_mismatch(path, state.digests)) is not None:
            wrong = f"its {algorithm} digest is not the one the server announced"
        elif not zipfile.is_zipfile(path):
            wrong = "it is no zip archive"
        if wrong is not None:
            self.partial.discard()
            raise DownloadFailed(
                f"{self.url} arrived damaged: {wrong}",
                kept="the database is unchanged",
                hint="run `vexxy advisories update` again",
            )
        final = self.partial.finish()
        return Download(final, self.url, state.validator, self._received_bytes)


def _state(url: str, response: httpx.Response) -> State:
    length = response.headers.get("content-length", "")
    return State(
        url=url,
        validator=response.headers.get("etag"),
        total_bytes=int(length) if length.isascii() and length.isdigit() else None,
        digests=digests.announced(response.headers),
    )
