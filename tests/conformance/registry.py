"""A read-only OCI registry on the loopback interface, as much as scanners ask of one."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from tests.conformance.images import Layout


class _Handler(http.server.BaseHTTPRequestHandler):
    layouts: ClassVar[dict[str, Layout]] = {}
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        content, kind, digest = self._find()
        self.send_response(200 if content is not None else 404)
        payload = content or b"{}"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(payload)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if body:
            self.wfile.write(payload)

    def _find(self) -> tuple[bytes | None, str, str]:
        path = self.path.partition("?")[0].removeprefix("/v2/")
        if not path:
            return b"{}", "application/json", ""
        name, _, rest = path.rpartition("/")
        repository, _, what = name.rpartition("/")
        layout = self.layouts.get(repository)
        if layout is None:
            return None, "application/json", ""
        digest = rest if rest.startswith("sha256:") else layout.index_digest
        try:
            content = layout.blob(digest)
        except FileNotFoundError:
            return None, "application/json", ""
        if what == "blobs":
            return content, "application/octet-stream", digest
        part = "index" if digest == layout.index_digest else "manifest"
        return content, f"application/vnd.oci.image.{part}.v1+json", digest

    def log_message(self, *arguments: object) -> None:
        """Say nothing: the scanners' own words are what is read."""


@contextmanager
def serving(layouts: dict[str, Layout]) -> Iterator[str]:
    """Serve the layouts by repository; give `host:port`."""
    handler = type("Handler", (_Handler,), {"layouts": layouts})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
