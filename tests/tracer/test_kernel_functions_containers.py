"""Functions in containers of one image, whose files are the same files on this machine."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vexxy.tracer.functions.native.service import FunctionWatch
from vexxy.tracer.service import AgentRecorder
from vexxy.tracer.types import Target

pytestmark = [pytest.mark.kernel, pytest.mark.engine]

PROGRAM = r"""
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static volatile int sink;
__attribute__((noinline)) int called(int a) { sink += a; return sink; }
int main(int count, char **words)
{
	if (count > 1 && strcmp(words[1], "call") == 0) return called(1) != 1;
	if (count > 1 && strcmp(words[1], "change") == 0) {
		chmod("/copy", 0700);
		execl("/copy", "/copy", "call", NULL);
		return 1;
	}
	return 0;
}
"""
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
NAME = "localhost/vexxy-test/functions:1"


def podman(*arguments: str, given: bytes | None = None) -> str:
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, check=True, timeout=120, input=given
    )
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    """An image of one static program under two names; yields the program."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "program.c").write_text(PROGRAM)
    made = folder / "program"
    subprocess.run(
        ["cc", "-static", "-O1", "-g", "-o", str(made), str(folder / "program.c")],
        check=True,
    )
    content = made.read_bytes()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as files:
        for name in ("program", "copy"):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            files.addfile(member, io.BytesIO(content))
    podman("import", "-q", "-", NAME, given=archive.getvalue())
    yield content
    podman("rmi", "-f", NAME)


@contextmanager
def created(*command: str) -> Iterator[tuple[str, int]]:
    container = podman(
        "create", "--runtime", "runc", "--network", "none", *LIMITS, NAME, *command
    )
    try:
        podman("init", container)
        yield container, int(podman("inspect", "-f", "{{.State.Pid}}", container))
    finally:
        podman("rm", "-f", "-t", "0", container)


def run(container: str) -> None:
    podman("start", container)
    assert podman("wait", container) == "0"


def test_a_container_is_told_apart_from_another_one_of_its_image(
    agent: Path, program: bytes
) -> None:
    watch = FunctionWatch()
    probes = watch.add("/program", program, names=["called"])
    with (
        created("/program", "call") as (other, _),
        created("/program") as (mine, process_id),
    ):
        recording = AgentRecorder(agent).start(Target(process_id=process_id), probes=probes)
        run(other)
        run(mine)
        trace = recording.stop()

    assert trace.probes.hits == ()
    assert trace.probes.refused == {}
    assert trace.probes.finished


def test_a_call_in_a_container_is_seen_in_a_file_of_its_layers(
    agent: Path, program: bytes
) -> None:
    watch = FunctionWatch()
    probes = watch.add("/program", program, names=["called"])
    with created("/program", "call") as (container, process_id):
        recording = AgentRecorder(agent).start(Target(process_id=process_id), probes=probes)
        run(container)
        calls, _ = watch.results(recording.stop())

    assert [(call.name, call.process) for call in calls] == [("called", "/program")]


def test_a_file_that_the_container_changes_is_not_watched(
    agent: Path, program: bytes
) -> None:
    """A change of its mode makes a copy of the file, which has no probes."""
    watch = FunctionWatch()
    probes = watch.add("/copy", program, names=["called", "main"])
    with created("/program", "change") as (container, process_id):
        recording = AgentRecorder(agent).start(Target(process_id=process_id), probes=probes)
        run(container)
        _, told = watch.results(recording.stop())

    assert told.watched == ()
    assert {"replaced" in one.reason for one in told.unwatched} == {True}
