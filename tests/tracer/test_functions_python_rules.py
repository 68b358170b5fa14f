"""Which interpreters had to report, what is named how, and lines nobody trusts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.tracer.functions.python import rules, service, wire
from vexxy.tracer.functions.python.wire import Hello
from vexxy.tracer.types import Process, Refusal, Source, Trace, TracedFile, Use

PYTHON = "/usr/bin/python3.11"


def trace(*processes: Process, files: tuple[TracedFile, ...] = ()) -> Trace:
    return Trace(
        source=Source.EBPF,
        duration_seconds=1.0,
        files=files,
        processes=processes,
        network_connections=(),
        syscalls=(),
        refusals=(),
        gaps=(),
        lost_events=0,
    )


def ran(number: int, *arguments: str, executable: str = PYTHON) -> Process:
    return Process(number, 0, executable, (executable, *arguments))


def hello(
    number: int, run: str = "1", *, kind: str = "start", executable: str = PYTHON
) -> Hello:
    return Hello(
        kind=kind,
        process_id=number,
        parent_process_id=0,
        seconds=1.0,
        version=(3, 11),
        mode="frames",
        run=run,
        executable=executable,
        library="/usr/lib/python3.11",
    )


def silent(*processes: Process, hellos: tuple[Hello, ...] = ()) -> list[str]:
    return list(rules.silent_processes(trace(*processes), hellos))


def test_an_interpreter_that_reported_is_no_reason() -> None:
    assert silent(ran(1, "/app.py"), hellos=(hello(1),)) == []


def test_an_interpreter_that_did_not_report_is_named() -> None:
    (reason,) = silent(ran(1, "/app.py"), ran(7, "/job.py"), hellos=(hello(1),))
    assert "(process 7)" in reason
    assert "without the variables" in reason


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-uI", "-Bs", "-sE"])
def test_an_isolated_mode_is_named_as_the_cause(option: str) -> None:
    (reason,) = silent(ran(1, option, "/app.py"))
    assert ("isolated" in reason) == (option != "-Bs")


def test_an_option_of_the_program_is_not_one_of_the_interpreter() -> None:
    (reason,) = silent(ran(1, "/app.py", "-I"))
    assert "isolated" not in reason


def test_a_process_that_starts_itself_again_has_to_report_again() -> None:
    twice = (ran(1, "/app.py"), ran(1, "-I", "/app.py"))
    assert len(silent(*twice, hellos=(hello(1),))) == 1
    assert silent(*twice, hellos=(hello(1, "1"), hello(1, "2"))) == []


def test_a_second_interpreter_in_one_process_is_no_second_start() -> None:
    twice = (ran(1, "/app.py"), ran(1, "-I", "/app.py"))
    assert len(silent(*twice, hellos=(hello(1, "1"), hello(1, "1")))) == 1


def test_a_fork_does_not_stand_for_a_start() -> None:
    assert len(silent(ran(2, "/app.py"), hellos=(hello(2, kind="fork"),))) == 1


def test_asking_for_the_version_runs_nothing() -> None:
    assert silent(ran(1, "--version"), ran(2, "-V")) == []
    assert len(silent(ran(1, "-V", "/app.py"))) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/bin/python3", True),
        ("/usr/local/bin/python3.13t", True),
        ("/opt/pypy/bin/pypy3.10", True),
        ("/usr/bin/python3.11-dbg", True),
        ("/usr/bin/python2.7", True),
        ("/usr/bin/pythonic-tool", False),
        ("/usr/sbin/uwsgi", False),
    ],
)
def test_interpreters_are_known_by_name(path: str, expected: bool) -> None:  # noqa: FBT001  a table's column
    assert rules.is_interpreter(path) is expected


def file(path: str, use: Use, process: str) -> TracedFile:
    return TracedFile(path, use, (0, 0), 0.0, process=process)


@pytest.mark.parametrize(
    "seen",
    [
        file("/usr/lib/libpython3.11.so.1.0", Use.MAPPED, "/usr/sbin/uwsgi"),
        file("/usr/lib/python3.11/encodings/__init__.py", Use.READ, "/usr/sbin/uwsgi"),
        file(
            "/usr/lib/python3.11/encodings/__pycache__/__init__.cpython-311.pyc",
            Use.READ,
            "/usr/sbin/uwsgi",
        ),
        file("/usr/sbin/uwsgi", Use.EXECUTED, "/usr/sbin/uwsgi"),
    ],
)
def test_a_program_that_holds_an_interpreter_has_to_report(seen: TracedFile) -> None:
    found = trace(ran(1, executable="/usr/sbin/uwsgi"), files=(seen,))
    programs = list(rules.embedding_programs(found, {"/usr/sbin/uwsgi": True}))
    assert programs == [("/usr/sbin/uwsgi", 1)]
    assert len(list(rules.silent_programs(programs, ()))) == 1
    told = hello(1, executable="/usr/sbin/uwsgi")
    assert list(rules.silent_programs(programs, (told,))) == []


def test_an_ordinary_program_holds_none() -> None:
    seen = file("/usr/sbin/nginx", Use.EXECUTED, "/usr/sbin/nginx")
    found = trace(ran(1, executable="/usr/sbin/nginx"), files=(seen,))
    assert list(rules.embedding_programs(found, {"/usr/sbin/nginx": False})) == []


@pytest.mark.parametrize(
    ("path", "process", "expected"),
    [
        ("/a/pandas/_libs/lib.cpython-311-x86_64-linux-gnu.so", "/usr/sbin/uwsgi", True),
        ("/a/cryptography/_rust.abi3.so", PYTHON, True),
        ("/a/old/_speedups.so", PYTHON, True),
        ("/usr/lib/libssl.so", PYTHON, False),
        ("/usr/lib/libssl.so.3", PYTHON, False),
        ("/usr/lib/nginx/module.so", "/usr/sbin/nginx", False),
    ],
)
def test_modules_in_machine_code_are_named(
    path: str,
    process: str,
    expected: bool,  # noqa: FBT001  a table's column
) -> None:
    assert rules.is_compiled_module(path, process) is expected


def test_a_process_that_may_not_write_is_a_reason() -> None:
    refusal = Refusal("openat", "EPERM", "/.vexxy-out/python-1-2", process=PYTHON)
    other = Refusal("openat", "EROFS", "/app/cache", process=PYTHON)
    assert len(list(rules.refused_writes([refusal, other]))) == 1


SOURCE = b"""\
class C:
    x = [i for i in range(3)]

    @property
    @wraps
    def p(self):
        def inner(): pass
        return lambda: inner

    async def q(self): pass

