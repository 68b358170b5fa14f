"""What a sandbox tells in the directory attached for it."""

import os
from pathlib import Path

import pytest

from tests.sandbox.conftest import Runner
from vexxy.sandbox import attached
from vexxy.sandbox.attached import Place, Told
from vexxy.sandbox.types import MIB, Attachments, ContainerStatus, Privileges

ATTACHED = Attachments({"hello": b"from outside\n"}, told_bytes=MIB)


def told(runner: Runner, script: str, **given: object) -> Told:
    sandbox = runner.start(script, attachments=ATTACHED, **given)
    while runner.state(sandbox) is not ContainerStatus.EXITED:
        pass
    sandbox.end()
    return sandbox.told()


@pytest.mark.engine
def test_what_was_told_is_read_after_the_end(runner: Runner) -> None:
    said = told(
        runner,
        "cat /.vexxy/hello > /.vexxy-out/a; mkdir /.vexxy-out/b; "
        "echo below > /.vexxy-out/b/c",
    )
    assert said.files == {"a": b"from outside\n", "b/c": b"below\n"}
    assert said.problems == ()


@pytest.mark.engine
def test_a_user_that_is_not_root_can_tell(runner: Runner) -> None:
    privileges = Privileges(capabilities=("SETUID", "SETGID"))
    said = told(
        runner,
        "stat -c %a /.vexxy-out > /.vexxy-out/mode",
        privileges=privileges,
    )
    assert said.files["mode"] == b"1777\n"


@pytest.mark.engine
def test_links_and_pipes_are_not_followed(runner: Runner) -> None:
    said = told(
        runner,
        "cd /.vexxy-out; ln -s /etc/passwd link; ln -s / root; mkfifo pipe; echo x > kept",
    )
    assert said.files == {"kept": b"x\n"}


@pytest.mark.engine
def test_more_than_fits_is_refused_and_told(runner: Runner) -> None:
    said = told(runner, "dd if=/dev/zero of=/.vexxy-out/large bs=65536 count=64; true")
    assert len(said.files["large"]) <= MIB
    assert said.problems == ("the memory for what the recorders write was used up",)


@pytest.mark.engine
def test_an_image_from_scratch_without_anything_attached_tells_nothing(
    runner: Runner,
) -> None:
    sandbox = runner.start("true")
    sandbox.end()
    assert sandbox.told().files == {}
    assert sandbox.told().problems


def test_the_host_s_own_directory_is_never_taken_for_the_sandbox_s(
    tmp_path: Path,
) -> None:
    with pytest.raises(OSError, match=r"tmp|directory|No such"):
        Place(os.getpid(), "/no/such/directory", limit_bytes=1)
    root = Path("/proc/self/root").stat().st_dev
    if tmp_path.stat().st_dev == root:
        with pytest.raises(FileNotFoundError):
            Place(os.getpid(), str(tmp_path), limit_bytes=1)


def test_no_more_is_read_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "b").write_bytes(b"0123456789")
    place = Place.__new__(Place)
    place._limit_bytes = 15
    place._descriptor = os.open(tmp_path, attached.DIRECTORY)
    said = place.read()
    place.close()
    place.close()
    assert "more than 15 bytes were written" in said.problems
