"""Quotas as a customer meets them, with the catalog of another product."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.analysis.documents.test_documents import CYCLONEDX
from tests.api.running import SETTINGS, Member, a_client, a_member, a_service
from tests.fakes.jobs import an_attempt
from tests.identity_values import PASSWORD
from tests.notifications.test_delivery import SEALER, a_receiver
from vexxy import bootstrap
from vexxy.analysis import levels
from vexxy.billing.enforcement import service as enforcement
from vexxy.billing.enforcement.overview import service as overview
from vexxy.billing.enforcement.ports import Use
from vexxy.bootstrap import Service
from vexxy.http.calls import Calls, Written
from vexxy.integrations.mail.smtp import SmtpMail
from vexxy.integrations.webhooks.sender import HttpSender
from vexxy.kit import clock
from vexxy.kit.db import Database
from vexxy.notifications import service as notifications
from vexxy.notifications.models import EndpointRow
from vexxy.notifications.types import EventType
from vexxy.worker import usage, webhook_delivery
from vexxy.worker.webhook_delivery import Tools

V1 = "/api/v1"
CORE = {"X-Service-Key": str(SETTINGS["core_service_key"])}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url, billing_catalog="agents") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture
def owner(service: Service) -> Member:
    return a_member(service)


def quotas(client: TestClient, headers: dict[str, str], path: str = "") -> dict[str, Any]:
    answer = client.get(path or f"{V1}/billing/usage/quotas", headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return {**found, "quotas": {one["metric"]: one for one in found["quotas"]}}


def test_every_metric_stands_beside_its_quota(
    client: TestClient, owner: Member, service: Service
) -> None:
    client.app.state.calls.flush()  # type: ignore[attr-defined]
    found = quotas(client, owner.headers)

    assert (found["tier"], found["currency"]) == ("free", "usd")
    assert set(found["quotas"]) == {
        "analyses",
        "credits",
        "llm_tokens",
        "agent_executions",
        "api_calls",
        "storage_gb",
        "user_seats",
    }
    assert found["quotas"]["analyses"]["limit"] is None
    assert found["quotas"]["user_seats"] == {
        "metric": "user_seats",
        "aggregation": "max",
        "limit": 3,
        "overridden": False,
        "cap": "hard",
        "used": 1,
        "peak": 1,
        "remaining": 2,
        "percent": 33.33,
        "overage": {"quantity": 0, "unit_price": None, "amount_cents": 0},
        "grace": None,
        "resets_at": found["period_end"],
    }


def test_operators_read_the_quotas_of_others_and_nobody_else_does(
    client: TestClient, owner: Member, service: Service
) -> None:
    path = f"{V1}/billing/organization/{owner.organization_id}/usage/quotas"
    operator = a_member(service, is_admin=True)
    stranger = a_member(service)

    assert quotas(client, operator.headers, path)["organization_id"] == str(
        owner.organization_id
    )
    assert client.get(path, headers=stranger.headers).status_code == 404


def invited(client: TestClient, owner: Member) -> Any:  # noqa: ANN401  the client's type
    body = {"email": f"{uuid4().hex}@example.com"}
    return client.post(f"{V1}/members/invitations", headers=owner.headers, json=body)


def accepted(client: TestClient, token: str) -> Any:  # noqa: ANN401  the client's type
    body = {"token": token, "name": "Bob", "password": PASSWORD}
    return client.post(f"{V1}/auth/invitations/accept", json=body)


def test_the_fourth_user_is_refused_however_they_come(
    client: TestClient, owner: Member, service: Service
) -> None:
    offers = [invited(client, owner) for _ in range(3)]
    assert [one.status_code for one in offers] == [201, 201, 402], "two seats are free"
    assert offers[2].json()["details"]["metric"] == "user_seats"
    assert offers[2].json()["details"]["reason"] == "hard_cap"
    tokens = [one.json()["token"] for one in offers[:2]]
    assert accepted(client, tokens[0]).status_code == 201
    left = a_member(service, owner.organization_id)

    refused = accepted(client, tokens[1])
    assert (refused.status_code, refused.headers["x-quota-usage"]) == (402, "3")

    # Who leaves frees the seat; the invitation still holds.
    path = f"{V1}/members/{left.user_id}"
    assert client.delete(path, headers=owner.headers).status_code == 204
    assert accepted(client, tokens[1]).status_code == 201
    again = client.patch(path, headers=owner.headers, json={"is_active": True})
    assert again.status_code == 402, again.text
    assert quotas(client, owner.headers)["quotas"]["user_seats"]["peak"] == 3


def synced(client: TestClient, home: UUID, **told: object) -> Any:  # noqa: ANN401
    body = {
        "id": str(uuid4()),
        "organization_id": str(home),
        "email": f"{uuid4().hex}@example.com",
        "name": "Ada",
        **told,
    }
    return client.post(f"{V1}/billing/users/sync", headers=CORE, json=body)


def test_base_vexxy_is_told_that_the_seats_are_taken_and_may_always_take_away(
    client: TestClient,
) -> None:
    home = uuid4()
    told = {"id": str(home), "name": "Core"}
    client.post(f"{V1}/billing/organizations/sync", headers=CORE, json=told)
    users = [str(uuid4()) for _ in range(4)]
    answers = [synced(client, home, id=user) for user in users]
    assert [one.status_code for one in answers] == [200, 200, 200, 402]
    inactive = synced(client, home, id=users[3], is_active=False)
    assert inactive.status_code == 200
    assert synced(client, home, id=users[0], name="Another name").status_code == 200
    assert synced(client, home, id=users[3], is_active=True).status_code == 402
    assert synced(client, home, id=users[1], is_active=False).status_code == 200
    assert synced(client, home, id=users[3], is_active=True).status_code == 200
    nowhere = synced(client, uuid4())
    assert nowhere.status_code == 404


def test_at_once_as_many_users_join_as_there_are_seats(
    client: TestClient, service: Service
) -> None:
    home = uuid4()
    told = {"id": str(home), "name": "Core"}
    client.post(f"{V1}/billing/organizations/sync", headers=CORE, json=told)
    statuses: list[int] = []

    def join() -> None:
        statuses.append(synced(client, home).status_code)

    threads = [threading.Thread(target=join) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 3 + [402] * 5


def test_a_full_store_takes_no_sbom_and_the_last_byte_of_room_is_had(
    client: TestClient, owner: Member, service: Service
) -> None:
    """Evidence of an analysis is never refused: its slice lies below billing's."""
    stored = text(
        "insert into evidence_blobs (storage_path, organization_id, checksum, size_bytes,"
        " stored_bytes, stored_checksum) values (:path, :id, repeat('a', 64), :size, 9,"
        " repeat('b', 64))"
    )
    values = {"id": owner.organization_id, "path": f"{owner.organization_id}/x"}
    with service.worker.transaction(owner.organization_id) as session:
        session.execute(stored, {**values, "size": 10**9 - len(CYCLONEDX) + 1})

    refused = client.post(f"{V1}/sboms", headers=owner.headers, content=CYCLONEDX)
    assert (refused.status_code, refused.json()["details"]["metric"]) == (402, "storage_gb")
    assert client.get(f"{V1}/sboms", headers=owner.headers).json()["total"] == 0

    with service.worker.transaction(owner.organization_id) as session:
        session.execute(text("update evidence_blobs set size_bytes = size_bytes - 1"))
    kept = client.post(f"{V1}/sboms", headers=owner.headers, content=CYCLONEDX)
    assert kept.status_code == 201, kept.text
    assert kept.headers["x-quota-metric"] == "storage_gb"
    assert kept.headers["x-quota-percentage"] == "100"
    with service.worker.transaction(owner.organization_id) as session:
        assert levels.stored(session, owner.organization_id) == 1


