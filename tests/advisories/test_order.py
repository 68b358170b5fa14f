"""Version orders, held against what each ecosystem's own comparator says.

The vectors were written down once, from the real tool. Where the tool is on the machine
it is asked again, about versions that hypothesis makes up.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from vexxy.advisories.errors import InvalidVersion
from vexxy.advisories.rules import order
from vexxy.advisories.rules.languages import go_version

VECTORS = Path(__file__).parent / "vectors"
ECOSYSTEMS = {
    "apk": "Alpine",
    "composer": "Packagist",
    "dpkg": "Debian",
    "gem": "RubyGems",
    "go": "Go",
    "maven": "Maven",
    "npm": "npm",
    "rpm": "Rocky Linux",
}


@pytest.mark.parametrize("tool", sorted(ECOSYSTEMS))
def test_an_ecosystems_own_comparator_agrees(tool: str) -> None:
    lines = (VECTORS / f"{tool}.tsv").read_text().splitlines()
    pairs = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(pairs) >= 300

    wrong = [
        (one, other, said)
        for one, other, said in pairs
        if order.compare(ECOSYSTEMS[tool], one, other) != int(said)
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("ecosystem", "ascending"),
    [
        ("Debian", ["1.0~~", "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1:0.1"]),
        ("Debian", ["1.0-9", "1.0-10", "1.0a", "1.0+dfsg", "1.0.1", "1.1"]),
        ("Ubuntu", ["1.0-1ubuntu1", "1.0-1ubuntu1.10", "1.0-2"]),
        ("Alpine", ["1.0_alpha", "1.0_rc2", "1.0", "1.0-r1", "1.0_p1", "1.0a", "1.0.1"]),
        ("Alpine", ["1.1_git20230101", "1.1.01", "1.1.1", "1.1.10"]),
        ("Rocky Linux", ["1.0~rc1-1", "1.0-1.el9", "1.0-1.el9_2", "1.0^git1-1", "1:0-1"]),
        ("PyPI", ["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1!0.1"]),
        ("npm", ["1.0.0-alpha.9", "1.0.0-alpha.10", "1.0.0-beta", "1.0.0", "1.0.1-0"]),
        ("crates.io", ["0.0.0-0", "0.0.0", "0.9.9", "1.0.0-rc.1", "1.0.0"]),
        (
            "Go",
            [
                "v0.0.0-20190101000000-abcdefabcdef",
                "v0.0.0-20210101000000-abcdefabcdef",
                "v1.2.3-0.20210101000000-abcdefabcdef",
                "v1.2.3",
                "v2.0.0+incompatible",
            ],
        ),
        ("Go", ["go1.22rc1", "go1.22.0", "go1.22.3", "1.23.0-0", "go1.23"]),
        ("Maven", ["1.0-alpha-1", "1.0-M2", "1.0-rc1", "1.0-SNAPSHOT", "1.0", "1.0-sp1"]),
        ("RubyGems", ["1.0.a", "1.0.rc1", "1.0", "1.0.1"]),
        ("Packagist", ["1.0-dev", "1.0-alpha", "1.0-beta2", "1.0-RC1", "v1.0", "1.0-p1"]),
        ("NuGet", ["1.0.0-alpha", "1.0.0", "1.0.0.1", "1.2"]),
    ],
)
def test_versions_are_in_order(ecosystem: str, ascending: list[str]) -> None:
    for at, one in enumerate(ascending):
        for later in ascending[at + 1 :]:
            assert order.compare(ecosystem, one, later) == -1, (one, later)
            assert order.compare(ecosystem, later, one) == 1, (one, later)


@pytest.mark.parametrize(
    ("ecosystem", "one", "other"),
    [
        ("Debian", "1.0", "0:1.0"),
        ("Debian", "1.01-1", "1.1-01"),
        ("Debian", "1.0-0", "1.0"),
        ("Rocky Linux", "1.0-1", "0:1.0-01"),
        ("PyPI", "1.0", "1.0.0"),
        ("PyPI", "2.0RC1", "2.0.0-rc.1"),
        ("npm", "1.2.3+build", "1.2.3"),
        ("Go", "go1.21.0", "1.21.0"),
        ("Maven", "1.0.RELEASE", "1.0"),
        ("Maven", "1.0.Final", "1"),
        ("Packagist", "v1.2", "1.2.0.0"),
    ],
)
def test_two_spellings_of_one_version_are_equal(
    ecosystem: str, one: str, other: str
) -> None:
    assert order.compare(ecosystem, one, other) == 0


@pytest.mark.parametrize(
    ("ecosystem", "version"),
    [
        ("Debian", ""),
        ("Debian", "1.0-"),
        ("Debian", "1.0 beta"),
        ("Debian", "1" * 5000),
        ("Alpine", "latest"),
        ("Alpine", "1.0_nonsense1"),
        ("PyPI", "2004d-x"),
        ("npm", "latest"),
        ("npm", "1.0.0-a..b"),
        ("Go", "(devel)"),
        ("Packagist", "dev-main"),
        ("Nobody's", "1.0"),
    ],
)
def test_what_is_no_version_is_refused(ecosystem: str, version: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        order.compare(ecosystem, version, "1.0")


def test_a_semver_range_has_that_order_whatever_its_ecosystem() -> None:
    assert order.find_order("Nobody's", "SEMVER") is order.SEMVER
    assert order.find_order("Nobody's") is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("go1.22.3", "1.22.3"),
        ("go1.22", "1.22.0"),
        ("go1.22rc1", "1.22.0-rc.1"),
        ("go1.19.8 X:boringcrypto", "1.19.8"),
        ("go1.24.4-asan", "1.24.4"),
        ("v0.17.0", "0.17.0"),
    ],
)
def test_the_go_toolchains_own_form_is_understood(written: str, meant: str) -> None:
    assert go_version(written) == meant


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; its written vectors were checked")
    return found


numbers = st.sampled_from(["0", "1", "2", "9", "10", "01", "20230101"])
punctuation = st.sampled_from([".", "~", "+", "a", "rc", ".", "+dfsg"])
dotted = st.lists(st.tuples(numbers, punctuation), min_size=1, max_size=4).map(
    lambda parts: "".join(number + sign for number, sign in parts) + "1"
)
debian = st.builds(
    lambda epoch, upstream, revision: epoch + upstream + revision,
    st.sampled_from(["", "0:", "1:"]),
    dotted,
    st.sampled_from(["", "-1", "-1~bpo1", "-1+b1", "-0.1", "-10", "-01", "-0"]),
)


@settings(max_examples=60, deadline=None)
@given(debian, debian)
def test_dpkg_agrees_on_versions_made_up_now(one: str, other: str) -> None:
    program = tool("dpkg")
    relation = {-1: "lt", 0: "eq", 1: "gt"}[order.compare("Debian", one, other)]
    arguments = [program, "--compare-versions", one, relation, other]
    assert subprocess.run(arguments, check=False).returncode == 0


def rpm_answers(pairs: list[tuple[str, str]]) -> list[int]:
    calls = " ".join(f"print(rpm.vercmp('{a}','{b}')..' ')" for a, b in pairs)
    arguments = [tool("rpm"), "--eval", f"%{{lua: {calls}}}"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return [int(answer) for answer in done.stdout.split()]


def node_answers(pairs: list[tuple[str, str]]) -> list[int]:
    node = Path(tool("node")).resolve()
    places = [node.parent.parent / "lib/node_modules", Path("/usr/share/nodejs")]
    found = [p / "npm/node_modules/semver" for p in places] + [p / "semver" for p in places]
    semver = next((path for path in found if path.is_dir()), None)
    if semver is None:
        pytest.skip("npm, which bundles semver, is not installed; vectors were checked")
    script = (
        f"const s = require({json.dumps(str(semver))});"
        f"for (const [a, b] of {json.dumps(pairs)}) console.log(s.compare(a, b));"
    )
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    return [int(answer) for answer in done.stdout.split()]


rpms = st.builds(
    lambda epoch, upstream, release: f"{epoch}{upstream}-{release}",
    st.sampled_from(["", "0:", "1:"]),
    dotted.map(lambda text: text.replace("+", "^")),
    st.sampled_from(["1", "1.el9", "1.el9_2.1", "10.fc40"]),
)
semvers = st.builds(
    lambda numbers, pre: ".".join(map(str, numbers)) + pre,
    st.tuples(*[st.sampled_from([0, 1, 2, 10])] * 3),
    st.lists(
        st.sampled_from(["0", "1", "10", "alpha", "rc", "rc1", "a-b"]), max_size=3
    ).map(lambda parts: "-" + ".".join(parts) if parts else ""),
)


@pytest.mark.parametrize(
    ("ecosystem", "versions", "answers"),
    [("Rocky Linux", rpms, rpm_answers), ("npm", semvers, node_answers)],
)
def test_rpm_and_node_agree_on_versions_made_up_now(
    ecosystem: str,
    versions: st.SearchStrategy[str],
    answers: Callable[[list[tuple[str, str]]], list[int]],
) -> None:
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(versions, versions), min_size=100, max_size=200))
    def check(pairs: list[tuple[str, str]]) -> None:
        ours = [order.compare(ecosystem, one, other) for one, other in pairs]
        assert ours == answers(pairs)

    check()


pythons = st.builds(
    lambda epoch, release, suffix: epoch + ".".join(map(str, release)) + suffix,
    st.sampled_from(["", "", "1!"]),
    st.lists(st.sampled_from([0, 1, 2, 10]), min_size=1, max_size=4),
    st.sampled_from(["", "a1", "b2", "rc1", ".dev3", ".post1", "+local.1"]),
)


@given(pythons, pythons)
def test_packaging_agrees_on_versions_made_up_now(one: str, other: str) -> None:
    first, second = Version(one), Version(other)
    assert order.compare("PyPI", one, other) == (first > second) - (first < second)


@pytest.mark.parametrize(
    ("ecosystem", "versions"),
    [("Debian", debian), ("Rocky Linux", rpms), ("npm", semvers)],
)
def test_an_order_is_total(ecosystem: str, versions: st.SearchStrategy[str]) -> None:
    @given(versions, versions, versions)
    def check(one: str, two: str, three: str) -> None:
        ascending = sorted([one, two, three], key=order.ORDERS[ecosystem])
        assert order.compare(ecosystem, ascending[0], ascending[2]) <= 0
        assert order.compare(ecosystem, one, two) == -order.compare(ecosystem, two, one)

    check()


def test_an_unknown_ecosystem_says_that_it_has_no_order() -> None:
    with pytest.raises(InvalidVersion, match="no version order"):
        order.compare("Nobody's", "1", "2")
