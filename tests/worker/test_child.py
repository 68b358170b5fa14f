"""Processes that do a job, and that nothing of them is left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from vexxy.jobs.errors import DeadlinePassed, JobCancelled
from vexxy.jobs.types import Lease
from vexxy.kit import ids
from vexxy.kit.errors import ExternalFailure
from vexxy.worker import child, strays
from vexxy.worker.attempt import Attempt
from vexxy.worker.guard import descendants

if TYPE_CHECKING:
    from vexxy.jobs.ports import JobContext
    from vexxy.kit.db import Database

# Tells its process and a grandchild's that left its parents and its session.
TREE = """
import json, os, subprocess, sys, time
stray = subprocess.Popen(
    [sys.executable, "-c",
     "import os, sys, time\\n"
     "if os.fork(): sys.exit()\\n"
     "os.setsid()\\n"
     "print(os.getpid(), flush=True)\\n"
     "os.close(1)\\n"
     "time.sleep(600)"],
    stdout=subprocess.PIPE)
pid = int(stray.stdout.readline())
print(json.dumps({"pids": [os.getpid(), pid]}), flush=True)
"""
PATIENT = "time.sleep(600)\n"
STUBBORN = (
    "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    'print(json.dumps({"ready": True}), flush=True)\ntime.sleep(600)\n'
)


@dataclass
class Told:
    """Collects what a process tells."""

    lines: list[dict[str, Any]]

    def __call__(self, line: dict[str, Any]) -> None:
        self.lines.append(line)


def a_context(*, deadline_seconds: float = 60) -> Attempt:
    lease = Lease(
        job_id=ids.new_id(),
        token=ids.new_id(),
        kind="analysis",
        organization_id=None,
        payload={},
        attempt=1,
        max_attempts=5,
        deadline_seconds=deadline_seconds,
        deadline_at=datetime.now(UTC) + timedelta(seconds=deadline_seconds),
        waited_seconds=0,
    )
    return Attempt(lease, cast("Database", None))


def python(source: str) -> list[str]:
    return [sys.executable, "-c", source]


def is_gone(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] in {"Z", "X"}


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it never came about"
        pause.wait(0.02)


def test_what_a_process_tells_arrives_in_order_and_its_end_as_well() -> None:
    told = Told([])
    source = (
        "import json, sys\n"
        "for n in range(500): print(json.dumps({'n': n}))\n"
        "print('no json'); print('[1]'); print('trouble', file=sys.stderr); sys.exit(3)"
    )

    end = child.run(a_context(), python(source), on_line=told)

    assert told.lines == [{"n": n} for n in range(500)]
    assert (end.exit_code, end.ended_by) == (3, None)
    assert sorted(end.stderr_tail.splitlines()) == ["[1]", "no json", "trouble"]


def test_a_process_that_a_signal_ends_is_told_as_that() -> None:
    end = child.run(
        a_context(), python("import os; os.kill(os.getpid(), 9)"), on_line=Told([])
    )

    assert (end.exit_code, end.ended_by) == (-signal.SIGKILL, None)


def test_a_program_that_is_not_there_is_told_by_its_exit_code() -> None:
    end = child.run(a_context(), ["/nowhere/program"], on_line=Told([]))

    assert end.exit_code == 127
    assert "No such file" in end.stderr_tail


def test_its_environment_is_the_one_it_is_given() -> None:
    told = Told([])
    source = "import json, os; print(json.dumps({'seen': os.environ.get('ASKED')}))"

    child.run(a_context(), python(source), on_line=told, environment={"ASKED": "yes"})

    assert told.lines == [{"seen": "yes"}]


def test_after_a_normal_end_nothing_it_started_is_left() -> None:
    told = Told([])

    child.run(a_context(), python(TREE), on_line=told)

    assert all(is_gone(pid) for pid in told.lines[0]["pids"])


def test_a_cancelled_process_is_ended_with_all_that_it_started() -> None:
    context = a_context()
    told = Told([])

    def cancel(line: dict[str, Any]) -> None:
        told(line)
        context.stop(JobCancelled(context.job.job_id))

    end = child.run(context, python(TREE + PATIENT), on_line=cancel)

    assert isinstance(end.ended_by, JobCancelled)
    assert end.exit_code == -signal.SIGTERM
    assert all(is_gone(pid) for pid in told.lines[0]["pids"])


def test_a_process_that_ignores_the_request_is_killed() -> None:
    context = a_context()
    told = Told([])

    def cancel(line: dict[str, Any]) -> None:
        told(line)
        if "ready" in line:
            context.stop(JobCancelled(context.job.job_id))

    end = child.run(context, python(TREE + STUBBORN), on_line=cancel, grace_seconds=0.3)

    assert end.exit_code == -signal.SIGKILL
    assert all(is_gone(pid) for pid in told.lines[0]["pids"])


def test_a_process_past_the_deadline_is_ended() -> None:
    end = child.run(
        a_context(deadline_seconds=0.5), python("import time; time.sleep(600)"),
        on_line=Told([]),
    )  # fmt: skip

    assert isinstance(end.ended_by, DeadlinePassed)


def test_a_failure_to_take_a_line_ends_the_process_and_is_passed_on() -> None:
    pids: list[int] = []

    def fail(line: dict[str, Any]) -> None:
        pids.extend(line["pids"])
        raise ExternalFailure("the database is away")

    with pytest.raises(ExternalFailure, match="away"):
        child.run(a_context(), python(TREE + PATIENT), on_line=fail)

    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


WORKER = """
import sys
sys.path[:0] = {path!r}
from tests.worker.test_child import a_context
from vexxy.worker import child
def tell(line):
    print(*line["pids"], flush=True)
child.run(a_context(), [sys.executable, "-c", {source!r}], on_line=tell)
"""


@pytest.mark.parametrize("victim", ["worker", "guard", "program"])
def test_whoever_is_killed_nothing_is_left(victim: str) -> None:
    """The worker, the guard or the program itself: kill -9 while a tree of it runs."""
    source = WORKER.format(path=sys.path, source=TREE + PATIENT)
    with subprocess.Popen(python(source), stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pids = [int(word) for word in worker.stdout.readline().split()]
        guard = descendants(worker.pid)[0]
        # The stray is below the guard again, once its own parent has ended.
        until(lambda: set(pids) <= set(descendants(guard)))
        os.kill({"worker": worker.pid, "guard": guard, "program": pids[0]}[victim], 9)
        until(lambda: all(is_gone(pid) for pid in [guard, *pids]))
        worker.kill()


def test_what_outlived_worker_and_guard_is_swept_by_the_next_worker() -> None:
    source = WORKER.format(path=sys.path, source=TREE + PATIENT)
    with subprocess.Popen(python(source), stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        pids = [int(word) for word in worker.stdout.readline().split()]
        guard = descendants(worker.pid)[0]
        os.kill(worker.pid, signal.SIGSTOP)
        os.kill(guard, signal.SIGKILL)
        assert strays.sweep() == 0, "its worker lives, and may see to it"
        worker.kill()

    strays.sweep()

    until(lambda: all(is_gone(pid) for pid in pids))


def test_a_context_is_what_handlers_are_promised() -> None:
    context: JobContext = a_context()

    assert not context.cancelled()
