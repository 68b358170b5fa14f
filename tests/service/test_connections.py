"""What a stranger may do to a connection before a request is complete."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from vexxy.serving import connections
from vexxy.serving.connections import BoundedProtocol

REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n"


async def answering(scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
    await send(  # type: ignore[operator]
        {"type": "http.response.start", "status": 204, "headers": []}
    )
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


class Impatient(BoundedProtocol):
    head_seconds_max = 0.2


@contextmanager
def serving(protocol: type[asyncio.Protocol] = BoundedProtocol) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            answering,  # type: ignore[arg-type]
            http=protocol,
            lifespan="off",
            log_config=None,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def said(port: int, pieces: Iterator[bytes]) -> bytes:
    """Return what the server says to the pieces, at most 64 MiB of them."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        try:
            for piece in pieces:
                stranger.sendall(piece)
            while more := stranger.recv(65536):
                answer += more
        except OSError:
            # It hung up while we were talking, which is what we want to see.
            return answer or b"hung up"
    return answer


def flood(first: bytes, piece: bytes) -> Iterator[bytes]:
    yield first
    for _ in range(64):
        yield piece


def test_an_ordinary_request_is_served_and_its_connection_kept() -> None:
    with serving() as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        statuses = [client.get("/").status_code for _ in range(3)]

    assert statuses == [204, 204, 204]


def test_many_headers_end_the_connection() -> None:
    header = b"X-Much: " + b"a" * 1000 + b"\r\n"

    with serving() as port:
        answer = said(port, flood(REQUEST, header * 1000))

    assert b" 204 " not in answer


def test_a_header_without_end_ends_the_connection() -> None:
    with serving() as port:
        answer = said(port, flood(REQUEST + b"X-Long: ", b"b" * 2**20))

    assert b" 204 " not in answer


def test_an_address_without_end_ends_the_connection() -> None:
    with serving() as port:
        answer = said(port, flood(b"GET /", b"c" * 2**20))

    assert b" 204 " not in answer


def test_too_many_headers_are_refused_in_the_shape_of_every_error() -> None:
    with serving() as port:
        answer = said(port, iter([REQUEST + b"X-A: b\r\n" * 300 + b"\r\n"]))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"error":"VALIDATION_ERROR"' in answer
    assert connections.TOO_LARGE.encode() in answer


def test_what_is_no_request_is_refused_in_the_shape_of_every_error() -> None:
    with serving() as port:
        answer = said(port, iter([b"\x16\x03\x01 hello\r\n\r\n"]))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"message":"this is no HTTP request"' in answer


def test_who_never_ends_a_head_is_hung_up_on() -> None:
    with serving(Impatient) as port:
        silent, half = said(port, iter([])), said(port, iter([REQUEST]))

    assert (silent, half) == (b"", b"")


def test_who_sends_blank_lines_after_an_answer_is_hung_up_on() -> None:
    with serving(Impatient) as port:
        answer = said(port, iter([REQUEST + b"\r\n", b"\r\n"]))

    assert answer.startswith(b"HTTP/1.1 204 ")