def test_what_is_kept_and_who_is_active_is_counted_every_day(
    client: TestClient, owner: Member, service: Service
) -> None:
    """The first reading of a day is the day's; one a day, however often the job runs."""
    gone = a_member(service, owner.organization_id)
    context = an_attempt(service.system, None, kind="usage_levels")
    for _ in range(2):
        usage.record_levels(context, service.plans, now=clock.instant())
    client.delete(f"{V1}/members/{gone.user_id}", headers=owner.headers)

    seats = quotas(client, owner.headers)["quotas"]["user_seats"]
    assert (seats["used"], seats["peak"]) == (1, 2)
    query = text(
        "select count(*) from billing_usage_events where organization_id = :id"
        " and metric in ('user_seats', 'storage_gb')"
    )
    with service.system.transaction() as session:
        assert session.scalars(query, {"id": owner.organization_id}).one() == 2


# The whole way: from the thousandth call to the letter.


@dataclass
class Letters:
    """A mail server that keeps what it is given."""

    port: int = 0
    texts: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)


@contextmanager
def a_mail_server() -> Iterator[Letters]:
    """Speak as much of SMTP (RFC 5321) as a client needs; here and no further."""
    letters = Letters()
    listening = socket.create_server(("127.0.0.1", 0))
    letters.port = listening.getsockname()[1]

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                _converse(stream, letters)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield letters
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def _converse(stream: Any, letters: Letters) -> None:  # noqa: ANN401  socket.makefile's
    def say(line: str) -> None:
        stream.write(line.encode() + b"\r\n")
        stream.flush()

    say("220 here")
    while line := stream.readline().decode().strip():
        word = line.split(" ")[0].upper()
        if word == "RCPT":
            to = line.partition("<")[2].partition(">")[0]
            if to in letters.refuses:
                say("550 not here")
                continue
            letters.recipients.append(to)
        if word == "DATA":
            say("354 go on")
            lines = []
            while (part := stream.readline().decode()) != ".\r\n":
                lines.append(part)
            letters.texts.append("".join(lines))
        if word == "QUIT":
            say("221 bye")
            return
        say("250 fine")


