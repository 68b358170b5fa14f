import asyncio
import threading

from fastapi import FastAPI

from tests.http.floors import Floor
from tests.http.test_floor import assert_contract_shape
from vexxy.http.deadlines import _Race


def test_an_answer_that_does_not_begin_in_time_is_given_up(a_floor: Floor) -> None:
    """The thread goes on until it is let go; the client has its 504 before that."""
    answered = threading.Event()
    finished = threading.Event()

    def add(app: FastAPI) -> None:
        app.add_middleware(Announcing, answered=answered)

        @app.get("/slow")
        def slow() -> str:
            assert answered.wait(30)
            finished.set()
            return "too late"

    answer = a_floor(add, request_timeout_seconds=1).get("/slow")
    assert answer.status_code == 504
    assert_contract_shape(answer.json(), code="TIMEOUT")
    assert finished.wait(30)


def test_a_stream_that_has_begun_may_go_on() -> None:
    """The clock is stopped by the first message, not by the last."""

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    async def begin() -> bool:
        race = _Race({"type": "http"}, nothing, nothing)  # type: ignore[arg-type]
        race.timer = asyncio.get_running_loop().call_later(3600, race.expire)
        await race.send({"type": "http.response.start", "status": 200})
        race.expire()
        return race.timer.cancelled() and race.expired is None

    assert asyncio.run(begin())


class Announcing:
    """Says when an answer went out to the client."""

    def __init__(self, app: object, *, answered: threading.Event) -> None:
        self._app = app
        self._answered = answered

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        async def told(message) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            await send(message)
            if message["type"] == "http.response.body":
                self._answered.set()

        await self._app(scope, receive, told)  # type: ignore[operator]
