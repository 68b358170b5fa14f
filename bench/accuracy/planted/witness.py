"""Check the labels without vexxy: what each language itself says that it called.

The image runs twice: once with the driver, once with every route. Python tells by a
`sys.setprofile` of the witness's own, Node.js by NODE_V8_COVERAGE, Go and C by a counter
that is compiled into each planted function and printed when the program is told to end.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.accuracy.planted import image
from bench.accuracy.planted.table import COPY, Planted, Project
from bench.images import engine

PROFILER: Final = """import os, sys, threading
told = set()
def profile(frame, event, argument):
    if event == "call":
        code = frame.f_code
        key = code.co_filename + "|" + code.co_qualname
        if key not in told:
            told.add(key)
            out = os.open("/witness/calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(out, (key + chr(10)).encode())
            os.close(out)
threading.setprofile(profile)
sys.setprofile(profile)
"""
READY_SECONDS: Final = 20
LOCALS: Final = ".<locals>"


def problems(project: Project) -> list[str]:
    """Run both stages; return what contradicts the labels."""
    test, everything = (seen(project, everything=stage) for stage in (False, True))
    found = []
    for row in project.rows:
        stage = "test" if ran(row, test) else "all" if ran(row, everything) else None
        if stage != row.stage:
            found.append(f"{row.advisory_id} ({row.label}, {row.shape}): ran in {stage}")
    return found


def ran(row: Planted, seen: set[tuple[str, str]]) -> bool:
    """Return whether the witness saw the row's function."""
    folder = row.at or ("" if row.label != COPY else "/nowhere")
    symbol = row.symbol.rpartition(".")[2] if row.type == "npm" else row.symbol
    return any(
        name == symbol and matches(row, path) and folder in path for path, name in seen
    )


def matches(row: Planted, path: str) -> bool:
    """Return whether a file of the witness is the row's module."""
    if row.type == "pypi":
        module = row.module.replace(".", "/")
        return path.endswith((f"/{module}.py", f"/{module}/__init__.py"))
    if row.type == "npm":
        return path.endswith(f"/{row.package}/{row.module}")
    return path == row.module if row.type == "golang" else True


def seen(project: Project, *, everything: bool) -> set[tuple[str, str]]:
    """Run the image through one stage; return (file or package, function) that ran."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        out.chmod(0o777)
        (out / "sitecustomize.py").write_text(PROFILER)
        name = f"vexxy-witness-{os.getpid()}"
        command = ["podman", "run", "--detach", "--name", name, *engine.ULIMITS]
        command += ["--volume", f"{out}:/witness"]
        if project.apt == ("python3",):
            command += ["--env", "PYTHONPATH=/witness"]
        if project.apt == ("nodejs",):
            command += ["--env", "NODE_V8_COVERAGE=/witness/v8"]
        try:
            engine.run([*command, image.made(project)], step="starting the witness")
            drive(project, name, out, everything=everything)
            engine.run(["podman", "stop", "--time", "10", name], step="stopping it")
            log = engine.run(["podman", "logs", name], step="its log")
        finally:
            engine.run(["podman", "rm", "--force", "--time", "0", name], step="removing")
        return {*told_by_python(out), *told_by_node(out), *told_by_counters(log)}


def drive(project: Project, name: str, folder: Path, *, everything: bool) -> None:
    """Make the requests of the stage."""
    form = "{{.NetworkSettings.IPAddress}}"
    host = engine.run(["podman", "inspect", "-f", form, name], step="inspect").strip()
    script = folder / "drive.sh"
    script.write_text(project.script(everything=everything))
    time.sleep(3)
    place = {"HOST": host, "PORT": str(image.PORT)}
    engine.run(["sh", str(script)], step=f"driving {project.name}", env=place)


def told_by_python(folder: Path) -> Iterator[tuple[str, str]]:
    """Read what the profiler wrote."""
    path = folder / "calls"
    for line in path.read_text().splitlines() if path.exists() else ():
        file, _, name = line.partition("|")
        yield file, name.replace(LOCALS, "")


def told_by_node(folder: Path) -> Iterator[tuple[str, str]]:
    """Read the coverage that Node.js wrote: functions whose count is not 0."""
    for path in folder.glob("v8/*.json"):
        for script in json.loads(path.read_text())["result"]:
            file = script["url"].removeprefix("file://")
            for one in script["functions"]:
                if one["functionName"] and one["ranges"][0]["count"]:
                    yield file, one["functionName"].removeprefix("get ")


def told_by_counters(log: str) -> Iterator[tuple[str, str]]:
    """Read the counters of compiled programs: `VXSEEN package function`."""
    for found in re.finditer(r"^VXSEEN (\S+) (\S+)$", log, re.MULTILINE):
        yield found[1], found[2]
