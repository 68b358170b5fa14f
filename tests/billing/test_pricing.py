"""What an analysis costs."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.billing import pricing
from vexxy.billing.catalog.service import load
from vexxy.billing.types import Feature, Options, Tier

PLANS = load().plans
OPTIONS = st.builds(Options, st.booleans(), st.booleans(), st.booleans())
DURATIONS = st.timedeltas(timedelta(0), timedelta(days=2))


@pytest.mark.parametrize(
    ("options", "minutes", "price"),
    [
        (Options(), 0, 10),
        (Options(fuzzing=True), 0, 15),
        (Options(profiling=True), 0, 13),
        (Options(coverage=True), 0, 17),
        (Options(fuzzing=True, profiling=True, coverage=True), 0, 25),
        (Options(), 4.99, 10),
        (Options(), 5, 11),
        (Options(profiling=True), 14.99, 15),
        (Options(), 60, 22),
    ],
)
def test_an_analysis_costs_what_the_contract_says(
    options: Options, minutes: float, price: int
) -> None:
    assert pricing.analysis_credits(options, timedelta(minutes=minutes)) == price


@given(OPTIONS, DURATIONS, DURATIONS)
def test_a_longer_analysis_never_costs_less(
    options: Options, one: timedelta, two: timedelta
) -> None:
    short, long = sorted((one, two))
    assert pricing.analysis_credits(options, short) <= pricing.analysis_credits(
        options, long
    )


def test_a_clock_that_was_set_back_charges_no_time() -> None:
    assert pricing.analysis_credits(Options(), timedelta(hours=-1)) == 10


def test_each_tier_has_what_the_one_before_has() -> None:
    ordered = [PLANS[tier] for tier in Tier]
    for lower, higher in itertools.pairwise(ordered):
        assert lower.features < higher.features
        assert lower.priority < higher.priority


@pytest.mark.parametrize(
    ("tier", "analyses", "allowance"),
    [
        (Tier.FREE, 10, 100),
        (Tier.STARTER, 100, 1000),
        (Tier.PROFESSIONAL, 500, 5000),
        (Tier.ENTERPRISE, None, None),
    ],
)
def test_a_tier_allows_what_the_contract_says(
    tier: Tier, analyses: int | None, allowance: int | None
) -> None:
    plan = PLANS[tier]
    assert (plan.monthly_analyses, plan.monthly_credits) == (analyses, allowance)


def test_functions_start_with_starter_and_scanners_with_professional() -> None:
    assert Feature.REACHABILITY_ANALYSIS not in PLANS[Tier.FREE].features
    assert Feature.REACHABILITY_ANALYSIS in PLANS[Tier.STARTER].features
    assert Feature.SECURITY_FUZZING not in PLANS[Tier.STARTER].features
    assert Feature.SECURITY_FUZZING in PLANS[Tier.PROFESSIONAL].features
