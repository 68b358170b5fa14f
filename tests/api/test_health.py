"""Degraded is not dead, and a part that hangs holds nobody up."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import a_client, a_service
from vexxy.api import health
from vexxy.api.health import Look, Word, Words
from vexxy.bootstrap import Service
from vexxy.evidence.errors import StoreFailed
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit.db import Database

DEAD_DATABASE = "postgresql+psycopg://nobody@127.0.0.1:1/none"
SEEN = "insert into job_workers (name, seen_at, detail) values ('w', {at}, '{detail}')"


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:
    with a_service(database_url) as service, a_client(service) as opened:
        yield opened


def seen(db: Database, *, at: str = "now()", detail: str = "{}") -> None:
    with db.transaction() as session:
        session.execute(text("delete from job_workers"))
        session.execute(text(SEEN.format(at=at, detail=detail).replace(":", r"\:")))


def test_everything_that_answers_is_healthy(
    client: TestClient, db_system: Database
) -> None:
    seen(db_system, detail='{"sandbox": true}')

    answer = client.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert answer.json()["service"] == "vexxy-enterprise"
    assert answer.json()["checks"] == {
        "database": "ok",
        "queue": "ok",
        "workers": "ok",
        "sandbox": "ok",
        "storage": "ok",
    }
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("at", "detail", "checks"),
    [
        ("now() - interval '5 minutes'", '{"sandbox": true}', ("failed", "unknown")),
        ("now()", "{}", ("ok", "unknown")),
        ("now()", '{"sandbox": false}', ("ok", "failed")),
    ],
)
def test_missing_workers_degrade_and_kill_nothing(
    client: TestClient,
    db_system: Database,
    at: str,
    detail: str,
    checks: tuple[str, str],
) -> None:
    seen(db_system, at=at, detail=detail)

    answer = client.get("/health")

    told = answer.json()["checks"]
    assert answer.status_code == 200
    assert (told["workers"], told["sandbox"]) == checks
    assert answer.json()["status"] == ("degraded" if "failed" in checks else "healthy")


def test_a_job_that_nobody_takes_up_again_degrades(
    client: TestClient, db_system: Database
) -> None:
    """A worker may be seen while the part of it that sweeps has died."""
    seen(db_system, detail='{"sandbox": true}')
    job = NewJob(kind="sweep_sandboxes", organization_id=None, payload={})
    with db_system.transaction() as session:
        job_id = jobs.enqueue(session, job)
    with db_system.transaction() as session:
        session.execute(
            text(
                "update jobs set state = 'running', started_at = now(), attempts = 1,"
                " claimed_at = now() - interval '10 minutes', lease_token = :id,"
                " lease_expires_at = now() - interval '5 minutes' where id = :id"
            ),
            {"id": job_id},
        )

    told = client.get("/health").json()

    assert told["status"] == "degraded"
    assert told["checks"]["queue"] == "failed"
    assert told["checks"]["workers"] == "ok"


def test_without_the_database_it_is_dead_and_still_alive() -> None:
    with a_service(DEAD_DATABASE) as service, a_client(service) as opened:
        whole, ready = opened.get("/health"), opened.get("/health/ready")
        live = opened.get("/health/live")

    assert (whole.status_code, ready.status_code, live.status_code) == (503, 503, 200)
    assert whole.json()["status"] == "unhealthy"
    assert set(whole.json()["checks"].values()) <= {"ok", "failed", "unknown"}
    assert live.json() == {"status": "alive"}
    assert "127.0.0.1" not in whole.text


def test_storage_that_fails_degrades(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_service(database_url) as service:
        monkeypatch.setattr(type(service.evidence), "ping", refuse)
        with a_client(service) as opened:
            answer = opened.get("/health")

    assert answer.status_code == 200
    assert answer.json()["checks"]["storage"] == "failed"
    assert "bucket" not in answer.text


def refuse(_store: object) -> None:
    raise StoreFailed("the bucket of our secret project is gone")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"database": Word.OK}, "healthy"),
        ({"database": Word.OK, "sandbox": Word.UNKNOWN}, "healthy"),
        ({"database": Word.OK, "workers": Word.FAILED}, "degraded"),
        ({"database": Word.FAILED, "workers": Word.OK}, "unhealthy"),
    ],
)
def test_the_whole_is_told_from_its_parts(words: Words, status: str) -> None:
    assert health.status_of(words) == status


def test_a_part_that_hangs_is_asked_by_one_thread_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Goal: no pile-up. Method: ten ask while the first question hangs."""
    monkeypatch.setattr(health, "ANSWER_SECONDS_MAX", 0.01)
    let_go, asked = threading.Event(), []

    def hang() -> Words:
        asked.append(threading.current_thread())
        let_go.wait(60)
        return {"part": Word.OK}

    look = Look(hang, names=("part",))

    async def ask(times: int) -> list[Words]:
        return [await look.words() for _ in range(times)]

    impatient = asyncio.run(ask(10))
    let_go.set()
    asked[0].join(60)
    patient = asyncio.run(ask(1))

    assert impatient == [{"part": Word.FAILED}] * 10
    assert patient == [{"part": Word.OK}]
    assert len(asked) == 1


def test_a_part_is_asked_again_when_its_answer_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([{"part": Word.FAILED}, {"part": Word.OK}])
    look = Look(lambda: next(answers), names=("part",))

    first = asyncio.run(_words(look))
    again = asyncio.run(_words(look))
    monkeypatch.setattr(health, "FRESH_SECONDS", -1.0)
    later = asyncio.run(_words(look))

    assert first == again == {"part": Word.FAILED}
    assert later == {"part": Word.OK}


async def _words(look: Look) -> Words:
    return await look.words()


def test_a_full_pool_is_no_death(database_url: str) -> None:
    """Requests that wait for a connection are slow; they are no reason to be replaced."""
    with a_service(database_url, database_connections=1) as service:
        _ask_with_the_pool_taken(service)


def _ask_with_the_pool_taken(service: Service) -> None:
    with (
        service.system.transaction() as session,
        a_client(service) as opened,
    ):
        session.execute(text("select 1"))
        assert opened.get("/health/ready").status_code == 200
