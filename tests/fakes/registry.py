"""A registry on this machine's loopback, with one image for two platforms in it."""

import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.fakes import image_archive
from tests.fakes.image_archive import Recipe

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Published:
    """What the registry serves under `host/app:1`."""

    host: str
    index_digest: str
    manifest_digest: str
    image_id: str


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def serving(recipe: Recipe) -> Iterator[Published]:
    """Serve the image; `recipe` is of this machine's platform, another is beside it."""
    blobs: dict[str, tuple[str, bytes]] = {}
    manifest = _add(blobs, recipe)
    other = _add(blobs, Recipe(architecture="s390x"))
    index = json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, manifest]}
    ).encode()
    blobs["1"] = blobs[digest_of(index)] = (INDEX, index)

    class Registry(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            found = ("application/json", b"{}") if self.path == "/v2/" else blobs.get(name)
            kind, content = found or ("text/plain", b"")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if found and name:
                self.send_header("Docker-Content-Digest", digest_of(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815  the library's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  same
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Published(
            host=f"127.0.0.1:{server.server_address[1]}",
            index_digest=digest_of(index),
            manifest_digest=manifest["digest"],
            image_id=image_archive.image_id(recipe),
        )
        server.shutdown()
        thread.join()


def _add(blobs: dict[str, tuple[str, bytes]], recipe: Recipe) -> dict[str, Any]:
    config, layer = image_archive.parts(recipe)
    packed = gzip.compress(layer, mtime=0)
    for content in (config, packed):
        blobs[digest_of(content)] = ("application/octet-stream", content)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest_of(config),
                "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": digest_of(packed),
                    "size": len(packed),
                }
            ],
        }
    ).encode()
    blobs[digest_of(manifest)] = (MANIFEST, manifest)
    return {
        "mediaType": MANIFEST,
        "digest": digest_of(manifest),
        "size": len(manifest),
        "platform": {"os": "linux", "architecture": recipe.architecture},
    }
