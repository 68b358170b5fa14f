"""Start what a service consists of, keep it running, end it."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from vexxy import bootstrap
from vexxy.integrations.embedded_postgres.errors import DatabaseFailed
from vexxy.integrations.embedded_postgres.server import Server
from vexxy.serving import claim, listening, preparation, probe
from vexxy.serving.errors import StartFailed
from vexxy.serving.preparation import Telling
from vexxy.serving.processes import Kept, describe, pause_seconds
from vexxy.serving.types import Wish

UP_SECONDS_MAX: Final = 60.0
CHECK_SECONDS: Final = 0.05
TEND_SECONDS: Final = 0.5
# API: unfinished requests. Workers: jobs are given back, their sandboxes removed.
END_SECONDS_MAX: Final = 20.0


def serve(wish: Wish, *, tell: Telling, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; whatever was started has ended when this returns.

    Args:
        wish: What to serve.
        tell: Takes news for people.
        ready: Takes the address once, when the API answers there.

    Raises:
        DataDirectoryInUse: Another `serve` runs there.
        PortTaken: Something else listens there.
        StartFailed: A process ended before the service was up.
    """
    kept: list[Kept] = []
    with contextlib.ExitStack() as ends:
        # A terminal that is closed ends the service as an interrupt does.
        hangup = signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
        ends.callback(signal.signal, signal.SIGHUP, hangup)
        folder = ends.enter_context(claim.claimed(wish.data_directory))
        settings = bootstrap.completed(wish.settings, wish.data_directory)
        bootstrap.sealing_keys(settings)
        bootstrap.identity_tools(settings)
        plans = bootstrap.plans(settings)
        if left := claim.end_leftovers(folder):
            tell(f"ended {left} processes that an earlier serve left behind")
        listener = ends.enter_context(listening.listen(wish.host, wish.port))
        url, database = preparation.database(wish, ends, tell=tell)
        ends.callback(_end, kept, tell)
        preparation.migrate(url, tell=tell)
        preparation.publish(url, plans)
        address = listening.address_of(listener)
        environment = preparation.environment(
            settings, wish, url=url, listens=address, folder=folder
        )
        kept.extend(map(Kept, preparation.programs(wish, environment, listener=listener)))
        wake = ends.enter_context(_woken_by_deaths())
        for one in kept:
            one.start()
        _record(folder, kept)
        _await_answer(address, kept)
        ready(address)
        with contextlib.suppress(KeyboardInterrupt):
            _tend(kept, database, folder=folder, wake=wake, tell=tell)


def _await_answer(address: str, kept: Sequence[Kept]) -> None:
    deadline = time.monotonic() + UP_SECONDS_MAX
    while not probe.answers(address):
        for one in kept:
            if one.program.essential and (code := one.returncode) is not None:
                raise StartFailed(
                    f"{one.program.name} ended at its start ({describe(code)})",
                    hint="its own words are above",
                    kept="the data is untouched",
                )
        if time.monotonic() > deadline:
            raise StartFailed(
                f"the API did not answer within {UP_SECONDS_MAX:.0f} s",
                kept="the data is untouched",
            )
        time.sleep(CHECK_SECONDS)


def _tend(
    kept: Sequence[Kept],
    database: Server | None,
    *,
    folder: Path,
    wake: int,
    tell: Telling,
) -> None:
    """Start again what dies, for ever."""
    falls = 0
    while True:
        if database is not None and not database.is_alive():
            falls += 1
            tell("the database ended; started again")
            try:
                database.run()
                falls = 0
            except DatabaseFailed as error:
                tell(error.message)
                time.sleep(pause_seconds(falls))
        for one in kept:
            if news := one.tend(time.monotonic()):
                tell(news)
        _record(folder, kept)
        if select.select([wake], [], [], TEND_SECONDS)[0]:
            os.read(wake, 4096)


def _record(folder: Path, kept: Sequence[Kept]) -> None:
    # It helps the start after a kill; a full disk is no reason to end what runs.
    with contextlib.suppress(OSError):
        claim.record(folder, [one.pid for one in kept if one.pid is not None])


def _end(kept: Sequence[Kept], tell: Telling) -> None:
    """End all of them within a bound; a second interrupt does not hurry it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if kept else ():
        signal.signal(number, signal.SIG_IGN)
    deadline = time.monotonic() + END_SECONDS_MAX
    for one in kept:
        one.ask_to_end()
    for one in kept:
        if one.end(deadline):
            tell(f"{one.program.name} did not end in time and was killed")


@contextlib.contextmanager
def _woken_by_deaths() -> Iterator[int]:
    """Provide a descriptor that can be read once a child has died."""

    def note(_number: int, _frame: FrameType | None) -> None:
        """Be there: only then is the descriptor written to."""

    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.signal(signal.SIGCHLD, note)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, before)
        os.close(reading)
        os.close(writing)
