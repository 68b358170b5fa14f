"""The ledger: hold and settle, beside pgbench's TPC-B script on the same server.

One PostgreSQL from the wheel with durable commits. A pair is a hold of 15 credits and its
settlement at 12, each answered only after its commit. Rounds alternate, so that other load
on the machine falls on all; printed are the medians and their ratios. Beside other load
TPC-B, with ten processes, gets more of the processors than the two that work here: so what
each costs of them, clients and server together, is printed as well.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
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
from vexxy.integrations.embedded_postgres.server import Server
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
Figures = dict[str, list[float]]
# A process that serves has seen its customers before; so have pgbench's servers.
WARM_SECONDS: Final = 1.5


def main() -> int:
    """Measure and print; return 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waiting", type=int, nargs="+", default=[64, 256])
    options = parser.parse_args()
    with served() as server:
        prepare(server.url)
        everybody = furnish(server.url)
        found, costs = rounds(server, everybody, options)
        sizes(server.url)
    return report(found, costs, options.waiting)


@contextmanager
def served() -> Iterator[Server]:
    """Provide a server of its own, with durable commits."""
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data", durable=True)
        try:
            migrations.upgrade(running.url)
            yield running
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


def processor_seconds(server: Server) -> float:
    """Return what the server, this process and the programs it ran have used so far."""
    own = os.times()
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(") ")[2].split()
            if path.parent.name == str(server.pid):
                ticks += sum(map(int, fields[11:15]))  # with those that have ended
            elif int(fields[1]) == server.pid:
                ticks += sum(map(int, fields[11:13]))
    children = own.children_user + own.children_system
    return own.user + own.system + children + ticks / os.sysconf("SC_CLK_TCK")


def rounds(
    server: Server, everybody: list[UUID], options: argparse.Namespace
) -> tuple[Figures, Figures]:
    """Measure each in turn, for several rounds; return rates, and seconds for each."""
    works: dict[str, Callable[[float], float]] = {
        "TPC-B": lambda seconds: tpc_b(server.url, seconds)
    }
    for waiting in options.waiting:
        for name, among in (("hot", everybody[:1]), ("1,000", everybody[1:])):
            works[f"{name}, {waiting}"] = partial(
                measured, server.url, among, waiting=waiting
            )
    rates: Figures = {}
    costs: Figures = {}
    for number in range(options.rounds + 1):
        words = []
        for name, work in works.items():
            before = processor_seconds(server)
            seconds = options.seconds if number else 1.0  # the first one warms up
            rate = work(seconds)
            words.append(f"{name} {rate:.0f}/s")
            if number:
                # pgbench is warm at once; clients here spend some time on becoming it.
                took = seconds if name == "TPC-B" else seconds + WARM_SECONDS
                spent = processor_seconds(server) - before
                rates.setdefault(name, []).append(rate)
                costs.setdefault(name, []).append(spent / (rate * took))
        print(f"round {number}: {', '.join(words)}; load {os.getloadavg()[0]:.1f}")
    return rates, costs


def measured(url: str, among: list[UUID], seconds: float, *, waiting: int) -> float:
    """Return pairs a second."""
    return uvloop.run(Run(among, waiting, seconds).measured(url))


class Run:
    """Clients that hold, settle, and do it again."""

    def __init__(self, among: list[UUID], waiting: int, seconds: float) -> None:
        self._among = among
        self._waiting = waiting
        self._seconds = seconds
        self._pairs = 0
        self._began = 0.0

    async def measured(self, url: str) -> float:
        """Return pairs a second."""
        writes = Writes(url, role=Role.SYSTEM)
        combiner = Combiner(writes)
        try:
            self._began = time.perf_counter() + WARM_SECONDS
            until = self._began + self._seconds
            await asyncio.gather(
                *(self._client(combiner, until) for _ in range(self._waiting))
            )
            return self._pairs / (time.perf_counter() - self._began)
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
            now = time.perf_counter()
            self._pairs += now >= self._began
            if now > until:
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


def report(found: Figures, costs: Figures, waiting: list[int]) -> int:
    """Print medians beside TPC-B of the same round; return 1 where an aim is missed."""
    base = found["TPC-B"]
    dear = statistics.median(costs["TPC-B"])
    print(
        f"{'TPC-B, 8 clients':24}{statistics.median(base):8.0f} /s"
        f"{dear * 1e6:36.0f} us of processors each"
    )
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
            cost = statistics.median(costs[f"{name}, {number}"])
            print(f"{cost * 1e6:60.0f} us, {dear / cost:.2f} x")
            missed |= number == max(waiting) and ratio < aim
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
