"""Reading OSV records, and refusing what is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.osv import a_record, an_affected
from vexxy.advisories.types import Advisory, Rating, Symbol
from vexxy.advisories.wire import records


def parse(record: object) -> Advisory:
    advisory = records.parse(json.dumps(record).encode()).advisory
    assert advisory is not None
    return advisory


def symbols(ecosystem: str, specific: object) -> tuple[Symbol, ...]:
    entry = an_affected(ecosystem, "thing", ecosystem_specific=specific)
    ((_, _, affected),) = parse(a_record("X-1", entry)).packages
    return affected.symbols


def test_a_withdrawn_record_is_dropped() -> None:
    parsed = records.parse(json.dumps(a_record(withdrawn="2026-01-01T00:00:00Z")).encode())
    assert parsed.withdrawn
    assert parsed.advisory is None


@pytest.mark.parametrize("modified", ["2027-07-09T00:00:00Z", "0001-01-01T00:00:00Z", "?"])
def test_dates_are_not_trusted_and_so_not_read(modified: str) -> None:
    assert parse(a_record(modified=modified)) == parse(a_record())


def test_a_pypi_name_is_normalized() -> None:
    ((_, name, _),) = parse(a_record("X", an_affected("PyPI", "Zope._Foo--Bar"))).packages
    assert name == "zope-foo-bar"


def test_commits_are_left_out() -> None:
    git = {"type": "GIT", "repo": "x", "events": [{"introduced": "0"}, {"fixed": "abc"}]}
    entry = an_affected()
    entry["ranges"].append(git)
    ((_, _, affected),) = parse(a_record("X", entry)).packages
    assert [one.type for one in affected.ranges] == ["ECOSYSTEM"]
    assert parse(a_record("X", {"ranges": [git]})).packages == ()


def test_only_versions_that_no_range_covers_are_kept() -> None:
    entry = an_affected(versions=["0.5", "1.0", "2.0", "strange"])
    ((_, _, affected),) = parse(a_record("X", entry)).packages
    assert affected.versions == ("2.0", "strange")


def test_severities_are_read_from_record_package_and_source() -> None:
    vector = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}
    entry = an_affected(
        "Debian:12",
        severity=[{"type": "Ubuntu", "score": "low"}],
        ecosystem_specific={"urgency": "unimportant"},
    )
    advisory = parse(
        a_record("X", entry, severity=[vector], database_specific={"severity": "HIGH"})
    )
    assert advisory.details.ratings == (Rating(vector["type"], vector["score"]),)
    assert advisory.details.words == ("HIGH",)
    assert advisory.packages[0][2].ratings == (Rating("Ubuntu", "low"),)
    assert advisory.packages[0][2].urgency == "unimportant"


def test_go_names_symbols_by_import_path_and_platform() -> None:
    found = symbols(
        "Go",
        {
            "imports": [
                {"path": "net/http", "symbols": ["Server.Serve", "readRequest"]},
                {"path": "os", "goos": ["windows"], "symbols": ["Root.Open"]},
                {"path": "crypto/x", "goos": ["linux"], "goarch": ["arm64", "ppc64"]},
            ]
        },
    )
    assert found == (
        Symbol("net/http", "Server.Serve", "advisory X-1"),
        Symbol("net/http", "readRequest", "advisory X-1"),
        Symbol("os", "Root.Open", "advisory X-1", platforms=("windows",)),
        Symbol("crypto/x", "", "advisory X-1", platforms=("linux/arm64", "linux/ppc64")),
    )


def test_rustsec_names_paths() -> None:
    affects = {"arch": [], "os": [], "functions": ["fast::vec::SyncVec::get"]}
    (found,) = symbols("crates.io", {"affects": affects, "affected_functions": None})
    assert (found.module, found.name) == ("fast::vec::SyncVec", "get")


@pytest.mark.parametrize(
    ("ecosystem", "path", "module", "name"),
    [
        ("npm", "lodash.template", "lodash", "template"),
        ("npm", "(handlebars).compile", "handlebars", "compile"),
        ("npm", "(minimist)", "minimist", ""),
        ("PyPI", "yaml.constructor.FullConstructor", "yaml.constructor", "FullConstructor"),
        ("PyPI", "django.http.Response.set_cookie", "django.http", "Response.set_cookie"),
        ("PyPI", "numpy.core.numeric.cross()", "numpy.core.numeric", "cross"),
    ],
)
def test_github_names_functions(ecosystem: str, path: str, module: str, name: str) -> None:
    (found,) = symbols(ecosystem, {"affected_functions": [path]})
    assert (found.module, found.name) == (module, name)


def test_pypa_names_attributes_of_modules() -> None:
    found = symbols("PyPI", {"imports": [{"attribute": "load", "modules": ["a", "a.b"]}]})
    assert [(one.module, one.name) for one in found] == [("a", "load"), ("a.b", "load")]


@pytest.mark.parametrize(
    "specific",
    [
        {"imports": "net/http"},
        {"imports": [1, {"path": 5}, {"symbols": ["x"]}]},
        {"imports": [{"path": "a", "symbols": {"f": 1}, "goos": 7}]},
    ],
)
def test_fields_of_an_unknown_shape_are_passed_over(specific: object) -> None:
    assert all(isinstance(one, Symbol) for one in symbols("Go", specific))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not an OSV record"),
        (b'{"name": "package.json"}', "missing required field `id`"),
        (b'{"id": 7}', r"\$.id"),
        (b'{"id": ""}', "the id is empty"),
        (b'{"id": "a\\u0000b"}', "not printable"),
        (b'{"id": "X", "affected": {}}', r"\$.affected"),
        (b'{"id": "X", "affected": [{"package": {"name": "n"}}]}', "ecosystem"),
        (
            b'{"id": "X", "affected": [{"package": {"ecosystem": "", "name": "n"}}]}',
            "no ecosystem or no name",
        ),
        (
            json.dumps(a_record("X", an_affected("npm", "n", "fixed 1"))).encode(),
            "no introduced event",
        ),
        (b'{"id": "X", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    ],
)
def test_what_is_no_record_is_refused_with_the_place(content: bytes, reason: str) -> None:
    with pytest.raises(records.MalformedRecord, match=reason):
        records.parse(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(
        ["id", "aliases", "upstream", "summary", "severity", "affected", "withdrawn"]
    ),
    json_values,
)
def test_a_field_of_any_shape_is_read_or_refused(field: str, value: object) -> None:
    content = json.dumps(a_record() | {field: value}).encode()
    try:
        parsed = records.parse(content)
    except records.MalformedRecord:
        return
    assert parsed.withdrawn or parsed.advisory is not None
