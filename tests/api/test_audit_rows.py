"""Every request that changes something leaves an act behind."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.analysis.documents.test_documents import CYCLONEDX
from tests.analysis.reevaluation.test_reevaluation import a_run
from tests.api.running import SETTINGS, Member, a_client, a_member, a_service
from tests.api.test_analysis import complete
from tests.identity_values import PASSWORD
from vexxy.api.v1.router import router
from vexxy.audit import types as audit
from vexxy.billing.invoices import service as invoicing
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger import types as ledger_types
from vexxy.billing.subscriptions import service as subscribing
from vexxy.bootstrap import Service
from vexxy.identity.recovery import service as recovery
from vexxy.kit import clock

V1 = "/api/v1"
CORE = {"X-Service-Key": str(SETTINGS["core_service_key"])}
NEW = "five more unrelated words"
CHANGES_NOTHING = {
    # Nothing changes before a mail server is there and the answer has left.
    ("POST", "/auth/password-reset"),
    # Refused while there are no payments.
    ("POST", "/billing/credits/purchase"),
}


def an_address() -> str:
    return f"{uuid.uuid4().hex}@example.com"


@dataclass
class Walk:
    """Sends requests, and notes after each which route left an act behind."""

    client: TestClient
    service: Service
    owner: Member
    headers: dict[str, str] = field(default_factory=dict)
    recorded: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def send(self, method: str, template: str, **options: Any) -> Any:  # noqa: ANN401
        path = template.format(**options.pop("named", {}))
        headers = options.pop("headers", self.headers or self.owner.headers)
        before = self.position()
        answer = self.client.request(method, V1 + path, headers=headers, **options)
        assert answer.is_success, (method, path, answer.text)
        self.recorded[method, template] = self.since(before)
        return answer.json() if answer.content else None

    def position(self) -> int:
        query = text("select coalesce(max(position), 0) from billing_audit_log")
        with self.service.system.transaction() as session:
            return int(session.scalars(query).one())

    def since(self, before: int) -> list[str]:
        query = text("select action from billing_audit_log where position > :before")
        with self.service.system.transaction() as session:
            return list(session.scalars(query, {"before": before}))


@pytest.fixture(scope="module")
def walk(database_url: str) -> Iterator[Walk]:
    with a_service(database_url) as service, a_client(service) as client:
        yield Walk(client, service, a_member(service))


def people(walk: Walk) -> None:
    email = an_address()
    body = {"email": email, "password": PASSWORD}
    more = {"name": "Ada", "organization_name": "Example"}
    walk.send("POST", "/auth/register", json=body | more)
    mine = walk.send("POST", "/auth/login", json=body)
    walk.headers = {"Authorization": f"Bearer {mine['access_token']}"}
    change = {"current_password": PASSWORD, "new_password": NEW}
    mine = walk.send("POST", "/auth/password", json=change)
    walk.headers = {"Authorization": f"Bearer {mine['access_token']}"}
    walk.send("POST", "/auth/logout-everywhere")
    walk.headers = {}
    with walk.service.system.transaction() as session:
        actor = audit.system("operator")
        link = recovery.make_link(session, walk.service.identity, email, actor=actor)
    confirmed = {"token": link.partition("#token=")[2], "new_password": PASSWORD}
    walk.send("POST", "/auth/password-reset/confirm", json=confirmed)


def members(walk: Walk) -> None:
    offers = [
        walk.send("POST", "/members/invitations", json={"email": an_address()})
        for _ in range(2)
    ]
    named = {"invitation_id": offers[0]["id"]}
    walk.send("DELETE", "/members/invitations/{invitation_id}", named=named)
    taken = {"token": offers[1]["token"], "name": "Bob", "password": PASSWORD}
    bob = walk.send("POST", "/auth/invitations/accept", json=taken)["user"]["id"]
    named = {"user_id": bob}
    walk.send("PATCH", "/members/{user_id}", named=named, json={"role": "analyst"})
    walk.send("DELETE", "/members/{user_id}", named=named)
    walk.send("PATCH", "/organizations/current", json={"name": "Another"})


def keys(walk: Walk) -> None:
    made = walk.send("POST", "/auth/api-keys", json={"name": "CI"})
    walk.send("DELETE", "/auth/api-keys/{key_id}", named={"key_id": made["id"]})


def base_vexxy(walk: Walk) -> None:
    home = str(uuid.uuid4())
    told = {"id": home, "name": "Core"}
    walk.send("POST", "/billing/organizations/sync", json=told, headers=CORE)
    user = {**told, "organization_id": home, "email": an_address()}
    walk.send("POST", "/billing/users/sync", json=user, headers=CORE)


def analyses(walk: Walk) -> None:
    walk.send("POST", "/sboms", content=CYCLONEDX)
    wanted = {"image_ref": "nginx:1.25"}
    job = walk.send("POST", "/analysis/submit", json=wanted)["job_id"]
    walk.send("DELETE", "/analysis/{job_id}", named={"job_id": job})
    job = walk.send("POST", "/analysis/submit", json=wanted)["job_id"]
    complete(walk.service, walk.owner, job, a_run())
    walk.send("POST", "/analysis/{job_id}/reevaluate", named={"job_id": job})


def credits_by_hand(walk: Walk) -> None:
    walk.headers = a_member(walk.service, is_admin=True).headers
    home = {"org_id": walk.owner.organization_id}
    path = "/billing/organization/{org_id}"
    gift = {"credits": 50, "reason": "an apology"}
    walk.send("POST", f"{path}/grants", named=home, json=gift)
    less = {"credits": -5, "reason": "too many"}
    walk.send("POST", f"{path}/adjustments", named=home, json=less)
    soon = clock.instant() + timedelta(hours=1)
    hold = ledger_types.Hold(key="h", credits=10, expires_at=soon)
    charge = ledger_types.Settle(key="s", hold_key="h", credits=10)
    with walk.service.system.transaction() as session:
        ledger.post_one(session, walk.owner.organization_id, hold)
        posted = ledger.post_one(session, walk.owner.organization_id, charge)
    back = {"event_id": str(posted.id), "reason": "it failed"}
    walk.send("POST", f"{path}/refunds", named=home, json=back)
    walk.headers = {}


def invoices_by_hand(walk: Walk) -> None:
    of = "/billing/organization/{org_id}"
    why = {"reason": "a bank transfer"}
    walk.headers = a_member(walk.service, is_admin=True).headers
    for act in ("paid", "void"):
        home = a_member(walk.service).organization_id
        with walk.service.request.transaction(home) as session:
            closing = subscribing.upcoming(session, home, plans=walk.service.plans)
            made = invoicing.close_period(session, replace(closing, fee_cents=100))
        with walk.service.system.transaction() as session:
            assert made in invoicing.finalize_due(session)
        named = {"org_id": home, "invoice_id": made}
        path = f"{of}/invoices/{{invoice_id}}/{act}"
        walk.send("POST", path, named=named, json=why)
    with walk.service.system.transaction() as session:
        session.execute(text(ANOTHER_VERSION))
        session.execute(text(KEPT), {"home": home})
    walk.send("POST", f"{of}/subscription/move", named={"org_id": home}, json=why)
    walk.send("POST", "/billing/tiers/move", json={"tier": "free", **why})
    walk.headers = {}


def use(walk: Walk) -> None:
    home = {"organization_id": str(walk.owner.organization_id), "reason": "a meter was off"}
    at = clock.rfc3339(clock.now())
    event = {"id": "u1", "metric": "storage_gb", "quantity": 1, "timestamp": at}
    walk.send("POST", "/usage/events", json=event)
    fix = {"id": "u2", "corrects": "u1", "quantity": 2, "reason": "a typing error"}
    walk.send("POST", "/usage/corrections", json=fix, params=home, headers=CORE)
    late = {**event, "id": "u3"}
    walk.send("POST", "/usage/backfill", json=[late], params=home, headers=CORE)


def overrides(walk: Walk) -> None:
    walk.headers = a_member(walk.service, is_admin=True).headers
    home = {"org_id": walk.owner.organization_id}
    path = "/billing/organization/{org_id}/overrides"
    until = clock.rfc3339(clock.now() + timedelta(days=9))
    wanted = {"feature": "analyses", "limit_value": 5, "reason": "x y", "expires_at": until}
    made = walk.send("POST", path, named=home, json=wanted)["id"]
    walk.send("DELETE", path + "/{override_id}", named={**home, "override_id": made})
    walk.headers = {}


def subscriptions(walk: Walk) -> None:
    home = {"org_id": walk.owner.organization_id}
    of, own = "/billing/organization/{org_id}/subscription", "/billing/subscription"
    walk.headers = a_member(walk.service, is_admin=True).headers
    given = {"tier": "professional", "reason": "x y", "trial_days": 9}
    walk.send("PUT", of, named=home, json=given)
    walk.send("POST", of + "/trial", named=home, json={"days": 1, "reason": "x y"})
    walk.send("PUT", of, named=home, json={"tier": "enterprise", "reason": "x y"})
    failed = {"outcome": "failed", "reason": "x y"}
    walk.send("POST", of + "/payment", named=home, json=failed)
    walk.send("POST", of + "/payment", named=home, json={**failed, "outcome": "received"})
    walk.headers = {}
    walk.send("POST", own, json={"tier": "professional", "when": "now"})
    quote = walk.send("POST", own + "/preview", json={"tier": "starter", "when": "now"})
    walk.send("PUT", own, json={"quote_id": quote["quote_id"]})
    walk.send("POST", own + "/pause")
    walk.send("POST", own + "/resume")
    walk.send("DELETE", own)
    walk.send("POST", own + "/reactivate")


def notifications(walk: Walk) -> None:
    wanted = {"url": "https://example.com/hook", "event_types": ["analysis.finished"]}
    endpoint = walk.send("POST", "/notifications/endpoints", json=wanted)["id"]
    named = {"endpoint_id": endpoint}
    walk.send("POST", "/notifications/endpoints/{endpoint_id}/rotate", named=named)
    delivery = str(uuid.uuid4())
    values = {"id": delivery, "endpoint": endpoint, "home": walk.owner.organization_id}
    with walk.service.system.transaction() as session:
        session.execute(text(DEAD), values)
    path = "/notifications/deliveries/{delivery_id}/replay"
    walk.send("POST", path, named={"delivery_id": delivery})
    walk.send("DELETE", "/notifications/endpoints/{endpoint_id}", named=named)


def portability(walk: Walk) -> None:
    """Last: nobody acts for the organization afterwards."""
    named = {"org_id": walk.owner.organization_id}
    walk.send("POST", "/organizations/{org_id}/export", named=named, json={})
    current = walk.client.get(f"{V1}/organizations/current", headers=walk.owner.headers)
    confirmed = {"confirm": current.json()["slug"]}
    walk.send("DELETE", "/organizations/{org_id}", named=named, params=confirmed)


def holds(walk: Walk) -> None:
    for key in ("charged", "released"):
        walk.send("POST", "/billing/holds", json={"key": key, "credits": 5})
    body = {"credits": 3}
    path = "/billing/holds/{hold_key}/"
    walk.send("POST", path + "settle", named={"hold_key": "charged"}, json=body)
    walk.send("POST", path + "void", named={"hold_key": "released"})


ANOTHER_VERSION = """
insert into billing_plans (catalog, tier, version, definition)
select catalog, tier, 7, definition from billing_plans where tier = 'free' and version = 1
"""
KEPT = "update subscriptions set plan_version = 7 where organization_id = :home"
DEAD = """
insert into notification_deliveries
  (id, organization_id, endpoint_id, event_id, event_type, body, state, finished_at)
values (:id, :home, :endpoint, gen_random_uuid(), 'analysis.finished', '{}', 'dead', now())
"""


def test_every_request_that_changes_something_is_recorded(walk: Walk) -> None:
    """Goal: no act without its row. Method: do every one of them that the API has."""
    steps: tuple[Callable[[Walk], None], ...] = (
        people,
        members,
        keys,
        base_vexxy,
        analyses,
        subscriptions,
        notifications,
        use,
        credits_by_hand,
        invoices_by_hand,
        overrides,
        holds,
        portability,
    )
    for step in steps:
        step(walk)

    changing = {
        (method, route.path)
        for included in router.routes
        for route in included.original_router.routes  # type: ignore[attr-defined]
        for method in route.methods - {"GET", "HEAD"}
    }
    assert set(walk.recorded) == changing - CHANGES_NOTHING
    assert [route for route, acts in walk.recorded.items() if not acts] == []
