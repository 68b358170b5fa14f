"""Usage events through HTTP beside raw COPY of the same rows, and the decision they feed.

One server process and one PostgreSQL from the wheel with durable commits. Arrays of 1,000
events go over 16 connections: checked, deduplicated, totalled and recorded in the log of
acts before they are answered. COPY writes the same rows into a table with the same columns,
checks and indexes, prepared beforehand, in one transaction: what the database alone can do.
Rounds alternate. The decision is what enforcement asks: the total of a period, compared
with a limit, in a transaction of its own as the role of requests.

    python -m bench.usage                  a quick look
    python -m bench.usage --stored 10000000   the decision at ten million events
"""

import argparse
import json
import multiprocessing
import os
import random
import socket
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import psycopg
import uvicorn
import uvloop
from sqlalchemy import text

from bench import _load
from vexxy import asgi, bootstrap
from vexxy.billing.types import Aggregation
from vexxy.billing.usage import rules, service
from vexxy.billing.usage.types import Days
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit import db, ids, logging
from vexxy.kit.db import Database, Role
from vexxy.migrations import service as migrations
from vexxy.serving.connections import BoundedProtocol
from vexxy.settings import ServiceSettings

RATIO_AIM: Final = 0.5
EVENTS_AIM: Final = 50_000
DECISION_AIM_MS: Final = 5.0
ARRAY: Final = 1000
CONNECTIONS: Final = 16
METRICS: Final = ("llm_tokens", "agent_executions", "storage_gb")
PATH: Final = "/api/v1/usage/events"
SETTINGS: Final[dict[str, Any]] = {
    "jwt_secret_key": "only for this benchmark and long enough for HS256",
    "rate_limit_per_address": 0,
    "rate_limit_per_organization": 0,
    "billing_catalog": "agents",
}
COLUMNS: Final = (
    "organization_id, key, id, metric, quantity, occurred_at, source, properties"
)


@dataclass(frozen=True, slots=True)
class Home:
    """An organization and the credentials of its owner."""

    organization_id: UUID
    headers: dict[str, str]


def serve(url: str, listening: socket.socket, ready: Connection) -> None:
    """Serve the product."""
    settings = ServiceSettings.model_validate(SETTINGS)
    logging.configure(level="INFO", form="json", stream=Path(os.devnull).open("w"))  # noqa: SIM115
    with bootstrap.service(settings, database_url=url, sealing_keys=[b"b" * 32]) as made:
        ready.send(_member(made))
        config = uvicorn.Config(
            asgi.build(made),
            loop="uvloop",
            http=BoundedProtocol,
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _member(made: bootstrap.Service) -> Home:
    organization, user = ids.new_id(), ids.new_id()
    values = {"id": organization, "user": user}
    with made.system.transaction() as session:
        session.execute(
            text("insert into organizations (id, name, slug) values (:id, 'b', 'b')"),
            values,
        )
        session.execute(
            text(
                "insert into users (id, organization_id, email, name, role)"
                " values (:user, :id, 'b@example.com', 'b', 'owner')"
            ),
            values,
        )
    issued = made.identity.tokens.issue(
        user_id=user, organization_id=organization, email="b@example.com", generation=0
    )
    return Home(organization, {"Authorization": f"Bearer {issued.access_token}"})


@contextmanager
def served() -> Iterator[tuple[str, int, Home]]:
    """Provide the address of the database, a port and an organization."""
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data", durable=True)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        port = listening.getsockname()[1]
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(running.url, listening, theirs)
        )
        try:
            migrations.upgrade(running.url)
            process.start()
            theirs.close()
            home = ours.recv()
            _await(port)
            yield running.url, port, home
        finally:
            process.terminate()
            process.join(30)
            running.stop()


def _await(port: int) -> None:
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not begin to serve")


def events(count: int) -> list[dict[str, Any]]:
    """Return events of the last three days, each with an id of its own."""
    now = datetime.now(UTC).replace(microsecond=0)
    dice = random.Random(7)  # noqa: S311  a workload, no secret
    return [
        {
            "id": str(uuid.uuid4()),
            "metric": METRICS[number % len(METRICS)],
            "quantity": dice.randrange(1, 100_000) / 100,
            "timestamp": (now - timedelta(seconds=dice.randrange(3 * 86_400))).isoformat(),
            "properties": {"model": "m-large", "turn": number % 50},
        }
        for number in range(count)
    ]


