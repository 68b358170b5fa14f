"""The API under load: the status read beside a trivial route of the same server.

One server process, one PostgreSQL from the wheel with durable commits, 16 connections.
The trivial route passes through the same layers and does nothing. Printed are ratios of
one run; rounds alternate, so that other load on the machine falls on both.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import uvicorn
from sqlalchemy import text
from sqlalchemy.orm import Session

from bench import _load
from vexxy import asgi, bootstrap
from vexxy.audit.types import system
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import ANALYSES, NewOverride
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Grant, Source
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit import clock, ids, logging
from vexxy.migrations import service as migrations
from vexxy.serving.connections import BoundedProtocol
from vexxy.settings import ServiceSettings

STATUS_RATIO_AIM: Final = 0.4
SUBMISSIONS_AIM: Final = 200
SETTINGS: Final[dict[str, Any]] = {
    "jwt_secret_key": "only for this benchmark and long enough for HS256",
    "rate_limit_per_address": 0,
    "rate_limit_per_organization": 0,
}
SUBMISSION: Final = {
    "image_ref": "nginx:1.25",
    "image_digest": "sha256:" + "ab" * 32,
    "profile": "standard",
    "config": {"ports": [80], "environment": {"NAME": "value"}},
}


def serve(
    url: str, listening: socket.socket, ready: Connection, *, organizations: int
) -> None:
    """Serve the product with one more route, which does nothing."""
    settings = ServiceSettings.model_validate(SETTINGS)
    logging.configure(level="INFO", form="json", stream=Path(os.devnull).open("w"))  # noqa: SIM115
    with bootstrap.service(settings, database_url=url, sealing_keys=[b"b" * 32]) as service:
        app = asgi.build(service)

        @app.get("/trivial")
        async def trivial() -> dict[str, str]:
            return {"status": "ok"}

        ready.send([_member(service) for _ in range(organizations)])
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=BoundedProtocol,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _member(service: bootstrap.Service) -> str:
    organization, user = ids.new_id(), ids.new_id()
    slug = f"b-{organization.hex}"
    email = f"{slug}@example.com"
    values = {"id": organization, "user": user, "slug": slug, "email": email}
    with service.system.transaction() as session:
        session.execute(
            text("insert into organizations (id, name, slug) values (:id, 'b', :slug)"),
            values,
        )
        session.execute(
            text(
                "insert into users (id, organization_id, email, name, role)"
                " values (:user, :id, :email, 'b', 'owner')"
            ),
            values,
        )
        _entitle(session, service, organization)
    return service.identity.tokens.issue(
        user_id=user, organization_id=organization, email=email, generation=0
    ).access_token


def _entitle(session: Session, service: bootstrap.Service, organization_id: UUID) -> None:
    """Let the organization submit on: its credits are held and counted as anybody's."""
    gift = Grant(key="bench", credits=10**9, source=Source.PROMOTION)
    ledger.post_one(session, organization_id, gift)
    until = clock.instant() + timedelta(days=1)
    more = NewOverride(ANALYSES, None, "a benchmark", until, unlimited=True)
    actor = system("bench")
    entitlements.allow(session, organization_id, more, plans=service.plans, actor=actor)


@contextmanager
def served(organizations: int) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Provide a port and the credentials of a member of each organization."""
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data", durable=True)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=serve,
            args=(running.url, listening, theirs),
            kwargs={"organizations": organizations},
        )
        try:
            migrations.upgrade(running.url)
            process.start()
            theirs.close()
            members = [{"Authorization": f"Bearer {token}"} for token in ours.recv()]
            _await(port)
            yield port, members
        finally:
            process.terminate()
            process.join(30)
            running.stop()


def _await(port: int) -> None:
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/trivial", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not begin to serve")


def _submitted(port: int, headers: dict[str, str]) -> UUID:
    answer = httpx.post(
        f"http://127.0.0.1:{port}/api/v1/analysis/submit", json=SUBMISSION, headers=headers
    )
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["job_id"])


def _in_turn(requests: Iterable[Callable[[], bytes]]) -> Callable[[], bytes]:
    turns = itertools.cycle(requests)

    def request() -> bytes:
        return next(turns)()

    return request


def measured(
    port: int, requests: dict[str, Callable[[], bytes]], *, seconds: float, rounds: int
) -> dict[str, list[_load.Load]]:
    """Ask each in turn, for several rounds."""
    found: dict[str, list[_load.Load]] = {name: [] for name in requests}
    for name, request in requests.items():  # connections, caches, compiled statements
        _load.run(port, request, seconds=min(1.0, seconds))
        assert name
    for _ in range(rounds):
        for name, request in requests.items():
            found[name].append(_load.run(port, request, seconds=seconds))
    return found


def main() -> int:
    """Measure and print; return 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--organizations", type=int, default=1, help="that submit, in turn (default 1)"
    )
    options = parser.parse_args()
    with served(options.organizations) as (port, members):
        headers = members[0]
        status = f"/api/v1/analysis/{_submitted(port, headers)}/status"
        body = json.dumps(SUBMISSION).encode()
        requests = {
            "trivial": _load.get("/trivial", {}),
            "status": _load.get(status, headers),
            "submit": _in_turn(
                _load.post("/api/v1/analysis/submit", body, each) for each in members
            ),
        }
        found = measured(port, requests, seconds=options.seconds, rounds=options.rounds)
    for name, loads in found.items():
        expected = {201} if name == "submit" else {200}
        assert all(set(load.statuses) == expected for load in loads), (name, loads)
    rates = {
        name: statistics.median(load.per_second for load in loads)
        for name, loads in found.items()
    }
    waits = {
        name: statistics.median(load.p99_milliseconds for load in loads)
        for name, loads in found.items()
    }
    ratios = [
        status.per_second / trivial.per_second
        for status, trivial in zip(found["status"], found["trivial"], strict=True)
    ]
    ratio = statistics.median(ratios)
    for name, rate in rates.items():
        print(f"{name:8} {rate:8.0f} /s   p99 {waits[name]:6.1f} ms")
    each = ", ".join(f"{value:.2f}" for value in ratios)
    print(f"status / trivial  {ratio:.2f} x  (aim {STATUS_RATIO_AIM}; rounds {each})")
    print(f"submit            {rates['submit']:.0f} /s  (aim {SUBMISSIONS_AIM})")
    return int(ratio < STATUS_RATIO_AIM or rates["submit"] < SUBMISSIONS_AIM)


if __name__ == "__main__":
    sys.exit(main())
