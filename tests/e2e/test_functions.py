"""Functions of Python that ran in a real image, whatever its processes do."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from bench.images.build import build
from tests.e2e.conftest import Cli

pytestmark = [pytest.mark.engine, pytest.mark.kernel]

# Written to a file there, for functions of a text have none.
STARTED = 'printf %s "$SCRIPT" > /tmp/app.py; exec python3 /tmp/app.py'
LIVELY = """\
import os, signal, subprocess, sys, threading, time, urllib.request, wsgiref.simple_server
import socketserver
class Body:
    table = [number for number in range(3)]
    def never(self): pass
def worker():
    killed_in_worker()
    time.sleep(60)
def killed_in_worker(): os.write(ready[1], b"x")
def in_fork(): pass
def in_thread(): pass
def in_child(): pass
def after_start(): pass
def application(environ, start):
    start("200 OK", [])
    return [answer(environ["PATH_INFO"])]
def answer(path): return routes[path if path in routes else "/0"]()
def route_0(): return b"0"
def route_1(): return b"1"
def route_2(): return b"2"
routes = {"/0": route_0, "/1": route_1, "/2": route_2, "/3": lambda: untaken()}
def untaken(): pass
class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_): pass
class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    request_queue_size = 50
def make(host, port):
    return wsgiref.simple_server.make_server(
        host, port, application, Server, handler_class=Quiet)
if sys.argv[1:] == ["again"]:
    after_start()
    make("0.0.0.0", 8080).serve_forever()
if sys.argv[1:] == ["child"]:
    in_child()
    os._exit(0)
ready = os.pipe()
number = os.fork()
if number == 0: worker()
os.read(ready[0], 1)
os.kill(number, signal.SIGKILL)
os.waitpid(number, 0)
for _ in range(500):
    if os.fork() == 0:
        in_fork()
        os._exit(0)
    os.wait()
server = make("127.0.0.1", 8999)
threading.Thread(target=server.serve_forever, daemon=True).start()
def ask(number):
    in_thread()
    assert urllib.request.urlopen("http://127.0.0.1:8999/%d?t=secret" % (number % 3)).read()
threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
subprocess.run([sys.executable, __file__, "child"], check=True)
os.execv(sys.executable, [sys.executable, __file__, "again"])
"""
CALLED = {
    "worker", "killed_in_worker", "in_fork", "in_thread", "in_child", "after_start",
    "application", "answer", "route_0", "route_1", "route_2", "ask", "make",
    "Quiet.log_message",
}  # fmt: skip
DROPPING = """\
import http.server, subprocess, sys
subprocess.run(["env", "-i", sys.executable, "-c", "pass"], check=True)
subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
http.server.HTTPServer(
    ("0.0.0.0", 8080), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def profile_of(cli: Cli, script: str, place: Path) -> dict[str, Any]:
    """Return the execution profile of the image with the script in its stead."""
    result = place / "result.json"
    done = cli.run(
        *("analyze", build("truth-python"), "--coverage", "--duration", "30"),
        *("--command", f"sh -c {shlex.quote(STARTED)}", "--env", f"SCRIPT={script}"),
        *("--advisories", str(cli.advisories), "--format", "json"),
        *("--output", str(result)),
    )
    assert result.exists(), done.stderr
    found: dict[str, Any] = json.loads(result.read_text())
    assert found["skipped_features"] == []
    profile: dict[str, Any] = found["execution_profile"]
    return profile


def test_workers_forks_threads_and_restarts_are_recorded(cli: Cli, tmp_path: Path) -> None:
    profile = profile_of(cli, LIVELY, tmp_path)
    (recording,) = (
        one for one in profile["function_recordings"] if one["runtime"] == "python"
    )
    assert recording["reasons"] == []
    calls = {one["name"]: one for one in profile["functions"] if "app.py" in one["path"]}
    assert set(calls) == CALLED
    assert calls["route_1"]["request"] == "GET /1"
    assert calls["route_1"]["stack"][0].endswith(" answer")
    assert "secret" not in json.dumps(profile["functions"])
    assert calls["after_start"]["process_id"] == 1 != calls["worker"]["process_id"]
    files = [*profile["files_accessed"], *profile["files_outside_image"]]
    assert not [one for one in files if one["path"].startswith("/.vexxy/")]


def test_processes_without_the_recorder_are_named(cli: Cli, tmp_path: Path) -> None:
    profile = profile_of(cli, DROPPING, tmp_path)
    (recording,) = (
        one for one in profile["function_recordings"] if one["runtime"] == "python"
    )
    dropped, isolated = sorted(recording["reasons"], key=lambda one: "isolated" in one)
    assert "without the variables" in dropped
    assert "isolated mode" in isolated
