"""Decisions about overrides, on values alone."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.billing.entitlements.values import NOW, an_override
from vexxy.billing.catalog.service import load
from vexxy.billing.entitlements import rules
from vexxy.billing.entitlements.errors import OverrideRefused
from vexxy.billing.entitlements.types import ANALYSES, CREDITS, NewOverride
from vexxy.billing.types import Aggregation, Feature, MetricTerms, Plan

PLANS = load().plans.values()


def test_an_override_ends_by_itself_and_by_hand() -> None:
    lives = an_override(ANALYSES, 5)
    over = an_override(CREDITS, 5, days=0)
    ended = an_override(Feature.SECURITY_FUZZING, None, ended=True)

    assert rules.live([lives, over, ended], NOW) == {ANALYSES: lives}
    assert rules.live([lives], lives.expires_at) == {}


def test_a_plan_is_what_operators_made_of_it() -> None:
    terms = MetricTerms("storage_gb", Aggregation.MAX, Decimal(1))
    plan = Plan(
        "free", 10, 100, 0, frozenset({"vex_generation"}), metrics={"storage_gb": terms}
    )
    overrides = [
        an_override(ANALYSES, None),
        an_override(CREDITS, 500),
        an_override(Feature.SECURITY_FUZZING, None),
        an_override(Feature.VEX_GENERATION, 0),
        an_override("storage_gb", 7),
    ]

    changed = rules.entitled(plan, {one.feature: one for one in overrides})

    assert (changed.monthly_analyses, changed.monthly_credits) == (None, 500)
    assert changed.features == {"security_fuzzing"}
    assert changed.metrics["storage_gb"].included == 7
    assert rules.entitled(plan, {}) is plan


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("feature", {"feature": "analysis"}),
        ("limit_value", {"limit_value": None}),
        ("limit_value", {"unlimited": True}),
        ("limit_value", {"limit_value": Decimal(-1)}),
        ("limit_value", {"limit_value": Decimal("1.5")}),
        ("limit_value", {"limit_value": Decimal(10**13)}),
        ("limit_value", {"feature": "security_fuzzing", "limit_value": Decimal(2)}),
        ("reason", {"reason": "  "}),
        ("reason", {"reason": "x" * 1001}),
        ("expires_at", {"expires_at": NOW}),
        ("expires_at", {"expires_at": NOW + timedelta(days=2000)}),
    ],
)
def test_an_override_that_cannot_be_is_refused_by_its_field(
    field: str, changes: dict[str, object]
) -> None:
    values = {
        "feature": ANALYSES,
        "limit_value": Decimal(5),
        "reason": "a trial of more",
        "expires_at": NOW + timedelta(days=30),
    }
    rules.check(NewOverride(**values), PLANS, now=NOW)  # type: ignore[arg-type]

    with pytest.raises(OverrideRefused) as refused:
        rules.check(NewOverride(**{**values, **changes}), PLANS, now=NOW)  # type: ignore[arg-type]

    assert refused.value.details["errors"][0]["loc"] == ["body", field]
