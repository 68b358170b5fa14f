import asyncio
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.floors import Floor
from tests.http.test_floor import assert_contract_shape, echo
from vexxy.http.rates import Rates
from vexxy.kit import buckets
from vexxy.kit.buckets import Buckets, Limiter, Rate, SharedUnreachable
from vexxy.kit.errors import RateLimited

ORGANIZATION = UUID(int=1)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SharedStore:
    """A store of several processes, which may be away."""

    def __init__(self) -> None:
        self.away = False
        self.asked = 0

    async def take(self, key: str, rate: Rate) -> float:
        self.asked += 1
        if self.away:
            raise SharedUnreachable("away")
        return 0.0


def test_a_bucket_gives_what_it_saved_and_then_what_comes_back() -> None:
    clock = Clock()
    kept = Buckets(clock)
    rate = Rate(per_minute=60, burst=3)
    assert [kept.take("a", rate) for _ in range(4)] == [0, 0, 0, 1]
    clock.now += 1
    assert [kept.take("a", rate), kept.take("a", rate)] == [0, 1]
    assert kept.take("b", rate) == 0


@given(
    burst=st.integers(1, 50),
    per_minute=st.integers(1, 6000),
    steps=st.lists(st.floats(0, 30), max_size=200),
)
def test_no_more_pass_than_were_saved_and_came_back(
    burst: int, per_minute: int, steps: list[float]
) -> None:
    clock = Clock()
    kept = Buckets(clock)
    passed = 0
    for step in steps:
        clock.now += step
        passed += kept.take("a", Rate(per_minute, burst)) == 0
    assert passed <= burst + sum(steps) * per_minute / 60 + 1e-6


def test_addresses_that_come_by_the_thousand_fill_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(buckets, "KEYS_MAX", 10)
    kept = Buckets(Clock())
    for number in range(1000):
        kept.take(str(number), Rate(60, 1))
    assert len(kept._kept) == 10


def test_a_shared_store_that_is_away_is_left_alone_for_a_while() -> None:
    clock, store = Clock(), SharedStore()
    limiter = Limiter(shared=store, clock=clock)
    rate = Rate(per_minute=60, burst=1)

    async def ask(times: int) -> list[int]:
        return [await limiter.take("a", rate) for _ in range(times)]

    assert asyncio.run(ask(3)) == [0, 0, 0]
    store.away = True
    assert asyncio.run(ask(3)) == [0, 1, 1], "its own bucket serves meanwhile"
    assert store.asked == 4
    clock.now += buckets.SHARED_PAUSE_SECONDS
    store.away = False
    assert asyncio.run(ask(2)) == [0, 0]


def test_an_address_that_asks_too_often_is_told_when_to_come_back(a_floor: Floor) -> None:
    client = a_floor(echo, rate_limit_per_address=12)
    answers = [client.get("/echo") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert_contract_shape(answers[2].json(), code="RATE_LIMITED")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 5
    assert answers[2].headers["X-Request-ID"] == answers[2].json()["request_id"]


def test_a_forged_address_is_no_way_around(a_floor: Floor) -> None:
    client = a_floor(echo, rate_limit_per_address=6)
    statuses = [
        client.get("/echo", headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code
        for n in range(3)
    ]
    assert statuses == [200, 429, 429]


def test_an_organization_has_a_limit_of_its_own() -> None:
    rates = Rates(limiter=Limiter(), address=Rate(60, 60), organization=Rate(60, 2))

    async def spend() -> None:
        for _ in range(3):
            await rates.spend(ORGANIZATION)

    with pytest.raises(RateLimited) as refused:
        asyncio.run(spend())
    assert refused.value.retry_after_seconds == 1
    asyncio.run(rates.spend(UUID(int=2)))


def test_no_limit_is_no_limit(a_floor: Floor) -> None:
    client = a_floor(echo, rate_limit_per_address=0)
    assert {client.get("/echo").status_code for _ in range(50)} == {200}