def requests(told: list[dict[str, Any]], headers: dict[str, str]) -> list[bytes]:
    """Return the events as requests of a thousand each."""
    parts = (told[start : start + ARRAY] for start in range(0, len(told), ARRAY))
    return [_load.post(PATH, json.dumps(part).encode(), headers)() for part in parts]


def rows(told: list[dict[str, Any]], organization_id: UUID) -> bytes:
    """Return the same events as COPY takes them."""
    lines = (
        "\t".join(
            (
                str(organization_id),
                rules.key(event["id"]),
                event["id"],
                event["metric"],
                str(event["quantity"]),
                event["timestamp"],
                "api",
                json.dumps(event["properties"]),
            )
        )
        for event in told
    )
    return ("\n".join(lines) + "\n").encode()


class Sender(_load.Connection):
    """Sends requests from a pile until it is empty."""

    def __init__(self, pile: list[bytes]) -> None:
        super().__init__(pile.pop, float("inf"))
        self._pile = pile

    def _ask(self) -> None:
        if self._pile:
            super()._ask()
        else:
            assert self._transport is not None
            self._transport.close()


def send(port: int, pile: list[bytes]) -> float:
    """Send all of it over several connections; return how many seconds it took."""
    return uvloop.run(_send(port, pile))


async def _send(port: int, pile: list[bytes]) -> float:
    import asyncio  # noqa: PLC0415  beside the loop it runs in

    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    made = [
        (await loop.create_connection(lambda: Sender(pile), "127.0.0.1", port))[1]
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(sender.done for sender in made))
    took = time.perf_counter() - begun
    statuses = {status for sender in made for status in sender.statuses}
    assert statuses <= {200}, statuses
    return took


class Copied:
    """A table with the same columns, checks and indexes, without row-level security."""

    def __init__(self, url: str) -> None:
        plain = db.normalized(url).set(drivername="postgresql")
        self._connection = psycopg.connect(
            plain.render_as_string(hide_password=False), autocommit=True
        )
        self._connection.execute(
            "create table copied (like billing_usage_events including all)"
        )

    def copy(self, content: bytes) -> float:
        """Copy all of it in one transaction; return how many seconds it took."""
        begun = time.perf_counter()
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"copy copied ({COLUMNS}) from stdin") as copy,
        ):
            copy.write(content)
        return time.perf_counter() - begun

    def shape(self) -> list[str]:
        """Return the indexes and checks of both tables, without their names."""
        found = self._connection.execute(
            "select tablename, regexp_replace(indexdef, '^.* USING', '') from pg_indexes"
            " where tablename in ('copied', 'billing_usage_events')"
        ).fetchall()
        both = [
            sorted(definition for table, definition in found if table == name)
            for name in ("copied", "billing_usage_events")
        ]
        assert both[0] == both[1], both
        return both[0]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def throughput(
    url: str, port: int, home: Home, *, batches: int, rounds: int
) -> tuple[float, float]:
    """Print and return events a second through HTTP, and the ratio to COPY."""
    copied = Copied(url)
    print(f"both tables have {len(copied.shape())} indexes")
    send(port, requests(events(20 * ARRAY), home.headers))
    rates: list[float] = []
    ratios: list[float] = []
    for number in range(rounds):
        told = events(batches * ARRAY)
        pile, content = requests(told, home.headers), rows(told, home.organization_id)
        by_http = len(told) / send(port, pile)
        by_copy = len(told) / copied.copy(content)
        rates.append(by_http)
        ratios.append(by_http / by_copy)
        print(f"round {number + 1}: http {by_http:8.0f} /s   copy {by_copy:8.0f} /s")
    copied.close()
    return statistics.median(rates), statistics.median(ratios)


