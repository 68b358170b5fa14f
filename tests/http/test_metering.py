"""The dependency that any endpoint can name, and the calls that every request is."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from fastapi import Body, Depends
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import Member, a_member, a_service
from vexxy.billing.enforcement import rules
from vexxy.billing.enforcement import service as enforcement
from vexxy.billing.enforcement.errors import QuotaReached
from vexxy.billing.enforcement.types import (
    Grace,
    Line,
    Outcome,
    Policy,
    Quota,
    Standing,
    Verdict,
    Window,
)
from vexxy.billing.types import Aggregation, Cap
from vexxy.billing.usage.types import Event
from vexxy.bootstrap import Service
from vexxy.http import app as floor
from vexxy.http import calls as calls_module
from vexxy.http import quotas
from vexxy.http.calls import Calls
from vexxy.http.deps import Caller, Transaction
from vexxy.http.metering import metered
from vexxy.http.routing import Router
from vexxy.kit.errors import InvalidInput, Unavailable

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
WINDOW = Window(datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 12, 3, tzinfo=UTC))
HOME = UUID(int=7)
POLICY = Policy((80, 100, 120), 24 * 3600)


async def how_many(number: Annotated[int, Body(embed=True)]) -> int:
    return number


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url, billing_catalog="agents") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    app = floor.create(service)
    router = Router()

    @router.post("/runs", dependencies=[Depends(metered("agent_executions"))])
    def run(who: Caller, session: Transaction) -> dict[str, str]:
        return {"ran": str(who.user_id)}

    @router.post("/tokens", dependencies=[Depends(metered("llm_tokens", how_many))])
    def tokens(session: Transaction) -> dict[str, str]:
        return {}

    @router.post("/kept", dependencies=[Depends(metered("user_seats", 1))])
    def kept(session: Transaction) -> dict[str, str]:
        return {}

    @router.post("/fails", dependencies=[Depends(metered("agent_executions", 50))])
    def fails(session: Transaction) -> dict[str, str]:
        raise InvalidInput("not today")

    app.include_router(router)
    with TestClient(app) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return a_member(service)


def quota_of(answer: Any) -> dict[str, str]:  # noqa: ANN401  the client's own type
    return {
        name: value
        for name, value in answer.headers.items()
        if name.startswith(("x-quota", "x-grace"))
    }


def test_within_the_quota_the_answer_says_how_much_is_left(
    client: TestClient, member: Member
) -> None:
    said = quota_of(client.post("/runs", headers=member.headers))

    assert said.pop("x-quota-reset").endswith("T00:00:00Z")
    assert said == {
        "x-quota-metric": "agent_executions",
        "x-quota-limit": "100",
        "x-quota-usage": "1",
        "x-quota-remaining": "99",
        "x-quota-percentage": "1",
    }


def test_how_much_is_used_may_depend_on_the_request(
    client: TestClient, member: Member
) -> None:
    client.post("/tokens", headers=member.headers, json={"number": 9_000})
    said = quota_of(client.post("/tokens", headers=member.headers, json={"number": 1_500}))

    assert said["x-quota-usage"] == "10500"
    assert said["x-quota-remaining"] == "0"
    assert said["x-quota-warning"].startswith("500 beyond the quota, allowed until")
    assert "x-grace-period-expires" in said


def test_a_hard_cap_is_answered_402_with_what_a_program_needs(
    client: TestClient, member: Member, service: Service
) -> None:
    for _ in range(2):
        a_member(service, member.organization_id)

    answer = client.post("/kept", headers=member.headers)

    assert answer.status_code == 402
    assert answer.json()["error"] == "PAYMENT_REQUIRED"
    details = answer.json()["details"]
    assert details.pop("resets_at").endswith("T00:00:00Z")
    assert details.pop("hint")
    assert details == {
        "reason": "hard_cap",
        "metric": "user_seats",
        "usage": 3,
        "requested": 1,
        "limit": 3,
    }
    assert quota_of(answer)["x-quota-remaining"] == "0"


def test_an_act_that_fails_used_nothing_and_its_answer_says_nothing(
    client: TestClient, member: Member
) -> None:
    failed = client.post("/fails", headers=member.headers)
    assert (failed.status_code, quota_of(failed)) == (400, {})

    assert quota_of(client.post("/runs", headers=member.headers))["x-quota-usage"] == "1"


def test_the_same_idempotency_key_counts_once(client: TestClient, member: Member) -> None:
    headers = {**member.headers, "Idempotency-Key": "once"}
    for _ in range(3):
        assert client.post("/runs", headers=headers).status_code == 200

    assert quota_of(client.post("/runs", headers=member.headers))["x-quota-usage"] == "2"


def test_a_request_id_of_the_client_does_not_make_two_acts_one(
    client: TestClient, member: Member
) -> None:
    headers = {**member.headers, "X-Request-ID": str(uuid4())}
    counts = [
        quota_of(client.post("/runs", headers=headers))["x-quota-usage"] for _ in range(2)
    ]
    assert counts == ["1", "2"]


def test_what_cannot_be_read_lets_nothing_pass(
    client: TestClient,
    member: Member,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object, **__: object) -> Decimal:
        raise Unavailable("the database cannot be reached")

    client.post("/runs", headers=member.headers)
    with monkeypatch.context() as patched:
        patched.setattr(enforcement.usage, "total", away)
        answer = client.post("/runs", headers=member.headers)
    assert answer.status_code == 503
    page = client.get("/metrics").text
    unread = 'vexxy_quota_unread_total{metric="agent_executions",outcome="refused"} 1.0'
    assert unread in page
    assert quota_of(client.post("/runs", headers=member.headers))["x-quota-usage"] == "2"


def test_every_answer_to_a_caller_documents_its_quota(client: TestClient) -> None:
    responses = client.get("/openapi.json").json()["paths"]["/runs"]["post"]["responses"]
    for status in ("200", "402"):
        assert set(quotas.HEADERS) <= set(responses[status]["headers"])
    assert (
        "X-Quota-Limit" not in responses["404"]["headers"] if "404" in responses else True
    )


# Calls: what a process remembers, over a book that is a list.


def terms(limit: int | None, *, cap: Cap = Cap.SOFT) -> Quota:
    share = None if limit is None else Decimal(limit)
    return Quota("api_calls", Aggregation.SUM, share, cap)


@dataclass
class Book:
    """Keeps what is told, as the database does: an id counts once."""

    quota: Quota
    policy: Policy = POLICY
    events: dict[str, Event] = field(default_factory=dict)
    grace: Grace | None = None
    away: bool = False
    looks: int = 0
    answers_get_lost: bool = False

    @property
    def used(self) -> Decimal:
        return sum((event.quantity for event in self.events.values()), Decimal(0))

    def line(self, now: datetime) -> Line:
        limit = self.quota.limit
        if limit is not None and self.used > limit and self.grace is None:
            self.grace = Grace(now, now + timedelta(hours=24))
        return Line(self.quota, self.used, WINDOW, grace=self.grace)

    def add(self, organization_id: UUID, event: Event) -> Line:
        if self.away:
            raise Unavailable("away")
        self.events.setdefault(event.id, event)
        if self.answers_get_lost:
            raise Unavailable("nobody knows whether it was committed")
        return self.line(event.occurred_at)

    def look(self, organization_id: UUID, now: datetime) -> Line:
        if self.away:
            raise Unavailable("away")
        self.looks += 1
        return Line(self.quota, self.used, WINDOW, grace=self.grace)

    def spend(self, organization_id: UUID, now: datetime) -> Standing:
        if self.away:
            raise Unavailable("away")
        verdict = rules.verdict(
            self.quota,
            used=self.used,
            reached=self.used + 1,
            grace=None,
            policy=self.policy,
            now=now,
        )
        standing = Standing(verdict, WINDOW, rules.headers(verdict, WINDOW))
        if verdict.outcome is Outcome.REFUSED:
            raise QuotaReached(standing)
        self.events[str(len(self.events))] = Event(
            str(uuid4()), "api_calls", Decimal(1), now
        )
        return standing


@dataclass
class Time:
    """A clock that a test sets."""

    now: datetime = NOW
    seconds: float = 0.0

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)
        self.seconds += timedelta(**by).total_seconds()


@dataclass
class Process:
    """A process that counts, without a thread of its own."""

    book: Book
    time: Time

    def __post_init__(self) -> None:
        self.calls = Calls(
            self.book, monotonic=lambda: self.time.seconds, now=lambda: self.time.now
        )
        # No thread is begun: the test says when a second is over.
        self.calls._state.closing = True

    def call(self, path: str = "/api/v1/analysis", times: int = 1) -> dict[str, Any]:
        scope: dict[str, Any] = {"path": path}
        for _ in range(times):
            scope = {"path": path}
            asyncio.run(self.calls.spend(scope, HOME))
        return dict(scope.get(quotas.QUOTA, ()))


def test_calls_are_written_as_one_event_a_second() -> None:
    process = Process(Book(terms(None)), Time())
    process.call(times=5)
    assert process.book.events == {}
    process.calls.flush()
    process.calls.flush()
    process.call(times=2)
    process.calls.flush()

    assert [event.quantity for event in process.book.events.values()] == [5, 2]
    assert process.book.looks == 1, "an unlimited organization is looked up once"


def test_calls_that_could_not_be_written_are_kept_and_none_counts_twice() -> None:
    process = Process(Book(terms(None)), Time())
    process.call(times=3)
    process.book.away = True
    process.calls.flush()
    process.call(times=4)
    process.book.away = False
    process.book.answers_get_lost = True
    process.calls.flush()
    process.book.answers_get_lost = False
    process.calls.flush()
    process.calls.flush()

    assert sorted(event.quantity for event in process.book.events.values()) == [3, 4]


def test_calls_beyond_a_soft_cap_pass_in_grace_and_not_after_it() -> None:
    time = Time()
    process = Process(Book(terms(10)), time)
    assert process.call(times=10)["X-Quota-Warning"] == "100 % of the quota is reached"
    beyond = process.call()
    assert beyond["X-Quota-Usage"] == "11"
    process.calls.flush()
    ends = process.book.grace
    assert ends is not None
    time.later(hours=23, minutes=59)
    assert process.call()["X-Grace-Period-Expires"] == "2026-11-22T09:00:00Z"
    time.later(minutes=1)

    with pytest.raises(QuotaReached) as caught:
        process.call()
    assert caught.value.details["reason"] == "grace_expired"
    process.calls.flush()
    assert process.book.used == 12, "what was refused was not counted"
    assert process.call("/api/v1/billing/subscription"), "a customer can still pay"


def test_a_refusal_is_looked_up_again_within_a_second_of_being_wrong() -> None:
    time = Time()
    process = Process(Book(terms(1), grace=Grace(NOW - timedelta(days=2), NOW)), time)
    process.call()
    with pytest.raises(QuotaReached):
        process.call()
    process.book.quota = terms(100)
    time.later(seconds=1)

    assert process.call()["X-Quota-Limit"] == "100"


def test_two_processes_find_out_from_each_other() -> None:
    time, book = Time(), Book(terms(10))
    one, two = Process(book, time), Process(book, time)
    one.call(times=8)
    two.call(times=1)
    one.calls.flush()
    assert two.call()["X-Quota-Usage"] == "2", "not known yet, and soft"
    two.calls.flush()
    assert two.call()["X-Quota-Usage"] == "11"


def test_a_hard_cap_is_never_decided_from_memory() -> None:
    book = Book(terms(5, cap=Cap.HARD))
    processes = [Process(book, Time()) for _ in range(3)]

    def passed(process: Process) -> bool:
        try:
            process.call()
        except QuotaReached:
            return False
        return True

    assert [passed(processes[n % 3]) for n in range(9)] == [True] * 5 + [False] * 4


def test_what_cannot_be_read_passes_a_soft_cap_and_no_hard_one() -> None:
    soft = Process(Book(terms(10), away=True), Time())
    soft.call()
    hard = Process(Book(terms(10, cap=Cap.HARD)), Time())
    hard.call()
    hard.book.away = True
    with pytest.raises(Unavailable):
        hard.call()


def test_a_new_period_is_looked_up_though_little_time_passed() -> None:
    time = Time(now=WINDOW.end - timedelta(seconds=1))
    process = Process(Book(terms(10)), time)
    process.call()
    assert process.book.looks == 1
    time.later(seconds=1)
    process.call()
    assert process.book.looks == 2


def test_what_was_counted_is_written_when_the_process_ends() -> None:
    process = Process(Book(terms(None)), Time())
    process.calls._state.closing = False
    process.call(times=3)
    asyncio.run(process.calls.close())
    assert process.book.used == 3


def test_calls_from_many_threads_are_all_counted() -> None:
    process = Process(Book(terms(None)), Time())
    process.call()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: process.call(times=50), range(8)))
        process.calls.flush()
    process.calls.flush()
    assert process.book.used == 401


def test_an_organization_that_is_silent_is_forgotten() -> None:
    time = Time()
    process = Process(Book(terms(None)), time)
    process.call()
    process.calls.flush()
    time.later(minutes=11)
    process.calls.flush()
    assert process.calls._state.entries == {}


def test_a_call_is_not_lost_where_its_organization_is_forgotten_meanwhile() -> None:
    process = Process(Book(terms(None)), Time(seconds=10_000.0))

    class Forgetful(Book):
        def look(self, organization_id: UUID, now: datetime) -> Line:
            process.calls.flush()
            process.calls._state.entries.clear()
            return super().look(organization_id, now)

    process.calls._book = Forgetful(terms(None))
    process.call()
    process.calls.flush()
    assert process.calls._book.used == 1


def test_what_nobody_foresaw_in_one_organization_stops_the_count_of_no_other() -> None:
    process = Process(Book(terms(None)), Time())
    poisoned = uuid4()

    class Poisoned(Book):
        def add(self, organization_id: UUID, event: Event) -> Line:
            if organization_id == poisoned:
                raise KeyError("nobody foresaw this")
            return super().add(organization_id, event)

    process.calls._book = book = Poisoned(terms(None))
    asyncio.run(process.calls.spend({"path": "/api/v1/analysis"}, poisoned))
    process.call()
    with pytest.raises(KeyError):
        process.calls.flush()
    with pytest.raises(KeyError):
        process.calls.flush()
    assert book.used == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "EVERY_SECONDS", 0.001)
    process = Process(Book(terms(None)), Time())
    process.calls._state.closing = False
    ended: list[Any] = []

    def die() -> None:
        ended.append(process.calls._state.thread)
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(process.calls, "flush", die)
    process.call()
    thread = process.calls._state.thread or ended[0]
    assert thread is not None
    thread.join(30)
    assert process.calls._state.thread is None
    monkeypatch.undo()
    process.call()
    assert process.calls._state.thread is not None
    asyncio.run(process.calls.close())
    assert process.book.used == 2


def test_headers_are_of_answers_that_used_something() -> None:
    verdict = Verdict(Outcome.PASSED, terms(10), Decimal(0), Decimal(1))
    scope: dict[str, Any] = {}
    quotas.say(scope, rules.headers(verdict, WINDOW))
    assert (b"x-quota-limit", b"10") in quotas.said(scope, 200)
    assert quotas.said(scope, 402)
    assert quotas.said(scope, 404) == []
    assert quotas.said({}, 200) == []


def test_calls_are_in_the_usage_of_the_organization(
    client: TestClient, member: Member, service: Service
) -> None:
    for _ in range(4):
        client.post("/runs", headers=member.headers)
    calls: Calls = client.app.state.calls  # type: ignore[attr-defined]
    entry = calls._state.entries[member.organization_id]
    for _ in range(20):  # a busy database is asked again, as every second otherwise
        calls.flush()
        if not entry.unwritten():
            break

    query = text(
        "select sum(quantity) from billing_usage_events where metric = 'api_calls'"
        " and organization_id = :id and id like 'vexxy:%'"
    )
    with service.system.transaction() as session:
        assert session.scalars(query, {"id": member.organization_id}).one() == 4
