"""Decisions about admissions, on values alone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing.entitlements.values import an_override
from vexxy.billing.catalog.service import load
from vexxy.billing.entitlements.types import ANALYSES, CREDITS
from vexxy.billing.quotas import rules
from vexxy.billing.quotas.errors import AnalysesUsedUp, CreditsUsedUp
from vexxy.billing.quotas.types import Ending, Let, Position
from vexxy.billing.types import Tier

RESETS = datetime(2026, 12, 1, tzinfo=UTC)
COUNTS = st.integers(0, 10_000)
LIMITS = st.none() | st.integers(0, 10_000)


def a_position(**given: object) -> Position:
    values: dict[str, object] = {
        "analyses": 0,
        "credits_used": 0,
        "credits_held": 0,
        "analysis_limit": 10,
        "credit_limit": 100,
        "resets_at": RESETS,
        **given,
    }
    return Position(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (a_position(), Let(own_first=True, unlimited=False)),
        (a_position(analyses=9), Let(own_first=True, unlimited=False)),
        (a_position(credit_limit=None), Let(own_first=False, unlimited=True)),
        (
            a_position(analysis_limit=None, analyses=10**6),
            Let(own_first=True, unlimited=False),
        ),
        (
            a_position(analyses=10, analysis_override=an_override(ANALYSES, 11)),
            Let(own_first=True, unlimited=False),
        ),
        (
            a_position(credit_override=an_override(CREDITS, None)),
            Let(own_first=False, unlimited=True),
        ),
        # An operator's credits are there for what the own ones do not cover.
        (
            a_position(credits_used=90, credit_override=an_override(CREDITS, 108)),
            Let(own_first=True, unlimited=True),
        ),
    ],
)
def test_who_is_within_the_limits_is_let_in(position: Position, expected: Let) -> None:
    assert rules.decide(position, 18) == expected


def test_the_last_analysis_of_a_period_is_the_last_one() -> None:
    refused = rules.decide(a_position(analyses=10), 18)

    assert isinstance(refused, AnalysesUsedUp)
    assert refused.details == {
        "quota_type": "analyses",
        "limit": 10,
        "current": 10,
        "resets_at": "2026-12-01T00:00:00Z",
    }
    assert "2026-12-01" in (refused.hint or "")


def test_an_operator_can_lower_a_limit_as_well() -> None:
    position = a_position(analyses=3, analysis_override=an_override(ANALYSES, 3))
    refused = rules.decide(position, 1)

    assert isinstance(refused, AnalysesUsedUp)
    assert refused.details["limit"] == 3


def test_an_operators_credits_end_where_they_were_said_to() -> None:
    """What is held counts: it may all be charged."""
    override = an_override(CREDITS, 100)
    position = a_position(credits_used=70, credits_held=13, credit_override=override)

    assert isinstance(rules.decide(position, 17), Let)
    refused = rules.decide(position, 18)
    assert isinstance(refused, CreditsUsedUp)
    assert refused.details == {
        "quota_type": "credits",
        "limit": 100,
        "current": 83,
        "resets_at": "2026-12-01T00:00:00Z",
        "required": 18,
        "available": 17,
        "balance": 17,
    }


@given(used=COUNTS, limit=LIMITS, other=LIMITS, overridden=st.booleans())
def test_nobody_is_let_in_beyond_the_limit_that_holds(
    used: int, limit: int | None, other: int | None, *, overridden: bool
) -> None:
    override = an_override(ANALYSES, other) if overridden else None
    position = a_position(analyses=used, analysis_limit=limit, analysis_override=override)
    holds = other if overridden else limit

    let = isinstance(rules.decide(position, 1), Let)

    assert let == (holds is None or used < holds)
    left = rules.remaining(position).analyses
    assert left == (None if holds is None else max(0, holds - used))


@pytest.mark.parametrize(
    ("ending", "counts"),
    [
        (Ending.FAILED, False),
        (Ending.UNSTARTED, False),
        (Ending.INCOMPLETE, False),
        (Ending.FAULTY, True),
        (Ending.CANCELLED, True),
    ],
)
def test_only_what_used_a_worker_for_its_owners_reasons_goes_on_counting(
    ending: Ending, *, counts: bool
) -> None:
    assert rules.goes_on_counting(ending) == counts


@pytest.mark.parametrize(
    ("used", "limit", "percent"),
    [
        (0, 100, "0.00"),
        (18, 100, "18.00"),
        (1, 3, "33.33"),
        (1, 8, "12.50"),
        (1, 16, "6.25"),
        (1, 800, "0.13"),
        (150, 100, "150.00"),
        (18, None, "0.00"),
        (0, 0, "100.00"),
    ],
)
def test_utilization_has_two_decimals(used: int, limit: int | None, percent: str) -> None:
    assert str(rules.utilization_percent(used, limit)) == percent


def test_the_plans_of_the_contract_meet_themselves() -> None:
    free = load().plans[Tier.FREE]
    position = a_position(
        analysis_limit=free.monthly_analyses, credit_limit=free.monthly_credits
    )
    assert isinstance(rules.decide(position, 18), Let)


def test_somebody_is_told_once_for_each_percentage_that_is_reached() -> None:
    """Not for every analysis: whoever submits beside it waits meanwhile."""
    told = [
        used + 1
        for used in range(20)
        if rules.reaches(a_position(analyses=used), (80, 100, 120))
    ]
    assert told == [8, 10, 12]
    assert not rules.reaches(a_position(analysis_limit=None), (80,))
    three = [
        used + 1
        for used in range(4)
        if rules.reaches(a_position(analyses=used, analysis_limit=3), (80, 100))
    ]
    assert three == [3]
