"""What recording Python functions costs a web application, for each version here.

Run: `.venv/bin/python bench/recorder.py [VERSION...]`, such as 3.11 3.13. A Flask
application is served by gunicorn twice, with the recorder and without, and asked in
turns, so that a machine that slows down slows both. Wall time is the client's, processor
time that of the server's processes.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from socket import create_server

from vexxy.tracer.functions.python import service

ROUNDS = 40
REQUESTS = 50
GOAL = 1.15
APPLICATION = """
from flask import Flask, jsonify, render_template_string, request
app = Flask(__name__)
PAGE = "<ul>{% for n in numbers %}<li>{{ n }} {{ name|upper }}</li>{% endfor %}</ul>"
@app.route("/page")
def page():
    return render_template_string(PAGE, numbers=range(20), name=request.args["name"])
@app.route("/data")
def data():
    return jsonify([{"number": n, "square": n * n} for n in range(50)])
"""


@dataclass
class Server:
    """One gunicorn with one worker."""

    process: subprocess.Popen[bytes]
    port: int

    def ask(self, requests: int) -> float:
        """Return the seconds that so many requests took."""
        started = time.perf_counter()
        for number in range(requests):
            path = "/data" if number % 2 else "/page?name=vexxy"
            connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            assert answer.read()
            connection.close()
        return time.perf_counter() - started

    def processor_seconds(self) -> float:
        """Return what the master and its worker used so far."""
        first = self.process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        used = 0
        for number in (str(first), *children):
            used += int(Path("/proc", number, "schedstat").read_text().split()[0])
        return used / 1e9


def find_python(version: str) -> str | None:
    """Return an interpreter of the version: on PATH, or one of pyenv's."""
    usual = (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python{version}")
    for name in [*map(str, usual), shutil.which(f"python{version}")]:
        if name and subprocess.run([name, "-c", ""], check=False).returncode == 0:
            return name
    return None


@contextmanager
def serving(python: Path, folder: Path, *, recorded: bool) -> Iterator[Server]:
    """Yield a server that answers."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {"PATH": "/usr/bin:/bin"}
    if recorded:
        environment["PYTHONPATH"] = str(folder / ".vexxy" / "python")
    command = [str(python), "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "application:app"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield Server(process, until_it_answers(process, port))
        finally:
            process.terminate()


def until_it_answers(process: subprocess.Popen[bytes], port: int) -> int:
    """Return the port once the server answers there."""
    while process.poll() is None:
        try:
            Server(process, port).ask(2)
        except OSError:
            time.sleep(0.1)
        else:
            return port
    raise SystemExit("the server ended by itself")


def prepared(version: str, folder: Path) -> Path:
    """Return an interpreter with Flask; the recorder lies in the folder beside it."""
    (folder / "application.py").write_text(APPLICATION)
    (folder / ".vexxy-out").mkdir()
    for name, content in service.plan({}).files.items():
        path = folder / ".vexxy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = find_python(version) or ""
    subprocess.run([found, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "--no-input", "flask", "gunicorn"]
    subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    return python


def compare(version: str) -> None:
    """Print the ratios of one version."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        python = prepared(version, folder)
        servers = [
            stack.enter_context(serving(python, folder, recorded=recorded))
            for recorded in (False, True)
        ]
        for server in servers:
            server.ask(REQUESTS * 4)
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
            path.read_bytes().count(b"\nF\t") for path in (folder / ".vexxy-out").iterdir()
        )
    plain, recorded = (statistics.median(times) / REQUESTS * 1000 for times in walls)
    ratio = recorded / plain
    print(
        f"Python {version:5} {plain:6.2f} ms a request, recorded {recorded:6.2f} ms: "
        f"{ratio:.3f} x wall, {used[1] / used[0]:.3f} x processor "
        f"(goal {GOAL}; {lines} functions recorded)"
    )


def main() -> None:
    """Compare the named versions, else every one that is here."""
    versions = sys.argv[1:] or [f"3.{minor}" for minor in range(8, 15)]
    for version in versions:
        if find_python(version) is None:
            print(f"Python {version:5} is not on this machine")
        else:
            compare(version)


if __name__ == "__main__":
    main()
