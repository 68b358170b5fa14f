"""Inside a sandbox's network, and in none of its other namespaces."""

import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from vexxy.sandbox.types import LOOPBACK

CLONE_NEWNET: Final = 0x40000000
LISTEN: Final = "0A"
TABLES: Final = Path("/proc/thread-self/net")
CONNECT_SECONDS_MAX: Final = 1.0
SILENCE_SECONDS: Final = 0.3

READ_BYTES: Final = 512
# Without a Host line, which Redis takes for an attack.
HTTP_QUESTION: Final = b"GET / HTTP/1.0\r\nUser-Agent: vexxy\r\n\r\n"
# PostgreSQL frontend/backend protocol, "SSLRequest": length 8, code 80877103.
SSL_QUESTION: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
VERSION_QUESTION: Final = b"version\r\n"

_BEGINNINGS: Final = (
    (b"\x15\x03", "https"),
    (b"-ERR", "redis"),
    (b"-DENIED", "redis"),
    (b"-NOAUTH", "redis"),
    (b"ERROR\r\n", "memcached"),
    (b"VERSION ", "memcached"),
    (b"CLIENT_ERROR", "memcached"),
    (b"SSH-", "ssh"),
    (b"220", "smtp"),
)

Answer = TypeVar("Answer")


class SandboxNetwork:
    """A thread that lives in the network of a process and connects from there.

    Network namespaces belong to threads, so the rest of this program stays outside.
    """

    def __init__(self, process_id: int) -> None:
        """Enter the network of the process; needs root.

        Raises:
            OSError: The process ended, or entering is not allowed.
        """
        self._descriptor = os.open(f"/proc/{process_id}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vexxy-network")
        try:
            self._thread.submit(_enter, self._descriptor).result()
        except OSError:
            self.close()
            raise

    @property
    def path(self) -> str:
        """Where another program opens this very network, until it is left.

        A process ID may be another process's by then; our own is ours.
        """
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def listening(self) -> tuple[int, ...]:
        """Return the TCP ports on which something listens, ascending."""
        return self.inside(listening_ports)

    def received(self) -> int:
        """Return how many connections and datagrams came in so far."""
        return self.inside(received)

    def protocol_of(self, port: int, *, patience_seconds: float) -> str | None:
        """Return what answers on the port, None when nothing connects."""
        return self.inside(lambda: find_protocol(port, patience_seconds=patience_seconds))

    def inside(self, act: Callable[[], Answer]) -> Answer:
        """Run the act in the sandbox's network and return its answer."""
        return self._thread.submit(act).result()

    def close(self) -> None:
        """Leave."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave."""
        self.close()


def listening_ports() -> tuple[int, ...]:
    """Return the TCP ports that the calling thread's network listens on."""
    ports = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (TABLES / table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN:
                    ports.add(int(fields[1].rpartition(":")[2], 16))
    return tuple(sorted(ports))


def received() -> int:
    """Return how many connections and datagrams came in on the calling thread's network.

    Source: RFC 4022 and RFC 4113, tcpPassiveOpens and udpInDatagrams, as
    `/proc/PID/net/snmp` lists them. What nobody listened for is not among them.
    """
    counts: dict[str, int] = {}
    for table in ("snmp", "snmp6"):
        with suppress(OSError):
            counts |= _counts((TABLES / table).read_text())
    wanted = ("Tcp:PassiveOpens", "Udp:InDatagrams", "Udp6InDatagrams")
    return sum(counts.get(name, 0) for name in wanted)


def _counts(text: str) -> dict[str, int]:
    """Read pairs of lines of names and numbers, and lines of one name and number."""
    found = {}
    names: dict[str, list[str]] = {}
    for line in text.splitlines():
        head, *words = line.split()
        if not head.endswith(":"):
            found[head] = int(words[0])
        elif head in names:
            found |= {
                head + name: int(word)
                for name, word in zip(names[head], words, strict=False)
            }
        else:
            names[head] = words
    return found


def find_protocol(port: int, *, patience_seconds: float) -> str | None:
    """Return the name of what answers on a port of this network, None if nothing does.

    One HTTP request brings an answer out of most, and a greeting out of who greets.
    Who stays silent is asked in other words, and then waited for: a server may take
    connections before it can serve them. `tcp` is a port that never says anything.
    """
    answer = _ask(port, HTTP_QUESTION, SILENCE_SECONDS)
    if answer is None:
        return None
    for question in (SSL_QUESTION, VERSION_QUESTION):
        answer = answer or _ask(port, question, SILENCE_SECONDS)
    answer = answer or _ask(port, HTTP_QUESTION, patience_seconds)
    return _speaker(answer) if answer else "tcp"


def _speaker(said: bytes) -> str:
    if said.startswith(b"HTTP/"):
        # Web servers tell a client that forgot the s.
        told = said.lower()
        return "https" if b"http request" in told and b"https" in told else "http"
    if said in {b"S", b"N"}:
        return "postgresql"
    for beginning, name in _BEGINNINGS:
        if said.startswith(beginning):
            return name
    return "tcp"


def _ask(port: int, question: bytes, timeout_seconds: float) -> bytes | None:
    """Return what comes back, empty for silence, None when nothing connects."""
    for address in (LOOPBACK, "::1"):
        try:
            with socket.create_connection((address, port), CONNECT_SECONDS_MAX) as sock:
                sock.settimeout(timeout_seconds)
                with suppress(OSError):
                    sock.sendall(question)
                    return sock.recv(READ_BYTES)
                return b""
        except OSError:
            continue
    return None


def _enter(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
