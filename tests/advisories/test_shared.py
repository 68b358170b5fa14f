"""Real advisories and real images' truth, where the workplace has them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vexxy.advisories import examination, service
from vexxy.advisories.repository import Index
from vexxy.advisories.rules import names
from vexxy.sbom.types import Inventory, Package

pytestmark = pytest.mark.shared
SHARED = Path(__file__).parents[3] / "shared"
OSV = SHARED / "data" / "osv"
Hits = set[tuple[str, str]]


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    if not OSV.is_dir():
        pytest.skip("the workplace's shared OSV records are not here; nothing was checked")
    with service.load([OSV]) as loaded:
        yield loaded


def a_package(kind: str, name: str, version: str, *, place: str = "") -> Package:
    ecosystem = {"pypi": "PyPI", "npm": "npm", "golang": "Go", "deb": "Debian:12"}[kind]
    source = (name, version) if kind == "deb" else ("", "")
    return Package(
        f"pkg:{kind}/{name}@{version}",
        kind,
        name,
        version,
        ecosystem,
        source_name=source[0],
        source_version=source[1],
        locations=(place,) if place else (),
    )


def truth(image: str, name: str = "truth.json") -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(
        (SHARED / "images" / image / name).read_text()
    )["advisories"]
    return found


def hits(index: Index, packages: list[Package]) -> Hits:
    """Return record ids with the place or name of the package they hit."""
    found = service.examine(index, Inventory(None, tuple(packages)))
    assert found.problems == ()
    return {
        (record, (match.package.locations or (match.package.name,))[0])
        for match in found.matches
        for record in match.advisory_ids
    }


def test_every_record_is_read(index: Index) -> None:
    report = index.report
    assert report is not None
    files = sum(1 for _ in OSV.rglob("*.json"))
    assert report.rejected == ()
    assert report.records + report.withdrawn == files
    assert report.withdrawn == 52


def test_the_flask_image_has_its_74_python_advisories(index: Index) -> None:
    text = (SHARED / "images/b-flask/requirements.txt").read_text()
    pinned = [line.split("==") for line in text.split()]
    found = hits(index, [a_package("pypi", name, version) for name, version in pinned])
    expected = {(one["id"], one["package"]) for one in truth("b-flask")}
    assert len(expected) == 74
    # A GHSA record among PyPA's says the same of PyYAML as PYSEC-2021-142 does.
    assert found - expected == {("GHSA-8q59-q68h-6hv4", "PyYAML")}
    assert expected <= found


def test_the_express_image_has_its_26_node_advisories_per_copy(index: Index) -> None:
    lock = json.loads((SHARED / "images/c-express/app/package-lock.json").read_text())
    packages = [
        a_package(
            "npm", path.rpartition("node_modules/")[2], one["version"], place=f"/app/{path}"
        )
        for path, one in lock["packages"].items()
        if path
    ]
    expected = {(one["id"], one["path"]) for one in truth("c-express")}
    assert len(expected) == 26
    assert hits(index, packages) == expected


def test_the_static_image_has_its_go_advisories(index: Index) -> None:
    advisories = truth("f-static")
    modules = {(one["module"], one["version"]) for one in advisories}
    # Two records of the truth are not among the shared ones.
    stored = {path.stem for path in (OSV / "Go").glob("*.json")}
    expected = {(one["id"], one["module"]) for one in advisories if one["id"] in stored}
    assert len(expected) == 115
    packages = [a_package("golang", name, version) for name, version in modules]
    assert hits(index, packages) == expected


@pytest.mark.parametrize(
    ("image", "count"),
    [("a-nginx", 30), ("b-flask", 68), ("c-express", 39), ("d-redis", 33), ("e-multi", 81)],
)
def test_an_image_has_its_debian_advisories(index: Index, image: str, count: int) -> None:
    advisories = truth(image, "truth-debian.json")
    sources = {(one["source"], one["version"]) for one in advisories}
    found = hits(index, [a_package("deb", *source) for source in sources])
    assert len(advisories) == count
    assert found == {(one["id"], one["source"]) for one in advisories}


def test_functions_are_known_for_what_names_them(index: Index) -> None:
    counts = {one.ecosystem: one.with_symbols for one in index.list_ecosystems()}
    assert counts["Go"] > 700
    assert counts["crates.io"] > 200
    assert counts["npm"] == 4


@pytest.mark.parametrize(
    ("image", "ecosystem"), [("b-flask", "PyPI"), ("c-express", "npm")]
)
def test_shipped_functions_agree_with_those_that_a_person_read(
    image: str, ecosystem: str
) -> None:
    """Goal: names that were derived are those a reader finds. A second opinion only."""
    path = SHARED / "images" / image / "symbols.json"
    if not path.is_file():
        pytest.skip("the workplace's truth tables are not here; nothing was compared")
    rows = [row for row in json.loads(path.read_text()) if row["symbols"]]
    agreed = [row for row in rows if _shares_a_function(row, ecosystem)]
    assert len(agreed) >= 0.75 * len(rows)


def _shares_a_function(row: dict[str, Any], ecosystem: str) -> bool:
    record = json.loads((SHARED / "data/osv" / ecosystem / f"{row['id']}.json").read_text())
    ids = {record["id"], *record.get("aliases", ())}
    package = names.normalize(ecosystem, row["package"])
    found = examination.shipped_overlay().get((ecosystem, package), ())
    ours = {
        (symbol.module, symbol.name.rpartition(".")[2])
        for symbol in (line.symbol for line in found if line.vulnerability_id in ids)
    }
    modules = {module for module, _ in ours}
    for one in row["symbols"]:
        module, _, name = one.replace("#", ":").partition(":")
        short = name.rpartition(".")[2]
        whole = not short or short[:1].isupper() or (module, "") in ours
        if (module, short) in ours or (whole and module in modules):
            return True
    return False
