"""The functions of the shared static Go image, against what a debugger saw of them."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vexxy.tracer.functions.native.service import FunctionWatch
from vexxy.tracer.service import AgentRecorder
from vexxy.tracer.types import FunctionCall, FunctionRecording, Target

pytestmark = [pytest.mark.kernel, pytest.mark.engine, pytest.mark.shared]

SHARED = Path(__file__).parents[2].parent / "shared" / "images" / "f-static"
PROGRAM = "/mirror"
CURL = re.compile(r"\$\((curl [^)]*)\)")
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
WRAPPERS = {
    "net/http.serverHandler.ServeHTTP",
    "net/http.HandlerFunc.ServeHTTP",
    "net/http.checkConnErrorWriter.Write",
}
"""The debugger stopped at `(*T).M` only, which is made for the method `T.M` that runs."""


def podman(*arguments: str) -> str:
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


@contextmanager
def created(image: str) -> Iterator[tuple[str, int]]:
    """Yield a container that waits before its first instruction, and its process."""
    container = podman("create", "--runtime", "runc", "--network", "none", *LIMITS, image)
    try:
        podman("init", container)
        yield container, int(podman("inspect", "-f", "{{.State.Pid}}", container))
    finally:
        podman("rm", "-f", "-t", "0", container)


def drive(process_id: int, script: str) -> None:
    """Send the script's own requests from inside the container's network."""
    inside = ["nsenter", "-t", str(process_id), "-n"]
    probe = "exec 3<>/dev/tcp/127.0.0.1/8080"
    deadline = time.monotonic() + 30
    while subprocess.run(
        [*inside, "bash", "-c", probe], capture_output=True, check=False
    ).returncode:
        assert time.monotonic() < deadline, "the image never listened"
    for request in CURL.findall(script):
        subprocess.run(
            [*inside, "bash", "-c", request], capture_output=True, check=True, timeout=30
        )


def watched(
    image: str, names: set[str], folder: Path
) -> tuple[tuple[FunctionCall, ...], FunctionRecording]:
    watch = FunctionWatch()
    with created(image) as (container, process_id):
        copy = folder / "program"
        podman("cp", f"{container}:{PROGRAM}", str(copy))
        probes = watch.add(PROGRAM, copy.read_bytes(), names=names)
        recording = AgentRecorder(agent()).start(
            Target(process_id=process_id), probes=probes
        )
        podman("start", container)
        drive(process_id, (SHARED / "test.sh").read_text())
        trace = recording.stop()
    assert trace.probes.refused == {}
    return watch.results(trace)


def agent() -> Path | None:
    built = Path(__file__).parents[2] / "native" / "build" / "vexxy-trace"
    return built if built.exists() else None


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, bool]]:
    """Whether each vulnerable function has a symbol, and whether it ran."""
    table = SHARED / "truth.json"
    if not table.exists():
        pytest.skip("the shared images are not here")
    return {
        name: symbol
        for advisory in json.loads(table.read_text())["advisories"]
        for name, symbol in advisory["symbols"].items()
    }


@pytest.mark.parametrize("image", ["dev-f-static", "dev-f-static-stripped"])
def test_every_function_that_ran_is_seen_and_no_other(
    truth: dict[str, dict[str, bool]], image: str, tmp_path: Path
) -> None:
    """A debugger cannot stop at functions that were inlined everywhere; we can."""
    found = ["podman", "image", "exists", f"localhost/{image}"]
    if subprocess.run(found, check=False).returncode:
        pytest.skip(f"the image localhost/{image} is not built")

    calls, recording = watched(f"localhost/{image}", set(truth), tmp_path)

    seen = {f"{call.module}.{call.name}": call for call in calls}
    linked = {name for name, symbol in truth.items() if symbol["linked"]}
    ran = {name for name, symbol in truth.items() if symbol["ran"]}
    assert seen.keys() & linked - WRAPPERS == ran
    assert all(seen[name].inlined_into for name in seen.keys() - linked)
    assert seen["golang.org/x/net/html.Parse"].inlined_into == "main.main.func1"
    assert all("server.go" in line for line in seen["net/http.conn.serve"].stack[:1])
    assert recording.reasons == ()
    assert linked <= {one.name for one in recording.watched}
    assert all(one.absent for one in recording.unwatched)
    assert len(recording.watched) + len(recording.unwatched) == len(truth)
