"""Kills at varied moments, while people register: what was confirmed stays.

VEXXY_TEST_KILLS makes it more rounds than the few of every run.
"""

import os
import random
import signal
import threading
from pathlib import Path

import psycopg
import pytest

from tests.service.processes import until
from tests.service.serving import Served, served

pytestmark = pytest.mark.alone

ROUNDS = int(os.environ.get("VEXXY_TEST_KILLS", "4"))
PARTS = (
    "bin/postgres -D",
    "vexxy.serving.api_process",
    "bin/postgres -D",
    "vexxy.serving.child",
)
UNLIMITED = {"REGISTRATION_LIMIT_PER_ADDRESS": "100000", "RATE_LIMIT_PER_ADDRESS": "0"}


class Registrations(threading.Thread):
    """Registers one after the other until told to stop; remembers what was confirmed."""

    def __init__(self, running: Served) -> None:
        super().__init__(daemon=True)
        self._running = running
        self._ended = threading.Event()
        self.confirmed: list[str] = []
        self.refused: set[int] = set()

    def run(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            email = f"person-{number}@example.com"
            body = {
                "organization_name": f"Organization {number}",
                "name": "Somebody",
                "email": email,
                "password": "a passphrase of the tests",
            }
            try:
                status, _ = self._running.ask("/api/v1/auth/register", body)
            except (OSError, ValueError):
                continue
            if status == 201:
                self.confirmed.append(email)
            else:
                self.refused.add(status)

    def end(self) -> None:
        self._ended.set()
        self.join(60)


def stored(data: Path) -> set[str]:
    """Return the addresses of all users, as the database itself has them."""
    with psycopg.connect(
        host=str(data / "postgresql" / "socket"), user="postgres", dbname="vexxy"
    ) as connection:
        return {str(row[0]) for row in connection.execute("select email from users")}


def kill_one(running: Served, part: str, people: Registrations) -> None:
    """Kill a process; return when there is another, and somebody could register."""
    before, confirmed = running.pid_of(part), len(people.confirmed)
    os.kill(before, signal.SIGKILL)
    until(lambda: running.pid_of(part) != before, what=f"another {part}")
    until(lambda: len(people.confirmed) > confirmed, what="a new account")


def test_what_was_confirmed_outlives_kills_at_any_moment(tmp_path: Path) -> None:
    """Goal: no confirmed account lost, no answer but 201 and 5xx the contract knows."""
    moments = random.Random(4)  # noqa: S311  varied, and the same in every run
    pause = threading.Event()
    with served(tmp_path / "d", **UNLIMITED) as running:
        people = Registrations(running)
        people.start()
        for number in range(ROUNDS):
            part = PARTS[number % len(PARTS)]
            pause.wait(moments.uniform(0.0, 0.5))
            kill_one(running, part, people)
        people.end()
        kept = stored(tmp_path / "d")

    assert len(people.confirmed) >= ROUNDS
    assert set(people.confirmed) <= kept
    assert people.refused <= {503, 504}


def test_a_start_that_is_killed_at_any_moment_is_followed_by_one_that_works(
    tmp_path: Path,
) -> None:
    """Goal: no state from which a start does not recover. Method: kill while starting."""
    moments = random.Random(7)  # noqa: S311  as above
    pause = threading.Event()
    for _ in range(max(2, ROUNDS // 4)):
        with served(tmp_path / "d", "--no-workers", awaited=False) as killed:
            pause.wait(moments.uniform(0.5, 4.0))
            killed.process.kill()
            killed.process.wait()
    with served(tmp_path / "d", "--no-workers") as running:
        assert running.is_well()
