"""What is said while a reported hole makes any function callable (ADR 0015)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from tests.fakes.values import a_match, a_package, a_verdict
from vexxy.advisories.types import Match, Symbol
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import service
from vexxy.reachability.rules import makers
from vexxy.reachability.types import Verdict
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access, FunctionCall, FunctionRecording, Runtime
from vexxy.vex.types import Status

SITE = "/usr/local/lib/python3.11/site-packages"
APPLICATION = "/app/app.py"
ROUTE = """
import flask, yaml, alpha.core
app = flask.Flask("x")
def start(): pass
@app.post("/config")
def config():
    return yaml.full_load(flask.request.data)
"""
SENTENCE = (
    "This holds once CVE-2020-14343 (full_load of YAML, pyyaml 5.3.1) is mended: until "
    "then who exploits it can call any function."
)


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    planted.touched(planted.write(f"{SITE}/alpha/__init__.py"))
    planted.touched(planted.write(f"{SITE}/alpha/core.py", "def victim(): pass\n"))
    planted.write(f"{SITE}/beta/__init__.py", "def other(): pass\n")
    planted.touched(planted.write(f"{SITE}/yaml/__init__.py", "def full_load(x): pass\n"))
    planted.write(f"{SITE}/PyYAML-5.3.1.dist-info/METADATA")
    return planted


def installed(name: str, version: str, *files: str) -> Package:
    return a_package(
        name,
        version,
        type="pypi",
        purl=f"pkg:pypi/{name}@{version}",
        locations=(SITE,),
        files=tuple(f"{SITE}/{one}" for one in files),
    )


YAML = installed("pyyaml", "5.3.1", "yaml/__init__.py")
ALPHA = installed("alpha", "1.0", "alpha/__init__.py", "alpha/core.py")
BETA = installed("beta", "1.0", "beta/__init__.py")
VICTIM = a_match(ALPHA, symbols=(Symbol("alpha.core", "victim", "a test"),))
MAKER = a_match(YAML, vulnerability_id="CVE-2020-14343", cve_id="CVE-2020-14343")


def judged(tree: Planted, text: str, *matches: Match) -> Sequence[Verdict]:
    if APPLICATION not in {one.path for one in tree.accesses}:
        tree.touched(APPLICATION)
    tree.write(APPLICATION, text)
    return service.judge(
        matches,
        inventory=Inventory(None, tuple(one.package for one in matches)),
        profile=replace(
            tree.profile(),
            functions=(FunctionCall("app", "start", APPLICATION),),
            function_recordings=(FunctionRecording(Runtime.PYTHON, processes=1),),
        ),
        root=RootFilesystem(tree.directory),
        driven=True,
    )


def test_a_verdict_is_given_for_the_day_the_hole_is_mended(tree: Planted) -> None:
    maker, victim, unloaded = judged(tree, ROUTE, MAKER, VICTIM, a_match(BETA))
    assert maker.status.value == "affected"
    for verdict in (victim, unloaded):
        assert verdict.status.value == "not_affected"
        assert verdict.reason.endswith(SENTENCE)
        assert verdict.evidence[0].kind == "assumption"
        assert verdict.evidence[0].detail == SENTENCE
        assert "  On one condition" in service.explain(verdict)


def test_no_other_verdict_speaks_of_it(tree: Planted) -> None:
    maker, victim = judged(tree, ROUTE.replace("full_load", "safe_load"), MAKER, VICTIM)
    assert victim.status.value == "not_affected"
    for verdict in (maker, victim):
        assert "mended" not in verdict.reason
        assert "assumption" not in {one.kind for one in verdict.evidence}


@pytest.mark.parametrize(
    "other",
    [
        a_match(YAML),
        a_match(YAML, vulnerability_id="CVE-2017-18342", cve_id="CVE-2017-18342"),
        a_match(ALPHA, vulnerability_id="CVE-2020-14343", cve_id="CVE-2020-14343"),
    ],
)
def test_a_power_that_nobody_reports_leaves_all_open(tree: Planted, other: Match) -> None:
    _, victim, unloaded = judged(tree, ROUTE, other, VICTIM, a_match(BETA))
    assert victim.status.value == "under_investigation"
    assert "full_load" in victim.reason
    assert unloaded.status.value == "under_investigation"


@pytest.mark.parametrize(
    "power",
    [
        "import pickle\npickle.loads(x)\n",
        "yaml.load(x, Loader=yaml.UnsafeLoader)\n",
        "yaml.load(x, Loader=yaml.Loader)\n",
        "yaml.unsafe_load(x)\n",
        "yaml.load(x)\n",
        "exec(x)\n",
    ],
)
def test_a_power_that_is_meant_leaves_all_open(tree: Planted, power: str) -> None:
    _, victim = judged(tree, ROUTE + power, MAKER, VICTIM)
    assert victim.status.value == "under_investigation"


def test_the_hole_itself_and_others_of_its_package_are_never_cleared_so(
    tree: Planted,
) -> None:
    """Its function is in a module that nothing but the full loader itself leads to."""
    tree.touched(tree.write(f"{SITE}/yaml/dead.py", "def dead(): pass\n"))
    package = installed("pyyaml", "5.3.1", "yaml/__init__.py", "yaml/dead.py")
    symbols = (Symbol("yaml.dead", "dead", "a test"),)
    maker = replace(MAKER, package=package, symbols=symbols)
    twin = a_match(package, symbols=symbols)
    for verdict in judged(tree, ROUTE, maker, twin):
        assert verdict.status.value == "under_investigation"


def test_a_hole_that_was_cleared_is_no_assumption(tree: Planted) -> None:
    """The code that the record names is not there: nobody reports what full_load does."""
    gone = replace(MAKER, symbols=(Symbol("yaml.gone", "Gone.away", "a test"),))
    maker, victim = judged(tree, ROUTE, gone, VICTIM)
    assert maker.status.value == "not_affected"
    assert victim.status.value == "under_investigation"


def test_a_mended_version_needs_no_assumption(tree: Planted) -> None:
    (tree.directory / f"{SITE}/PyYAML-5.3.1.dist-info/METADATA".lstrip("/")).unlink()
    tree.write(f"{SITE}/PyYAML-6.0.2.dist-info/METADATA")
    (victim,) = judged(tree, ROUTE, VICTIM)
    assert victim.status.value == "not_affected"
    assert "mended" not in victim.reason


def test_a_route_stays_a_path_whatever_is_mended(tree: Planted) -> None:
    text = f"{ROUTE}\n@app.get('/v')\ndef view():\n    alpha.core.victim()\n"
    _, victim = judged(tree, text, MAKER, VICTIM)
    assert victim.status.value == "under_investigation"
    assert "GET /v" in victim.reason


@pytest.mark.parametrize(
    ("plain", "other", "answer"),
    [
        (Status.UNDER_INVESTIGATION, Status.NOT_AFFECTED, Status.NOT_AFFECTED),
        (Status.AFFECTED, Status.NOT_AFFECTED, Status.AFFECTED),
        (Status.NOT_AFFECTED, Status.UNDER_INVESTIGATION, Status.NOT_AFFECTED),
        (Status.UNDER_INVESTIGATION, Status.AFFECTED, Status.UNDER_INVESTIGATION),
    ],
)
def test_only_what_was_open_is_cleared_on_a_condition(
    plain: Status, other: Status, answer: Status
) -> None:
    assumptions = makers.assumed([MAKER], [a_verdict(Status.AFFECTED)])
    verdicts = ([a_verdict(plain)], [a_verdict(other)])
    (found,) = makers.merged([VICTIM], verdicts, assumptions)
    assert found.status is answer
    conditional = "assumption" in {one.kind for one in found.evidence}
    assert conditional is (answer is Status.NOT_AFFECTED and plain is not answer)
    (own,) = makers.merged([MAKER], verdicts, assumptions)
    assert own.status is plain


def test_two_reported_holes_of_one_maker_are_both_named() -> None:
    older = replace(MAKER, vulnerability_id="PYSEC-2020-96", aliases=("CVE-2020-1747",))
    older = replace(older, cve_id="CVE-2020-1747")
    verdicts = [a_verdict(Status.AFFECTED), a_verdict(Status.UNDER_INVESTIGATION)]
    (found,) = makers.assumed([MAKER, older], verdicts)
    assert "once CVE-2020-14343 and CVE-2020-1747 (full_load" in found.sentence
    assert "are mended" in found.sentence
    assert makers.assumed([MAKER], [a_verdict(Status.NOT_AFFECTED)]) == []
