"""What came in on a network, as the kernel counts it."""

import os
import socket

from vexxy.sandbox import network


def test_a_connection_that_was_taken_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = network.received(os.getpid())
        with socket.create_connection(server.getsockname()), server.accept()[0]:
            assert network.received(os.getpid()) > before


def test_a_datagram_that_was_read_is_counted() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        before = network.received(os.getpid())
        client.sendto(b"x", server.getsockname())
        server.recv(1)
        assert network.received(os.getpid()) > before


def test_a_process_that_is_gone_received_nothing() -> None:
    assert network.received(2**22 + 1) == 0
