"""What recording costs, beside strace in the same run, and whether it loses anything.

Run as root: `.venv/bin/python bench/tracer.py [--quick] [--recorders]`. Every round
measures each recorder once, so that a machine that slows down slows them all; figures are
medians. Beside the wall time stands the processor time of the workload and of the agent,
which other work on the machine disturbs less; "untraced again" shows how much that is.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from vexxy.tracer import service
from vexxy.tracer.types import Source, Target, Trace, Use

ROOT = Path(__file__).parents[1]
WAIT = 'echo waiting; read -r go; exec "$@"'
UNSHARE = ["unshare", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child"]
FILES = "trace=execve,execveat,open,openat,openat2,mmap,mprotect"
STRACE = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", FILES]

IMPORTS = (
    "asyncio, concurrent.futures, csv, ctypes, dataclasses, decimal, difflib, inspect,"
    "email.message, http.server, json, logging.handlers, multiprocessing, pdb, pickle,"
    "sqlite3, ssl, statistics, tarfile, unittest, urllib.request, uuid, zipfile,"
    "xml.etree.ElementTree"
)
OFTEN = {"untraced", "vexxy ebpf", "untraced again (noise)"}
# Each compares with the same program unrecorded, in its own run.
RECORDERS = ("recorder", "recorder_node", "tracer_functions")
GOAL_OPENS_PER_SECOND = 50_000
FEW = 2
SERVER = """
import functools, http.server, os, sys
class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    def log_message(self, *_): pass
    def do_GET(self):
        if self.path == "/quit":
            os._exit(0)
        super().do_GET()