def verified(url: str, home: Home, *, sent: int) -> None:
    """Check that every event was stored once and that totals are what events say."""
    system = Database(url, role=Role.SYSTEM)
    today = datetime.now(UTC).date()
    days = Days(home.organization_id, today - timedelta(days=9), today + timedelta(days=1))
    with system.transaction() as session:
        query = "select count(*) from billing_usage_events where source = 'api'"
        assert session.execute(text(query)).scalar_one() == sent
        assert service.check(session, days) == []
    system.close()


# As the owner, whom forced row-level security would hold back as well.
FILL: Final = """
insert into billing_usage_events (organization_id, key, id, metric, quantity, occurred_at,
  source, properties)
select %(id)s, gen_random_uuid(), 'fill-' || %(part)s || '-' || n, 'llm_tokens',
  n %% 977 + 0.25, now() - n * interval '2.5 seconds', 'api', '{"model": "m-large"}'
from generate_series(1, %(rows)s) n
"""


def fill(url: str, home: Home, *, stored: int) -> float:
    """Store so many events of the last days and their totals; return the seconds."""
    begun = time.perf_counter()
    plain = db.normalized(url).set(drivername="postgresql")
    address = plain.render_as_string(hide_password=False)
    step = 1_000_000
    with psycopg.connect(address, autocommit=True) as owner:
        owner.execute("alter table billing_usage_events no force row level security")
        for part in range(0, stored, step):
            count = min(step, stored - part)
            owner.execute(
                FILL, {"id": home.organization_id, "part": str(part), "rows": count}
            )
        owner.execute("alter table billing_usage_events force row level security")
        owner.execute("analyze billing_usage_events")
    # Of the system role, but a statement over all of it takes longer than it may.
    with psycopg.connect(address) as owner:
        owner.execute("set role vexxy_system")
        owner.execute(
            "insert into billing_usage_daily_totals (organization_id, metric, day, events,"
            " quantity_sum, quantity_max, quantity_last, last_occurred_at, last_id)"
            " select organization_id, metric, (occurred_at at time zone 'UTC')::date,"
            " count(*), sum(quantity), max(quantity), max(quantity), max(occurred_at), 'x'"
            " from billing_usage_events where metric = 'llm_tokens' group by 1, 2, 3"
            " on conflict (organization_id, metric, day) do update set"
            " quantity_sum = excluded.quantity_sum, events = excluded.events"
        )
    return time.perf_counter() - begun


def decide(url: str, home: Home, *, count: int) -> list[float]:
    """Return, sorted, the milliseconds that decisions about a period took."""
    database = Database(url, role=Role.REQUEST)
    today: date = datetime.now(UTC).date()
    took: list[float] = []
    for _ in range(count + 50):
        begun = time.perf_counter()
        with database.transaction(home.organization_id) as session:
            used = service.total(
                session,
                home.organization_id,
                "llm_tokens",
                aggregation=Aggregation.SUM,
                start_day=today - timedelta(days=30),
                end_day=today + timedelta(days=1),
            )
            assert used + 1 <= Decimal(10) ** 15
        took.append((time.perf_counter() - begun) * 1000)
    database.close()
    return sorted(took[50:])


def main() -> int:
    """Measure and print; return 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=200, help="of 1,000, a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stored", type=int, default=500_000, help="before decisions")
    parser.add_argument("--decisions", type=int, default=2000)
    options = parser.parse_args()
    with served() as (url, port, home):
        rate, ratio = throughput(
            url, port, home, batches=options.batches, rounds=options.rounds
        )
        verified(url, home, sent=(20 + options.batches * options.rounds) * ARRAY)
        seconds = fill(url, home, stored=options.stored)
        took = decide(url, home, count=options.decisions)
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(f"events through http    {rate:.0f} /s  (aim {EVENTS_AIM})")
    print(f"http / copy            {ratio:.2f} x  (aim {RATIO_AIM})")
    print(f"stored {options.stored} events more in {seconds:.0f} s")
    print(f"decision p50 {p50:.2f} ms  p99 {p99:.2f} ms  (aim {DECISION_AIM_MS})")
    return int(rate < EVENTS_AIM or ratio < RATIO_AIM or p99 >= DECISION_AIM_MS)


if __name__ == "__main__":
    sys.exit(main())
