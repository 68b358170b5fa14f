"""The recorder inside a real Node.js, with files and threads as applications have them."""

import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from socket import create_server

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.tracer.functions.node import service, wire
from vexxy.tracer.functions.types import Evidence, Recorded
from vexxy.tracer.types import Process, Source, Trace

EVERY = "VEXXY_TEST_NODES"
"""Paths of more interpreters, separated by colons."""
APPLICATION = """\
class A { constructor() { this.x = 1 } m() {} static s() {} get g() { return 1 } no() {} }
class B { m() {} } class C extends A {}
const arrow = async (a) => a, curry = a => b => a + b; async function af() {}
const o = { async am() {}, *gen() {}, get z() { return 1 } };
const text = "\u00fc\u20ac\U0001f600"; function after() { return 1 }
function never() { return function inner() {} }
new A().m(); new B(); new C().g; arrow(1); curry(1)(2); af(); o.am(); o.gen(); o.z; after();
A.s(); eval("function fromText() {}; fromText()"); new Function("return 1")();
exports.x = function () {}; exports.y = () => 1; exports.x();
for (let i = 0; i < 1e5; i++) hot(i); function hot(i) { return inlined(i) }
function inlined(i) { return i + 1 }
process.on('exit', function last() {});
setTimeout(function late() {}, 300);
"""
CALLED = {
    "A", "A.constructor", "A.m", "A.s", "A.g", "arrow", "curry", "<anonymous>", "af", "am",
    "gen", "z", "after", "x", "hot", "inlined", "last", "late",
}  # fmt: skip
NUMBERED = re.compile(r"f\d+")
CLUSTER = """\
const cluster = require('cluster'), http = require('http');
if (cluster.isMaster) {
  let left = 4;
  for (let i = 0; i < 4; i++) cluster.fork();
  cluster.on('listening', () => { if (--left === 0) ask() });
  function ask() {
    let open = 20;
    for (let i = 0; i < 20; i++)
      http.get({ port: process.env.PORT, path: '/r' + i % 3 + '?t=secret', agent: false },
        (r) => r.resume().on('end', () => --open || setTimeout(finish, 50)));
  }
  function finish() { for (const w of Object.values(cluster.workers)) w.kill() }
} else {
  http.createServer((req, res) => { route(req.url); res.end() }).listen(process.env.PORT);
}
function route(url) { [r0, r1, r2][url[2]]() }
function r0() {} function r1() {} function r2() {} function r3() {}
"""


def nodes() -> list[str]:
    found = shutil.which("node")
    return [
        *([found] if found else []),
        *filter(None, os.environ.get(EVERY, "").split(":")),
    ]


