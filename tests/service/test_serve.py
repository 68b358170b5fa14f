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
from vexxy.kit.errors import InvalidInput
from vexxy.serving import service
from vexxy.serving.errors import DataDirectoryInUse, PortTaken
from vexxy.serving.types import Wish
from vexxy.settings import ServiceSettings, read_service

PASSWORD = "a passphrase of the tests"  # noqa: S105  of tests
ACCOUNT = {
    "organization_name": "Example",
    "name": "Somebody",
    "email": "somebody@example.com",
    "password": PASSWORD,
}


def register(served: Served) -> None:
    status, told = served.ask("/api/v1/auth/register", ACCOUNT)
    assert status == 201, told


def knows_somebody(served: Served) -> bool:
    """Tell whether what was registered is still there."""
    given = {"email": ACCOUNT["email"], "password": PASSWORD}
    try:
        return served.ask("/api/v1/auth/login", given)[0] == 200
    except OSError:
        return False


def has_workers(served: Served) -> bool:
    checks = served.ask("/health")[1]["checks"]
    assert isinstance(checks, dict)
    return checks["workers"] == "ok"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One service for the tests that leave it as they found it: well."""
    with served(tmp_path_factory.mktemp("serve") / "data") as started:
        register(started)
        yield started
        # A run in the background of a shell hands down that interrupts are ignored.
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        started.process.send_signal(signal.SIGTERM if ignored else signal.SIGINT)
        assert started.process.wait(60) == 0


def test_nothing_configured_serves_api_workers_and_database(running: Served) -> None:
    until(lambda: has_workers(running), what="a worker")

    status, told = running.ask("/health")

    assert status == 200
    assert isinstance(told["checks"], dict)
    assert {told["checks"][name] for name in ("database", "queue", "storage")} == {"ok"}


def test_made_secrets_are_their_owners_alone(running: Served) -> None:
    secrets = sorted((running.data / "secrets").iterdir())

    assert [path.name for path in secrets] == ["jwt_secret_key", "secrets_key"]
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


@pytest.mark.parametrize(
    "part", ["vexxy.serving.api_process", "bin/postgres -D", "vexxy.serving.child"]
)
def test_what_is_killed_is_started_again_and_nothing_is_lost(
    running: Served, part: str
) -> None:
    before = running.pid_of(part)
    os.kill(before, signal.SIGKILL)
    after = until(lambda: pid if (pid := running.pid_of(part)) != before else 0, what=part)
    until(lambda: knows_somebody(running), what="the account after the kill")
    until(running.is_well, what="health after the kill")

    assert after != before


def test_connections_wait_while_the_api_is_started_again(running: Served) -> None:
    """Goal: no refused connection. Method: ask with the only API process killed."""
    os.kill(running.pid_of("vexxy.serving.api_process"), signal.SIGKILL)

    assert running.ask("/health/live")[0] == 200


def test_a_second_serve_on_the_data_is_refused(running: Served) -> None:
    with pytest.raises(DataDirectoryInUse) as caught:
        refused(running.data)

    assert f"in use by another vexxy serve, process {running.process.pid}" in str(
        caught.value
    )
    assert "--data-dir" in str(caught.value.hint)
    assert running.is_well()


def test_killing_the_whole_leaves_nothing_and_the_next_start_repairs(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    with served(data) as running:
        register(running)
        members = descendants(running.process.pid)
        running.process.kill()
        running.process.wait()
        with served(data, "--no-workers") as again:
            assert knows_somebody(again)
            assert not any(map(runs, members))


def refused(folder: Path, *, port: int = 0, **settings: object) -> None:
    """Serve in this process; expected to be refused before anything is started."""
    wish = Wish(
        host="127.0.0.1",
        port=port,
        data_directory=folder,
        api_processes=1,
        workers=False,
        settings=ServiceSettings.model_validate(settings),
    )
    service.serve(wish, tell=print, ready=print)


def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken") as caught:
            refused(tmp_path, port=port)

    assert "--port" in str(caught.value.hint)
    assert not (tmp_path / "postgresql").exists()


def test_production_does_not_start_with_a_weak_secret(tmp_path: Path) -> None:
    done = run(
        tmp_path / "data",
        ENVIRONMENT="production",
        JWT_SECRET_KEY="changeme" * 8,
        SECRETS_KEY="MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    )

    assert done.returncode == 4
    assert "JWT_SECRET_KEY is" in done.stderr
    assert "changeme" not in done.stderr
    assert not (tmp_path / "data" / "postgresql").exists()


def test_an_impossible_setting_is_named_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_CONNECTIONS", "hush-hush")

    with pytest.raises(InvalidInput, match="DATABASE_CONNECTIONS") as caught:
        read_service()

    assert "hush-hush" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("url", ["mysql://a@b/c", "no address", "sqlite:///x"])
def test_a_database_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="DATABASE_URL is no address of a PostgreSQL"):
        refused(tmp_path, database_url=url)


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
        served(folder / "data", python=python) as running,
    ):
        register(running)
        until(lambda: has_workers(running), what="a worker")
        owner = (folder / "data" / "postgresql" / "cluster").stat().st_uid

    assert owner != 0
