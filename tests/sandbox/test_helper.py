"""The helper beside an engine: what it is given, and what comes back from it."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import image_archive
from tests.fakes.image_archive import Recipe
from vexxy.integrations.container_engine import helper
from vexxy.integrations.container_engine.adapter import Engine
from vexxy.integrations.container_engine.helper import HelperRun
from vexxy.sandbox import service
from vexxy.sandbox.wire import OWNER_LABEL, SANDBOX_LABEL

# Stands where the helper image has its command, and tells what it sees.
STAND_IN = b"""#!/bin/sh
echo "arguments: $*"
echo "to standard error" >&2
[ -S "${VEXXY_ENGINE#unix://}" ] && echo "socket is there"
[ "$(cat /proc/1/comm)" = "$(cat "$1/first")" ] && echo "processes are the machine's"
cat "$1/input"
echo result > "$1/result"
mkdir "$1/evidence"
echo seen > "$1/evidence/profile"
echo other > "$1/by-another-program"
exit 5
"""
USER = 4321


def a_run(**given: object) -> HelperRun:
    values: dict[str, object] = {
        "image": "vexxy:1",
        "arguments": ("analyze", "app:1"),
        "data_directory": Path("/home/user/data"),
    }
    return HelperRun(**(values | given))  # type: ignore[arg-type]


def test_a_helper_gets_the_files_that_were_named_and_no_more() -> None:
    found = helper.binds(
        a_run(readable=[Path("/in")], results=[Path("/out/result.json")]),
        socket="/run/docker.sock",
        storage="/var/lib/docker",
    )
    here = Path.cwd()
    assert set(found) == {
        "/run/docker.sock:/run/vexxy-engine.sock",
        "/var/lib/docker:/var/lib/docker",
        "/sys:/sys",
        "/home/user/data:/var/lib/vexxy",
        "/in:/in:ro",
        "/out:/out",
        f"{here}:{here}",
    }


def test_a_helper_has_the_processes_and_no_network_and_no_devices() -> None:
    body = helper.creation(a_run(), labels={"a": "b"}, binds=())
    assert body["Cmd"] == ["analyze", "app:1"]
    found = body["HostConfig"]
    assert found["PidMode"] == "host"
    assert found["NetworkMode"] == "none"
    assert "Privileged" not in found
    assert "SYS_ADMIN" in found["CapAdd"]
    assert "SYS_MODULE" not in found["CapAdd"]


@pytest.fixture
def helper_image(engine: Engine, tmp_path: Path) -> Iterator[str]:
    recipe = Recipe(
        files={"bin/vexxy": STAND_IN},
        modes={"bin/vexxy": 0o755},
        environment={"SEED": uuid.uuid4().hex},
    )
    archive = tmp_path / "helper.tar"
    archive.write_bytes(image_archive.docker_archive(recipe))
    with service.open_image(engine, str(archive)) as opened:
        yield opened.image.image_id


@pytest.mark.engine
def test_a_helper_passes_on_output_results_and_exit_code(
    engine: Engine,
    helper_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "input").write_text("what the user gave\n")
    (folder / "first").write_text(Path("/proc/1/comm").read_text())
    monkeypatch.chdir(folder)
    wanted = a_run(
        image=helper_image,
        arguments=(str(folder), "two words"),
        data_directory=tmp_path / "data",
        results=(folder / "result", folder / "evidence", folder / "never-written"),
    )
    monkeypatch.setattr(os, "geteuid", lambda: USER)
    monkeypatch.setattr(os, "getegid", lambda: USER)
    assert helper.run(engine, wanted) == 5
    said = capfdbinary.readouterr()
    lines = said.out.decode().splitlines()
    assert f"arguments: {folder} two words" in lines
    assert "socket is there" in lines
    assert "processes are the machine's" in lines
    assert "what the user gave" in lines
    assert b"to standard error\n" in said.err
    assert (folder / "result").read_text() == "result\n"
    for result in ("result", "evidence", "evidence/profile"):
        assert (folder / result).stat().st_uid == USER
    assert (folder / "by-another-program").stat().st_uid == 0
    mine = [
        labels[SANDBOX_LABEL]
        for labels in engine.list_owned().values()
        if labels.get(OWNER_LABEL) == str(os.getpid())
    ]
    assert not [name for name in mine if name.startswith("helper-")]
