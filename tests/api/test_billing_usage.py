"""`/usage` and `/billing/usage/…` over the whole application."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import SETTINGS, Member, a_client, a_member, a_service
from vexxy.billing.types import Aggregation
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Days
from vexxy.bootstrap import Service
from vexxy.kit import clock

V1 = "/api/v1"
CORE = {"X-Service-Key": str(SETTINGS["core_service_key"])}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    # Its metrics are counted by nobody but who reports them.
    with a_service(database_url, billing_catalog="agents") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return a_member(service)


def an_event(event_id: str, quantity: object = 1, **more: object) -> dict[str, Any]:
    return {
        "id": event_id,
        "metric": "llm_tokens",
        "quantity": quantity,
        "timestamp": clock.rfc3339(clock.now()),
        **more,
    }


def report(client: TestClient, member: Member, body: object) -> Response:
    return client.post(f"{V1}/usage/events", json=body, headers=member.headers)


def total(client: TestClient, member: Member, metric: str = "llm_tokens") -> str:
    answer = client.get(f"{V1}/billing/usage/{metric}", headers=member.headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["total"])


def decided(service: Service, member: Member, metric: str = "llm_tokens") -> int:
    """Return what a decision about a quota would see."""
    today = clock.now().date()
    with service.request.transaction(member.organization_id) as session:
        found = usage.total(
            session,
            member.organization_id,
            metric,
            aggregation=Aggregation.SUM,
            start_day=today - timedelta(days=40),
            end_day=today + timedelta(days=1),
        )
    return int(found)


def stored(service: Service, organization_id: UUID) -> int:
    query = text(
        "select count(*) from billing_usage_events"
        " where organization_id = :id and source <> 'service'"
    )
    with service.system.transaction() as session:
        return int(session.execute(query, {"id": organization_id}).scalar_one())


def told_rows(days: Iterable[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return rows of days but for what the service counts of these very requests."""
    rows = [(day["day"], day["metric"], day["total"]) for day in days]
    return [row for row in rows if row[1] != "api_calls"]


def test_one_event_and_an_array_are_counted(client: TestClient, member: Member) -> None:
    one = report(client, member, an_event("a", 2))
    assert one.status_code == 200, one.text
    assert one.json() == {
        "organization_id": str(member.organization_id),
        "accepted": 1,
        "duplicates": 0,
        "conflicts": [],
    }
    many = [an_event(f"n{number}", "0.5") for number in range(1000)]
    assert report(client, member, many).json()["accepted"] == 1000
    assert total(client, member) == "502"


def test_the_same_again_is_all_duplicates_and_other_content_a_conflict(
    client: TestClient, service: Service, member: Member
) -> None:
    events = [an_event("a", 1), an_event("b", 1)]
    assert report(client, member, events).json()["accepted"] == 2
    again = report(client, member, events).json()
    assert (again["accepted"], again["duplicates"], again["conflicts"]) == (0, 2, [])
    other = report(client, member, [events[0], an_event("b", 7), an_event("c", 1)])
    said = other.json()
    assert (said["accepted"], said["duplicates"]) == (1, 2)
    assert [(found["index"], found["id"]) for found in said["conflicts"]] == [(1, "b")]
    assert decided(service, member) == 3


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"metric": "unheard_of"}, "metric"),
        ({"metric": "analyses"}, "metric"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": "1_0"}, "quantity"),
        ({"quantity": 0.00001}, "quantity"),
        ({"quantity": 1e16}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": [1]}, "quantity"),
        ({"timestamp": "2020-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "2126-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "2026-11-21T00:00:00"}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"id": ""}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"id": "a\u0000"}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"id": "vexxy:ours"}, "id"),
        ({"id": 7}, "id"),
        ({"properties": {"a": "\u0000"}}, "properties"),
        ({"properties": {"a\u0000": 1}}, "properties"),
        ({"properties": {"a": "x" * 2048}}, "properties"),
        ({"properties": {"a": {"deep": 1}}}, "properties"),
    ],
)
def test_a_fault_is_named_and_nothing_of_the_batch_is_stored(
    client: TestClient,
    service: Service,
    member: Member,
    change: dict[str, Any],
    name: str,
) -> None:
    bad = {**an_event("bad"), **change}
    answer = report(client, member, [an_event("fine"), bad, an_event("fine too")])
    assert answer.status_code == 400, answer.text
    said = answer.json()
    assert said["error"] == "VALIDATION_ERROR"
    (error,) = said["details"]["errors"]
    assert error["loc"][:3] == ["body", 1, name], error
    assert error["message"]
    assert stored(service, member.organization_id) == 0
    alone = report(client, member, bad)
    assert alone.json()["details"]["errors"][0]["loc"][:2] == ["body", name]


