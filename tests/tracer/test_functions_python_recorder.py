"""The recorder inside real interpreters, every version that this machine has."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from vexxy.images.rootfs import RootFilesystem
from vexxy.tracer.functions.python import service, wire
from vexxy.tracer.functions.types import Evidence, Recorded
from vexxy.tracer.types import FunctionCall, Process, Source, Trace

MINE = f"{sys.version_info[0]}.{sys.version_info[1]}"
EVERY = "VEXXY_TEST_EVERY_PYTHON"
VERSIONS = [f"3.{minor}" for minor in range(6, 16)]
APPLICATION = """\
import os, sys, threading
class C:
    x = [i for i in range(3)]
    def m(self): return (lambda: 1)()
    @staticmethod
    def never(): pass
    @property
    def p(self): return 1
def deco(f):
    def inner(*a): return f(*a)
    return inner
@deco
def decorated(): return {i for i in range(2)}
@deco
def never_either(): pass
def gen():
    yield 1
def gen_never_run():
    yield 1
def in_thread(): pass
def in_child(): pass
async def co(): pass
def wsgi(environ): handler()
def handler(): pass
def asgi(scope): asgi_handler()
def asgi_handler(): pass
exec("def from_text(): pass\\nfrom_text()")
C().m(); C().p; decorated(); list(gen()); gen_never_run()
try: co().send(None)
except StopIteration: pass
wsgi({"REQUEST_METHOD": "GET", "PATH_INFO": "/note", "QUERY_STRING": "t=secret"})
asgi({"type": "http", "method": "POST", "path": "/clean", "query_string": b"secret"})
child = os.fork()
if child == 0:
    in_child()
    os.kill(os.getpid(), 9)
