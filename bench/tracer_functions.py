"""What watching functions costs a Go server under load: armed probes, and hit ones.

Run as root: `.venv/bin/python -m bench.tracer_functions [--quick]`. The server sends
itself requests over loopback, and every request calls 200 functions. What is compared is
its processor time, which other work on the machine disturbs less than the wall time;
each round measures each case once, and "recorded again" shows the noise that is left.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.tracer import agent, own_time, waiting
from vexxy.tracer import service
from vexxy.tracer.functions.native.service import FunctionWatch
from vexxy.tracer.types import Target

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTIONS = 200
MODULE = "example.org/load"
SERVER = """
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

var sink int

%s

func answer(w http.ResponseWriter, r *http.Request) {
%s
	io.WriteString(w, "hello")
}

func load(address string, requests int) {
	for i := 0; i < requests; i++ {
		response, err := http.Get("http://" + address)
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

func processorSeconds() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

func main() {
	requests, _ := strconv.Atoi(os.Args[1])
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(answer))
	load(listener.Addr().String(), 200)
	time.Sleep(3 * time.Second) // the agent takes the probes away that were hit
	started := processorSeconds()
	load(listener.Addr().String(), requests)
	fmt.Println(processorSeconds() - started)
	if requests < 0 {
%s
	}
}
"""


def build_server(folder: Path) -> Path | None:
    """Return the compiled server, None where there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    kept = "//go:noinline\nfunc {}() {{ sink += {} }}\n"
    functions = [
        kept.format(f"{kind}{n}", n) for n in range(FUNCTIONS) for kind in ("Hit", "Armed")
    ]
    text = SERVER % (
        "\n".join(functions),
        "\n".join(f"\tHit{n}()" for n in range(FUNCTIONS)),
        "\n".join(f"\t\tArmed{n}()" for n in range(FUNCTIONS)),
    )
    (folder / "main.go").write_text(text)
    (folder / "go.mod").write_text(f"module {MODULE}\n\ngo 1.18\n")
    program = folder / "server"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    command = [go, "build", "-o", str(program), "."]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    return program


def seconds_recorded(program: Path, requests: int, names: list[str]) -> float:
    """Return the processor seconds of the requests while functions are watched."""
    watch = FunctionWatch(on_host=True)
    probes = watch.add(str(program), program.read_bytes(), names=names)
    with waiting([str(program), str(requests)]) as target:
        recording = service.AgentRecorder(agent()).start(
            Target(process_id=target.process_id), probes=probes or None
        )
        seconds = own_time(target)
        trace = recording.stop()
    calls, recorded = watch.results(trace)
    assert len(recorded.watched) == len(names)
    assert len(calls) == sum("Hit" in name for name in names)
    return seconds


def seconds_untraced(program: Path, requests: int) -> float:
    """Return the processor seconds that the requests took on their own."""
    with waiting([str(program), str(requests)]) as target:
        return own_time(target)


def compare_functions(folder: Path, *, rounds: int, requests: int) -> None:
    """Print the medians and their ratios to recording without probes."""
    program = build_server(folder)
    if program is None:
        print("\nFunctions: no Go toolchain on this machine")
        return

    def named(kind: str) -> list[str]:
        return [f"{MODULE}.{kind}{n}" for n in range(FUNCTIONS)]

    cases: dict[str, Callable[[], float]] = {
        "recorded": lambda: seconds_recorded(program, requests, []),
        f"{FUNCTIONS} armed": lambda: seconds_recorded(program, requests, named("Armed")),
        f"{FUNCTIONS} already hit": lambda: seconds_recorded(
            program, requests, named("Hit")
        ),
        "recorded again (noise)": lambda: seconds_recorded(program, requests, []),
        "untraced": lambda: seconds_untraced(program, requests),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds):
        for name in list(cases)[:: 1 if number % 2 else -1]:
            taken[name].append(cases[name]())
    print(f"\nGo HTTP server, {requests} requests, functions watched with uprobes")
    for name, seconds in taken.items():
        ratios = [a / b for a, b in zip(seconds, taken["recorded"], strict=True)]
        median = statistics.median(seconds) * 1e3
        print(f"  {name:24} {median:8.1f} ms   {statistics.median(ratios):5.3f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds")
    quick = parser.parse_args().quick
    print(f"kernel {os.uname().release}, {os.cpu_count()} processors, {time.ctime()}")
    with tempfile.TemporaryDirectory() as name:
        compare_functions(Path(name), rounds=3 if quick else 11, requests=5000)


if __name__ == "__main__":
    main()
