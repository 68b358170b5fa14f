"""The database that is brought along: made, kept through kills, never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from tests.service.processes import children, runs, until
from tests.service.somebody import as_somebody
from vexxy.integrations.embedded_postgres import cluster, programs, server
from vexxy.integrations.embedded_postgres.errors import (
    DatabaseFailed,
    DatabaseInUse,
    DatabaseMissing,
)
from vexxy.integrations.embedded_postgres.server import Server

STARTER = """
import sys, time
from pathlib import Path
from vexxy.integrations.embedded_postgres import server
running = server.start(Path(sys.argv[1]), durable=False)
print(running.pid, running.url, flush=True)
time.sleep(600)
"""

ANOTHER = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute("create table of_another (a int)")
    print(connection.info.dbname)
"""


def connected(url: str, user: str = "vexxy") -> "psycopg.Connection[tuple[object, ...]]":
    address = url.replace("postgresql+psycopg://vexxy@", f"postgresql://{user}@")
    return psycopg.connect(address, autocommit=True)


def count(url: str) -> object:
    with connected(url) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
        assert row is not None
        return row[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = server.start(tmp_path_factory.mktemp("pg") / "database", durable=False)
    with connected(started.url) as connection:
        connection.execute("create table kept (number int)")
    yield started
    started.stop()


def test_it_answers_over_a_socket_that_only_its_owner_reaches(running: Server) -> None:
    with connected(running.url) as connection:
        (addresses,) = connection.execute("show listen_addresses").fetchone() or ()

    assert addresses == ""
    place = Path(running.url.partition("host=")[2])
    assert place.stat().st_mode & 0o077 == 0


def test_the_service_is_no_superuser_and_bound_by_row_level_security(
    running: Server,
) -> None:
    with connected(running.url) as connection:
        connection.execute("create role tenant nologin nobypassrls")
        connection.execute("grant tenant to current_user")
        connection.execute("create table notes (owner text)")
        connection.execute("alter table notes enable row level security")
        connection.execute("alter table notes force row level security")
        connection.execute(
            "create policy mine on notes using (owner = current_setting('test.me', true))"
            " with check (true)"
        )
        connection.execute("insert into notes values ('a'), ('b')")
        owner = connection.execute("select owner from notes").fetchall()
        connection.execute("grant select on notes to tenant")
        connection.execute("set role tenant")
        connection.execute("select set_config('test.me', 'b', false)")
        tenant = connection.execute("select owner from notes").fetchall()
        rights = connection.execute(
            "select rolsuper, rolbypassrls from pg_roles where rolname = 'vexxy'"
        ).fetchone()

    assert owner == []
    assert tenant == [("b",)]
    assert rights == (False, False)


def test_committed_rows_outlive_a_kill_of_the_server(running: Server) -> None:
    before = count(running.url)
    with connected(running.url) as connection:
        connection.execute("insert into kept values (1)")
        os.kill(running.pid, signal.SIGKILL)
    until(lambda: not running.is_alive(), what="the server's death")

    running.run()

    assert running.is_alive()
    assert count(running.url) == int(str(before)) + 1


def test_several_processes_share_one_server(running: Server) -> None:
    told = subprocess.run(
        [
            *(sys.executable, "-c"),
            ANOTHER,
            running.url.replace("+psycopg", ""),
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == "vexxy"
    with connected(running.url) as connection:
        assert connection.execute("select * from of_another").fetchall() == []


def test_an_ordinary_user_has_one_too() -> None:
    """Goal: no root needed. Method: root runs the program as nobody, on its own folder."""
    with as_somebody() as (folder, python):
        with subprocess.Popen(
            [*python, "-c", STARTER, str(folder / "database")],
            stdout=subprocess.PIPE,
            text=True,
        ) as program:
            assert program.stdout is not None
            pid = int(program.stdout.readline().split()[0])
            owner = (folder / "database" / cluster.CLUSTER).stat().st_uid
            runs_as = Path(f"/proc/{pid}").stat().st_uid
            program.terminate()
        until(lambda: not runs(pid), what="the end of the server")

    assert owner == runs_as
    assert owner != 0


def test_a_second_start_on_the_directory_is_refused(running: Server) -> None:
    directory = Path(running.url.partition("host=")[2]).parent
    if not (directory / "cluster").exists():
        pytest.skip("the socket is elsewhere because the path is long")

    with pytest.raises(DatabaseInUse, match="already run by another program"):
        server.start(directory, durable=False)

    assert running.is_alive()


def test_a_killed_program_leaves_no_server_and_the_next_start_keeps_its_rows(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "database"
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        pid, url = program.stdout.readline().split()
        with connected(url) as connection:
            connection.execute("create table kept (number int)")
            connection.execute("insert into kept values (1)")
        program.kill()
    until(lambda: not runs(int(pid)), what="the end of the server")

    again = server.start(directory, durable=False)

    assert count(again.url) == 1
    again.stop()
    assert not runs(again.pid)


def test_a_server_that_lost_its_program_is_ended_by_the_next_start(tmp_path: Path) -> None:
    """Goal: repair. Method: the program dies while its server cannot react."""
    directory = tmp_path / "database"
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline().split()[0])
        os.kill(pid, signal.SIGSTOP)
        program.kill()
    os.kill(pid, signal.SIGCONT)

    again = server.start(directory, durable=False)

    assert not runs(pid)
    assert again.pid != pid
    again.stop()


def test_a_stale_pid_file_whose_number_lives_again_does_not_hinder(tmp_path: Path) -> None:
    started = server.start(tmp_path / "database", durable=False)
    master = tmp_path / "database" / cluster.CLUSTER / "postmaster.pid"
    lines = master.read_text().splitlines()
    os.kill(started.pid, signal.SIGKILL)
    until(lambda: not started.is_alive(), what="the server's death")
    with subprocess.Popen(
        ["sleep", "600"], user=programs.account(tmp_path / "database").user_id, cwd="/"
    ) as stranger:
        master.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")

        started.run()

        assert started.is_alive()
        assert runs(stranger.pid)
        stranger.kill()
    started.stop()


def test_stopping_leaves_no_process_and_no_pid_file(tmp_path: Path) -> None:
    started = server.start(tmp_path / "database", durable=False)
    members = [started.pid, *children(started.pid)]

    started.stop()
    started.stop()

    assert not any(runs(pid) for pid in members)
    assert not (tmp_path / "database" / cluster.CLUSTER / "postmaster.pid").exists()


@pytest.mark.parametrize("name", ["x" * 120, "100 % of 'ours', \"all\" ?&=#", "größe"])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    started = server.start(tmp_path / name / "database", durable=False)
    engine = create_engine(started.url)
    with engine.connect() as connection:
        one = connection.execute(text("select 1")).scalar()
        place = Path(str(connection.engine.url.query["host"]))
    engine.dispose()

    started.stop()

    assert one == 1
    assert not list(place.glob(".s.PGSQL*"))


def test_a_cluster_of_another_version_is_left_alone(tmp_path: Path) -> None:
    made = tmp_path / cluster.CLUSTER
    made.mkdir()
    (made / "PG_VERSION").write_text("14\n")

    with pytest.raises(DatabaseFailed, match="made by PostgreSQL 14"):
        server.start(tmp_path, durable=False)

    assert [path.name for path in made.iterdir()] == ["PG_VERSION"]


def test_without_the_wheel_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "WHEEL", "vexxy_has_no_such_wheel")

    with pytest.raises(DatabaseMissing) as caught:
        server.start(tmp_path / "database")

    assert "DATABASE_URL" in str(caught.value.hint)


def test_a_server_that_cannot_start_says_why_in_its_own_words(tmp_path: Path) -> None:
    started = server.start(tmp_path, durable=False)
    started.stop()
    broken = tmp_path / cluster.CLUSTER / "postgresql.conf"
    broken.write_text("no_such_parameter = 1\n")

    with pytest.raises(DatabaseFailed, match="no_such_parameter"):
        server.start(tmp_path, durable=False)