def an_endpoint(service: Service, home: UUID, url: str) -> None:
    with service.system.transaction() as session:
        made = notifications.register(
            session,
            organization_id=home,
            url="https://example.com/hook",
            event_types=[EventType.USAGE_THRESHOLD_REACHED],
            sealer=SEALER,
        )
        row = session.get(EndpointRow, made.endpoint.id)
        assert row is not None
        row.url = url


JOBS = text(
    "select payload from jobs where organization_id = :id and kind = :kind"
    " and state = 'queued' order by created_at"
)


def payloads(system: Database, home: UUID, kind: str) -> list[dict[str, str]]:
    with system.transaction() as session:
        return list(session.scalars(JOBS, {"id": home, "kind": kind}))


def told(service: Service, home: UUID, mail: SmtpMail | None) -> None:
    """Do the jobs of alerts, then those of webhooks, each twice: a retry tells nothing."""
    for payload in payloads(service.system, home, "usage_alert") * 2:
        usage.tell(an_attempt(service.worker, home, kind="usage_alert", **payload), mail)
    networks = bootstrap.ipaddress.ip_network("127.0.0.0/8")
    tools = Tools(sealer=SEALER, sender=HttpSender([networks]), core=None)
    for payload in payloads(service.system, home, "webhook_delivery") * 2:
        attempt = an_attempt(service.worker, home, kind="webhook_delivery", **payload)
        webhook_delivery.deliver(attempt, tools)


@dataclass
class Time:
    """The clock of the process that counts calls."""

    by: timedelta = timedelta()

    def now(self) -> datetime:
        return clock.instant() + self.by

    def seconds(self) -> float:
        return self.now().timestamp()


