"""How long and how large the head of a request may be.

uvicorn bounds neither: one connection that sends headers for ever takes all memory, and
connections that never end a line take every place.
"""

import asyncio
import uuid
from typing import Any, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from vexxy.kit import clock

HEAD_BYTES_MAX: Final = 64 * 1024
HEAD_LINES_MAX: Final = 200
HEAD_SECONDS_MAX: Final = 15.0
TOO_LARGE: Final = "the request line and headers are larger than this service reads"
MALFORMED: Final = "this is no HTTP request"


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, for strangers."""

    head_seconds_max: float = HEAD_SECONDS_MAX

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  uvicorn's own
        super().__init__(*arguments, **options)
        self._in_head = False
        self._head_bytes = 0
        self._head_lines = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._unwatch()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless too much was sent of a head that does not end."""
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX + len(data):
                self.send_400_response(TOO_LARGE)
                return
        super().data_received(data)
        # Before the first request there is no cycle.
        if self._in_head or getattr(self.cycle, "response_complete", True):
            self._watch()

    def on_message_begin(self) -> None:
        """Count from here on."""
        super().on_message_begin()
        self._in_head, self._head_bytes, self._head_lines = True, 0, 0
        self._watch()

    def on_url(self, url: bytes) -> None:
        """Count the address."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header; those after the body as well."""
        super().on_header(name, value)
        self._head_lines += 1
        self._count(len(name) + len(value))

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > 2 * HEAD_BYTES_MAX or self._head_lines > HEAD_LINES_MAX:
            # Ends the parser; what is raised here reaches nobody.
            raise httptools.HttpParserError(TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Serve it; its body is bounded elsewhere."""
        self._in_head = False
        self._unwatch()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read in the shape that every error has, and hang up."""
        if self.transport.is_closing():
            return
        large = msg == TOO_LARGE or self._head_lines > HEAD_LINES_MAX
        request_id = str(uuid.uuid4())
        content = msgspec.json.encode(
            {
                "error": "VALIDATION_ERROR",
                "message": TOO_LARGE if large else MALFORMED,
                "details": {},
                "timestamp": clock.rfc3339(clock.now()),
                "request_id": request_id,
            }
        )
        lines = (
            b"content-type: application/json",
            b"content-length: %d" % len(content),
            b"x-request-id: " + request_id.encode(),
            b"cache-control: no-store",
            b"x-content-type-options: nosniff",
            b"connection: close",
        )
        self.transport.write(STATUS_LINE[400] + b"\r\n".join(lines) + b"\r\n\r\n" + content)
        self.transport.close()

    def _watch(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds_max, self._hang_up)

    def _unwatch(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
