"""`vexxy serve`: what it starts keeps running, ends with it, and keeps what it was told."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.processes import command, descendants, runs, until
from tests.service.serving import Served, run, served
from tests.service.somebody import as_somebody


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for the tests that leave it as they found it: well."""
    with served(tmp_path_factory.mktemp("serve") / "data", "--no-workers") as started:
        yield started
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(60) == 0


def test_nothing_configured_serves(running: Served) -> None:
    status, told = running.ask("/health")

    assert status == 200
    assert told["status"] == "degraded"
    assert isinstance(told["checks"], dict)
    assert told["checks"]["database"] == "ok"
    assert told["checks"]["workers"] == "failed"


def test_made_secrets_are_their_owners_alone(running: Served) -> None:
    secrets = sorted((running.data / "secrets").iterdir())

    assert [path.name for path in secrets] == ["jwt_secret_key", "secrets_key"]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


@pytest.mark.parametrize("part", ["vexxy.serving.api_process", "bin/postgres -D"])
def test_what_is_killed_is_started_again(running: Served, part: str) -> None:
    before = running.pid_of(part)
    os.kill(before, signal.SIGKILL)
    after = until(lambda: pid if (pid := running.pid_of(part)) != before else 0, what=part)
    until(running.is_well, what="health after the kill")

    assert after != before


def test_connections_wait_while_the_api_is_started_again(running: Served) -> None:
    """Goal: no refused connection. Method: ask with the only API process killed."""
    os.kill(running.pid_of("vexxy.serving.api_process"), signal.SIGKILL)

    assert running.ask("/health/live")[0] == 200


def test_a_second_serve_on_the_data_is_refused(running: Served) -> None:
    second = run(running.data)

    assert second.returncode == 3
    assert "is in use by another vexxy serve, process" in second.stderr
    assert "--data-dir" in second.stderr
    assert running.is_well()


def test_killing_the_whole_leaves_nothing_and_the_next_start_repairs(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with served(data, "--no-workers") as running:
        members = descendants(running.process.pid)
        database = running.pid_of("bin/postgres -D")
        # One that cannot react is what the next start has to repair.
        os.kill(database, signal.SIGSTOP)
        running.process.kill()
        running.process.wait()
        with served(data, "--no-workers") as again:
            assert again.is_well()
            assert not any(map(runs, members))


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(tmp_path / "data", "--port", str(port))

    assert done.returncode == 3
    assert f"port {port} on 127.0.0.1 is taken by another program" in done.stderr
    assert "--port" in done.stderr
    assert not (tmp_path / "data" / "postgresql").exists()


def test_production_does_not_start_with_a_weak_secret(tmp_path: Path) -> None:
    sealing = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
    done = run(
        tmp_path / "data",
        ENVIRONMENT="production",
        JWT_SECRET_KEY="changeme" * 8,
        SECRETS_KEY=sealing,
    )

    assert done.returncode == 4
    assert "JWT_SECRET_KEY is" in done.stderr
    assert "changeme" not in done.stderr
    assert not (tmp_path / "data" / "postgresql").exists()


def test_an_unreadable_setting_is_named_and_never_shown(tmp_path: Path) -> None:
    done = run(tmp_path / "data", DATABASE_CONNECTIONS="hush-hush")

    assert done.returncode == 2
    assert "DATABASE_CONNECTIONS" in done.stderr
    assert "hush-hush" not in done.stderr


def test_a_configured_database_is_used_and_no_other_started(
    tmp_path: Path, empty_database_url: str
) -> None:
    with served(
        tmp_path / "data", "--no-workers", DATABASE_URL=empty_database_url
    ) as running:
        status, _ = running.ask("/health/ready")
        commands = [command(pid) for pid in descendants(running.process.pid)]

    assert status == 200
    assert not (tmp_path / "data" / "postgresql").exists()
    assert not [line for line in commands if "postgres" in line]


def test_an_ordinary_user_serves_as_well() -> None:
    with (
        as_somebody() as (folder, python),
        served(folder / "data", "--no-workers", python=python) as running,
    ):
        assert running.is_well()
        owner = (folder / "data" / "postgresql" / "cluster").stat().st_uid

    assert owner != 0
