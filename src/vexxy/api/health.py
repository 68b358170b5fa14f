"""Whether the service is alive, and whether all of it is.

Dead is what cannot answer anybody: without the database. Everything else degrades: a
missing worker delays analyses and is no reason to end the process that says so.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from enum import StrEnum
from importlib import metadata
from typing import Any, Final, Literal

from fastapi import APIRouter, FastAPI, Response
from pydantic import BaseModel, Field
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from vexxy.bootstrap import Service
from vexxy.jobs import service as jobs
from vexxy.kit.db import Role
from vexxy.kit.errors import VexxyError

ANSWER_SECONDS_MAX: Final = 2.0
FRESH_SECONDS: Final = 1.0
WORKER_SECONDS_MAX: Final = 30.0
NAME: Final = "vexxy-enterprise"
DATABASE: Final = "database"
OF_DATABASE: Final = (DATABASE, "queue", "workers", "sandbox")
# A lease lasts seconds; one that ran out long ago was swept by nobody.
_UNSWEPT: Final = text(
    "select exists (select from jobs where state = 'running'"
    " and lease_expires_at < now() - interval '90 seconds')"
)


class Word(StrEnum):
    """All that a stranger learns about a part."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


Words = Mapping[str, Word]


class Health(BaseModel):
    """How the service is."""

    status: Literal["healthy", "degraded", "unhealthy"] = Field(
        description="`degraded`: some of it is missing, requests are served; "
        "`unhealthy`: none are (503)"
    )
    service: str = NAME
    version: str = Field(default_factory=lambda: metadata.version(NAME))
    checks: dict[str, Word] = Field(
        description="database, queue, workers, sandbox, storage",
        examples=[{"database": "ok", "queue": "ok", "workers": "ok", "sandbox": "ok"}],
    )


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Look:
    """One question to something that may be slow, asked by one thread at a time.

    A question that hangs holds its own thread and no other: whoever asks meanwhile gets
    `failed` when the time is over, and the answer when it comes after all.
    """

    def __init__(self, ask: Callable[[], Words], *, names: tuple[str, ...]) -> None:
        self._ask = ask
        self._failed = dict.fromkeys(names, Word.FAILED)
        self._lock = threading.Lock()
        self._answer: Future[Words] | None = None
        self._asked_at = 0.0

    async def words(self) -> Words:
        """Return the answer, at most a second old, within the time for answers."""
        answer = asyncio.wrap_future(self._asked())
        done, _ = await asyncio.wait({answer}, timeout=ANSWER_SECONDS_MAX)
        return answer.result() if done else self._failed

    def _asked(self) -> "Future[Words]":
        with self._lock:
            now = time.monotonic()
            stale = now - self._asked_at > FRESH_SECONDS
            if self._answer is None or (self._answer.done() and stale):
                self._answer, self._asked_at = Future(), now
                threading.Thread(
                    target=self._work, args=(self._answer,), name="health", daemon=True
                ).start()
            return self._answer

    def _work(self, answer: "Future[Words]") -> None:
        # Running, it cannot be cancelled by a request that stopped waiting.
        answer.set_running_or_notify_cancel()
        words: Words = self._failed
        try:
            words = self._ask()
        except (VexxyError, SQLAlchemyError, OSError):
            words = self._failed
        finally:
            answer.set_result(words)


def install(app: FastAPI, service: Service) -> None:
    """Add `/health`, `/health/live` and `/health/ready`."""
    engine = _own_connection(service)
    looks = (
        Look(lambda: _in_database(engine), names=OF_DATABASE),
        Look(lambda: _in_storage(service), names=("storage",)),
    )
    router = APIRouter(tags=["health"])
    dead: dict[int | str, dict[str, Any]] = {
        503: {"model": Health, "description": "Nothing can be served"}
    }

    @router.get("/health/live")
    async def live() -> Alive:
        """Tell that this process answers; depends on nothing else."""
        return Alive()

    async def health(response: Response) -> Health:
        """Tell how every part is, within two seconds."""
        found: dict[str, Word] = {}
        for words in await asyncio.gather(*(look.words() for look in looks)):
            found.update(words)
        told = Health(status=status_of(found), checks=found)
        if told.status == "unhealthy":
            response.status_code = 503
        response.headers["Cache-Control"] = "no-store"
        return told

    for path in ("/health", "/health/ready"):
        router.get(path, responses=dead, name=path.rpartition("/")[2])(health)
    app.include_router(router)
    app.include_router(router, prefix="/api/v1", include_in_schema=False)


def status_of(words: Words) -> Literal["healthy", "degraded", "unhealthy"]:
    """Return how the whole is when its parts are so."""
    if words[DATABASE] is not Word.OK:
        return "unhealthy"
    if Word.FAILED in words.values():
        return "degraded"
    return "healthy"


def _own_connection(service: Service) -> Engine:
    """Return what connects anew each time: a pool full of requests is not a death."""
    return create_engine(
        service.system.engine.url,
        poolclass=NullPool,
        connect_args={
            "options": f"-c role={Role.SYSTEM} -c statement_timeout=1500",
            "connect_timeout": 2,
            "application_name": "vexxy health",
        },
    )


def _in_database(engine: Engine) -> Words:
    found = dict.fromkeys(OF_DATABASE, Word.FAILED)
    with Session(engine) as session:
        session.execute(text("select 1"))
        found[DATABASE] = Word.OK
        try:
            jobs.backlog(session)
            if not session.execute(_UNSWEPT).scalar():
                found["queue"] = Word.OK
            alive = [
                worker
                for worker in jobs.list_workers(session)
                if worker.seconds_ago <= WORKER_SECONDS_MAX
            ]
        except (VexxyError, SQLAlchemyError):
            return found
    if alive:
        found["workers"] = Word.OK
    # What a worker found out about its container engine, when it says so.
    told = [worker.detail["sandbox"] for worker in alive if "sandbox" in worker.detail]
    if any(told) or not told:
        found["sandbox"] = Word.OK if told else Word.UNKNOWN
    return found


def _in_storage(service: Service) -> Words:
    service.evidence.ping()
    return {"storage": Word.OK}