handler = functools.partial(Quiet, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

Measure = Callable[["Workbench"], float]


@dataclass(frozen=True)
class Cost:
    """What one turn took."""

    wall_seconds: float
    processor_seconds: float


@dataclass
class Workbench:
    """A command that waits in its own pid namespace."""

    process: subprocess.Popen[bytes]
    process_id: int

    def go(self) -> None:
        """Let the command begin."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def line(self) -> bytes:
        """Return the next line that the command writes."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@dataclass(frozen=True)
class Workload:
    """A command, and how its time is taken once it waits; fewer turns under strace."""

    name: str
    command: Sequence[str]
    measure: Measure


@contextmanager
def waiting(command: Sequence[str]) -> Iterator[Workbench]:
    """Yield the command, stopped before its first instruction."""
    process = subprocess.Popen(
        [*UNSHARE, "sh", "-c", WAIT, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"waiting\n"
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            yield Workbench(process, int(children.read_text().split()[0]))
        finally:
            process.kill()


def own_time(target: Workbench) -> float:
    """Return the seconds that the command itself measured."""
    target.go()
    seconds = float(target.line())
    assert target.process.wait(120) == 0
    return seconds


def whole_time(target: Workbench) -> float:
    """Return the seconds from its start to its end."""
    started = time.perf_counter()
    target.go()
    assert target.process.wait(120) == 0
    return time.perf_counter() - started


def request_time(requests: int) -> Measure:
    """Return a measure of so many requests over one connection, after a warm-up."""

    def measure(target: Workbench) -> float:
        target.go()
        connection = HTTPConnection("127.0.0.1", int(target.line()), timeout=60)
        started = 0.0
        for number in range(-requests // 10, requests):
            if number == 0:
                started = time.perf_counter()
            connection.request("GET", "/page.html")
            assert connection.getresponse().read()
        seconds = time.perf_counter() - started
        connection.request("GET", "/quit")
        assert target.process.wait(120) == 0
        connection.close()
        return seconds

    return measure


def cost_of(workload: Workload, target: Workbench, recorder: int | None = None) -> Cost:
    """Let the target run; the processor time is its tree's and the recorder's."""
    before = processor_seconds(), on_processor(recorder)
    wall_seconds = workload.measure(target)
    # The recorder is not waited for yet, so only the target's tree was added.
    tree_seconds = processor_seconds() - before[0]
    return Cost(wall_seconds, tree_seconds + on_processor(recorder) - before[1])


def processor_seconds() -> float:
    """Return the processor time of every child that was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def on_processor(process_id: int | None) -> float:
    """Return the processor time of one process that still runs."""
    if process_id is None:
        return 0.0
    return int(Path(f"/proc/{process_id}/schedstat").read_text().split()[0]) / 1e9


def time_untraced(workload: Workload) -> Cost:
    """Return the workload's cost on its own."""
    with waiting(workload.command) as target:
        return cost_of(workload, target)


def time_recorded(workload: Workload, source: Source) -> Cost:
    """Return the workload's cost while it is recorded."""
    with waiting(workload.command) as target:
        recording = service.AgentRecorder(agent()).start(
            Target(process_id=target.process_id), source=source
        )
        recorder = recording._agent.pid  # noqa: SLF001  its time is part of the cost
        cost = cost_of(workload, target, recorder)
        trace = recording.stop()
    assert trace.lost_events == 0, trace.lost_events
    return cost


def time_strace(workload: Workload, *options: str) -> Cost:
    """Return the workload's cost under strace."""
    with waiting([*STRACE, *options, *workload.command]) as target:
        return cost_of(workload, target)


def agent() -> Path:
    """Return the agent just built, else the installed one."""
    built = ROOT / "native" / "build" / "vexxy-trace"
    return built if built.exists() else service.find_agent()


def compare(workload: Workload, rounds: int) -> None:
    """Print the workload's medians and ratios, one line for each recorder."""
    recorders: dict[str, Callable[[], Cost]] = {
        "untraced": lambda: time_untraced(workload),
        "vexxy ebpf": lambda: time_recorded(workload, Source.EBPF),
        "untraced again (noise)": lambda: time_untraced(workload),
        "vexxy fanotify": lambda: time_recorded(workload, Source.FANOTIFY),
    }
    if shutil.which("strace"):
        recorders["strace -f --seccomp-bpf"] = lambda: time_strace(
            workload, "--seccomp-bpf"
        )
        recorders["strace -f"] = lambda: time_strace(workload)
    taken: dict[str, list[Cost]] = {name: [] for name in recorders}
    for number in range(rounds):
        # Back and forth, so that what comes first is not always the same.
        for name in list(recorders)[:: 1 if number % 2 else -1]:
            # Where the ratio is far from 1, a few turns say enough.
            if name in OFTEN or number < FEW:
                taken[name].append(recorders[name]())
    print(f"\n{workload.name}\n  {'':24} wall time      ratio   processor time   ratio")
    for name, costs in taken.items():
        pairs = list(zip(costs, taken["untraced"], strict=False))
        wall = statistics.median(cost.wall_seconds for cost in costs)
        processor = statistics.median(cost.processor_seconds for cost in costs)
        walls = statistics.median(a.wall_seconds / b.wall_seconds for a, b in pairs)
        processors = statistics.median(
            a.processor_seconds / b.processor_seconds for a, b in pairs
        )
        print(
            f"  {name:24} {wall * 1e3:8.1f} ms   {walls:5.2f}"
            f"     {processor * 1e3:8.1f} ms   {processors:5.2f}"
        )


def check_lossless(opens: Path, folder: Path, count: int) -> None:
    """Open so many different files at full speed and demand each of them.

    A machine that is busy with other work may need a second try to be fast enough.
    """
    for number in range(count):
        (folder / str(number)).touch()
    print(f"\nLossless: {count} different files, goal {GOAL_OPENS_PER_SECOND:,} opens/s")
    for _ in range(3):
        seconds, trace = record_distinct([str(opens), "distinct", str(folder), str(count)])
        missing = count - len(told_below(folder, trace))
        print(
            f"  {count / seconds:9,.0f} opens/s   missing {missing}"
            f"   lost events {trace.lost_events}   gaps {len(trace.gaps)}"
        )
        assert missing == 0
        assert trace.lost_events == 0
        if count / seconds >= GOAL_OPENS_PER_SECOND:
            return


def record_distinct(command: Sequence[str]) -> tuple[float, Trace]:
    """Return the seconds that the command took, and its trace."""
    with waiting(command) as target:
        recording = service.AgentRecorder(agent()).start(
            Target(process_id=target.process_id)
        )
        seconds = own_time(target)
        return seconds, recording.stop()


def told_below(folder: Path, trace: Trace) -> set[str]:
    """Return the files below the folder that were read."""
    prefix = f"{folder}/"
    return {f.path for f in trace.files if f.use is Use.READ and f.path.startswith(prefix)}


def build_opens(folder: Path) -> Path:
    """Return the compiled program that opens files."""
    program = folder / "tracer_opens"
    source = Path(__file__).with_name("tracer_opens.c")
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


def workloads(opens: Path, folder: Path, scale: int) -> list[Workload]:
    """Return what is measured."""
    page = folder / "page.html"
    page.write_text("<p>hello</p>" * 200)
    python = os.path.realpath(sys.executable)
    storm = f"{python} -I -S -c 'import {IMPORTS}'; {python} -I -S -c 'import {IMPORTS}'"
    loop = [str(opens), "same", str(page), str(40_000 * scale)]
    return [
        Workload("Tight open loop (C, open and close only)", loop, own_time),
        Workload("Python import storm", ["sh", "-ec", storm], whole_time),
        Workload(
            "HTTP server under load (Python, one file per request)",
            [python, "-I", "-S", "-c", SERVER, str(folder)],
            request_time(400 * scale),
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds, small loops")
    parser.add_argument(
        "--recorders",
        action="store_true",
        help="also what recording called functions costs: Python, Node.js, uprobes",
    )
    given = parser.parse_args()
    quick = given.quick
    load = os.getloadavg()[0]
    print(f"kernel {os.uname().release}, {os.cpu_count()} processors, load {load:.1f}")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        opens = build_opens(folder)
        for workload in workloads(opens, folder, 1 if quick else 2):
            compare(workload, rounds=3 if quick else 12)
        distinct = folder / "distinct"
        distinct.mkdir()
        check_lossless(opens, distinct, 50_000 if quick else 150_000)
    for name in RECORDERS if given.recorders else ():
        print(f"== bench.{name}", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
