"""Key sets from a server that is slow, large, elsewhere or gone."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.identity_values import claims, jwk, rsa_key, token
from vexxy.identity.errors import NotSignedIn, UnusableKey
from vexxy.identity.tokens.service import Tokens
from vexxy.identity.tokens.types import TokenSettings
from vexxy.integrations.key_set import source
from vexxy.integrations.key_set.source import BYTES_MAX, KeySetUnavailable, PublishedKeySet
from vexxy.kit import ids, jsontext

KEY = rsa_key()
DOCUMENT = jsontext.encode({"keys": [jwk(KEY, kid="one")]})


class Server(ThreadingHTTPServer):
    asked: int = 0
    held: threading.Event


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        match self.path:
            case "/keys":
                self.answer(200, DOCUMENT)
            case "/moved":
                self.answer(302, b"", Location="/keys")
            case "/large":
                self.answer(200, b" " * (BYTES_MAX + 1))
            case "/slow":
                self.send_response(200)
                self.end_headers()
                self.server.held.wait(30)
            case _:
                self.answer(404, b"no")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.held = threading.Event()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.held.set()
    made.shutdown()
    thread.join()
    made.server_close()


def at(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}{path}"


def test_keys_at_an_address_verify_tokens(server: Server) -> None:
    user = ids.new_id()
    tokens = Tokens(TokenSettings(), sources=[source.source(at(server, "/keys"))])
    for _ in range(3):
        signed = token(
            claims(user, ids.new_id()), key=KEY, algorithm="RS256", headers={"kid": "one"}
        )
        assert tokens.verify(signed).user_id == user
    assert server.asked == 1


@pytest.mark.parametrize("path", ["/moved", "/large", "/none"])
def test_what_is_no_key_set_there_is_refused(server: Server, path: str) -> None:
    with pytest.raises(KeySetUnavailable):
        source.source(at(server, path)).fetch()


def test_a_server_that_drips_is_left(server: Server) -> None:
    with pytest.raises(KeySetUnavailable):
        PublishedKeySet(at(server, "/slow"), seconds=0.2).fetch()


def test_a_server_that_is_gone_lets_nobody_in() -> None:
    tokens = Tokens(TokenSettings(), sources=[source.source("http://127.0.0.1:9/keys")])
    signed = token(claims(ids.new_id(), ids.new_id()), key=KEY, algorithm="RS256")
    with pytest.raises(NotSignedIn):
        tokens.verify(signed)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_keys_in_a_file_verify_tokens(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(DOCUMENT)
    assert source.source(f"{scheme}{path}").fetch() == DOCUMENT


def test_a_file_is_refused_that_is_absent_or_large(tmp_path: Path) -> None:
    with pytest.raises(KeySetUnavailable):
        source.source(str(tmp_path / "none")).fetch()
    path = tmp_path / "large"
    path.write_bytes(b" " * (BYTES_MAX + 1))
    with pytest.raises(KeySetUnavailable):
        source.source(str(path)).fetch()


@pytest.mark.parametrize(
    "location",
    [
        "http://core.example/keys",
        "http://192.0.2.1/keys",
        "ftp://core.example/k",
        "https://",
    ],
)
def test_keys_are_not_taken_from_where_others_could_change_them(location: str) -> None:
    with pytest.raises(UnusableKey):
        source.source(location)
