"""What `vexxy serve` asks for, and what it tells people."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vexxy.cli.app import app
from vexxy.serving import preparation, service
from vexxy.serving.processes import Program
from vexxy.serving.types import Wish
from vexxy.settings import ServiceSettings

REDIS = "redis://127.0.0.1:1/0"


@pytest.fixture
def wished(monkeypatch: pytest.MonkeyPatch) -> list[Wish]:
    """Collect what would be served; nothing is started."""
    for name in ServiceSettings.model_fields:
        if name.upper() in os.environ:
            monkeypatch.delenv(name.upper())
    wishes: list[Wish] = []

    def serve(wish: Wish, *, tell: object, ready: Callable[[str], None]) -> None:
        wishes.append(wish)
        ready("http://127.0.0.1:8001")

    monkeypatch.setattr(service, "serve", serve)
    return wishes


@pytest.mark.parametrize(
    ("redis", "options", "workers"),
    [
        ("", (), True),
        (REDIS, (), False),
        (REDIS, ("--workers",), True),
        ("", ("--no-workers",), False),
    ],
)
def test_workers_run_here_unless_a_broker_has_them(
    wished: list[Wish],
    monkeypatch: pytest.MonkeyPatch,
    *,
    redis: str,
    options: tuple[str, ...],
    workers: bool,
) -> None:
    monkeypatch.setenv("REDIS_URL", redis)

    done = CliRunner().invoke(app, ["serve", *options])

    assert done.exit_code == 0
    assert wished[0].workers is workers
    assert ("start `vexxy worker`" in done.output) is not workers
    assert ("`vexxy beat`" in done.output) is (bool(redis) and not workers)


def test_it_listens_to_this_machine_only_unless_told(wished: list[Wish]) -> None:
    CliRunner().invoke(app, ["serve"])
    CliRunner().invoke(app, ["serve", "--host", "::", "--port", "0"])

    assert [(wish.host, wish.port) for wish in wished] == [("127.0.0.1", 8001), ("::", 0)]


def test_the_data_directory_is_the_one_of_every_command(
    wished: list[Wish], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path / "a"))
    monkeypatch.chdir(tmp_path)

    CliRunner().invoke(app, ["serve"])
    CliRunner().invoke(app, ["serve", "--data-dir", "b"])

    assert [wish.data_directory for wish in wished] == [tmp_path / "a", tmp_path / "b"]


def test_it_tells_where_it_listens_and_what_is_next(wished: list[Wish]) -> None:
    done = CliRunner().invoke(app, ["serve"])

    assert "listens on http://127.0.0.1:8001" in done.output
    assert "http://127.0.0.1:8001/docs" in done.output
    assert "API=http://127.0.0.1:8001/api/v1" in done.output


def programs(wish: Wish, environment: dict[str, str]) -> list[Program]:
    with service.listening.listen(wish.host, 0) as listener:
        return list(preparation.programs(wish, environment, listener=listener))


def test_a_worker_that_is_asked_for_beside_a_broker_does_not_serve_the_broker(
    wished: list[Wish],
) -> None:
    CliRunner().invoke(app, ["serve", "--workers", "--api-processes", "3"])

    made = programs(wished[0], {"REDIS_URL": REDIS, "A": "b"})

    assert [program.name for program in made] == ["API 1", "API 2", "API 3", "worker"]
    assert all(program.environment["REDIS_URL"] == REDIS for program in made[:3])
    assert made[3].environment == {"A": "b"}
