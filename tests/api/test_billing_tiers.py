"""`GET /billing/tiers`, and moving subscribers between versions of a plan."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api import running
from vexxy.billing.catalog.errors import PlanChanged
from vexxy.bootstrap import Service
from vexxy.kit.errors import InvalidInput

V1 = "/api/v1"
KEPT = "update subscriptions set plan_version = :version where organization_id = :id"
WHY = {"reason": "prices of 2027"}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


def test_anybody_may_read_the_contract_s_tiers(client: TestClient) -> None:
    answer = client.get(f"{V1}/billing/tiers")
    assert answer.status_code == 200
    basic = ["basic_analysis", "vex_generation"]
    scanned = [*basic, "reachability_analysis", "security_fuzzing", "priority_support"]
    assert [
        {
            name: tier[name]
            for name in (
                "tier",
                "monthly_analysis_limit",
                "monthly_credit_limit",
                "priority",
                "features",
            )
        }
        for tier in answer.json()
    ] == [
        {
            "tier": "free",
            "monthly_analysis_limit": 10,
            "monthly_credit_limit": 100,
            "priority": 0,
            "features": basic,
        },
        {
            "tier": "starter",
            "monthly_analysis_limit": 100,
            "monthly_credit_limit": 1000,
            "priority": 1,
            "features": [*basic, "reachability_analysis"],
        },
        {
            "tier": "professional",
            "monthly_analysis_limit": 500,
            "monthly_credit_limit": 5000,
            "priority": 2,
            "features": scanned,
        },
        {
            "tier": "enterprise",
            "monthly_analysis_limit": None,
            "monthly_credit_limit": None,
            "priority": 3,
            "features": [*scanned, "dedicated_support", "custom_integrations"],
        },
    ]
    starter = answer.json()[1]
    assert starter["currency"] == "usd"
    assert (starter["monthly_price_cents"], starter["annual_price_cents"]) == (4900, 49000)
    assert starter["trial_days"] == 14
    assert starter["metrics"]["storage_gb"] == {
        "aggregation": "max",
        "included": None,
        "cap": "soft",
        "overage_unit_price": None,
    }


def test_another_catalog_is_a_setting(database_url: str) -> None:
    with (
        running.a_service(database_url, billing_catalog="agents") as service,
        running.a_client(service) as client,
    ):
        tiers = {tier["tier"]: tier for tier in client.get(f"{V1}/billing/tiers").json()}
        mine = running.a_member(service)
        subscription = client.get(f"{V1}/billing/subscription", headers=mine.headers)
    assert list(tiers) == ["free", "standard", "enterprise"]
    assert tiers["standard"]["metrics"]["llm_tokens"] == {
        "aggregation": "sum",
        "included": "1000000",
        "cap": "soft",
        "overage_unit_price": "0.00001",
    }
    assert tiers["free"]["metrics"]["user_seats"]["cap"] == "hard"
    assert subscription.json()["tier"] == "free"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"billing_catalog": "absent.toml"}, "the catalog absent.toml is not valid"),
        ({"default_tier": "gold"}, "DEFAULT_TIER: 'gold' is no plan"),
        (
            {"billing_catalog": "agents", "default_tier": "starter"},
            "DEFAULT_TIER: 'starter' is no plan of the catalog 'agents'",
        ),
    ],
)
def test_nothing_starts_with_plans_that_cannot_be(
    database_url: str, settings: dict[str, str], words: str
) -> None:
    with (
        pytest.raises(InvalidInput, match=words),
        running.a_service(database_url, **settings),
    ):
        pass


def test_nothing_starts_with_a_plan_that_changed_in_its_version(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    shipped = resources.files("vexxy.billing.catalog") / "data" / "agents.toml"
    first = shipped.read_text().replace('"agents"', '"mine"', 1)
    file.write_text(first)
    for _ in range(2):
        with running.a_service(database_url, billing_catalog=str(file)) as made:
            assert made.plans.current("standard").monthly_price_cents == 9900

    dearer = first.replace("monthly_price_cents = 9900", "monthly_price_cents = 10900")
    file.write_text(dearer)
    with (
        pytest.raises(PlanChanged, match="monthly_price_cents was 9900 and is 10900"),
        running.a_service(database_url, billing_catalog=str(file)),
    ):
        pass

    file.write_text(dearer.replace("version = 1", "version = 2", 1))
    with running.a_service(database_url, billing_catalog=str(file)) as made:
        assert made.plans.current("standard").version == 2


def test_a_catalog_that_says_nothing_of_analyses_limits_none(database_url: str) -> None:
    """Recorded like those of a plan without limits; the balance stays as it is."""
    with (
        running.a_service(database_url, billing_catalog="agents") as made,
        running.a_client(made) as client,
    ):
        mine = running.a_member(made)
        for _ in range(12):
            body = {"image_ref": "nginx:1.25"}
            answer = client.post(f"{V1}/analysis/submit", headers=mine.headers, json=body)
            assert answer.status_code == 201, answer.text
        usage = client.get(f"{V1}/billing/usage", headers=mine.headers).json()
        credits_ = client.get(f"{V1}/billing/credits", headers=mine.headers).json()
    assert usage["monthly_analysis_limit"] is None
    assert usage["monthly_credit_limit"] is None
    assert usage["current_period_analyses"] == 12
    assert (credits_["credit_balance"], credits_["held_credits"]) == (0, 0)


def kept(service: Service, member: running.Member, version: int) -> None:
    """Leave a subscriber on a version of their plan that was offered before."""
    with service.system.transaction() as session:
        session.execute(
            text(
                "insert into billing_plans (catalog, tier, version, definition)"
                " select catalog, tier, :version, jsonb_set(definition,"
                " '{monthly_analyses}', '77') from billing_plans"
                " where catalog = 'vexxy' and tier = 'free' and version = 1"
                " on conflict do nothing"
            ),
            {"version": version},
        )
        session.execute(
            text(KEPT),
            {"version": version, "id": member.organization_id},
        )


def test_a_subscriber_keeps_a_version_until_an_operator_moves_them(
    client: TestClient, service: Service
) -> None:
    mine, operator = running.a_member(service), running.a_member(service, is_admin=True)
    own = f"{V1}/billing/subscription"
    assert client.get(own, headers=mine.headers).json()["plan_version"] == 1
    kept(service, mine, 6)
    found = client.get(own, headers=mine.headers).json()
    assert (found["plan_version"], found["monthly_analysis_limit"]) == (6, 77)
    path = f"{V1}/billing/organization/{mine.organization_id}/subscription/move"

    refused = client.post(path, headers=mine.headers, json=WHY)
    moved = client.post(path, headers=operator.headers, json=WHY)
    again = client.post(path, headers=operator.headers, json=WHY)

    assert refused.status_code == 403
    assert moved.status_code == 200, moved.text
    assert moved.json()["moved"] is True
    # What they have holds to the end of the period.
    assert moved.json()["subscription"]["plan_version"] == 6
    assert moved.json()["subscription"]["scheduled_tier"] == "free"
    assert again.json()["moved"] is False


def test_all_subscribers_of_a_plan_are_moved(client: TestClient, service: Service) -> None:
    operator = running.a_member(service, is_admin=True)
    wanted = {"tier": "free", **WHY}
    # Whoever other tests left behind, also those on a plan of another catalog.
    client.post(f"{V1}/billing/tiers/move", headers=operator.headers, json=wanted)
    members = [running.a_member(service) for _ in range(3)]
    for member in members:
        client.get(f"{V1}/billing/subscription", headers=member.headers)
        kept(service, member, 8)

    refused = client.post(
        f"{V1}/billing/tiers/move", headers=members[0].headers, json=wanted
    )
    first = client.post(f"{V1}/billing/tiers/move", headers=operator.headers, json=wanted)
    again = client.post(f"{V1}/billing/tiers/move", headers=operator.headers, json=wanted)
    absent = client.post(
        f"{V1}/billing/tiers/move",
        headers=operator.headers,
        json={**wanted, "tier": "gold"},
    )

    assert refused.status_code == 403
    assert first.json() == {"tier": "free", "version": 1, "moved": 3, "more": False}
    assert again.json()["moved"] == 0
    assert absent.status_code == 404
    query = text(
        "select action, metadata ->> 'reason' from billing_audit_log"
        " where organization_id = :id and action = 'plan.subscribers_moved'"
    )
    with service.system.transaction() as session:
        acts = session.execute(query, {"id": operator.organization_id}).all()
    assert [tuple(act) for act in acts] == [("plan.subscribers_moved", WHY["reason"])] * 3


def test_a_plan_that_is_raised_is_offered_and_not_forced(database_url: str) -> None:
    """A new version is for new subscribers; who was there keeps theirs."""
    with running.a_service(database_url) as service, running.a_client(service) as client:
        before = running.a_member(service)
        client.get(f"{V1}/billing/subscription", headers=before.headers)
        catalog = service.plans.catalog
        free = replace(catalog.plans["free"], version=2, monthly_analyses=20)
        service.plans.catalog = replace(catalog, plans={**catalog.plans, "free": free})
        with service.system.transaction() as session:
            assert service.plans.publish(session) == 1
        after = running.a_member(service)
        found = [
            client.get(f"{V1}/billing/subscription", headers=member.headers).json()
            for member in (before, after)
        ]
    assert [one["plan_version"] for one in found] == [1, 2]
    assert [one["monthly_analysis_limit"] for one in found] == [10, 20]
