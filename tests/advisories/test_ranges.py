"""The OSV range algorithm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.advisories.errors import InvalidVersion
from vexxy.advisories.rules import ranges
from vexxy.advisories.types import Event, Range


def a_range(*events: str, kind: str = "SEMVER") -> Range:
    """Build a range out of `introduced 0`, `fixed 1.2` ..."""
    return Range(kind, tuple(Event(*event.split()) for event in events))  # type: ignore[arg-type]


def affected(version: str, *events: str, ecosystem: str = "npm") -> bool:
    found = a_range(*events, kind="ECOSYSTEM")
    return ranges.is_affected(version, ecosystem=ecosystem, ranges=[found], versions=())


def test_introduced_0_is_below_every_version() -> None:
    """A pseudo-version sorts below 0.0.0, and was once matched by what begins at 0."""
    pseudo = "0.0.0-20200101000000-abcdefabcdef"
    assert affected(pseudo, "introduced 0", "fixed 1.0.0", ecosystem="Go")
    assert not affected(pseudo, "introduced 0.0.0", "fixed 1.0.0", ecosystem="Go")
    later = "0.0.0-20210101000000-abcdefabcdef"
    assert not affected(later, "introduced 0", f"fixed {pseudo}", ecosystem="Go")


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.19.8", True), ("1.19.11", False), ("1.20.5", True), ("1.20.6", False)],
)
def test_a_later_introduced_does_not_reset_an_earlier_pair(
    version: str, *, expected: bool
) -> None:
    events = ("introduced 0", "fixed 1.19.11", "introduced 1.20.0-0", "fixed 1.20.6")
    assert affected(version, *events, ecosystem="Go") is expected
    assert affected(version, *reversed(events), ecosystem="Go") is expected


def test_last_affected_is_affected_and_what_follows_is_not() -> None:
    events = ("introduced 1.0.0", "last_affected 1.5.0")
    assert affected("1.5.0", *events)
    assert not affected("1.5.1", *events)
    assert affected("1.0.0", "introduced 1.0.0", "last_affected 1.0.0")


def test_a_limit_ends_what_is_said() -> None:
    events = ("introduced 1.0.0", "limit 2.0.0")
    assert affected("1.9.9", *events)
    assert not affected("2.0.0", *events)
    assert affected("9.0.0", "introduced 1.0.0", "limit *")


def test_an_open_end_affects_everything_from_there() -> None:
    assert affected("99.0.0", "introduced 1.0.0")
    assert not affected("0.9.0", "introduced 1.0.0")


def test_a_fix_that_is_also_a_beginning_leaves_no_gap() -> None:
    events = ("introduced 0", "fixed 1.0.0", "introduced 1.0.0", "fixed 1.1.0")
    assert affected("1.0.0", *events)
    assert affected("1.0.0", *events[2:], *events[:2])


def test_fixed_where_introduced_means_never_affected() -> None:
    """Debian writes introduced 0, fixed 0 for packages that never had the hole."""
    events = ("introduced 0", "fixed 0")
    assert not affected("1.0-1", *events, ecosystem="Debian:12")
    assert not affected("0~git1", *events, ecosystem="Debian:12")


@pytest.mark.parametrize("other", ["1:1.2.3-4", "1:1.2.3-4+b1"])
def test_a_debian_epoch_outweighs_the_rest(other: str) -> None:
    assert affected("1.9-1", "introduced 0", f"fixed {other}", ecosystem="Debian:12")
    assert not affected("2:0.1-1", "introduced 0", f"fixed {other}", ecosystem="Debian:12")


def test_an_enumerated_version_is_affected_without_a_range() -> None:
    def listed(version: str) -> bool:
        return ranges.is_affected(
            version, ecosystem="PyPI", ranges=(), versions=("1.0", "not a version", "2.0")
        )

    assert listed("1.0.0")
    assert listed("not a version")
    assert not listed("3.0")


def test_a_version_without_order_is_unknown_rather_than_free() -> None:
    events = ("introduced 0", "fixed 1.0.0")
    with pytest.raises(InvalidVersion):
        affected("(devel)", *events, ecosystem="Go")
    with pytest.raises(InvalidVersion):
        affected("1.0", *events, ecosystem="Nobody's")


def test_one_bad_range_does_not_hide_a_good_one() -> None:
    good = a_range("introduced 0")
    bad = a_range("introduced nonsense")
    for many in ([good, bad], [bad, good]):
        assert ranges.is_affected("1.0.0", ecosystem="npm", ranges=many, versions=())
    beyond = a_range("introduced 2.0.0")
    with pytest.raises(InvalidVersion):
        ranges.is_affected("1.0.0", ecosystem="npm", ranges=[beyond, bad], versions=())


def test_fixed_versions_are_those_ahead_in_ascending_order() -> None:
    many = [
        a_range("introduced 2.0.0", "fixed 2.10.0"),
        a_range("introduced 0", "fixed 1.9.0", "introduced 1.10.0", "fixed 1.11.0"),
    ]
    found = ranges.fixed_versions("1.10.5", ecosystem="npm", ranges=many)
    assert found == ("1.11.0", "2.10.0")


def test_versions_that_a_range_covers_need_not_be_listed() -> None:
    covering = [a_range("introduced 1.0.0", "fixed 2.0.0")]
    listed = ("0.9.0", "1.0.0", "1.5.0", "2.0.0", "odd one")
    kept = ranges.uncovered("npm", covering, versions=listed)
    assert kept == ("0.9.0", "2.0.0", "odd one")


small = st.integers(min_value=0, max_value=6)
event_lists = st.lists(
    st.tuples(st.sampled_from(["introduced", "fixed", "last_affected"]), small),
    min_size=1,
    max_size=6,
    unique_by=lambda event: event[1],
)


def by_the_specification(version: int, events: list[tuple[str, int]]) -> bool:
    """The pseudo-code of the OSV schema, "evaluation", on integers."""
    vulnerable = False
    for kind, at in sorted(events, key=lambda event: event[1]):
        if kind == "introduced" and version >= at:
            vulnerable = True
        elif (kind == "fixed" and version >= at) or (
            kind == "last_affected" and version > at
        ):
            vulnerable = False
    return vulnerable


@given(small, event_lists)
def test_ranges_are_evaluated_as_the_specification_does(
    version: int, events: list[tuple[str, int]]
) -> None:
    written = [f"{kind} {at}.0.1" for kind, at in events]
    ours = affected(f"{version}.0.1", *written)
    assert ours is by_the_specification(version, events)
