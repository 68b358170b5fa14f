"""Many streams, one task: what is told, to whom, and until when."""

import asyncio
from collections.abc import Collection, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from vexxy.http import watching
from vexxy.http.watching import Stream, Watch
from vexxy.kit import ids
from vexxy.kit.errors import RateLimited, Unavailable

MINE, OTHERS = ids.new_id(), ids.new_id()
ROW, ROW_OF_OTHERS = ids.new_id(), ids.new_id()


class Rows:
    """Stands in for the database: states by organization and row."""

    def __init__(self) -> None:
        self.states: dict[UUID, dict[UUID, int]] = {MINE: {ROW: 1}, OTHERS: {}}
        self.looks: list[tuple[UUID, frozenset[UUID]]] = []
        self.away: Exception | None = None

    @contextmanager
    def transaction(self, organization_id: UUID) -> Iterator[UUID]:
        if self.away is not None:
            raise self.away
        yield organization_id

    def read(self, session: UUID, wanted: Collection[UUID]) -> Mapping[UUID, int]:
        self.looks.append((session, frozenset(wanted)))
        found = self.states[session]
        return {row: found[row] for row in wanted if row in found}

    def watch(self, *, limit: int = 9) -> Watch[int]:
        return Watch(cast("Any", self), cast("Any", self.read), limit=limit)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.01)


def ran(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


async def heard(stream: Stream[int]) -> int:
    """Return the next state that is told."""
    async for state in stream:
        if state is not None:
            return state
    raise AssertionError("the stream ended")


async def another_look(rows: Rows) -> None:
    """Return when a look was begun and ended after this call."""
    before = len(rows.looks)
    for _ in range(1000):
        if len(rows.looks) > before + 1:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody looks")


def test_every_stream_of_a_row_is_told_by_one_look() -> None:
    rows = Rows()

    async def work() -> None:
        watch = rows.watch()
        async with watch.open(MINE, ROW) as one, watch.open(MINE, ROW) as two:
            assert (await heard(one), await heard(two)) == (1, 1)
            rows.states[MINE][ROW] = 2
            assert (await heard(one), await heard(two)) == (2, 2)

    ran(work())
    assert set(rows.looks) == {(MINE, frozenset({ROW}))}


def test_rows_are_read_for_the_organization_of_the_stream_and_no_other() -> None:
    rows = Rows()
    rows.states[OTHERS][ROW_OF_OTHERS] = 7

    async def work() -> None:
        watch = rows.watch()
        # A stream that somehow came to name a row of others hears nothing of it.
        async with watch.open(MINE, ROW_OF_OTHERS) as curious, watch.open(MINE, ROW) as own:
            assert await heard(own) == 1
            assert curious._latest is None

    ran(work())
    assert {organization for organization, _ in rows.looks} == {MINE}


def test_the_same_state_is_told_once_and_silence_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "HEARTBEAT_SECONDS", 0.05)
    rows = Rows()

    async def work() -> None:
        async with rows.watch().open(MINE, ROW) as stream:
            assert await heard(stream) == 1
            assert await anext(stream) is None

    ran(work())


def test_a_slow_reader_is_told_the_latest_and_nothing_before_it() -> None:
    rows = Rows()

    async def work() -> None:
        async with rows.watch().open(MINE, ROW) as stream:
            for state in (2, 3, 4):
                rows.states[MINE][ROW] = state
                await another_look(rows)
            assert await heard(stream) == 4

    ran(work())


@pytest.mark.parametrize(
    "failure", [Unavailable("gone"), OperationalError("select", {}, Exception("locked"))]
)
def test_a_database_that_goes_away_ends_no_stream(failure: Exception) -> None:
    rows = Rows()

    async def work() -> None:
        async with rows.watch().open(MINE, ROW) as stream:
            assert await heard(stream) == 1
            rows.away = failure
            await asyncio.sleep(0.1)
            rows.states[MINE][ROW] = 2
            rows.away = None
            assert await heard(stream) == 2

    ran(work())


def test_an_organization_has_so_many_streams_and_gets_back_what_it_closes() -> None:
    rows = Rows()

    async def work() -> None:
        watch = rows.watch(limit=1)
        async with watch.open(MINE, ROW):
            with pytest.raises(RateLimited):
                watch.open(MINE, ROW)
            async with watch.open(OTHERS, ROW_OF_OTHERS):
                pass
        async with watch.open(MINE, ROW) as stream:
            assert await heard(stream) == 1

    ran(work())


def test_of_streams_that_were_opened_at_once_only_so_many_go_on() -> None:
    rows = Rows()

    async def work() -> None:
        watch = rows.watch(limit=1)
        first, second = watch.open(MINE, ROW), watch.open(MINE, ROW)
        async with first, second:
            assert await heard(first) == 1
            with pytest.raises(StopAsyncIteration):
                await anext(second)
        assert watch._count == {}

    ran(work())


def test_a_stream_does_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller may have been locked out meanwhile: they come back and prove it."""
    monkeypatch.setattr(watching, "STREAM_SECONDS_MAX", -1.0)

    async def work() -> None:
        async with Rows().watch().open(MINE, ROW) as stream:
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    ran(work())


def test_nobody_looks_when_nobody_listens() -> None:
    rows = Rows()

    async def work() -> None:
        watch = rows.watch()
        async with watch.open(MINE, ROW) as stream:
            await heard(stream)
        assert watch._task is not None
        await watch._task
        before = len(rows.looks)
        async with watch.open(MINE, ROW) as again:
            await heard(again)
        assert len(rows.looks) > before

    ran(work())
