"""Answers that are files: never shown by a browser, and whole or not at all."""

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

# Even a browser that is made to show it runs nothing of it.
POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"


class Opened(Protocol):
    """Bytes that are ready to be handed out."""

    def pieces(self) -> Iterator[bytes]:
        """Return them in order."""
        ...

    def close(self) -> None:
        """Forget them; twice is no error."""
        ...


class Download(Response):
    """A file, opened after the transaction of its route has ended.

    Args:
        opened: Opens it, in a thread. An error it raises is answered like any other,
            because nothing was sent yet.
        media_type: Not one that a browser would run.
        name: Of the saved file; letters, digits, `.`, `_` and `-` only.
        size_bytes: Of the whole.
        sha256: Of the whole, hexadecimal.
    """

    def __init__(
        self,
        opened: Callable[[], Opened],
        *,
        media_type: str,
        name: str,
        size_bytes: int,
        sha256: str,
    ) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._opened = opened
        self.headers.update(
            {
                **checksums(sha256),
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Length": str(size_bytes),
                "Content-Security-Policy": POLICY,
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open the file, then send it piece by piece."""
        opened = await run_in_threadpool(self._opened)
        try:
            stream = StreamingResponse(opened.pieces(), headers=dict(self.headers))
            await stream(scope, receive, send)
        finally:
            await run_in_threadpool(opened.close)


class Elsewhere(Response):
    """A file that may be had from another server, asked when the transaction is over.

    Args:
        url: Returns where, in a thread; None for here.
        here: What is answered then.
    """

    def __init__(self, url: Callable[[], str | None], *, here: Download) -> None:
        super().__init__()
        self._url = url
        self._here = here

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the client there, or the file from here."""
        url = await run_in_threadpool(self._url)
        answer: Response = self._here
        if url is not None:
            names = ("X-Checksum-SHA256", "Repr-Digest", "Digest")
            headers = {name: self._here.headers[name] for name in names}
            answer = RedirectResponse(url, headers=headers)
        await answer(scope, receive, send)


def checksums(sha256: str) -> Mapping[str, str]:
    """Return the headers that name a file's digest: for people, RFC 9530, RFC 3230."""
    digest = base64.b64encode(bytes.fromhex(sha256)).decode()
    return {
        "X-Checksum-SHA256": sha256,
        "Repr-Digest": f"sha-256=:{digest}:",
        "Digest": f"sha-256={digest}",
    }


def documented(media_types: Mapping[str, str]) -> dict[int | str, dict[str, Any]]:
    """Return how the interface describes such an answer.

    Args:
        media_types: Each that is handed out; the values are not used.
    """
    header = {"schema": {"type": "string"}}
    named = {
        "X-Checksum-SHA256": "SHA-256 of the file, hexadecimal",
        "Repr-Digest": "The same, as RFC 9530 writes it",
        "Digest": "The same, as RFC 3230 writes it",
        "Content-Disposition": "`attachment`, with a file name",
    }
    return {
        200: {
            "description": "The file; compare it with its checksum",
            "headers": {
                name: {"description": text, **header} for name, text in named.items()
            },
            "content": {media_type: {"schema": {}} for media_type in media_types},
        }
    }
