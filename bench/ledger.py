"""The ledger: hold and settle, beside pgbench's TPC-B script on the same server.

One PostgreSQL from the wheel with durable commits. A pair is a hold of 15 credits and its
settlement at 12, each answered only after its commit. Rounds alternate, so that other load
on the machine falls on all alike; printed are the medians and their ratios.
"""

import argparse
import asyncio
import itertools
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote
from uuid import UUID

import psycopg
import uvloop

from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Grant, Hold, Settle, Source
from vexxy.billing.spending.service import Combiner
from vexxy.integrations.embedded_postgres import programs
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit import clock, ids
from vexxy.kit.db import Database, Role
from vexxy.kit.writes import Writes
from vexxy.migrations import service as migrations

HOT_AIM: Final = 4.0
SPREAD_AIM: Final = 1.5
ORGANIZATIONS: Final = 1000
# As many branches as its own manual asks for, so that its clients do not wait in line.
SCALE: Final = 10
CLIENTS: Final = 8
TPC_B: Final = "tpcb"
DURABLE: Final = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
CREDITS: Final = 10**11


def main() -> int:
    """Measure and print; return 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waiting", type=int, nargs="+", default=[64, 256])
    options = parser.parse_args()
    with served() as url:
        prepare(url)
        everybody = furnish(url)
        found = rounds(url, everybody, options)
        sizes(url)
    return report(found, options.waiting)


@contextmanager
def served() -> Iterator[str]:
    """Provide a server of its own, with durable commits."""
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data", durable=True)
        try:
            migrations.upgrade(running.url)
            yield running.url
        finally:
            running.stop()


def prepare(url: str) -> None:
    """Make pgbench's tables; check that commits are durable."""
    with psycopg.connect(_dsn(url), autocommit=True) as connection:
        connection.execute(f"create database {TPC_B}")
        for name, value in DURABLE.items():
            row = connection.execute(f"show {name}").fetchone()
            assert row == (value,), f"{name} is {row}"
    pgbench(url, "--initialize", f"--scale={SCALE}", "--quiet")


def pgbench(url: str, *arguments: str) -> str:
    """Run pgbench on the server; return what it says."""
    socket = unquote(url.partition("?host=")[2])
    program = programs.programs_directory() / "bin" / "pgbench"
    command = [str(program), "-h", socket, "-U", "vexxy", *arguments, TPC_B]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return ended.stdout


def _dsn(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def tpc_b(url: str, seconds: float) -> float:
    """Return pgbench's transactions a second."""
    arguments = [f"--client={CLIENTS}", "--jobs=2", f"--time={max(1, round(seconds))}"]
    said = pgbench(url, "--protocol=prepared", *arguments)
    return float(re.search(r"tps = ([\d.]+)", said)[1])  # type: ignore[index]


def furnish(url: str) -> list[UUID]:
    """Store organizations that have credits."""
    everybody = [ids.new_id() for _ in range(ORGANIZATIONS + 1)]
    database = Database(url, role=Role.SYSTEM)
    with psycopg.connect(_dsn(url)) as connection:
        connection.execute("set role vexxy_system")
        connection.execute(
            "insert into organizations (id, name, slug)"
            " select id, 'bench', id::text from unnest(%s::uuid[]) as id",
            [everybody],
        )
    for one in everybody:
        with database.transaction(one) as session:
            grant = Grant(key="start", credits=CREDITS, source=Source.PURCHASE)
            ledger.post_one(session, one, grant)
    database.close()
    return everybody


def rounds(
    url: str, everybody: list[UUID], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Measure each in turn, for several rounds."""
    found: dict[str, list[float]] = {}
    for number in range(options.rounds + 1):
        seconds = options.seconds if number else 1.0  # the first one warms up
        made = {"TPC-B": tpc_b(url, seconds)}
        for waiting in options.waiting:
            hot = Run(everybody[:1], waiting, seconds)
            made[f"hot, {waiting}"] = uvloop.run(hot.measured(url))
            spread = Run(everybody[1:], waiting, seconds)
            made[f"1,000, {waiting}"] = uvloop.run(spread.measured(url))
        load = os.getloadavg()[0]
        words = ", ".join(f"{name} {value:.0f}/s" for name, value in made.items())
        print(f"round {number}: {words}; load {load:.1f}", flush=True)
        if number:
            for name, value in made.items():
                found.setdefault(name, []).append(value)
    return found


class Run:
    """Clients that hold, settle, and do it again."""

    def __init__(self, among: list[UUID], waiting: int, seconds: float) -> None:
        self._among = among
        self._waiting = waiting
        self._seconds = seconds
        self._pairs = 0

    async def measured(self, url: str) -> float:
        """Return pairs a second."""
        writes = Writes(url, role=Role.SYSTEM)
        combiner = Combiner(writes)
        try:
            began = time.perf_counter()
            until = began + self._seconds
            await asyncio.gather(
                *(self._client(combiner, until) for _ in range(self._waiting))
            )
            return self._pairs / (time.perf_counter() - began)
        finally:
            await combiner.close()
            await writes.close()

    async def _client(self, combiner: Combiner, until: float) -> None:
        name = ids.new_id().hex
        expires_at = clock.now() + timedelta(hours=1)
        for number in itertools.count():
            one = random.choice(self._among)  # noqa: S311  no secret
            key = f"hold:{name}:{number}"
            await combiner.spend(one, Hold(key=key, credits=15, expires_at=expires_at))
            settle = Settle(key=f"{key}:settle", hold_key=key, credits=12)
            charged = await combiner.spend(one, settle)
            assert charged.credits == 12
            self._pairs += 1
            if time.perf_counter() > until:
                return


def sizes(url: str) -> None:
    """Print what a row of the record and its indexes take."""
    with psycopg.connect(_dsn(url)) as connection:
        connection.execute("set role vexxy_system")
        rows, width = connection.execute(
            "select count(*), avg(pg_column_size(e)) from billing_events e"
        ).fetchone() or (0, 0)
        print(f"{rows} rows of the record; {width:.0f} bytes each, as stored:")
        for what, of in (("heap", "pg_relation_size"), ("indexes", "pg_indexes_size")):
            row = connection.execute(f"select {of}('billing_events')").fetchone()
            assert row is not None
            print(f"  {what:12}{row[0] / rows:8.0f} bytes a row")
        for name, size in connection.execute(
            "select indexrelname, pg_relation_size(indexrelid) from"
            " pg_stat_user_indexes where relname = 'billing_events' order by 2 desc"
        ):
            print(f"    {name:36}{size / rows:8.0f}")


def report(found: dict[str, list[float]], waiting: list[int]) -> int:
    """Print medians beside TPC-B of the same round; return 1 where an aim is missed."""
    base = found["TPC-B"]
    print(f"{'TPC-B, 8 clients':24}{statistics.median(base):8.0f} /s")
    missed = False
    for number in waiting:
        for name, aim in (("hot", HOT_AIM), ("1,000", SPREAD_AIM)):
            rates = found[f"{name}, {number}"]
            ratios = [rate / of for rate, of in zip(rates, base, strict=True)]
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            ratio = statistics.median(ratios)
            print(
                f"{name + f', {number} waiting':24}{statistics.median(rates):8.0f} pairs/s"
                f"  {ratio:5.2f} x (aim {aim}; rounds {each})"
            )
            missed |= number == max(waiting) and ratio < aim
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
