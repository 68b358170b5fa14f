"""Updates over real HTTP from a server on this machine that can misbehave."""

import base64
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vexxy.advisories import service
from vexxy.advisories.errors import DownloadFailed
from vexxy.advisories.types import Updated
from vexxy.integrations.osv.feed import OsvFeed
from vexxy.kit.errors import InvalidInput
from vexxy.kit.progress import Progress, silent

Handler = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """Serves one archive with ETag and ranges, unless the server's script says else."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        script = self.server.script
        (script.pop(0) if script else Request.serve)(self)

    def serve(self, *, cut_after: int | None = None) -> None:
        """Answer as a good server does; `cut_after` bytes of the body, hang up."""
        content, etag = self.server.content, self.server.etag
        if self.path != "/all/PyPI/all.zip":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        if self.headers.get("If-None-Match") == etag:
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.end_headers()
            return
        begin = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range") == etag:
            begin = int(asked[1])
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            end = len(content) - 1
            self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        else:
            self.send_response(HTTPStatus.OK)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - begin))
        digest = base64.b64encode(hashlib.md5(self.server.announced).digest()).decode()  # noqa: S324  what Google's servers send
        self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={digest}")
        self.end_headers()
        body = content[begin:]
        self.wfile.write(body if cut_after is None else body[:cut_after])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's own name
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The archive it serves, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.asked: list[dict[str, str]] = []
        self.script: list[Handler] = []
        self.show(archive(50))

    def show(self, content: bytes, *, announced: bytes | None = None) -> None:
        """Serve this, and announce the digest of that."""
        self.content = content
        self.announced = content if announced is None else announced
        self.etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    def handle_error(self, request: object, client_address: object) -> None:
        """Hanging up on purpose is no error."""


def archive(count: int, *, first: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as made:
        for number in range(first, first + count):
            record = {
                "id": f"PYSEC-2026-{number}",
                "affected": [
                    {
                        "package": {"ecosystem": "PyPI", "name": f"package-{number}"},
                        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
                    }
                ],
            }
            made.writestr(f"PYSEC-2026-{number}.json", json.dumps(record))
    return buffer.getvalue()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def feed(server: Server) -> OsvFeed:
    return OsvFeed(f"http://127.0.0.1:{server.server_port}/all", pause=lambda seconds: None)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "advisories.db"


def update(database: Path, feed: OsvFeed) -> Updated:
    (one,) = service.update(database, ["PyPI"], feed=feed)
    return one


def records(database: Path) -> int:
    return service.status(database).records


def cut(after: int) -> Handler:
    return lambda request: request.serve(cut_after=after)


def answer(status: HTTPStatus) -> Handler:
    return lambda request: request.send_error(status)


def test_an_ecosystem_is_downloaded_and_stored(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    seen: list[Progress] = []

    (updated,) = service.update(database, ["PyPI"], feed=feed, progress=seen.append)

    assert updated.failure is None
    assert updated.report is not None
    assert updated.report.records == records(database) == 50
    assert updated.downloaded_bytes == len(server.content)
    assert seen
    assert "MB" in seen[-1].detail
    assert not list((database.parent / "downloads").iterdir())


def test_what_is_unchanged_is_not_downloaded_again(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    update(database, feed)
    again = update(database, feed)

    assert again.unchanged
    assert again.downloaded_bytes == 0
    assert server.asked[-1]["If-None-Match"] == server.etag
    assert records(database) == 50


def test_a_changed_archive_replaces_the_ecosystem(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    update(database, feed)
    server.show(archive(60, first=10))

    updated = update(database, feed)

    assert updated.report is not None
    assert updated.report.ecosystems[0].records_before == 50
    assert records(database) == 60


def test_a_cut_connection_is_gone_on_with(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    server.script = [cut(1000), cut(500)]

    updated = update(database, feed)

    assert updated.report is not None
    assert updated.report.records == 50
    assert updated.downloaded_bytes == len(server.content)
    assert [asked.get("Range") for asked in server.asked] == [
        None,
        "bytes=1000-",
        "bytes=1500-",
    ]


def test_the_next_run_goes_on_where_this_one_gave_up(
    server: Server, database: Path
) -> None:
    server.script = [cut(1000), *[answer(HTTPStatus.SERVICE_UNAVAILABLE)] * 5]
    waits: list[float] = []
    feed = OsvFeed(f"http://127.0.0.1:{server.server_port}/all", pause=waits.append)

    failed = update(database, feed)
    assert failed.failure is not None
    assert "503" in failed.failure
    assert waits == [1, 2, 4, 8, 16]
    assert not database.exists()

    updated = update(database, feed)
    assert server.asked[-1]["Range"] == "bytes=1000-"
    assert updated.downloaded_bytes == len(server.content) - 1000
    assert records(database) == 50


def test_an_archive_that_changed_in_between_is_fetched_anew(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    server.script = [cut(1000)]
    original = server.content

    def change_then_serve(request: Request) -> None:
        server.show(archive(70))
        request.serve()

    server.script.append(change_then_serve)
    updated = update(database, feed)

    assert server.content != original
    assert updated.report is not None
    assert updated.report.records == 70


def test_a_server_without_ranges_sends_it_all_again(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    def from_the_start(request: Request) -> None:
        del request.headers["Range"]
        request.serve()

    server.script = [cut(1000), from_the_start]
    updated = update(database, feed)
    assert updated.downloaded_bytes == len(server.content) + 1000
    assert records(database) == 50


def test_a_part_that_was_not_asked_for_is_not_glued_on(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    def wrong_part(request: Request) -> None:
        request.send_response(HTTPStatus.PARTIAL_CONTENT)
        request.send_header("Content-Range", f"bytes 0-9/{len(server.content)}")
        request.send_header("Content-Length", "10")
        request.end_headers()
        request.wfile.write(server.content[:10])

    server.script = [cut(1000), wrong_part]
    update(database, feed)
    assert records(database) == 50


def test_a_range_the_server_does_not_have_starts_over(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    server.script = [cut(1000), answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)]
    update(database, feed)
    assert "Range" not in server.asked[-1]
    assert records(database) == 50


def test_a_file_that_is_not_what_was_announced_changes_nothing(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    update(database, feed)
    server.show(archive(80), announced=b"another file")

    failed = update(database, feed)

    assert failed.failure is not None
    assert "md5" in failed.failure
    assert records(database) == 50


def test_a_damaged_archive_changes_nothing(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    """Goal: the zip's own checksums count, when the server announces none that helps."""
    update(database, feed)
    content = bytearray(archive(80))
    at = content.index(b"PYSEC-2026-40", content.index(b'{"id": "PYSEC-2026-40"'))
    content[at : at + 5] = b"XXXXX"
    server.show(bytes(content))

    failed = update(database, feed)

    assert failed.failure is not None
    assert "damaged" in failed.failure
    assert records(database) == 50