def f(): pass; g = lambda: 1
"""


def test_names_are_qualified_as_the_interpreter_does_it() -> None:
    names = rules.qualified_names(SOURCE)
    assert names[4, "p"] == {"C.p"}  # a code object begins at its first decorator
    assert names[7, "inner"] == {"C.p.<locals>.inner"}
    assert names[8, "<lambda>"] == {"C.p.<locals>.<lambda>"}
    assert names[10, "q"] == {"C.q"}
    assert names[12, "f"] == {"f"}


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("/usr/lib/python3/dist-packages/yaml/constructor.py", "yaml.constructor"),
        ("/venv/lib/python3.9/site-packages/bleach/__init__.py", "bleach"),
        ("/usr/lib/python3.11/email/message.py", "email.message"),
        ("/app/shop/views.py", "shop.views"),
        ("/app/main.py", "main"),
    ],
)
def test_modules_are_named_as_they_are_imported(path: str, module: str) -> None:
    packages = {"/app/shop": True, "/app": False}
    library = "/usr/lib/python3.11"
    assert rules.module_name(path, library=library, is_package=packages) == module


def test_code_frozen_into_the_interpreter_has_a_file() -> None:
    library = "/usr/lib/python3.11"
    assert rules.source_path("<frozen os>", library) == f"{library}/os.py"
    assert not rules.is_from_text("<frozen os>")
    assert rules.is_from_text("<string>")


LINES = (
    b"H\tstart\t7\t1\t2.5\t3.11\tframes\t140\t/usr/bin/python3.11\t/usr/lib/python3.11\tp\n"
    b"B\t/usr/lib/python3.11/site.py\n"
    b"F\t3.0\t4\t/app/a\\tb.py\tC.m\tGET /note\t\t/app/main.py:3 main\n"
    b"R\tbecause\n"
)


def test_lines_are_read() -> None:
    told = wire.read({"python-7-1": LINES})
    assert told.hellos[0].version == (3, 11)
    assert told.calls[0].hello == told.hellos[0]
    assert told.calls[0].path == "/app/a\N{REPLACEMENT CHARACTER}b.py"
    assert told.calls[0].stack == ("/app/main.py:3 main",)
    assert list(told.before) == ["/usr/lib/python3.11/site.py"]
    assert list(told.reasons) == ["because"]
    assert told.damaged == 0


@pytest.mark.parametrize("cut", [1, 20, 100, len(LINES) - 1])
def test_a_file_that_was_cut_is_told(cut: int) -> None:
    assert wire.read({"python-7-1": LINES[:cut]}).damaged >= 1


@given(st.dictionaries(st.sampled_from(["python-1-2", "python-3-4-0", "x"]), st.binary()))
def test_nothing_an_image_writes_breaks_the_reader(files: dict[str, bytes]) -> None:
    told = wire.read(files)
    lines = sum(content.count(b"\n") + 1 for name, content in files.items() if name != "x")
    assert told.damaged <= lines


@given(st.binary(max_size=60).map(lambda noise: LINES + noise + b"\n"))
def test_noise_is_counted_and_the_rest_is_kept(content: bytes) -> None:
    told = wire.read({"python-7-1": content})
    assert told.calls[0].name == "C.m"


def test_the_image_s_own_path_stays_behind_the_recorder() -> None:
    assert service.plan({})
    assert service.plan({}).environment == {"PYTHONPATH": "/.vexxy/python"}
    both = service.plan({"PYTHONPATH": "/app:/lib"}).environment
    assert both == {"PYTHONPATH": "/.vexxy/python:/app:/lib"}
    assert "python/sitecustomize.py" in service.plan({}).files
