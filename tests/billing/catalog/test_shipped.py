"""The catalogs that ship, next to the tables of the contract (section 4)."""

from decimal import Decimal

import pytest

from vexxy.billing.catalog import service
from vexxy.billing.types import Aggregation, Cap

TIERS = {
    # tier: analyses, credits, priority
    "free": (10, 100, 0),
    "starter": (100, 1000, 1),
    "professional": (500, 5000, 2),
    "enterprise": (None, None, 3),
}
ADDED = {
    "free": {"basic_analysis", "vex_generation"},
    "starter": {"reachability_analysis"},
    "professional": {"security_fuzzing", "priority_support"},
    "enterprise": {"dedicated_support", "custom_integrations"},
}
# metric: (included, cap, price beyond) of free, standard, enterprise
AGENTS: dict[str, list[tuple[str | None, str, str | None]]] = {
    "llm_tokens": [
        ("10000", "soft", None),
        ("1000000", "soft", "0.00001"),
        ("10000000", "soft", "0.000005"),
    ],
    "agent_executions": [
        ("100", "soft", None),
        ("5000", "soft", "0.10"),
        ("50000", "soft", "0.05"),
    ],
    "api_calls": [
        ("1000", "soft", None),
        ("100000", "soft", "0.001"),
        ("1000000", "soft", "0.0005"),
    ],
    "storage_gb": [("1", "hard", None), ("100", "soft", "0.50"), ("1000", "soft", "0.25")],
    "user_seats": [("3", "hard", None), ("25", "soft", "5"), (None, "soft", None)],
}
AGENT_PRICES = {"free": 0, "standard": 9900, "enterprise": 49900}


def test_the_tiers_are_those_of_the_contract() -> None:
    catalog = service.load(None)
    assert {
        plan.tier: (plan.monthly_analyses, plan.monthly_credits, plan.priority)
        for plan in catalog.plans.values()
    } == TIERS
    assert list(catalog.plans) == list(TIERS)
    assert catalog.credit_price_cents == 10


def test_each_tier_adds_features_to_the_one_before() -> None:
    have: set[str] = set()
    for tier, plan in service.load(None).plans.items():
        have |= ADDED[tier]
        assert plan.features == have


def test_our_tiers_count_other_use_without_a_limit() -> None:
    for plan in service.load(None).plans.values():
        assert {name: terms.aggregation for name, terms in plan.metrics.items()} == {
            "api_calls": Aggregation.SUM,
            "storage_gb": Aggregation.MAX,
            "user_seats": Aggregation.MAX,
        }
        assert all(terms.included is None for terms in plan.metrics.values())


@pytest.mark.parametrize("metric", AGENTS)
def test_the_second_catalog_is_that_of_the_contract(metric: str) -> None:
    plans = service.load("agents").plans
    for plan, (included, cap, price) in zip(plans.values(), AGENTS[metric], strict=True):
        terms = plan.metrics[metric]
        assert terms.included == (None if included is None else Decimal(included))
        assert terms.cap is Cap(cap)
        assert terms.overage_unit_price == (None if price is None else Decimal(price))
        summed = metric in {"llm_tokens", "agent_executions", "api_calls"}
        assert terms.aggregation is (Aggregation.SUM if summed else Aggregation.MAX)


def test_the_second_catalog_limits_no_analyses_and_says_so() -> None:
    catalog = service.load("agents")
    assert catalog.meters_analyses is False
    assert {plan.tier: plan.monthly_price_cents for plan in catalog.plans.values()} == (
        AGENT_PRICES
    )
    for plan in catalog.plans.values():
        assert plan.monthly_analyses is plan.monthly_credits is None


@pytest.mark.parametrize("name", service.SHIPPED)
def test_alerts_and_grace_are_those_of_the_contract(name: str) -> None:
    catalog = service.load(name)
    assert catalog.alert_percents == (80, 100, 120)
    assert catalog.grace_seconds == 24 * 60 * 60
    assert catalog.plans[catalog.default_tier].monthly_price_cents == 0