def test_calls_over_a_thousand_enter_grace_and_end_with_it(service: Service) -> None:
    """Goal: a second product's catalog is billed without a code change.

    Method: 1,000 calls are written as if a second had passed, then calls over HTTP; the
    clock goes on by 24 hours; jobs are done as workers do them.
    """
    time = Time()
    with a_client(service) as client, a_mail_server() as letters, a_receiver() as hook:
        calls = Calls(Written(service), monotonic=time.seconds, now=time.now)
        client.app.state.calls = calls  # type: ignore[attr-defined]
        owner = a_member(service)
        home = owner.organization_id
        a_member(service, home, role="admin")
        a_member(service, home, role="analyst")
        an_endpoint(service, home, hook.url)
        path = f"{V1}/auth/me"

        def call(where: str = f"{V1}/analysis") -> Any:  # noqa: ANN401
            return client.get(where, headers=owner.headers)

        first = call()
        assert (first.status_code, first.headers["x-quota-remaining"]) == (200, "999")
        _, entry = next(iter(calls._state.entries.items()))
        entry.first_at, entry.waiting = time.now(), entry.waiting + 998
        calls.flush()
        last = call()
        assert last.headers["x-quota-usage"] == "1000"
        assert last.headers["x-quota-warning"] == "100 % of the quota is reached"

        beyond = call()
        calls.flush()
        assert (beyond.status_code, beyond.headers["x-quota-usage"]) == (200, "1001")
        ends = beyond.headers["x-grace-period-expires"]
        grace = quotas(client, owner.headers)["quotas"]["api_calls"]["grace"]
        assert grace["expires_at"][:16] == ends[:16]
        assert not grace["expired"]

        time.by = timedelta(hours=24, seconds=5)
        over = call()
        assert over.status_code == 402
        assert over.json()["details"]["reason"] == "grace_expired"
        assert over.headers["x-grace-period-expires"] == grace["expires_at"]
        assert call(path).status_code == 200, "who may not call may still sign in and pay"

        entry.first_at, entry.waiting = time.now(), entry.waiting + 300
        calls.flush()
        mail = SmtpMail(f"smtp://127.0.0.1:{letters.port}", sender="vexxy@example.com")
        told(service, home, mail)

        heard = [body for _, body in hook.got]
        assert len(heard) == 3, "80, 100 and 120 %, once each"
        assert len(letters.texts) == 3 * 2, "owner and admin, not the analyst"
        assert len(set(letters.recipients)) == 2
        assert sum("100 % of api_calls used" in one for one in letters.texts) == 2
    with service.system.transaction() as session:
        states = session.execute(
            text("select percent, state from usage_alerts where organization_id = :id"),
            {"id": home},
        )
        assert sorted(map(tuple, states)) == [(80, "sent"), (100, "sent"), (120, "sent")]


def test_a_letter_that_one_person_cannot_get_is_not_sent_twice_to_the_others(
    service: Service, owner: Member
) -> None:
    home = owner.organization_id
    other = a_member(service, home, role="admin")
    with service.request.transaction(home) as session:
        use = Use(home, "agent_executions", Decimal(85))
        enforcement.spend(session, use, plans=service.plans)
    (payload,) = payloads(service.system, home, "usage_alert")
    attempt = an_attempt(service.worker, home, kind="usage_alert", **payload)
    with a_mail_server() as letters:
        mail = SmtpMail(f"smtp://127.0.0.1:{letters.port}", sender="vexxy@example.com")
        letters.refuses = {f"{owner.user_id.hex}@example.com"}
        with pytest.raises(usage.RetryLater):
            usage.tell(attempt, mail)
        letters.refuses = set()
        usage.tell(attempt, mail)
        usage.tell(attempt, mail)
    assert letters.recipients == [
        f"{other.user_id.hex}@example.com",
        f"{owner.user_id.hex}@example.com",
    ]


def test_reported_usage_begins_what_follows_from_it(
    service: Service, owner: Member
) -> None:
    """Events are never refused; a job looks at them, once for many."""
    home = owner.organization_id
    with service.request.transaction(home) as session:
        for _ in range(5):
            overview.watch(session, home)
        enforcement.usage.record(
            session,
            home,
            [enforcement.Event("1", "llm_tokens", Decimal(12_500), clock.instant())],
        )
    assert len(payloads(service.system, home, "usage_watch")) == 1
    with service.worker.transaction(home) as session:
        overview.look_over(session, home, plans=service.plans, gauges=levels.GAUGES)
        sheet = overview.read(session, home, plans=service.plans, gauges=levels.GAUGES)
    tokens = next(line for line in sheet.lines if line.quota.metric == "llm_tokens")
    assert tokens.grace is not None
    assert len(payloads(service.system, home, "usage_alert")) == 3
