"""What came in on a network, as the kernel counts it."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from vexxy.sandbox import driver, network


def test_a_connection_that_was_taken_is_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = network.received()
        with socket.create_connection(server.getsockname()), server.accept()[0]:
            assert network.received() > before


def test_a_datagram_that_was_read_is_counted() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 0))
        before = network.received()
        client.sendto(b"x", server.getsockname())
        server.recv(1)
        assert network.received() > before


@pytest.mark.engine
def test_a_network_stays_the_same_when_its_process_is_gone() -> None:
    """What then has the process's ID must not be taken for the sandbox."""
    if os.geteuid() != 0:
        pytest.skip("entering a network needs root")
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo made; read -r end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        own = Path(f"/proc/{process.pid}/ns/net").readlink()
        with network.SandboxNetwork(process.pid) as entered:
            process.communicate(b"\n")
            assert not Path(f"/proc/{process.pid}").exists()
            told = subprocess.run(
                [*driver.enter_network(entered.path), "readlink", "/proc/self/ns/net"],
                capture_output=True,
                check=True,
                text=True,
            )
            assert told.stdout.strip() == str(own)
            assert (entered.listening(), entered.received()) == ((), 0)
