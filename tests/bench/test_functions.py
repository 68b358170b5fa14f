"""How planted functions are made, witnessed and counted."""

import ast
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.accuracy import functions, govulncheck, shared_functions
from bench.accuracy.planted import golang, native, node, python, witness
from bench.accuracy.planted.score import Matrix, Said, said_of, without_functions
from bench.accuracy.planted.table import (
    ABSENT,
    COPY,
    DEAD,
    DYNAMIC,
    LABELS,
    RAN,
    UNTAKEN,
    Planted,
    Project,
)
from bench.accuracy.shared_functions import REST, ROUTE, Answer, Row
from tests.fakes.values import a_profile
from vexxy.advisories.types import Severity
from vexxy.reachability.types import Level, Verdict
from vexxy.sbom.types import Package
from vexxy.tracer.types import FunctionCall, FunctionRecording, Runtime
from vexxy.vex.types import Justification, Status

FUNCTIONS_MIN = 300
PROJECTS = [make() for make in functions.PROJECTS.values()]


def a_row(label: str = RAN, **changes: str) -> Planted:
    fields = {"type": "pypi", "package": "vx", "module": "vx.core", "symbol": "go"}
    return Planted(**{**fields, **changes}, label=label, shape="function")


def a_verdict(row: Planted, status: Status, place: str = "") -> Verdict:
    justified = Justification.VULNERABLE_CODE_NOT_PRESENT
    return Verdict(
        vulnerability_id=row.advisory_id,
        aliases=(),
        cve_id=None,
        package=Package(
            name=row.package,
            version="1",
            type=row.type,
            purl=f"pkg:{row.type}/{row.package}@1",
            ecosystem="PyPI",
            locations=(place,) if place else (),
        ),
        severity=Severity.HIGH,
        fixed_versions=(),
        status=status,
        justification=justified if status is Status.NOT_AFFECTED else None,
        level=Level.CALLED,
        confidence_score=1.0,
        reason="because",
        evidence=(),
    )


def test_enough_functions_of_every_label_are_planted() -> None:
    rows = [row for project in PROJECTS for row in project.rows]

    assert len(rows) >= FUNCTIONS_MIN
    assert {row.label for row in rows} == set(LABELS)
    assert {row.type for row in rows} == {"pypi", "npm", "golang", "deb"}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_each_function_has_an_advisory_of_its_own(project: Project) -> None:
    assert len({row.advisory_id for row in project.rows}) == len(project.rows)


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_no_untaken_request_is_in_the_driver(project: Project) -> None:
    assert not {*project.taken} & {*project.untaken}
    assert all(path not in project.script().split("'") for path in project.untaken)
    assert all(path in project.script(everything=True) for path in project.untaken)


@pytest.mark.parametrize("make", [python.project, python.open_project])
def test_python_functions_are_where_their_advisories_say(make: object) -> None:
    project = make() if callable(make) else None
    assert project is not None
    defined = Counter(
        (path, name)
        for path, text in project.files.items()
        if path.endswith(".py")
        for name in names_in(ast.parse(text).body)
    )
    for row in project.rows:
        site = python.LEGACY if row.label == COPY else python.SITE
        stem = f"{site}/{row.module.replace('.', '/')}"
        places = (f"{stem}.py", f"{stem}/__init__.py")
        found = sum(defined[place, row.symbol] for place in places)
        assert found == (0 if row.label == ABSENT else 1), row


def names_in(body: list[ast.stmt], prefix: str = "") -> list[str]:
    found = []
    for one in body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found += [f"{prefix}{one.name}", *names_in(one.body, f"{prefix}{one.name}.")]
    return found


def test_records_name_one_function_and_those_of_a_copy_only_the_old_version() -> None:
    go = a_row(type="golang", module="example.org/x", symbol="T.Run").record()
    copied = a_row(COPY).record()["affected"][0]

    assert go["affected"][0]["ecosystem_specific"] == {
        "imports": [{"path": "example.org/x", "symbols": ["T.Run"]}]
    }
    assert copied["ranges"][0]["events"] == [{"introduced": "0"}, {"fixed": "2.0.0"}]


@pytest.mark.parametrize(
    ("label", "false", "missed"),
    [(RAN, 1, 1), (UNTAKEN, 1, 0), (DYNAMIC, 1, 0), (DEAD, 0, 0), (ABSENT, 0, 0)],
)
def test_clearing_what_can_run_is_false(label: str, false: int, missed: int) -> None:
    matrix = Matrix()

    matrix.add("image", a_row(label), Said("not_affected", "vulnerable_code_not_present"))

    assert (len(matrix.false_claims), len(matrix.missed)) == (false, missed)
    assert matrix.right["image", label] == (1 if label in (DEAD, ABSENT) else 0)


def test_a_clearance_with_the_wrong_justification_is_not_right() -> None:
    matrix = Matrix()

    said = Said("not_affected", "vulnerable_code_not_in_execute_path")
    matrix.add("image", a_row(ABSENT), said)

    assert matrix.right["image", ABSENT] == 0


def test_a_verdict_on_another_copy_is_none_on_this_one() -> None:
    row = a_row(COPY, at="/opt/old/")
    here = a_verdict(row, Status.NOT_AFFECTED, "/opt/old/vx.dist-info/METADATA")
    there = a_verdict(row, Status.AFFECTED, "/usr/lib/vx.dist-info/METADATA")

    assert said_of(row, [there]).status == "missing"
    assert said_of(row, [there, here]).justification == "vulnerable_code_not_present"


