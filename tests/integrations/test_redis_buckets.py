"""The buckets that processes share, against a server that speaks Redis."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer
from vexxy.integrations.redis_buckets.adapter import RedisBuckets
from vexxy.kit.buckets import Limiter, Rate, SharedUnreachable


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


def test_two_processes_draw_from_one_bucket(server: RedisServer) -> None:
    async def draw() -> list[bool]:
        one, two = RedisBuckets(server.url), RedisBuckets(server.url)
        rate = Rate(per_minute=1, burst=3)
        waits = [await buckets.take("a", rate) for buckets in (one, two, one, two, one)]
        other = await two.take("b", rate)
        await one.close()
        await two.close()
        assert 0 < waits[3] <= 60
        assert other == 0
        return [wait == 0 for wait in waits]

    assert asyncio.run(draw()) == [True, True, True, False, False]


def test_racing_takes_are_counted_once_each(server: RedisServer) -> None:
    async def race() -> int:
        buckets = RedisBuckets(server.url)
        rate = Rate(per_minute=1, burst=5)
        waits = await asyncio.gather(*(buckets.take("race", rate) for _ in range(40)))
        await buckets.close()
        return sum(wait == 0 for wait in waits)

    assert asyncio.run(race()) == 5


def test_a_bucket_that_is_full_again_is_forgotten(server: RedisServer) -> None:
    async def left() -> int:
        buckets = RedisBuckets(server.url)
        await buckets.take("brief", Rate(per_minute=60, burst=1))
        milliseconds = await buckets._client.pttl("vexxy:bucket:brief")
        await buckets.close()
        return int(milliseconds)

    assert 0 < asyncio.run(left()) <= 2000


def test_a_server_that_is_away_is_said_so_and_served_without() -> None:
    async def draw() -> list[int]:
        buckets = RedisBuckets("redis://127.0.0.1:1/0")
        with pytest.raises(SharedUnreachable):
            await buckets.take("a", Rate(60, 1))
        limiter = Limiter(shared=buckets)
        waits = [await limiter.take("a", Rate(60, 1)) for _ in range(2)]
        await buckets.close()
        return waits

    assert asyncio.run(draw()) == [0, 1]