@dataclass
class Node:
    """One interpreter, with the recorder beside it as it is in a sandbox."""

    executable: str
    place: Path

    def __post_init__(self) -> None:
        for name, content in service.plan({}).files.items():
            path = self.place / ".vexxy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.place / ".vexxy-out").mkdir()

    def start(self, script: str, **environment: str) -> subprocess.Popen[str]:
        path = self.place / "app.js"
        path.write_text(script, encoding="utf-8")
        options = f"--require {self.place}/.vexxy/node/record.cjs"
        return subprocess.Popen(
            [self.executable, str(path)],
            env={"PATH": os.environ["PATH"], "NODE_OPTIONS": options, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str, **environment: str) -> None:
        with self.start(script, **environment) as process:
            _, problems = process.communicate(timeout=60)
        assert (process.returncode, problems) == (0, "")

    def told(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes() for path in (self.place / ".vexxy-out").iterdir()
        }

    def recorded(self, *processes: Process) -> Recorded:
        trace = Trace(Source.EBPF, 1e9, (), processes, (), (), (), (), 0)
        found = service.collect(
            Evidence(self.told(), (), trace, RootFilesystem(Path("/")), 0.0)
        )
        assert found is not None
        return found

    def names(self, found: Recorded) -> set[str]:
        return {call.name for call in found.calls if call.path.endswith("app.js")}


@pytest.fixture(params=nodes() or [""])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    if not request.param:
        pytest.skip("there is no Node.js on this machine")
    return Node(request.param, tmp_path)


def test_each_called_function_is_told_and_no_other(node: Node) -> None:
    node.run(APPLICATION)
    found = node.recorded()
    assert node.names(found) == CALLED
    assert found.recording.reasons == ()
    assert found.recording.paths_unrecorded == ()
    lines = {call.name: call.line for call in found.calls}
    assert (lines["A.m"], lines["after"], lines["late"]) == (1, 5, 13)


def test_what_an_instrumented_copy_counts_is_what_is_told(node: Node) -> None:
    """Each function says by itself when it is entered."""
    text = APPLICATION + "".join(
        f"function f{n}(a) {{ return a > {n} ? f{(n * 7) % 50}(a - 1) : 0 }}\n"
        for n in range(50)
    )
    text += "f3(30); f11(20); [1, 2].map(function mapped() { return f40(0) });\n"
    parts = text.encode().split(b"{ return a > ")
    counted = (
        b"{ (globalThis.seen = globalThis.seen || {})[new Error().stack.split('at ')[1]"
    )
    counted += b".split(' ')[0]] = 1; return a > "
    report = b"process.on('exit', () => console.log(Object.keys(seen).join()));\n"
    with node.start((report + counted.join(parts)).decode()) as process:
        truth, _ = process.communicate(timeout=60)
    for path in (node.place / ".vexxy-out").iterdir():
        path.unlink()
    node.run(text)
    told = {name for name in node.names(node.recorded()) if NUMBERED.fullmatch(name)}
    assert told == set(truth.strip().split(","))
    assert 0 < len(told) < 50


def test_workers_of_a_cluster_and_parallel_requests_are_told(node: Node) -> None:
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    node.run(CLUSTER, PORT=str(port))
    found = node.recorded()
    assert found.recording.processes == 5
    assert found.recording.reasons == ()
    assert {"route", "r0", "r1", "r2"} <= node.names(found)
    assert "r3" not in node.names(found)
    assert b"secret" not in b"".join(node.told().values())


def test_what_a_request_calls_first_is_known_by_it(node: Node) -> None:
    node.run(
        "const http = require('http');\n"
        "const s = http.createServer((q, r) => { answer(); r.end() }).listen(0, () =>\n"
        "  setTimeout(() => http.get({ port: s.address().port, path: '/a?t=secret' },\n"
        "    (r) => r.resume().on('end', () => s.close())), 500));\n"
        "function answer() {}\n"
    )
    calls = {call.name: call for call in node.recorded().calls}
    assert calls["answer"].request == "GET /a"


def test_a_thread_is_told_and_one_without_the_recorder_is_a_reason(node: Node) -> None:
    script = (
        "const { Worker, isMainThread: m } = require('worker_threads');\n"
        "function inThread() {}\n"
        "if (m) new Worker(__filename%s); else inThread();\n"
    )
    node.run(script % "")
    found = node.recorded()
    assert "inThread" in node.names(found)
    assert found.recording.reasons == ()
    node.run(script % ", { env: {} }")
    (reason,) = node.recorded().recording.reasons
    assert reason.startswith("thread 1 of ")


def test_a_killed_process_has_told_and_is_a_reason(node: Node) -> None:
    script = "function early() {}\nearly(); setInterval(() => console.log('on'), 700);\n"
    with node.start(script) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    ended = Process(process.pid, 1, node.executable, ended_seconds=time.monotonic())
    found = node.recorded(replace(ended, first_seen_seconds=0.0))
    assert "early" in node.names(found)
    (reason,) = found.recording.reasons
    assert "was ended from outside" in reason
    assert f"process {process.pid})" in reason


@pytest.mark.parametrize("handled", [True, False])
def test_a_signal_ends_it_as_it_would_and_all_is_told(node: Node, *, handled: bool) -> None:
    handler = "process.on('SIGTERM', function mine() { process.exit(3) });\n"
    script = "setTimeout(() => { console.log('up') }, 300); setTimeout(() => {}, 60000);\n"
    with node.start(script + (handler if handled else "")) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, problems = process.communicate(timeout=20)
    assert problems == ""
    assert process.returncode == (3 if handled else -signal.SIGTERM)
    found = node.recorded()
    assert ("mine" in node.names(found)) is handled
    assert found.recording.reasons == ()


def test_whoever_is_asked_for_last_words_gives_them(node: Node) -> None:
    script = (
        "setTimeout(() => late(), 900); setTimeout(() => {}, 60000); function late() {}\n"
    )
    with node.start(script) as process:
        deadline = time.monotonic() + 20
        while not any(b"late" in content for content in node.told().values()):
            assert time.monotonic() < deadline
        stop = time.monotonic()
        (node.place / ".vexxy-out" / "stop").write_text(f"{stop}\n")
        while not any(life.last_seconds >= stop for life in wire.read(node.told()).lives):
            assert time.monotonic() < deadline
        process.kill()
    ended = Process(process.pid, 1, node.executable, ended_seconds=time.monotonic())
    assert node.recorded(ended).recording.reasons == ()


def test_a_process_without_the_variables_is_a_reason(node: Node) -> None:
    node.run(
        "require('child_process').execFileSync(process.execPath, ['-e', '0'], {env: {}})"
    )
    number = next(iter(wire.read(node.told()).lives)).hello.process_id
    ran = [
        Process(number, 1, "/usr/bin/node", ("node", "app.js")),
        Process(number + 1, number, "/usr/bin/node", ("node", "-e", "0")),
        Process(number + 2, number, "/usr/bin/node", ("node", "--version")),
    ]
    (reason,) = node.recorded(*ran).recording.reasons
    assert f"(process {number + 1}) did not report" in reason


def test_a_program_that_measures_itself_is_a_reason(node: Node) -> None:
    node.run(
        "const s = new (require('inspector').Session)(); s.connect();\n"
        "s.post('Profiler.enable'); s.post('Profiler.startPreciseCoverage');\n"
    )
    assert node.recorded().recording.reasons == ("the program measures its own coverage",)


def test_modules_of_every_kind_are_told_by_their_files(node: Node) -> None:
    (node.place / "b c.mjs").write_text(
        "export function b() {}\nexport default () => b();\n"
    )
    node.run(
        "import('./b c.mjs').then((m) => m.default());\n"
        "import('data:text/javascript,(function d() {})()');\n"
    )
    found = node.recorded()
    named = {(Path(call.path).name, call.name) for call in found.calls}
    assert {("b c.mjs", "b"), ("b c.mjs", "module.exports")} <= named
    assert found.recording.paths_unrecorded == ("data:",)


def test_a_copy_that_was_made_from_text_leaves_its_file_out(node: Node) -> None:
    node.run("function copied() { return 1 }\neval('(' + copied + ')()');\n")
    found = node.recorded()
    assert node.names(found) == set()
    assert found.recording.paths_unrecorded == (str(node.place / "app.js"),)
