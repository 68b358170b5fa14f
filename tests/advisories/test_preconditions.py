"""What a hole further needs: looked for, told, never a reason to clear."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from vexxy.advisories import repository, service
from vexxy.advisories.rules import matching, preconditions
from vexxy.advisories.rules.preconditions import Finding
from vexxy.advisories.types import (
    Affected,
    OverlayLine,
    Precondition,
    PreconditionKind,
    Symbol,
)
from vexxy.advisories.wire import overlay
from vexxy.kit.errors import InvalidInput

WINDOWS = Precondition(PreconditionKind.PLATFORM, "windows", "It runs on Windows.")
RELOAD = Precondition(PreconditionKind.OPTION, "--reload", "The reloader is on.")
DEBUG = Precondition(PreconditionKind.ENVIRONMENT, "DEBUG=1", "Debugging is on.")
VERIFY = Precondition(PreconditionKind.ARGUMENT, "verify=False", "Checks are off.")


@pytest.mark.parametrize(
    ("one", "arguments", "environment", "finding"),
    [
        (RELOAD, [["gunicorn", "--reload"]], None, Finding.OBSERVED),
        (RELOAD, [["gunicorn", "--reload=1"]], None, Finding.OBSERVED),
        (RELOAD, [["gunicorn", "--reloader"]], None, Finding.NOT_OBSERVED),
        (RELOAD, [], None, Finding.UNKNOWN),
        (DEBUG, [], {"DEBUG": "1"}, Finding.OBSERVED),
        (DEBUG, [], {"DEBUG": "0"}, Finding.NOT_OBSERVED),
        (DEBUG, [], {}, Finding.NOT_OBSERVED),
        (DEBUG, [], None, Finding.UNKNOWN),
        (VERIFY, [["verify=False"]], {}, Finding.UNKNOWN),
        (WINDOWS, [], None, Finding.NOT_OBSERVED),
    ],
)
def test_a_precondition_is_observed_not_observed_or_unknown(
    one: Precondition,
    arguments: list[list[str]],
    environment: dict[str, str] | None,
    finding: Finding,
) -> None:
    assert (
        preconditions.check(one, arguments, environment, platform="linux/amd64") is finding
    )


def test_a_platform_that_nobody_knows_is_unknown() -> None:
    assert preconditions.check(WINDOWS, [], None) is Finding.UNKNOWN


def test_a_finding_is_a_line_of_evidence() -> None:
    said = preconditions.statement(RELOAD, Finding.NOT_OBSERVED)
    assert said == "precondition not observed: The reloader is on. (option --reload)"


def a_line() -> OverlayLine:
    symbol = Symbol("lib.a", "f", "advisory text", 0.8, ("windows",), (WINDOWS, VERIFY))
    return OverlayLine("PyPI", "lib", "CVE-2099-1", symbol)


def test_the_overlay_keeps_platforms_and_preconditions() -> None:
    text = overlay.dump([a_line()])
    assert list(overlay.parse(text, source="x")) == [a_line()]


def test_lines_of_seven_columns_are_still_read() -> None:
    (line,) = overlay.parse("PyPI\tlib\tCVE-1\tm\tf\t0.8\tseen\n", source="x")
    assert line.symbol == Symbol("m", "f", "seen", 0.8)


@pytest.mark.parametrize("term", ["wish x: y.", "option: y.", "option --x"])
def test_a_malformed_precondition_names_its_line(term: str) -> None:
    with pytest.raises(InvalidInput, match="line 1"):
        list(overlay.parse(f"PyPI\tlib\tC\tm\tf\t0.8\tseen\t\t{term}\n", source="x"))


def test_the_database_keeps_platforms_and_preconditions(tmp_path: Path) -> None:
    database = tmp_path / "advisories.sqlite"
    service.store_symbols(database, [a_line()])
    with repository.open_index(database) as index:
        assert index.list_overlay("PyPI", "lib") == (a_line(),)


def an_outcome(*named: Symbol, overlaid: Sequence[Symbol] = ()) -> tuple[Symbol, ...]:
    lines = [OverlayLine("npm", "lodash", "CVE-2099-1111", one) for one in overlaid]
    return matching._symbols([Affected(symbols=tuple(named))], lines)


def test_a_precondition_joins_the_surer_line_of_the_same_function() -> None:
    fix = Symbol("lib/a.js", "f", "commit x", 0.9)
    words = Symbol("lib/a.js", "f", "advisory text", 0.8, (), (VERIFY,))
    assert an_outcome(overlaid=[fix, words]) == (replace(fix, preconditions=(VERIFY,)),)


def test_a_name_without_a_file_gives_way_to_the_same_name_with_one() -> None:
    """A record's `lodash.baseSet` is found nowhere; the fix says which file it is in."""
    record = Symbol("lodash", "baseSet", "advisory GHSA-1")
    fix = Symbol("lodash.js", "baseSet", "commit x", 0.9)
    other = Symbol("lodash", "zipObjectDeep", "advisory GHSA-1")
    assert set(an_outcome(record, other, overlaid=[fix])) == {fix, other}
