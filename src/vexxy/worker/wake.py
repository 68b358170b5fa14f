"""Sleeping until there may be something to do."""

import threading
from contextlib import suppress
from typing import Final, cast

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from vexxy.kit.db import Database

# How soon it ends when asked to.
LISTEN_SECONDS: Final = 0.2


class Wake:
    """Wakes one sleeper for each ring; rings that find nobody asleep are kept.

    Args:
        most: How many rings are kept, at least one for each sleeper.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rings = 0
        self._condition = threading.Condition()

    def ring(self) -> None:
        """Wake one sleeper."""
        with self._condition:
            self._rings = min(self._rings + 1, self._most)
            self._condition.notify()

    def ring_all(self) -> None:
        """Wake every sleeper."""
        with self._condition:
            self._rings = self._most
            self._condition.notify_all()

    def wait(self, timeout_seconds: float) -> bool:
        """Sleep until a ring, or for the time; return whether it rang."""
        with self._condition:
            rang = self._condition.wait_for(lambda: self._rings > 0, timeout_seconds)
            if rang:
                self._rings -= 1
            return rang


class Listener:
    """Rings for every job that is enqueued, wherever that happens.

    It may miss some, while the database is away: sleepers look by themselves as well.
    """

    def __init__(self, database: Database, wake: Wake) -> None:
        self._database = database
        self._wake = wake
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to listen; return when nothing can be missed, or after a moment."""
        self._thread.start()
        self._listening.wait(timeout=5)

    def close(self) -> None:
        """Listen no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=2 * LISTEN_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(OperationalError, InterfaceError, PoolTimeout, DBAPIError):
                self._listen()
            self._stop.wait(1.0)

    def _listen(self) -> None:
        with self._database.engine.connect() as taken:
            connection = taken.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("listen vexxy_jobs")
            driver = cast("psycopg.Connection", connection.connection.driver_connection)
            self._listening.set()
            self._wake.ring_all()
            try:
                while not self._stop.is_set():
                    for _ in driver.notifies(timeout=LISTEN_SECONDS):
                        self._wake.ring()
                        if self._stop.is_set():
                            break
            except psycopg.Error:
                taken.invalidate()
            else:
                connection.exec_driver_sql("unlisten *")