@pytest.mark.parametrize("content", [b"<html>sign in first</html>", b""])
def test_what_is_no_archive_changes_nothing(
    server: Server, feed: OsvFeed, database: Path, content: bytes
) -> None:
    update(database, feed)
    server.show(content)
    failed = update(database, feed)
    assert failed.failure is not None
    assert "no zip archive" in failed.failure
    assert records(database) == 50


def test_an_archive_that_shrank_beyond_belief_is_refused(
    server: Server, feed: OsvFeed, database: Path
) -> None:
    server.show(archive(200))
    update(database, feed)
    server.show(archive(90))
    failed = update(database, feed)
    assert failed.failure is not None
    assert "90 usable records" in failed.failure
    assert records(database) == 200


def test_one_failed_ecosystem_does_not_stop_the_others(
    feed: OsvFeed, database: Path
) -> None:
    missing, good = service.update(database, ["Atlantis", "PyPI"], feed=feed)
    assert missing.failure is not None
    assert "does not exist" in missing.failure
    assert good.report is not None
    assert records(database) == 50


def test_a_redirection_is_not_followed(
    server: Server, feed: OsvFeed, tmp_path: Path
) -> None:
    def elsewhere(request: Request) -> None:
        request.send_response(HTTPStatus.FOUND)
        request.send_header("Location", "http://127.0.0.1:1/")
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.script = [elsewhere]
    with pytest.raises(DownloadFailed, match="302"):
        feed.fetch("PyPI", tmp_path, known=None, progress=silent)


def test_without_a_network_it_is_soon_told(tmp_path: Path) -> None:
    waits: list[float] = []
    feed = OsvFeed("http://127.0.0.1:9", pause=waits.append)
    with pytest.raises(DownloadFailed, match="could not be downloaded"):
        feed.fetch("PyPI", tmp_path, known=None, progress=silent)
    assert waits == [1]


def test_an_address_is_http() -> None:
    with pytest.raises(InvalidInput, match="no address"):
        OsvFeed("ftp://mirror.example")
    assert OsvFeed("https://mirror.example/").url("Rocky Linux") == (
        "https://mirror.example/Rocky%20Linux/all.zip"
    )