def test_the_package_rule_gets_the_same_trace_without_functions() -> None:
    profile = a_profile()
    recorded = replace(
        profile,
        functions=(FunctionCall("vx.core", "go", "/x/vx/core.py"),),
        function_recordings=(FunctionRecording(Runtime.PYTHON, processes=1),),
    )

    assert without_functions(recorded) == profile


def test_the_database_of_govulncheck_lists_every_record(tmp_path: Path) -> None:
    rows = [row for row in golang.project().rows if row.label in (RAN, COPY)]

    govulncheck.database(rows, tmp_path)

    modules = json.loads((tmp_path / "index" / "modules.json").read_text())
    listed = {vuln["id"] for module in modules for vuln in module["vulns"]}
    assert listed == {row.advisory_id for row in rows}
    assert {path.stem for path in (tmp_path / "ID").iterdir()} == listed


def test_only_findings_with_a_function_count_as_found() -> None:
    messages = [
        {"config": {"mode": "binary"}},
        {"finding": {"osv": "A", "trace": [{"module": "m"}]}},
        {"finding": {"osv": "B", "trace": [{"module": "m", "function": "Run"}]}},
    ]

    text = "\n".join(json.dumps(one, indent=2) for one in messages)

    assert set(govulncheck.found_in(text)) == {"B"}


def test_the_witness_knows_functions_by_what_each_language_says(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("/x/vx/core.py|build.<locals>.inner\n")
    (tmp_path / "v8").mkdir()
    called = {"functionName": "get size", "ranges": [{"count": 2}]}
    silent = {"functionName": "other", "ranges": [{"count": 0}]}
    script = {"url": "file:///app/x.js", "functions": [called, silent]}
    (tmp_path / "v8" / "coverage.json").write_text(json.dumps({"result": [script]}))

    assert set(witness.told_by_python(tmp_path)) == {("/x/vx/core.py", "build.inner")}
    assert set(witness.told_by_node(tmp_path)) == {("/app/x.js", "size")}
    assert set(witness.told_by_counters("up\nVXSEEN m f\n")) == {("m", "f")}


def test_the_witness_contradicts_a_wrong_label(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {("/site/vx/core.py", "go")}
    project = Project("p", (a_row(DEAD), a_row(RAN)), {}, (), ())
    monkeypatch.setattr(witness, "seen", lambda *_, **__: told)

    assert [one.partition(")")[0] for one in witness.problems(project)] == [
        f"{a_row(DEAD).advisory_id} (dead, function"
    ]


THEIRS = """#!/bin/bash
cd "$(dirname "$0")"; . ../lib/common.sh
start t-c localhost/dev-c
waitport 8080
curl -s http://127.0.0.1:8080/go | grep -q '302 http://127.0.0.1:8080/x' > /tmp/out
"""


def test_a_foreign_driver_is_made_to_drive_a_container_that_runs() -> None:
    text = shared_functions.adapted(THEIRS)

    assert "start t-c" not in text
    assert 'grep -q "302 http://$HOST:$PORT/x" > "$T"/out' in text
    assert "seq 20" in shared_functions.adapted(THEIRS, 20)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"vulnerable_function_called": True, "why": "DORMANT"}, "ran"),
        ({"vulnerable_function_called": False, "why": "in the code, DORMANT"}, ROUTE),
        ({"symbol_ran": True}, "ran"),
        ({"symbols": {"golang.org/x/net/html.Render": {"linked": True}}}, ROUTE),
        ({"symbols": {"golang.org/x/net/html.Render": {"linked": False}}}, REST),
    ],
)
def test_what_a_foreign_truth_says_of_an_advisory(
    fields: dict[str, object], kind: str
) -> None:
    assert shared_functions.kind_of(fields) == kind


def test_only_a_clearance_with_a_justification_decides_the_rest() -> None:
    row = Row(frozenset({"CVE-1"}), "x", REST, "", ())
    answers = [
        Answer(row, "not_affected", "vulnerable_code_not_in_execute_path", ""),
        Answer(row, "not_affected", "", ""),
        Answer(row, "affected", "", ""),
        Answer(Row(row.ids, "x", ROUTE, "", ()), "not_affected", "", ""),
    ]

    assert len(shared_functions.false_claims(answers)) == 1
    assert "1 of 3" in shared_functions.figures(answers)


def test_repeating_drives_twice_in_a_crowd_and_too_short() -> None:
    names = [one.name for one in shared_functions.shapes_of(["--repeat"])]

    assert names == ["60 s", "60 s, again", "60 s, 20 at once", "10 s"]
    assert len(shared_functions.shapes_of(["--quick"])) == 1


def test_a_call_that_only_some_runs_saw_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    always, once = (Row(frozenset({one}), "x", "ran", "", ()) for one in ("CVE-1", "CVE-2"))
    first = [Answer(one, "affected", "", "", Level.CALLED) for one in (always, once)]
    second = [first[0], Answer(once, "affected", "", "", Level.LOADED)]

    shared_functions.called({"60 s": first, "10 s": second})

    told = capsys.readouterr().out
    assert "in every run: 1" in told
    assert "ONLY CALLED in some: CVE-2 x: 60 s" in told


def test_c_functions_are_declared_where_the_daemon_needs_them() -> None:
    files = native.project().files

    assert "vx_ran0" in files["native/declared.h"]
    assert "vx_gone0" not in files["native/plant.c"]


def test_a_node_function_of_another_module_is_required_from_there() -> None:
    server = node.project().files["/app/server.js"]

    assert "require('vxplant/lib/extra')" in server
    assert "require('vxplant/lib/spare')" not in server
