"""A `vexxy serve` that a test runs, and what it started."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.service.processes import command, descendants, runs, until

# What a developer's shell may hold and a test must not see.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "JWT_SECRET_KEY", "SECRETS_KEY", "ENVIRONMENT")
LISTENS = re.compile(r"listens on (http://\S+) \(process (\d+)\)")


class Served:
    """A running `vexxy serve`."""

    def __init__(self, process: "subprocess.Popen[str]", data: Path) -> None:
        self.process = process
        self.data = data
        self.log = _log_of(data)
        self.address = ""

    def await_ready(self) -> None:
        def told() -> re.Match[str] | None:
            assert self.process.poll() is None, self.log.read_text()
            return LISTENS.search(self.log.read_text())

        found = until(told, what="the address that is listened on")
        self.address = found.group(1)

    def ask(self, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        parts = urlsplit(self.address)
        assert parts.hostname
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.request(
                "GET" if body is None else "POST",
                path,
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def is_well(self) -> bool:
        try:
            return self.ask("/health/ready")[0] == 200
        except OSError:
            return False

    def pid_of(self, part: str) -> int:
        """Return the process whose command line has the part."""
        return until(
            lambda: next(
                (pid for pid in descendants(self.process.pid) if part in command(pid)), 0
            ),
            what=part,
        )


def environment(**more: str) -> dict[str, str]:
    return {key: word for key, word in os.environ.items() if key not in FOREIGN} | more


def _log_of(folder: Path) -> Path:
    return folder.parent / f"{folder.name}.log"


@contextmanager
def served(
    folder: Path,
    *options: str,
    python: Sequence[str] = (),
    awaited: bool = True,
    **variables: str,
) -> Iterator[Served]:
    """Provide a `vexxy serve` that answers, or (not awaited) one that just started."""
    with _log_of(folder).open("w") as stream:
        process = subprocess.Popen(
            [
                *(python or [sys.executable]),
                *("-m", "vexxy", "serve", "--port", "0", "--data-dir", str(folder)),
                *options,
            ],
            stdout=stream,
            stderr=stream,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment(LOG_LEVEL="WARNING", **variables),
        )
    everybody: list[int] = []
    try:
        running = Served(process, folder)
        if awaited:
            running.await_ready()
        everybody = descendants(process.pid)
        yield running
    finally:
        everybody += descendants(process.pid)
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        until(lambda: not any(map(runs, everybody)), what="the end of everything started")


def run(
    folder: Path, *options: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a `vexxy serve` that is expected to end by itself."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "vexxy", "serve", "--data-dir", str(folder)),
            *("--port", "0", *options),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(**variables),
    )
