"""The server: started, watched, stopped; it never outlives the program."""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import psycopg
from psycopg import sql

from vexxy.integrations.embedded_postgres import cluster, leftovers, programs
from vexxy.integrations.embedded_postgres.errors import DatabaseFailed, DatabaseInUse
from vexxy.integrations.embedded_postgres.programs import Account

NAME: Final = "vexxy"
START_SECONDS_MAX: Final = 60.0
STARTS_MAX: Final = 3
STOP_SECONDS_MAX: Final = 20.0
CHECK_SECONDS: Final = 0.02
LOG_BYTES_MAX: Final = 10_000_000
# Only its own doings are logged: an error's text could hold what a user typed.
OPTIONS: Final = (
    "listen_addresses=",
    "max_connections=200",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_checkpoints=off",
    "timezone=UTC",
    "log_timezone=UTC",
)
# For tests: what a crash of the machine would lose, a kill of the server does not.
HASTY_OPTIONS: Final = ("fsync=off", "full_page_writes=off")


def start(directory: Path, *, durable: bool = True) -> "Server":
    """Start the database of a directory, making it if it is new; wait until it answers.

    The server ends, cleanly, with the thread that called this. One that an earlier
    program left behind is ended first; committed rows outlive any kill.

    Args:
        directory: Its own, of nothing else. As root it is given to another account.
        durable: False trades safety from power cuts for speed, for tests.

    Raises:
        DatabaseInUse: Another program runs this directory's database.
        DatabaseFailed: PostgreSQL did not start; its own words are in the message.
        DatabaseMissing: There is no PostgreSQL, or nobody to run it.
        DatabaseUnreachable: Its directory is somebody else's.
    """
    directory = directory.absolute()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(_lock(directory))
        runner = cluster.prepare(directory)
        server = Server(directory, runner, lock=lock, durable=durable)
        undo.callback(server.stop)
        server.run()
        undo.pop_all()
    return server


class Server:
    """A running PostgreSQL; made by `start`."""

    def __init__(
        self, directory: Path, runner: Account, *, lock: IO[bytes], durable: bool
    ) -> None:
        self._directory = directory
        self._runner = runner
        self._lock = lock
        self._socket = cluster.socket_directory(directory, runner)
        self._options = OPTIONS if durable else (*OPTIONS, *HASTY_OPTIONS)
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database, over its socket; stays the same."""
        return f"postgresql+psycopg://{NAME}@/{NAME}?host={quote(str(self._socket))}"

    @property
    def pid(self) -> int:
        """The server's main process."""
        assert self._process is not None  # noqa: S101  start() returns running ones
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the server's main process runs."""
        return self._process is not None and self._process.poll() is None

    def run(self) -> None:
        """Start the server, again if it died.

        Raises:
            DatabaseFailed: It did not start.
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        for _ in range(STARTS_MAX):
            # Processes of one that was killed hold its memory.
            leftovers.end(self._directory)
            if self._try(deadline):
                break
        else:
            raise self._failure("did not start")
        try:
            self._furnish()
        except psycopg.Error as error:
            raise self._failure(f"does not answer ({error})") from error

    def stop(self) -> None:
        """End the server and wait until it is gone; do nothing when it is."""
        process = self._process
        if process is not None:
            for number, seconds in (
                (signal.SIGINT, STOP_SECONDS_MAX),
                (signal.SIGQUIT, 5.0),
                (signal.SIGKILL, None),
            ):
                if process.poll() is None:
                    process.send_signal(number)
                try:
                    process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
        if self._socket.parent != self._directory:
            with contextlib.suppress(OSError):
                self._socket.rmdir()
        self._lock.close()

    def _try(self, deadline: float) -> bool:
        """Start it and wait for its word; tell whether it is ready."""
        listed = [word for option in self._options for word in ("-c", option)]
        socket = str(self._socket)
        if self._socket.parent == self._directory:
            socket = f"{{folder}}/{self._socket.name}"
        with _opened_log(self._log) as log:
            self._process = subprocess.Popen(
                programs.command(
                    self._directory,
                    self._runner,
                    name="postgres",
                    arguments=(
                        *("-D", f"{{folder}}/{cluster.CLUSTER}"),
                        *("-c", f"unix_socket_directories={socket}", *listed),
                    ),
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=programs.environment(),
                start_new_session=True,
            )
        while self._process.poll() is None:
            if leftovers.state(self._directory) == (self._process.pid, "ready"):
                return True
            if time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise self._failure("did not get ready in time")
            time.sleep(CHECK_SECONDS)
        return False

    def _furnish(self) -> None:
        """Make the role that owns the database, without rights over others, and it."""
        name = sql.Identifier(NAME)
        with psycopg.connect(
            host=str(self._socket), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME])
            if found.fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB").format(name)
                )
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [NAME]
            )
            if found.fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name)
                )

    def _failure(self, what: str) -> DatabaseFailed:
        said = self._log.read_text(errors="replace")[-2000:].strip()
        return DatabaseFailed(
            f"the embedded PostgreSQL {what}: {said}",
            hint=f"its log is {self._log}",
            kept="the data is untouched",
        )


def _opened_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.rename(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.fdopen(descriptor, "ab")


def _lock(directory: Path) -> IO[bytes]:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    lock = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise DatabaseInUse(directory) from error
    return lock
