"""What recording Node.js functions costs a web application, for each given version.

Run: `.venv/bin/python bench/recorder_node.py [PATH_OF_NODE...]`. An HTTP server that is
asked for pages built by many small functions runs twice, with the recorder and without,
and is asked in turns, so that a machine that slows down slows both. With `--express
FOLDER`, a folder that has Express installed, it is an Express application.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from vexxy.tracer.functions.node import service

ROUNDS = 40
REQUESTS = 200
GOAL = 1.15
FUNCTIONS = 3000
PLAIN = """
const http = require('http');
%s
const all = [%s];
let at = 0;
function page(url) {
  let text = url;
  for (let i = 0; i < 200; i++) text = all[at++ %% all.length](text);
  return text;
}
const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ page: page(request.url), list: [...Array(50).keys()] }));
}).listen(0, '127.0.0.1', () => console.log(server.address().port));
"""
EXPRESS = """
const express = require('express');
const app = express();
app.get('/page', (request, response) => response.json({ name: request.query.name,
  list: [...Array(50).keys()].map((n) => ({ number: n, square: n * n })) }));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@dataclass
class Server:
    """One Node.js that answers."""

    process: subprocess.Popen[str]
    connection: HTTPConnection

    def ask(self, requests: int) -> float:
        """Return the seconds that so many requests took."""
        started = time.perf_counter()
        for _ in range(requests):
            self.connection.request("GET", "/page?name=vexxy")
            answer = self.connection.getresponse()
            assert answer.status == 200
            assert answer.read()
        return time.perf_counter() - started

    def processor_seconds(self) -> float:
        """Return what all its threads used so far."""
        ticks = (
            Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        )
        return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(node: str, folder: Path, *, recorded: bool) -> Iterator[Server]:
    """Yield a server that answers."""
    environment = {"PATH": os.environ["PATH"]}
    if recorded:
        environment["NODE_OPTIONS"] = f"--require {folder}/.vexxy/node/record.cjs"
    with subprocess.Popen(
        [node, "app.js"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield Server(process, HTTPConnection("127.0.0.1", port, timeout=30))
        finally:
            process.terminate()


def prepare(folder: Path, express: str) -> None:
    """Put application and recorder into the folder."""
    functions = "\n".join(
        f"function f{n}(text) {{ return text.length > 40 ? '{n}' : text + '{n}'; }}"
        for n in range(FUNCTIONS)
    )
    plain = PLAIN % (functions, ",".join(f"f{n}" for n in range(FUNCTIONS)))
    (folder / "app.js").write_text(EXPRESS if express else plain)
    if express:
        (folder / "node_modules").symlink_to(Path(express).resolve() / "node_modules")
    (folder / ".vexxy-out").mkdir()
    for name, content in service.plan({}).files.items():
        path = folder / ".vexxy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def compare(node: str, express: str) -> None:
    """Print the ratios of one interpreter."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        prepare(folder, express)
        servers = [
            stack.enter_context(serving(node, folder, recorded=recorded))
            for recorded in (False, True)
        ]
        for server in servers:
            server.ask(REQUESTS * 5)
        before = [server.processor_seconds() for server in servers]
        walls: list[list[float]] = [[], []]
        for turn in range(ROUNDS):
            for index in (0, 1) if turn % 2 else (1, 0):
                walls[index].append(servers[index].ask(REQUESTS))
        used = [
            server.processor_seconds() - spent
            for server, spent in zip(servers, before, strict=True)
        ]
        lines = sum(
            path.read_bytes().count(b'\n["F"') for path in (folder / ".vexxy-out").iterdir()
        )
    plain, recorded = (statistics.median(times) / REQUESTS * 1000 for times in walls)
    version = subprocess.run(
        [node, "--version"], capture_output=True, check=True, text=True
    )
    print(
        f"Node.js {version.stdout.strip():9} {plain:6.3f} ms a request, recorded "
        f"{recorded:6.3f} ms: {recorded / plain:.3f} x wall, {used[1] / used[0]:.3f} x "
        f"processor (goal {GOAL}; {lines} functions recorded)"
    )


def main() -> None:
    """Compare the named interpreters, else the one on PATH."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nodes", nargs="*")
    parser.add_argument("--express", default="", metavar="FOLDER")
    given = parser.parse_args()
    for node in given.nodes or filter(None, [shutil.which("node")]):
        compare(node, given.express)


if __name__ == "__main__":
    main()
