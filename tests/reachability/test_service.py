"""Judging real files: who owns what, what is absent, what the symbols say."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.planted import LIBRARIES, Planted
from tests.fakes.values import a_match, a_package
from vexxy.advisories.types import Match, Precondition, PreconditionKind, Symbol
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import service
from vexxy.reachability.types import Level, Verdict
from vexxy.sbom.types import Inventory, Package, Problem
from vexxy.tracer.types import (
    Access,
    FunctionCall,
    FunctionRecording,
    Process,
    Runtime,
)
from vexxy.vex.types import Justification

SITE = "/usr/local/lib/python3.11/site-packages"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    return Planted(tmp_path / "root")


def status(verdict: Verdict) -> str:
    return verdict.status.value


def test_a_file_seen_under_another_name_of_its_directory(tree: Planted) -> None:
    """The kernel says /usr/lib, an inventory may say /lib: the link joins them."""
    path = tree.library("libz.so.1")
    tree.link("/lib", "usr/lib")
    tree.touched(path, Access.MAPPED)
    (verdict,) = tree.judge(tree.owner("/lib/x86_64-linux-gnu/libz.so.1"))
    assert status(verdict) == "affected"


def test_a_file_seen_under_the_name_of_its_hard_link(tree: Planted) -> None:
    path = tree.program("/usr/bin/perl")
    os.link(tree.directory / "usr/bin/perl", tree.directory / "usr/bin/perl5.36.0")
    tree.touched("/usr/bin/perl5.36.0", Access.EXECUTED)
    (verdict,) = tree.judge(tree.owner(path))
    assert status(verdict) == "affected"


def test_an_open_through_a_link_is_an_open_of_the_file(tree: Planted) -> None:
    path = tree.library("libz.so.1.2.13")
    tree.link(f"{LIBRARIES}/libz.so.1", "libz.so.1.2.13")
    tree.touched(f"{LIBRARIES}/libz.so.1", Access.MAPPED)
    (verdict,) = tree.judge(tree.owner(path))
    assert status(verdict) == "affected"


def test_the_loader_of_what_ran_is_loaded_although_no_one_opens_it(tree: Planted) -> None:
    loader = tree.library("ld-own.so.1")
    tree.link("/lib64/ld-own.so.1", loader)
    option = "-Wl,--dynamic-linker=/lib64/ld-own.so.1"
    tree.compile("/usr/sbin/daemon", "int main(void){return 0;}", option)
    tree.touched("/usr/sbin/daemon", Access.EXECUTED)
    (verdict,) = tree.judge(tree.owner(loader))
    assert status(verdict) == "affected"


def test_metadata_is_no_use(tree: Planted) -> None:
    path = tree.library("libz.so.1")
    tree.touched(path, Access.METADATA)
    (verdict,) = tree.judge(tree.owner(path))
    assert status(verdict) == "not_affected"


def test_files_that_are_gone_are_a_component_that_is_not_present(tree: Planted) -> None:
    others = tuple(tree.owner(tree.library(f"lib{n}.so"), name=f"lib{n}") for n in range(3))
    gone = tree.owner(f"{LIBRARIES}/libgone.so.1", name="gone")
    verdict, *_ = tree.judge(gone, inventory=Inventory(None, (gone, *others)))
    assert verdict.justification is Justification.COMPONENT_NOT_PRESENT
    assert verdict.level is Level.ABSENT


def test_an_inventory_of_another_image_makes_nothing_absent(tree: Planted) -> None:
    tree.write("/etc/os-release", "ID=other")
    gone = tuple(tree.owner(f"/opt/{n}.so", name=f"lib{n}") for n in range(3))
    for verdict in tree.judge(*gone):
        assert status(verdict) == "under_investigation"
        assert "another image" in verdict.reason


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"files": ()}, "meta or virtual"),
        ({"files": (), "files_known": False}, "does not say which files"),
        ({"files": ("/usr/share/doc/planted/copyright",)}, "describe it"),
    ],
)
def test_a_package_without_code_of_its_own_stays_open(
    tree: Planted, given: dict[str, object], reason: str
) -> None:
    tree.write("/usr/share/doc/planted/copyright", "x")
    (verdict,) = tree.judge(a_package("planted", **given))
    assert status(verdict) == "under_investigation"
    assert reason in verdict.reason


def test_a_package_behind_a_problem_is_never_clean(tree: Planted) -> None:
    package = tree.owner(tree.library("libz.so.1"))
    problems = (Problem("/var/lib/dpkg/status", "a damaged stanza"),)
    (verdict,) = tree.judge(package, inventory=Inventory(None, (package,), (), problems))
    assert status(verdict) == "under_investigation"
    assert "a damaged stanza" in verdict.reason


@pytest.mark.parametrize(
    ("name", "kind", "kernel"),
    [
        ("linux-libc-dev", "deb", True),
        ("linux-image-6.1.0-30-amd64", "deb", True),
        ("linux-headers-amd64", "deb", True),
        ("kernel", "rpm", True),
        ("kernel-headers", "rpm", True),
        ("linux-virt", "apk", True),
        ("linux-perf", "deb", False),
        ("kernel-tools", "rpm", False),
        ("util-linux", "deb", False),
        ("linux-libc-dev", "pypi", False),
    ],
)
def test_the_kernel_is_the_hosts(
    tree: Planted, name: str, kind: str, *, kernel: bool
) -> None:
    file = tree.write("/usr/include/linux/own.h", "x")
    (verdict,) = tree.judge(tree.owner(file, name=name, type=kind), driven=False)
    assert (verdict.justification is Justification.COMPONENT_NOT_PRESENT) is kernel


def test_data_is_judged_by_its_reads_and_by_what_was_made_of_it(tree: Planted) -> None:
    zone = tree.write("/usr/share/zoneinfo/Europe/Berlin", "x")
    roots = tree.write("/usr/share/ca-certificates/mozilla/Own.crt", "x")
    words = tree.write("/usr/share/dict/words", "x")
    tree.touched(zone, Access.DATA)
    tree.touched(tree.write("/etc/ssl/certs/ca-certificates.crt", "x"), Access.DATA)
    verdicts = tree.judge(
        tree.owner(zone, name="tzdata"),
        tree.owner(roots, name="ca-certificates"),
        tree.owner(words, name="wamerican"),
    )
    assert [status(one) for one in verdicts] == ["affected", "affected", "not_affected"]


def test_scripts_beside_a_loaded_program_of_the_same_source(tree: Planted) -> None:
    """`redis-server` has the start script, `redis-tools` of the same source the program."""
    program = tree.compile("/usr/bin/redis-check-rdb", "int main(void){return 0;}")
    script = tree.program("/etc/init.d/redis-server", "#!/bin/sh\n")
    tree.touched(program, Access.EXECUTED)
    tools = tree.owner(program, name="redis-tools", source_name="redis")
    server = tree.owner(script, name="redis-server", source_name="redis")
    first, second = tree.judge(tools, server)
    assert status(first) == "affected"
    assert status(second) == "under_investigation"
    assert "redis-tools" in second.reason


def test_an_archive_that_was_opened_is_loaded_with_all_it_holds(tree: Planted) -> None:
    jar = tree.write("/srv/app.jar", "PK")
    tree.touched(jar, Access.CODE)
    inner = a_package("org:lib", type="maven", files=(), embedded_in=jar)
    other = a_package("org:lib", type="maven", files=(), embedded_in="/srv/other.jar")
    tree.write("/srv/other.jar", "PK")
    used, unused = tree.judge(inner, other)
    assert (status(used), status(unused)) == ("affected", "not_affected")


def test_a_program_that_was_executed_uses_all_it_embeds(tree: Planted) -> None:
    binary = tree.write("/server", "static", mode=0o755)
    tree.touched(binary, Access.EXECUTED)
    crate = a_package("rustls", type="cargo", files=(), embedded_in=binary)
    symbol = Symbol("rustls::x", "f", "a reviewed record")
    (verdict,) = tree.judge(a_match(crate, symbols=(symbol,)))
    assert status(verdict) == "affected"


def flask(tree: Planted, *files: str) -> Package:
    paths = tuple(f"{SITE}/{name}" for name in files)
    for path in paths:
        if not (tree.directory / path.lstrip("/")).exists():
            tree.write(path, "")
    return tree.owner(*paths, type="pypi", name="Werkzeug")


def finding(package: Package, module: str, name: str, confidence: float = 1.0) -> Match:
    symbol = Symbol(module, name, "a reviewed record", confidence)
    return a_match(package, symbols=(symbol,))


def test_a_module_that_this_version_lacks_is_code_not_present(tree: Planted) -> None:
    package = flask(tree, "werkzeug/__init__.py", "werkzeug/formparser.py")
    tree.touched(f"{SITE}/werkzeug/__init__.py")
    match = finding(package, "werkzeug.sansio.multipart", "MultipartDecoder._parse_data")
    (verdict,) = tree.judge(match, driven=False)
    assert verdict.justification is Justification.VULNERABLE_CODE_NOT_PRESENT
    assert "werkzeug.sansio.multipart" in verdict.reason


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("werkzeug/__init__.py", "from . import sansio"),
        ("werkzeug/formparser.py", "class MultipartDecoder: pass"),
    ],
)
def test_a_doubt_about_a_missing_module_is_no_proof(
    tree: Planted, file: str, text: str
) -> None:
    tree.write(f"{SITE}/{file}", text)
    package = flask(tree, "werkzeug/__init__.py", "werkzeug/formparser.py")
    tree.touched(f"{SITE}/werkzeug/__init__.py")
    match = finding(package, "werkzeug.sansio.multipart", "MultipartDecoder._parse_data")
    (verdict,) = tree.judge(match)
    assert status(verdict) == "affected"


def test_a_vulnerable_module_that_nothing_loads(tree: Planted) -> None:
    tree.write(f"{SITE}/werkzeug/debug.py", "class DebuggedApplication:\n    pass\n")
    package = flask(tree, "werkzeug/__init__.py", "werkzeug/debug.py")
    tree.touched(f"{SITE}/werkzeug/__init__.py")
    match = finding(package, "werkzeug.debug", "DebuggedApplication")
    (verdict,) = tree.judge(match)
    assert verdict.justification is Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH
    assert "never the module with werkzeug.debug:DebuggedApplication" in verdict.reason
    (undriven,) = tree.judge(match, driven=False)
    assert status(undriven) == "under_investigation"


def test_a_vulnerable_module_that_a_route_would_load(tree: Planted) -> None:
    tree.touched(tree.write("/app/app.py", "def r():\n    import werkzeug.debug\n"))
    package = flask(tree, "werkzeug/__init__.py", "werkzeug/debug.py")
    tree.touched(f"{SITE}/werkzeug/__init__.py")
    (verdict,) = tree.judge(finding(package, "werkzeug.debug", "DebuggedApplication"))
    assert status(verdict) == "under_investigation"
    assert "/app/app.py imports" in verdict.reason


def test_the_same_function_in_a_loaded_file_is_a_doubt(tree: Planted) -> None:
    tree.write(f"{SITE}/werkzeug/__init__.py", "def safe_join(d, p): pass\n")
    package = flask(tree, "werkzeug/__init__.py", "werkzeug/security.py")
    tree.touched(f"{SITE}/werkzeug/__init__.py")
    (verdict,) = tree.judge(finding(package, "werkzeug.security", "safe_join"))
    assert status(verdict) == "affected"


def test_a_bundle_that_holds_the_function_is_a_doubt(tree: Planted) -> None:
    root = "/app/node_modules/lodash"
    tree.write(f"{root}/package.json", "{}")
    bundle = tree.write(f"{root}/lodash.js", "function template(s) {}")
    part = tree.write(f"{root}/template.js", "module.exports = function(){}")
    tree.touched(bundle)
    package = tree.owner(
        bundle, part, type="npm", name="lodash", locations=(f"{root}/package.json",)
    )
    (verdict,) = tree.judge(finding(package, "lodash/template.js", "template"))
    assert status(verdict) == "affected"


def test_a_function_that_coverage_saw_was_called(tree: Planted) -> None:
    package = flask(tree, "werkzeug/formparser.py")
    path = f"{SITE}/werkzeug/formparser.py"
    match = finding(package, "werkzeug.formparser", "Parser.parse")
    seen = [
        FunctionCall(
            "werkzeug.formparser",
            "Parser.parse",
            path,
            line=3,
            process="/usr/bin/python3.11",
            process_id=7,
            first_called_seconds=2.5,
            stack=("/app/app.py:9 upload",),
            request="POST /upload",
        )
    ]
    called = covered(tree, match, seen)
    assert (called.level, status(called)) == (Level.CALLED, "affected")
    (fact, *_) = called.evidence
    assert "Parser.parse" in fact.detail
    assert "answering POST /upload" in fact.detail
    assert "by /usr/bin/python3.11 (process 7) at 2.5 s" in fact.detail
    assert "/app/app.py:9 upload" in fact.detail


PARSER = "class Parser:\n    def parse(self): pass\n\ndef other(): pass\n"
MODULE = f"{SITE}/werkzeug/formparser.py"


def a_program(tree: Planted, text: str) -> Match:
    """Plant a loaded application and the vulnerable module beside it."""
    package = flask(tree, "werkzeug/formparser.py")
    tree.touched(tree.write(MODULE, PARSER))
    tree.touched(tree.write("/app/app.py", text))
    return finding(package, "werkzeug.formparser", "Parser.parse")


STARTED = [FunctionCall("app", "start", "/app/app.py")]


def test_a_function_that_nothing_leads_to_is_cleared(tree: Planted) -> None:
    match = a_program(tree, "import werkzeug.formparser\ndef start(): pass\n")
    verdict = covered(tree, match, STARTED)
    assert status(verdict) == "not_affected"
    assert verdict.justification is Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH
    assert "did not run in 120 s" in verdict.reason
    assert "nothing mentions it" in verdict.reason


def test_a_function_that_an_untaken_route_calls_is_open(tree: Planted) -> None:
    text = """
