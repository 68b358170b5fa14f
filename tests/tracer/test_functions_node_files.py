"""Names, offsets and source maps of JavaScript files."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability.wire import jscalls
from vexxy.tracer.functions.node import naming, rules, service, sourcemaps, wire
from vexxy.tracer.functions.node.findings import Findings
from vexxy.tracer.functions.types import Evidence
from vexxy.tracer.types import Process, Runtime, Source, Trace, TracedFile, Use

SHAPES = b"""\
module.exports = function () {};
module.exports.a = function () {};
exports.b = () => 1;
Type.prototype.m = function () {};
Type.s = function named() {};
const c = function () {}, { d } = x;
const o = { e: function () {}, f() {}, 'g': () => 1, [h]: () => 1, i: { j() {} } };
Type.prototype = { k: function () {}, l() {} };
class K { constructor() {} m() {} static n() {} get p() { return 1 } q = () => 1 }
module.exports = class { r() {} };
call(function () {}, () => 1, function named2() {});
export default () => (1);
export function t() { return function () {} }
var u = (function () { return function v() {} })();
w['x'] = function () {}; w[y] = function () {};
"""


def test_functions_are_named_as_where_the_calls_are_followed() -> None:
    facts = jscalls.parse("shapes.js", SHAPES)
    source = naming.Source(SHAPES)
    assert facts.words is None
    named = 0
    for function in facts.functions[1:]:
        found = source.find(function.name, function.start, function.end)
        assert found is not None
        assert function.name in found.names
        assert found.line == function.line
        named += 1
    assert named > 25


def test_a_constructor_is_called_by_its_class_too() -> None:
    text = "class K { constructor() {} }"
    at = text.index("constructor")
    found = naming.Source(text.encode()).find("K", at, len(text) - 2)
    assert found is not None
    assert found.names == ("K", "K.constructor")


@given(st.text(max_size=6000), st.booleans())
def test_offsets_are_those_of_the_bytes(text: str, mark: bool) -> None:  # noqa: FBT001  hypothesis
    text = text.encode("utf-8", "ignore").decode().removeprefix("\ufeff")
    source = naming.Source((("\ufeff" if mark else "") + text).encode())
    assert source.length == len(text.encode("utf-16-le")) // 2
    for index in range(0, len(text) + 1, 1 + len(text) // 20):
        units = len(text[:index].encode("utf-16-le")) // 2
        assert source.offset(units) == len(text[:index].encode())


def test_offsets_far_into_a_file_are_right() -> None:
    text = "\N{PILE OF POO}x" * 9000 + "function after() {}"
    start = text.index("function")
    units = len(text[:start].encode("utf-16-le")) // 2
    assert naming.Source(text.encode()).offset(units) == len(text[:start].encode())


def mapped(document: dict[str, object]) -> sourcemaps.SourceMap:
    content = base64.b64encode(json.dumps(document).encode()).decode()
    made = sourcemaps.load(
        f"data:application/json;base64,{content}", "/app/dist/b.js", lambda _: b""
    )
    assert made is not None
    return made


ONE = {"version": 3, "sources": ["webpack://app/./node_modules/qs/lib/a.js"],
       "sourcesContent": ["\nfunction parse() {}\n"], "mappings": "AAAA,SACA"}  # fmt: skip


def test_a_bundled_place_leads_to_its_package() -> None:
    place = mapped(ONE).original(1, 12)
    assert place == sourcemaps.Original("/app/dist/node_modules/qs/lib/a.js", 2, 0)


def test_an_index_map_is_its_sections() -> None:
    section = {"offset": {"line": 3, "column": 5}, "map": ONE}
    made = mapped({"version": 3, "sections": [section]})
    assert made.original(1, 0) is None
    place = made.original(4, 14)
    assert place is not None
    assert place.line == 2


@pytest.mark.parametrize(
    "document", [{}, {"sources": 1, "mappings": ""}, {"sources": [], "mappings": "AAAA"},
                 {"sources": ["a"], "mappings": "!"}, {"sections": [1]}],
)  # fmt: skip
def test_a_damaged_map_is_no_map(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a map that is none"):
        mapped(document)


def test_what_ran_in_a_bundle_ran_in_the_package(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    text = "var a=1; function p(){}\n//# sourceMappingURL=b.js.map\n"
    (folder / "b.js").write_text(text)
    (folder / "b.js.map").write_text(json.dumps({**ONE, "mappings": "AAAA,SACA"}))
    findings = Findings(RootFilesystem(tmp_path), 0.0)
    call = wire.Call(1.0, "file:///app/b.js", "p", 9, 23, "", 1, "/usr/bin/node")
    findings.add_all([call])
    found = {(one.module, one.name, one.line) for one in findings.calls.values()}
    assert found == {("app/b.js", "p", 1), ("qs/lib/a.js", "parse", 2)}
    assert findings.unrecorded == set()


def test_a_file_that_is_not_what_ran_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("function other() {}")
    findings = Findings(RootFilesystem(tmp_path), 0.0)
    findings.add_all([wire.Call(1.0, "file:///a.js", "f", 3, 9, "", 1, "")])
    assert findings.unrecorded == {"/a.js"}


def trace(*processes: Process, files: tuple[TracedFile, ...] = ()) -> Trace:
    return Trace(Source.EBPF, 60.0, files, processes, (), (), (), (), 0)


def executed(path: str) -> TracedFile:
    return TracedFile(path, Use.EXECUTED, (0, 0), 0.0, process=path)


def life(last: float, *, final: bool = False) -> wire.Life:
    hello = wire.Hello(7, 0, 101.0, "20.0.0", "r", "/usr/bin/node", ("node", "a.js"))
    return wire.Life(hello, last, final)


@pytest.mark.parametrize(
    ("last", "ended", "reasons"),
    [
        (109.9, 10.0, 1),  # killed in the middle
        (151.0, 52.0, 0),  # ended after it was asked for last words
        (140.0, 52.0, 1),  # asked, and too busy to answer
        (151.0, None, 0),
        (140.0, None, 1),
    ],
)
def test_an_end_that_was_not_heard_of_is_a_reason(
    last: float, ended: float | None, reasons: int
) -> None:
    told = wire.Told(lives=[life(last)], stop_seconds=150.5)
    ran = Process(7, 1, "/usr/bin/node", ended_seconds=ended)
    found = list(rules.cut_short(told, trace(ran), started_seconds=100.0))
    assert len(found) == reasons


def test_a_final_line_is_the_end() -> None:
    told = wire.Told(lives=[life(105.0, final=True)], stop_seconds=150.5)
    ran = Process(7, 1, "/usr/bin/node", ended_seconds=5.1)
    assert list(rules.cut_short(told, trace(ran), started_seconds=100.0)) == []


@pytest.mark.parametrize("name", ["bun", "deno"])
def test_other_engines_are_named(name: str, tmp_path: Path) -> None:
    program = f"/usr/bin/{name}"
    found = service.collect(
        Evidence({}, (), trace(files=(executed(program),)), RootFilesystem(tmp_path), 0.0)
    )
    assert found is not None
    assert found.recording.runtime is Runtime.NODE
    assert found.recording.reasons == (
        f"{program} runs JavaScript and its functions are not recorded",
    )


def test_a_program_that_holds_a_node_has_to_report(tmp_path: Path) -> None:
    (tmp_path / "server").write_bytes(b"\x7fELF ... NODE_OPTIONS ...")
    evidence = Evidence(
        {}, (), trace(files=(executed("/server"),)), RootFilesystem(tmp_path), 0.0
    )
    found = service.collect(evidence)
    assert found is not None
    (reason,) = found.recording.reasons
    assert reason.startswith("/server may hold a Node.js")


def test_an_image_without_node_has_no_recording(tmp_path: Path) -> None:
    evidence = Evidence({}, (), trace(), RootFilesystem(tmp_path), 0.0)
    assert service.collect(evidence) is None


def test_the_options_of_the_image_are_kept() -> None:
    wanted = service.plan({"NODE_OPTIONS": "--max-old-space-size=99"})
    assert wanted.environment == {
        "NODE_OPTIONS": "--require /.vexxy/node/record.cjs --max-old-space-size=99"
    }


@given(st.binary(max_size=300))
def test_whatever_an_image_writes_is_read(content: bytes) -> None:
    hello = b'["H",7,1,0,"1.0","20.0.0","r","/usr/bin/node",[],[]]\n'
    told = wire.read({"node-7-1-0": hello + content, "node-7-1-0.beat": content})
    assert len(told.hellos) == 1