def test_every_fault_is_named_with_the_bounds(client: TestClient, member: Member) -> None:
    late = clock.rfc3339(clock.now() - timedelta(days=36))
    events = [an_event("a", metric="x"), an_event("b"), an_event("c", -1, timestamp=late)]
    errors = report(client, member, events).json()["details"]["errors"]
    assert [error["loc"] for error in errors] == [
        ["body", 0, "metric"],
        ["body", 2, "quantity"],
        ["body", 2, "timestamp"],
    ]
    assert "llm_tokens" in errors[0]["message"]
    assert " to " in errors[2]["message"], "the first and the last instant are said"
    broken = [{"id": "a"}, {**an_event("b"), "more": 1}, 7]
    errors = report(client, member, broken).json()["details"]["errors"]
    assert [error["loc"][1] for error in errors] == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"[", b"\xff", b"[]", b"7", b"[" * 100_000])
def test_what_is_no_array_of_events_is_refused(
    client: TestClient, member: Member, content: bytes
) -> None:
    headers = {**member.headers, "Content-Type": "application/json"}
    answer = client.post(f"{V1}/usage/events", content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["errors"][0]["loc"][0] == "body"


def test_more_than_a_thousand_and_another_media_type_are_refused(
    client: TestClient, service: Service, member: Member
) -> None:
    many = [an_event(f"n{number}") for number in range(1001)]
    assert report(client, member, many).status_code == 400
    headers = {**member.headers, "Content-Type": "text/plain"}
    body = json.dumps(an_event("a"))
    answer = client.post(f"{V1}/usage/events", content=body, headers=headers)
    assert answer.status_code == 415
    assert stored(service, member.organization_id) == 0


def test_a_number_keeps_its_decimals(client: TestClient, member: Member) -> None:
    numbers = b"9999999999999999.9999", b"1e3", b"2.50000", b'"0.1"', b"0"
    for index, number in enumerate(numbers):
        body = json.dumps(an_event(str(index), 0)).encode()
        content = body.replace(b'"quantity": 0', b'"quantity": ' + number)
        headers = {**member.headers, "Content-Type": "application/json"}
        answer = client.post(f"{V1}/usage/events", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
    assert total(client, member) == "10000000000001002.5999"


def test_who_may_not_manage_billing_may_not_report(
    client: TestClient, service: Service, member: Member
) -> None:
    viewer = a_member(service, member.organization_id, role="viewer")
    assert report(client, viewer, an_event("a")).status_code == 403
    assert client.post(f"{V1}/usage/events", json=an_event("a")).status_code == 401
    key = client.post(
        f"{V1}/auth/api-keys",
        json={"name": "meter", "scopes": ["billing.manage"]},
        headers=member.headers,
    ).json()["key"]
    path = f"{V1}/usage/events"
    answer = client.post(path, json=an_event("a"), headers={"X-API-Key": key})
    assert answer.json()["accepted"] == 1


def test_base_vexxy_reports_for_organizations_and_nobody_else_for_another(
    client: TestClient, service: Service, member: Member
) -> None:
    path, home = f"{V1}/usage/events", str(member.organization_id)
    named = {"organization_id": home}
    told = client.post(path, json=an_event("a"), headers=CORE, params=named)
    assert told.json()["accepted"] == 1
    unnamed = client.post(path, json=an_event("b"), headers=CORE)
    assert unnamed.json()["details"]["errors"][0]["loc"] == ["query", "organization_id"]
    nobody = {"organization_id": str(uuid4())}
    assert (
        client.post(path, json=an_event("b"), headers=CORE, params=nobody).status_code
        == 404
    )
    wrong = {"X-Service-Key": "x" * 40}
    assert (
        client.post(path, json=an_event("b"), headers=wrong, params=named).status_code
        == 401
    )
    other = a_member(service)
    stranger = client.post(path, json=an_event("b"), headers=other.headers, params=named)
    unknown = client.post(path, json=an_event("b"), headers=other.headers, params=nobody)
    assert stranger.status_code == unknown.status_code == 404
    assert stranger.json()["message"] == unknown.json()["message"]
    operator = a_member(service, is_admin=True)
    assert client.post(
        path, json=an_event("c"), headers=operator.headers, params=named
    ).json() == {
        "organization_id": home,
        "accepted": 1,
        "duplicates": 0,
        "conflicts": [],
    }
    assert stored(service, member.organization_id) == 2


def test_what_is_shown_may_be_seconds_old_and_decides_nothing(
    client: TestClient, service: Service, member: Member
) -> None:
    report(client, member, an_event("a", 5))
    assert total(client, member) == "5"
    report(client, member, an_event("b", 5))
    assert decided(service, member) == 10, "a decision reads the database"
    seen = client.get(f"{V1}/billing/usage/llm_tokens", headers=member.headers).json()
    assert seen["total"] == "5", "kept to be shown"
    assert seen["as_of"]


def test_history_export_and_one_metric_agree(
    client: TestClient, service: Service, member: Member
) -> None:
    now = clock.now()
    report(
        client,
        member,
        [
            an_event("a", 4, timestamp=clock.rfc3339(now - timedelta(days=1))),
            an_event("b", 3),
            an_event("c", 9, metric="storage_gb"),
            an_event("d", 5, metric="storage_gb", properties={"why": "=1+1"}),
        ],
    )
    history = client.get(f"{V1}/billing/usage/history", headers=member.headers).json()
    assert history["total"] == len(history["days"])
    rows = told_rows(history["days"])
    today, yesterday = str(now.date()), str(now.date() - timedelta(days=1))
    assert rows == [
        (today, "llm_tokens", "3"),
        (today, "storage_gb", "9"),
        (yesterday, "llm_tokens", "4"),
    ]
    found = client.get(f"{V1}/billing/usage/llm_tokens", headers=member.headers).json()
    assert (found["total"], found["events"], found["aggregation"]) == ("7", 2, "sum")
    assert [day["total"] for day in found["days"]] == ["4", "3"]
    path = f"{V1}/billing/usage/export"
    answer = client.get(path, headers=member.headers)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert told_rows(csv.DictReader(io.StringIO(answer.text))) == [
        (yesterday, "llm_tokens", "4"),
        (today, "llm_tokens", "3"),
        (today, "storage_gb", "9"),
    ]
    whole = client.get(path, headers=member.headers, params={"rows": "event"})
    events = {row["id"]: row for row in csv.DictReader(io.StringIO(whole.text))}
    told = [name for name in events if not name.startswith("vexxy:")]
    assert sorted(told) == ["a", "b", "c", "d"]
    assert json.loads(events["d"]["properties"]) == {"why": "=1+1"}
    assert events["a"]["quantity"] == "4"
    assert events["a"]["timestamp"].startswith(yesterday)
    one = {"metric": "storage_gb", "start": today, "end": today}
    less = client.get(path, headers=member.headers, params=one).text
    assert len(less.splitlines()) == 2


def test_an_export_of_many_days_is_whole(
    client: TestClient, service: Service, member: Member
) -> None:
    with service.system.transaction() as session:
        session.execute(
            text(
                "insert into billing_usage_daily_totals (organization_id, metric, day,"
                " events, quantity_sum, quantity_max, quantity_last, last_occurred_at,"
                " last_id) select :id, 'm' || m, date '2026-01-01' + d, 1, d, d, d, now(),"
                " 'x' from generate_series(0, 299) d, generate_series(1, 5) m"
            ),
            {"id": member.organization_id},
        )
    days = {"start": "2026-01-01", "end": "2026-12-31"}
    path = f"{V1}/billing/usage/export"
    answer = client.get(path, headers=member.headers, params=days)
    rows = told_rows(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 1500
    assert len(set(rows)) == 1500


@pytest.mark.parametrize(
    "asked",
    [
        {"start": "2026-01-02", "end": "2026-01-01"},
        {"start": "2020-01-01", "end": "2026-01-01"},
        {"end": "0001-01-01"},
        {"start": "9999-12-31"},
        {"start": "yesterday"},
    ],
)
def test_days_that_cannot_be_are_refused(
    client: TestClient, member: Member, asked: dict[str, str]
) -> None:
    for path in ("history", "export", "llm_tokens"):
        url = f"{V1}/billing/usage/{path}"
        answer = client.get(url, headers=member.headers, params=asked)
        assert answer.status_code == 400, answer.text


def test_a_metric_that_the_catalog_lacks_is_not_there(
    client: TestClient, member: Member
) -> None:
    answer = client.get(f"{V1}/billing/usage/unheard_of", headers=member.headers)
    assert answer.status_code == 404
    assert "llm_tokens" in answer.json()["details"]["hint"]


def test_no_other_path_below_usage_is_taken_for_a_metric(client: TestClient) -> None:
    """Fault of the past: /usage/quotas was answered by /usage/{metric}."""
    paths = client.get("/openapi.json").json()["paths"]
    fixed = [path for path in paths if path.startswith(f"{V1}/billing/usage/")]
    assert f"{V1}/billing/usage/history" in fixed
    order = list(paths)
    metric = order.index(f"{V1}/billing/usage/{{metric}}")
    assert [path for path in fixed if order.index(path) > metric] == []
    assert client.get(f"{V1}/billing/usage/quotas").status_code in {401, 404}


def test_a_correction_replaces_an_event_and_leaves_it_as_it_was(
    client: TestClient, service: Service, member: Member
) -> None:
    report(client, member, [an_event("a", 90, metric="storage_gb")])
    report(client, member, [an_event("b", 40, metric="storage_gb")])
    body = {"id": "fix", "corrects": "a", "quantity": "30", "reason": "a typing error"}
    path, home = f"{V1}/usage/corrections", {"organization_id": str(member.organization_id)}
    own = client.post(path, json=body, headers=member.headers)
    assert own.status_code == 403, "nobody lowers their own bill"
    done = client.post(path, json=body, headers=CORE, params=home)
    assert done.status_code == 200, done.text
    said = done.json()
    assert (said["quantity_before"], said["quantity_after"]) == ("90", "30")
    assert total(client, member, "storage_gb") == "40", "the maximum is counted again"
    again = client.post(path, json=body, headers=CORE, params=home).json()
    assert again["replayed"] is True
    third = client.post(path, json={**body, "id": "f3"}, headers=CORE, params=home)
    assert third.status_code == 409
    assert third.json()["details"]["corrected_by"] == "fix"
    taken = client.post(
        path, json={**body, "id": "b", "corrects": "fix"}, headers=CORE, params=home
    )
    assert taken.status_code == 409
    gone = client.post(
        path, json={**body, "id": "f4", "corrects": "x"}, headers=CORE, params=home
    )
    assert gone.status_code == 404
    void = {"id": "f5", "corrects": "b", "reason": "it was a test"}
    assert client.post(path, json=void, headers=CORE, params=home).status_code == 200
    with service.system.transaction() as session:
        rows = session.execute(
            text(
                "select id, quantity::int, counts from billing_usage_events"
                " where organization_id = :id and metric = 'storage_gb' order by id"
            ),
            {"id": member.organization_id},
        ).all()
        acts = session.scalars(
            text(
                "select metadata ->> 'reason' from billing_audit_log where"
                " organization_id = :id and action = 'usage.corrected' order by position"
            ),
            {"id": member.organization_id},
        ).all()
        today = clock.now().date()
        days = Days(member.organization_id, today, today + timedelta(days=1))
        assert usage.check(session, days) == []
        days = replace(days, metric="storage_gb")
        _, found = usage.list_days(session, days, limit=10, offset=0)
    assert [tuple(row) for row in rows] == [
        ("a", 90, True),
        ("b", 40, True),
        ("f5", 0, False),
        ("fix", 30, True),
    ]
    assert acts == ["a typing error", "it was a test"]
    assert [(day.max, day.events) for day in found] == [(30, 1)]


def test_a_backfill_is_an_operators_and_stays_marked(
    client: TestClient, service: Service, member: Member
) -> None:
    old = clock.rfc3339(clock.now() - timedelta(days=90))
    body = [an_event("old", 4, timestamp=old)]
    path, home = f"{V1}/usage/backfill", str(member.organization_id)
    asked = {"organization_id": home, "reason": "the meter was off in May"}
    assert report(client, member, body).status_code == 400
    assert (
        client.post(path, json=body, headers=member.headers, params=asked).status_code
        == 403
    )
    operator = a_member(service, is_admin=True)
    done = client.post(path, json=body, headers=operator.headers, params=asked)
    assert done.json()["accepted"] == 1, done.text
    again = client.post(path, json=body, headers=operator.headers, params=asked)
    assert again.json()["duplicates"] == 1
    with service.system.transaction() as session:
        row = session.execute(
            text(
                "select source, reason from billing_usage_events"
                " where organization_id = :id and metric = 'llm_tokens'"
            ),
            {"id": member.organization_id},
        ).one()
    assert tuple(row) == ("backfill", "the meter was off in May")
    older = clock.rfc3339(clock.now() - timedelta(days=500))
    body = [an_event("older", 4, timestamp=older)]
    assert (
        client.post(path, json=body, headers=operator.headers, params=asked).status_code
        == 400
    )


def test_the_metrics_say_how_much_came_and_how_late(
    client: TestClient, member: Member
) -> None:
    late = clock.rfc3339(clock.now() - timedelta(hours=1))
    report(client, member, [an_event("a", timestamp=late), an_event("a", timestamp=late)])
    report(client, member, an_event("b", -1))
    page = client.get("/metrics").text
    for outcome in ("accepted", "duplicate", "refused"):
        line = f'vexxy_usage_events_total{{outcome="{outcome}"}} '
        assert float(page.partition(line)[2].partition("\n")[0]) > 0, outcome
    assert "vexxy_usage_lag_seconds_count" in page


def test_operators_and_the_organization_read_the_same_by_its_path(
    client: TestClient, service: Service, member: Member
) -> None:
    report(client, member, an_event("a", 6))
    operator, other = a_member(service, is_admin=True), a_member(service)
    base = f"{V1}/billing/organization/{member.organization_id}/usage"
    for part in ("llm_tokens", "history", "export"):
        own = client.get(f"{base}/{part}", headers=member.headers)
        theirs = client.get(f"{base}/{part}", headers=operator.headers)
        assert own.status_code == theirs.status_code == 200, (part, own.text)
        assert str(member.organization_id) in own.text
        assert client.get(f"{base}/{part}", headers=other.headers).status_code == 404