from werkzeug.formparser import Parser
import flask
app = flask.Flask("x")
def start(): pass
@app.route("/upload", methods=["POST"])
def upload():
    Parser().parse()
"""
    verdict = covered(tree, a_program(tree, text), STARTED)
    assert status(verdict) == "under_investigation"
    assert "POST /upload" in verdict.reason
    assert "exercise POST /upload to find out" in verdict.reason


def test_a_function_of_a_module_that_a_route_would_load_is_open(tree: Planted) -> None:
    text = """
import flask
app = flask.Flask("x")
def start(): pass
@app.get("/label")
def label():
    from werkzeug.formparser import Parser
    Parser().parse()
"""
    package = flask(tree, "werkzeug/formparser.py")
    tree.write(MODULE, PARSER)
    tree.touched(tree.write("/app/app.py", text))
    match = finding(package, "werkzeug.formparser", "Parser.parse")
    verdict = covered(tree, match, STARTED)
    assert status(verdict) == "under_investigation"
    assert "GET /label" in verdict.reason
    dead = text.replace('@app.get("/label")\n', "")
    tree.write("/app/app.py", dead)
    assert status(covered(tree, match, STARTED)) == "not_affected"


@pytest.mark.parametrize(
    "recording",
    [
        FunctionRecording(Runtime.PYTHON, 1, reasons=("process 7 was not recorded",)),
        FunctionRecording(Runtime.PYTHON, 1, unit="class"),
        FunctionRecording(Runtime.PYTHON, 1, paths_unrecorded=(MODULE,)),
        FunctionRecording(Runtime.NODE, 1),
    ],
)
def test_silence_of_a_recorder_that_missed_calls_proves_nothing(
    tree: Planted, recording: FunctionRecording
) -> None:
    match = a_program(tree, "import werkzeug.formparser\ndef start(): pass\n")
    verdict = covered(tree, match, STARTED, recording)
    assert (verdict.level, status(verdict)) == (Level.MODULE_LOADED, "affected")


def test_a_whole_module_that_is_vulnerable_is_used_by_loading_it(tree: Planted) -> None:
    match = a_program(tree, "import werkzeug.formparser\ndef start(): pass\n")
    whole = finding(match.package, "werkzeug.formparser", "")
    assert status(covered(tree, whole, STARTED)) == "affected"


def test_the_body_of_a_class_is_no_call_of_it(tree: Planted) -> None:
    path = f"{SITE}/yaml/constructor.py"
    package = flask(tree, "yaml/constructor.py")
    match = finding(package, "yaml.constructor", "UnsafeConstructor")
    body = [FunctionCall("yaml.constructor", "UnsafeConstructor", path)]
    method = [FunctionCall("yaml.constructor", "UnsafeConstructor.construct", path)]
    assert covered(tree, match, body).level is Level.MODULE_LOADED
    assert covered(tree, match, method).level is Level.CALLED


COMPLETE = FunctionRecording(Runtime.PYTHON, processes=1)


def covered(
    tree: Planted,
    match: Match,
    calls: list[FunctionCall],
    recording: FunctionRecording = COMPLETE,
) -> Verdict:
    (verdict,) = service.judge(
        [match],
        inventory=Inventory(None, (match.package,)),
        profile=replace(
            tree.profile(), functions=tuple(calls), function_recordings=(recording,)
        ),
        root=RootFilesystem(tree.directory),
        driven=True,
    )
    return verdict


def test_an_explanation_is_lines_for_a_person(tree: Planted) -> None:
    path = tree.library("libz.so.1")
    tree.touched(path, Access.MAPPED)
    (verdict,) = tree.judge(tree.owner(path, name="zlib1g"))
    text = "\n".join(service.explain(verdict))
    assert f"{path} was mapped as code" in text
    assert "120 s observed, 200 requests" in text


def test_what_a_hole_further_needs_is_told_and_clears_nothing(tree: Planted) -> None:
    package = flask(tree, "werkzeug/formparser.py")
    tree.touched(tree.write(MODULE, PARSER))
    reloading = Precondition(
        PreconditionKind.OPTION, "--reload", "The server runs with its reloader."
    )
    symbol = Symbol("werkzeug.formparser", "Parser.parse", "a test", 1.0)
    match = a_match(package, symbols=(replace(symbol, preconditions=(reloading,)),))
    with_option = Process(1, 0, "/usr/bin/python3", ("python3", "app.py", "--reload"))
    without = Process(1, 0, "/usr/bin/python3", ("python3", "app.py"))
    found = {}
    for process in (with_option, without):
        profile = replace(tree.profile(), processes=(process,))
        (verdict,) = service.judge(
            [match],
            inventory=Inventory(None, (package,)),
            profile=profile,
            root=RootFilesystem(tree.directory),
            driven=True,
        )
        assert status(verdict) == "affected"
        (fact,) = [one for one in verdict.evidence if one.kind == "precondition"]
        found[process] = fact.detail
    assert "precondition observed: The server runs" in found[with_option]
    assert "precondition not observed: The server runs" in found[without]
