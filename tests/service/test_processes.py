"""Keeping processes running, and what a directory remembers of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.service.processes import runs, until
from vexxy.serving import claim, listening, processes
from vexxy.serving.errors import AddressUnusable, DataDirectoryInUse, PortTaken
from vexxy.serving.processes import Kept, Program


def a_program(tmp_path: Path, text: str) -> Program:
    """Return a program that gets the pid of its parent as its first argument."""
    (tmp_path / "a_program_of_a_test.py").write_text(text)
    return Program(
        name="a program",
        module="a_program_of_a_test",
        environment={**os.environ, "PYTHONPATH": str(tmp_path)},
    )


@pytest.mark.parametrize(
    ("deaths", "seconds"), [(0, 0.5), (1, 0.5), (2, 1.0), (4, 4.0), (7, 30.0), (99, 30.0)]
)
def test_pauses_grow_to_a_bound(deaths: int, seconds: float) -> None:
    assert processes.pause_seconds(deaths) == seconds


def test_what_died_is_started_again_only_after_its_pause(tmp_path: Path) -> None:
    kept = Kept(a_program(tmp_path, "raise SystemExit(7)"))
    kept.start()
    until(lambda: kept.returncode == 7, what="its end")
    now = time.monotonic()

    news = kept.tend(now)
    early = (kept.tend(now + 0.4), kept.pid)
    late = (kept.tend(now + 0.6), kept.pid)

    assert news == "a program ended (exit code 7); started again in 0.5 s"
    assert early == (None, None)
    assert late[1] is not None
    kept.end(time.monotonic() + 60)


def test_what_keeps_dying_waits_longer_and_what_lived_starts_afresh(
    tmp_path: Path,
) -> None:
    kept = Kept(a_program(tmp_path, "raise SystemExit(7)"))
    told = []
    for later in (0.0, 1.0, 2.0, 1000.0):
        kept.start()
        until(lambda: kept.returncode == 7, what="its end")
        told.append(str(kept.tend(time.monotonic() + later)).rpartition(" in ")[2])

    assert told == ["0.5 s", "1 s", "2 s", "0.5 s"]


def test_a_start_that_is_refused_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object, **_options: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    kept = Kept(a_program(tmp_path, "raise SystemExit(7)"))
    kept.start()
    until(lambda: kept.returncode == 7, what="its end")
    kept.tend(time.monotonic())
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", refuse)
        news = kept.tend(time.monotonic() + 1)
    again = kept.tend(time.monotonic() + 10)

    assert "could not start" in str(news)
    assert "started again in 1 s" in str(news)
    assert again is None
    assert kept.pid is not None
    kept.end(time.monotonic() + 60)


def test_what_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    text = (
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(__file__).with_name('deaf').touch()\n"
        "time.sleep(600)\n"
    )
    kept = Kept(a_program(tmp_path, text))
    kept.start()
    until((tmp_path / "deaf").exists, what="the program")

    kept.ask_to_end()
    killed = kept.end(time.monotonic() + 0.1)

    assert killed
    assert kept.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("code", "words"), [(0, "exit code 0"), (-9, "SIGKILL"), (-200, "signal 200")]
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert processes.describe(code) == words


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    text = (
        "import os, pathlib, sys, time\n"
        "from vexxy.serving import child\n"
        "child.bind(int(sys.argv[1]))\n"
        "pathlib.Path(__file__).with_name('bound').write_text(str(os.getpid()) + '\\n')\n"
        "time.sleep(600)\n"
    )
    program = a_program(tmp_path, text)
    parent = (
        "import os, sys, time\n"
        "from vexxy.serving.processes import Kept, Program\n"
        "Kept(Program(name='a', module=sys.argv[1], environment=os.environ)).start()\n"
        "time.sleep(600)\n"
    )
    bound = tmp_path / "bound"
    with subprocess.Popen(
        [sys.executable, "-c", parent, program.module], env=dict(program.environment)
    ) as started:
        until(lambda: bound.exists() and bound.read_text(), what="the child")
        started.kill()

    pid = int(bound.read_text())
    until(lambda: not runs(pid), what="the child's end")


def test_a_directory_is_claimed_by_one(tmp_path: Path) -> None:
    with (
        claim.claimed(tmp_path),
        pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}"),
        claim.claimed(tmp_path),
    ):
        pass
    with claim.claimed(tmp_path):
        pass


def test_leftovers_are_ended_and_a_reused_number_is_not(tmp_path: Path) -> None:
    with (
        subprocess.Popen(["sleep", "600"]) as left,
        subprocess.Popen(["sleep", "600"]) as stranger,
    ):
        claim.record(tmp_path, [left.pid, stranger.pid])
        file = tmp_path / "processes.json"
        text = file.read_text()
        started = claim._started_at(stranger.pid)
        file.write_text(
            text.replace(
                f'"{stranger.pid}": "{started}"', f'"{stranger.pid}": "{int(started) - 1}"'
            )
        )

        ended = claim.end_leftovers(tmp_path)

        assert ended == 1
        assert left.wait(10) == -signal.SIGTERM
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'])
def test_a_torn_record_is_no_hindrance(tmp_path: Path, text: str) -> None:
    (tmp_path / "processes.json").write_text(text)

    assert claim.end_leftovers(tmp_path) == 0


def test_a_taken_port_is_told_by_number() -> None:
    with listening.listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken"):
            listening.listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.1"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(AddressUnusable, match=host):
        listening.listen(host, 0)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104  the subject
        ("localhost", "127.0.0.1"),
    ],
)
def test_an_address_is_told_as_one_that_opens(host: str, told: str) -> None:
    with listening.listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert listening.address_of(listener) == f"http://{told}:{port}"