os.waitpid(child, 0)
threads = [threading.Thread(target=in_thread) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
def late(): pass
late()
os._exit(0)
"""
CALLED = {
    "C.m", "C.m.<locals>.<lambda>", "C.p", "deco", "deco.<locals>.inner", "decorated",
    "gen", "in_thread", "in_child", "co", "wsgi", "handler", "asgi", "asgi_handler", "late",
}  # fmt: skip
TRUTH = """\
import sys, threading
seen = set()
def truth(frame, event, arg):
    if event == "call":
        seen.add(frame.f_code)
threading.setprofile(truth)
sys.setprofile(truth)
import argparse, collections, csv, email.message, html.parser, io, json, logging, shlex
import string, tempfile, textwrap, urllib.parse, xml.etree.ElementTree, zipfile
json.dumps({"a": [1, 2.5, None]}, indent=1, sort_keys=True)
email.message.EmailMessage().set_content("text")
argparse.ArgumentParser().parse_args([])
html.parser.HTMLParser().feed("<a href=x>y</a>")
logging.getLogger("x").warning("%s", "y")
shlex.split("a 'b c'")
textwrap.wrap("word " * 50)
urllib.parse.urljoin("http://a/b", "../c?d=e")
xml.etree.ElementTree.fromstring("<a><b/></a>")
with zipfile.ZipFile(io.BytesIO(), "w") as z: z.writestr("a", "b")
thread = threading.Thread(target=string.Template("$a").substitute, kwargs={"a": "b"})
thread.start(); thread.join()
sys.setprofile(None)
real = {c for c in seen if c.co_flags & 3 == 3 and c.co_filename[:1] == "/"}
real = {c for c in real if c.co_name[:1] != "<" or c.co_name == "<lambda>"}
import os
with open(sys.argv[1], "w") as out:
    for c in sorted(real, key=lambda c: (c.co_filename, c.co_firstlineno)):
        out.write("%s\\t%d\\t%s\\n" % (c.co_filename, c.co_firstlineno, c.co_name))
"""


@dataclass
class Python:
    """One interpreter, with the recorder beside it as it is in a sandbox."""

    executable: str
    place: Path

    def __post_init__(self) -> None:
        beside = service.plan({})
        for name, content in beside.files.items():
            path = self.place / ".vexxy" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (self.place / ".vexxy-out").mkdir()

    def run(
        self, script: str, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        path = self.place / "app.py"
        path.write_text(script)
        own = str(self.place / ".vexxy" / "python")
        before = environment.pop("PYTHONPATH", "")
        return subprocess.run(
            [self.executable, str(path), *arguments],
            env={"PYTHONPATH": f"{own}:{before}", **environment},
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def told(self) -> wire.Told:
        return wire.read(self.files())

    def files(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes() for path in (self.place / ".vexxy-out").iterdir()
        }

    def recorded(self, *processes: Process) -> Recorded:
        trace = Trace(
            source=Source.EBPF,
            duration_seconds=1.0,
            files=(),
            processes=processes,
            network_connections=(),
            syscalls=(),
            refusals=(),
            gaps=(),
            lost_events=0,
        )
        root = RootFilesystem(Path("/"))
        return service.collect(Evidence(self.files(), (), trace, root, 0.0))

    def calls(self) -> list[FunctionCall]:
        path = str((self.place / "app.py").resolve())
        return [call for call in self.recorded().calls if call.path == path]


def find_python(version: str) -> str | None:
    if version == MINE:
        return sys.executable
    usual = Path.home() / ".pyenv" / "versions"
    places = [str(path) for path in usual.glob(f"{version}.*/bin/python{version}")]
    for name in [*places, shutil.which(f"python{version}")]:
        if name and subprocess.run([name, "-c", ""], check=False).returncode == 0:
            return name
    return None


@pytest.fixture(params=VERSIONS)
def python(request: pytest.FixtureRequest, tmp_path: Path) -> Python:
    if request.param != MINE and EVERY not in os.environ:
        pytest.skip(f"set {EVERY}=1 to run it in Python {request.param}, too")
    executable = find_python(request.param)
    if executable is None:
        pytest.skip(f"no Python {request.param} on this machine")
    return Python(executable, tmp_path)


def test_what_was_called_is_told_and_nothing_else(python: Python) -> None:
    done = python.run(APPLICATION)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    called = {call.name for call in python.calls()}
    hello = python.told().hellos[0]
    if hello.mode == "threads" or hello.version == (3, 11):
        # 3.11 enters a generator's code to make the generator, and up to 3.8 to close it.
        called -= {"gen_never_run"}
    assert called == CALLED
    assert python.recorded().recording.reasons == ()


def test_threads_are_recorded_without_the_compiled_module_too(python: Python) -> None:
    for module in python.place.glob(".vexxy/python/*.so"):
        module.unlink()
    # As a `.pth` file may do, before anybody listens.
    hook = "import threading\n"
    beside = python.place / ".vexxy" / "python" / "sitecustomize.py"
    beside.write_text(hook + beside.read_text())
    done = python.run(APPLICATION)
    assert (done.returncode, done.stderr) == (0, "")
    called = {call.name for call in python.calls()} - {"gen_never_run"}
    assert called == CALLED
    assert python.told().hellos[0].mode in {"monitoring", "profile"}


def test_each_call_knows_its_callers_and_the_request(python: Python) -> None:
    python.run(APPLICATION)
    calls = {call.name: call for call in python.calls()}
    path = (python.place / "app.py").resolve()
    assert calls["handler"].request == "GET /note"
    assert calls["asgi_handler"].request == "POST /clean"
    assert calls["late"].request == ""
    assert calls["handler"].stack[0] == f"{path}:23 wsgi"
    assert calls["handler"].module == "app"
    assert calls["handler"].line == 24
    assert calls["in_child"].process_id != calls["late"].process_id
    assert not any(b"secret" in content for content in python.files().values())


def test_code_from_text_is_named_as_unrecorded(python: Python) -> None:
    python.run(APPLICATION)
    unrecorded = python.recorded().recording.paths_unrecorded
    assert {"<string>", str((python.place / "app.py").resolve())} & set(unrecorded)


def test_hundreds_of_forks_are_recorded(python: Python) -> None:
    done = python.run(
        "import os\n"
        "def in_child(): pass\n"
        "for number in range(500):\n"
        "    if os.fork() == 0:\n"
        "        in_child()\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = python.told()
    forks = {one.process_id for one in told.hellos if one.kind == "fork"}
    called = {call.process_id for call in told.calls if call.name == "in_child"}
    assert len(forks) == len(called) == 500
    assert told.damaged == 0


def test_closed_descriptors_and_another_directory_change_nothing(python: Python) -> None:
    done = python.run(
        "import os\n"
        "os.closerange(3, 100)\n"
        "ours = os.open('/dev/null', os.O_RDWR)\n"
        "os.chdir('/')\n"
        "def late(): pass\n"
        "late()\n"
        "assert ours == 3\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [call.name for call in python.calls()] == ["late"]


def test_a_program_that_starts_itself_again_reports_again(python: Python) -> None:
    script = (
        "import os, sys\n"
        "def first(): pass\n"
        "def second(): pass\n"
        "if len(sys.argv) == 1:\n"
        "    first()\n"
        "    os.execv(sys.executable, [sys.executable, sys.argv[0], 'again'])\n"
        "second()\n"
    )
    python.run(script)
    told = python.told()
    (number,) = {one.process_id for one in told.hellos}
    assert len({one.run for one in told.hellos}) == 2
    assert {call.name for call in python.calls()} == {"first", "second"}
    executable = told.hellos[0].executable
    runs = [Process(number, 0, executable, (executable, "app.py"))] * 2
    assert python.recorded(*runs).recording.reasons == ()
    assert python.recorded(*runs, runs[0]).recording.reasons


@pytest.mark.parametrize("option", ["-I", "-E", "-S"])
def test_an_isolated_child_is_missed(python: Python, option: str) -> None:
    done = python.run(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, sys.argv[1], '-c', 'pass'])\n"
        "child.wait()\n"
        "print(child.pid)\n",
        option,
    )
    executable = python.told().hellos[0].executable
    child = Process(int(done.stdout), 0, executable, (executable, option, "-c", "pass"))
    (reason,) = python.recorded(child).recording.reasons
    assert "isolated" in reason


def test_the_image_s_own_sitecustomize_runs(python: Python) -> None:
    own = python.place / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("def hook(): print('own')\nhook()\n")
    script = (
        "import sitecustomize, sys\n"
        "print(sitecustomize.__file__)\n"
        "print([p for p in sys.path if p.endswith('own')] != [])\n"
    )
    done = python.run(script, PYTHONPATH=str(own))
    said = done.stdout.split()
    assert said == ["own", str(own / "sitecustomize.py"), "True"]
    assert "hook" in {call.name for call in python.told().calls}


def test_an_image_s_sitecustomize_that_fails_fails_as_without_us(python: Python) -> None:
    own = python.place / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import there_is_no_such_module\n")
    done = python.run("print('ran')", PYTHONPATH=str(own))
    assert "there_is_no_such_module" in done.stderr
    assert done.stdout == "ran\n"


def test_an_exception_of_a_signal_handler_is_the_program_s(python: Python) -> None:
    done = python.run(
        "import signal\n"
        "class Late(Exception): pass\n"
        "def handler(*_): raise Late\n"
        "signal.signal(signal.SIGALRM, handler)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
        "try:\n"
        "    while True:\n"
        "        exec('def f%d(): pass\\nf%d()' % (id([]) % 9999, id([]) % 9999), {})\n"
        "        for number in range(50):\n"
        "            exec('f = lambda: %d\\nf()' % number, {})\n"
        "except (Late, NameError) as error:\n"
        "    print(type(error).__name__)\n"
    )
    assert done.stderr == ""
    assert done.stdout in {"Late\n", "NameError\n"}


def test_deep_recursion_ends_as_it_would_alone(python: Python) -> None:
    done = python.run(
        "def down(n): return down(n + 1)\n"
        "try: down(0)\n"
        "except RecursionError: print('limit')\n"
        "def after(): pass\n"
        "after()\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "limit\n", "")
    assert {call.name for call in python.calls()} == {"down", "after"}


def test_a_function_first_called_where_no_stack_is_left_is_told_later(
    python: Python,
) -> None:
    done = python.run(
        "def at_the_limit(): pass\n"
        "def last(n):\n"
        "    try: last(n + 1)\n"
        "    except RecursionError:\n"
        "        try: at_the_limit()\n"
        "        except RecursionError: pass\n"
        "last(0)\n"
        "at_the_limit()\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {call.name for call in python.calls()} == {"last", "at_the_limit"}


def test_nothing_is_missed_that_a_profiler_sees(python: Python) -> None:
    done = python.run(TRUTH, str(python.place / "truth"))
    assert (done.returncode, done.stdout) == (0, "")
    told = python.told()
    mine = {(call.path, call.line) for call in told.calls}
    if told.hellos[0].mode == "threads":
        # Before 3.9 there is one place for a profiler, so the program's is a reason.
        assert any("traces itself" in reason for reason in told.reasons)
        return
    truth = [line.split("\t") for line in (python.place / "truth").read_text().splitlines()]
    missed = [entry for entry in truth if (entry[0], int(entry[1])) not in mine]
    own = str(python.place)
    assert [entry for entry in missed if not entry[0].startswith(own + "/.vexxy")] == []
    assert len(truth) > 200


@pytest.mark.parametrize("call", ["sys.setprofile(print)", "sys.settrace(print)"])
def test_a_program_that_traces_itself_is_a_reason(python: Python, call: str) -> None:
    python.run(f"import sys\nsys.stdout = None\n{call}\n")
    told = python.told()
    # Frames are told of whatever the program does; elsewhere a tracer hides what it calls.
    mode = told.hellos[0].mode
    assert bool(told.reasons) == (mode != "frames")
