"""The front page's walk-through, run as it is written, in both shapes of the service."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import FILES, osv
from tests.fakes import engines, image_archive
from tests.fakes.image_archive import Recipe
from tests.redis_server import RedisServer
from tests.service import serving
from tests.service.serving import Served, served

ROOT = Path(__file__).parents[2]
IMAGE = "localhost/vexxy-walk-through:1"
# Everything before this needs no container engine.
FOLLOWING = "# follow it to its end"


def commands() -> str:
    """Return the lines of the walk-through."""
    after = (ROOT / "README.md").read_text().split("<!-- walk-through", 1)[1]
    after = after.split("-->\n", 1)[1].lstrip("\n")
    block = re.match(r"(?:(?: {4}.*)?\n)+", after)
    assert block
    return "\n".join(line[4:] for line in block.group(0).splitlines())


def walk(folder: Path, address: str, *, lines: str) -> "subprocess.CompletedProcess[str]":
    """Run the lines as a person would; only where the service is and the image differ."""
    lines = re.sub(r"^API=http://[^/]+", f"API={address}", lines, flags=re.MULTILINE)
    lines = re.sub(r"^IMAGE=.*$", f"IMAGE={IMAGE}", lines, flags=re.MULTILINE)
    folder.mkdir()
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextmanager
def background(log: Path, *words: str, **variables: str) -> Iterator[None]:
    """Run a command of `vexxy` beside the test."""
    with (
        log.open("w") as stream,
        subprocess.Popen(
            [sys.executable, "-m", "vexxy", *words],
            stdout=stream,
            stderr=stream,
            env=serving.environment(**variables),
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def on_one_machine(ends: ExitStack, data: Path, _url: str) -> Served:
    return ends.enter_context(served(data))


def over_processes(ends: ExitStack, data: Path, url: str) -> Served:
    broker = ends.enter_context(RedisServer())
    variables = {
        "DATABASE_URL": url,
        "REDIS_URL": broker.url,
        "VEXXY_DATA_DIRECTORY": str(data),
    }
    api = ends.enter_context(served(data, **variables))
    for name in ("worker", "beat"):
        log = data.parent / f"{name}.log"
        ends.enter_context(background(log, name, **variables))
    return api


Shape = Callable[[ExitStack, Path, str], Served]


def test_the_walk_through_is_found_and_leaves_nothing_out() -> None:
    lines = commands()

    assert FOLLOWING in lines
    for path in ("register", "login", "submit", "events", "results", "vex/"):
        assert path in lines


def test_registering_and_submitting_work_as_written(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--no-workers") as running:
        done = walk(
            tmp_path / "walk", running.address, lines=commands().split(FOLLOWING)[0]
        )

    assert done.stderr == ""
    assert done.returncode == 0
    assert json.loads(done.stdout)["status"] == "queued"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as ends:
        engine = next(opened := engines.real_engine())
        ends.callback(lambda: next(opened, None))
        recipe = Recipe(ports=(80,), files=FILES, name=IMAGE)
        archive = tmp_path_factory.mktemp("image") / "image.tar"
        archive.write_bytes(image_archive.docker_archive(recipe))
        engine.load(archive)
        yield IMAGE
        engine.remove_image(IMAGE)


@pytest.mark.engine
@pytest.mark.kernel
@pytest.mark.parametrize("shape", [on_one_machine, over_processes])
def test_the_walk_through_ends_with_a_vex_document(
    tmp_path: Path, empty_database_url: str, image: str, shape: Shape
) -> None:
    data = tmp_path / "data"
    advise(data, tmp_path / "advisories")
    with ExitStack() as ends:
        running = shape(ends, data, empty_database_url)
        done = walk(tmp_path / "walk", running.address, lines=commands())

    assert done.stderr == ""
    assert done.returncode == 0
    results = json.loads((tmp_path / "walk" / "results.json").read_text())
    assert results["status"] == "complete"
    assert {item["package"]["purl"].split("@")[0] for item in found(results)} == {
        "pkg:deb/debian/libplanted1",
        "pkg:deb/debian/busybox-static",
    }
    vex = json.loads((tmp_path / "walk" / "image.vex.json").read_text())
    assert vex["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert len(vex["statements"]) == 2


def found(results: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = results["reachability_results"]
    return listed


def advise(data: Path, folder: Path) -> None:
    """Fill the advisory database, as `vexxy advisories update` does from OSV."""
    folder.mkdir()
    for number, name in enumerate(("libplanted1", "busybox-static"), start=1):
        (folder / f"{number}.json").write_text(json.dumps(osv(name, number)))
    subprocess.run(
        [sys.executable, "-m", "vexxy", "advisories", "import", str(folder)],
        env=serving.environment(VEXXY_DATA_DIRECTORY=str(data)),
        check=True,
        capture_output=True,
    )
