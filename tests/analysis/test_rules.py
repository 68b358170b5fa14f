"""Bounds, presets, counts and the CI gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.values import a_package, a_request, a_verdict
from vexxy.advisories.types import Severity
from vexxy.analysis import rules
from vexxy.analysis.errors import RequestRefused
from vexxy.analysis.types import Profile, Settings
from vexxy.vex.types import Status


def test_a_given_field_wins_over_its_profile_and_no_other() -> None:
    settings = rules.settings_for(Profile.MINIMAL, fuzz=True)

    assert settings == Settings(120, coverage=False, fuzz=True)


def test_a_given_false_is_given() -> None:
    assert rules.settings_for(Profile.COMPREHENSIVE, coverage=False).coverage is False


@pytest.mark.parametrize("seconds", [0, 29, 3601, -5])
def test_a_duration_outside_the_bounds_is_refused(seconds: int) -> None:
    request = a_request(settings=Settings(seconds, coverage=False, fuzz=False))

    with pytest.raises(RequestRefused, match="from 30 to 3600"):
        rules.check_request(request)


@pytest.mark.parametrize("seconds", [30, 3600])
def test_the_bounds_themselves_are_allowed(seconds: int) -> None:
    rules.check_request(a_request(settings=Settings(seconds, coverage=False, fuzz=False)))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ports", (0,), "0 is not a TCP port"),
        ("ports", (65536,), "65536 is not a TCP port"),
        ("ports", tuple(range(1, 34)), "at most 32"),
        ("environment", {f"N{n}": "" for n in range(65)}, "at most 64"),
        ("environment", {"A-B": "x"}, "not the name of a variable"),
        ("environment", {"A": "x\0y"}, "NUL"),
        ("test_script", "x" * (64 * 1024 + 1), "at most 65536"),
    ],
)
def test_a_request_outside_the_contract_is_refused(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(RequestRefused, match=message):
        rules.check_request(a_request(**{field: value}))


def test_a_refused_environment_never_shows_its_value() -> None:
    with pytest.raises(RequestRefused) as refused:
        rules.check_request(a_request(environment={"A-B": "hunter2"}))

    assert "hunter2" not in str(refused.value)


def test_what_remains_is_everything_that_is_not_cleared() -> None:
    verdicts = [
        a_verdict(Status.AFFECTED),
        a_verdict(Status.UNDER_INVESTIGATION, severity=Severity.LOW),
        a_verdict(Status.NOT_AFFECTED),
        a_verdict(Status.NOT_AFFECTED),
    ]

    summary = rules.summarize(verdicts)

    assert (summary.findings, summary.remaining, summary.removed_percent) == (4, 2, 50.0)
    assert summary.remaining_by_severity["high"] == 1
    assert summary.remaining_by_severity["low"] == 1


def test_no_findings_is_nothing_removed() -> None:
    assert rules.summarize([]).removed_percent == 0.0


@pytest.mark.parametrize(
    ("rule", "status", "severity", "fixed", "stops"),
    [
        ("affected", Status.AFFECTED, Severity.LOW, (), True),
        ("affected", Status.UNDER_INVESTIGATION, Severity.CRITICAL, (), False),
        ("affected:high", Status.AFFECTED, Severity.HIGH, (), True),
        ("affected:high", Status.AFFECTED, Severity.MEDIUM, (), False),
        ("affected:high", Status.AFFECTED, Severity.UNKNOWN, (), False),
        ("affected", Status.AFFECTED, Severity.UNKNOWN, (), True),
        ("remaining:critical", Status.UNDER_INVESTIGATION, Severity.CRITICAL, (), True),
        ("affected:fixable", Status.AFFECTED, Severity.LOW, (), False),
        ("affected:fixable", Status.AFFECTED, Severity.LOW, ("2",), True),
        ("affected:critical,any:low", Status.NOT_AFFECTED, Severity.LOW, (), True),
    ],
)
def test_a_gate_stops_what_it_names(
    rule: str,
    status: Status,
    severity: Severity,
    fixed: tuple[str, ...],
    *,
    stops: bool,
) -> None:
    verdict = a_verdict(status, severity=severity, fixed_versions=fixed)

    assert bool(rules.failing([verdict], rules.parse_gates(rule))) is stops


@pytest.mark.parametrize("rule", ["", "bad", "affected:hgih", "affected,,", "high"])
def test_a_gate_with_a_typo_is_refused_rather_than_open(rule: str) -> None:
    with pytest.raises(RequestRefused):
        rules.parse_gates(rule)


@given(st.permutations([Status.AFFECTED, Status.NOT_AFFECTED, Status.UNDER_INVESTIGATION]))
def test_reading_order_does_not_depend_on_the_order_given(statuses: list[Status]) -> None:
    verdicts = [a_verdict(s, package=a_package(name=f"p-{s}")) for s in statuses]

    assert [v.status for v in rules.in_reading_order(verdicts)] == [
        Status.AFFECTED,
        Status.UNDER_INVESTIGATION,
        Status.NOT_AFFECTED,
    ]
