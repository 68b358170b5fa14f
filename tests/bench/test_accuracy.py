"""The measure itself: what counts as false, and what Kubescape's rule answers."""

from pathlib import Path

import pytest

from bench.accuracy import kubescape, truth, witness
from bench.accuracy.score import Matrix, status_of
from bench.accuracy.truth import Component
from bench.images import recipe
from vexxy.advisories.types import Severity
from vexxy.reachability.types import Level, Verdict
from vexxy.sbom.types import Package
from vexxy.vex.types import Status

MODULES = "/app/node_modules"


def a_component(**given: object) -> Component:
    values = {"type": "npm", "name": "minimist", "label": "never", **given}
    return Component(**values)  # type: ignore[arg-type]


def a_verdict(status: Status, location: str) -> Verdict:
    package = Package(
        purl="pkg:npm/minimist@1.2.5",
        type="npm",
        name="minimist",
        version="1.2.5",
        ecosystem="npm",
        locations=(location,),
    )
    return Verdict(
        vulnerability_id="VXTEST-NPM-MINIMIST",
        aliases=(),
        cve_id=None,
        package=package,
        severity=Severity.UNKNOWN,
        fixed_versions=(),
        status=status,
        justification=None,
        level=Level.PRESENT,
        confidence_score=0.7,
        reason="",
        evidence=(),
    )


@pytest.mark.parametrize("label", truth.LABELS)
def test_a_label_says_reachable_and_when_in_one_way(label: str) -> None:
    meaning = truth.LABELS[label]

    assert meaning.reachable in (truth.YES, truth.LOADABLE, truth.NO)
    if meaning.reachable == truth.NO:
        assert meaning.first is None
    if meaning.reachable == truth.YES:
        assert meaning.first in ("idle", "driven")


@pytest.mark.parametrize("image", truth.images())
def test_every_row_is_named_once_and_was_checked(image: str) -> None:
    rows = truth.load(image).components

    keys = [(row.advisory_id, row.name, row.at) for row in rows]
    assert len(keys) == len(set(keys))
    assert all(row.source for row in rows if row.type == "deb")


@pytest.mark.parametrize(
    ("label", "status", "false"),
    [
        ("lazy, driven", "not_affected", 1),
        ("lazy, not driven", "not_affected", 1),
        ("never", "not_affected", 0),
        ("lazy, not driven", "under_investigation", 0),
    ],
)
def test_only_clearing_what_can_run_is_false(label: str, status: str, false: int) -> None:
    matrix = Matrix()
    matrix.add("an image", a_component(label=label), status)

    assert len(matrix.false_claims) == false


def test_noise_removed_is_the_share_of_unreachable_components_cleared() -> None:
    matrix = Matrix()
    for label, status in [
        ("never", "not_affected"),
        ("data only", "affected"),
        ("loaded at start", "affected"),
    ]:
        matrix.add("an image", a_component(label=label), status)

    assert (matrix.noise_removed, matrix.found) == (0.5, 1.0)


def test_a_copy_is_not_scored_by_the_verdict_on_another() -> None:
    verdicts = [
        a_verdict(Status.AFFECTED, f"{MODULES}/minimist/package.json"),
        a_verdict(
            Status.NOT_AFFECTED, f"{MODULES}/mkdirp/node_modules/minimist/package.json"
        ),
    ]

    inner = a_component(at=f"{MODULES}/mkdirp/node_modules/minimist")
    assert status_of(a_component(at=f"{MODULES}/minimist"), verdicts) == "affected"
    assert status_of(inner, verdicts) == "not_affected"
    assert status_of(a_component(name="other"), verdicts) == "missing"


def test_a_cleared_copy_outweighs_an_affected_one_that_looks_the_same() -> None:
    place = f"{MODULES}/minimist/package.json"
    verdicts = [a_verdict(Status.AFFECTED, place), a_verdict(Status.NOT_AFFECTED, place)]

    assert status_of(a_component(at=f"{MODULES}/minimist"), verdicts) == "not_affected"


SBOM = {
    "artifacts": [
        {"id": name, "name": name, "type": "deb", "locations": [{"path": "/status"}]}
        for name in ("program", "library", "other")
    ],
    "files": [
        {"id": "f1", "location": {"path": "/usr/bin/program"}},
        {"id": "f2", "location": {"path": "/usr/share/other/data"}},
    ],
    "artifactRelationships": [
        {"parent": "program", "child": "f1", "type": "contains"},
        {"parent": "other", "child": "f2", "type": "contains"},
        {"parent": "library", "child": "program", "type": "dependency-of"},
    ],
}


@pytest.mark.parametrize(
    ("files", "affected"),
    [
        ({"/usr/bin/program"}, {"program", "library"}),
        ({"/usr/share/other/data"}, {"other"}),
        (set(), set()),
    ],
)
def test_kubescapes_rule_keeps_what_is_opened_and_what_that_depends_on(
    files: set[str], affected: set[str]
) -> None:
    reached = kubescape.kept(SBOM, files)

    names = ("program", "library", "other")
    rows = {name: a_component(type="deb", name=name) for name in names}
    found = {
        n for n, row in rows.items() if kubescape.status(SBOM, reached, row) == "affected"
    }
    assert found == affected


def test_strace_lines_become_stages(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '7 10.5 execve("/bin/sh", ["sh"], 0x7f /* 1 var */) = 0\n'
        '7 21.0 openat(AT_FDCWD</>, "x.py", O_RDONLY <unfinished ...>\n'
        "8 21.1 mmap(NULL, 9, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3</lib/a.so.1>, 0) = 0x7f\n"
        "7 21.2 <... openat resumed>) = 3</app/x.py>\n"
        '7 31.0 openat(AT_FDCWD</>, "/etc/hosts", O_RDONLY) = 4</etc/hosts>\n'
        '7 32.0 openat(AT_FDCWD</>, "/none.py", O_RDONLY) = -1 ENOENT (No such file)\n'
    )

    code, every = witness.read_log(log, [20.0, 30.0])

    assert code == {"/bin/sh": "idle", "/lib/a.so.1": "driven", "/app/x.py": "driven"}
    assert every == {**code, "/etc/hosts": "all"}


def test_a_recipe_of_the_same_files_is_the_same_image() -> None:
    one, two = recipe.load("demo"), recipe.load("demo")

    assert one.reference == two.reference
    assert len({recipe.load(name).reference for name in recipe.names()}) == len(
        recipe.names()
    )


def test_an_unknown_image_is_answered_with_those_that_exist() -> None:
    with pytest.raises(recipe.BuildFailed, match="known: demo"):
        recipe.load("nonsense")
