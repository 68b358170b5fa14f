"""Functions of real programs, watched by the real agent while they run."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.waiting_targets import waiting
from vexxy.tracer.functions.native.service import FunctionWatch
from vexxy.tracer.functions.native.types import Uprobe
from vexxy.tracer.service import AgentRecorder
from vexxy.tracer.types import FunctionCall, FunctionRecording, Source, Target, Trace

pytestmark = pytest.mark.kernel

C_PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define KEPT __attribute__((noinline))
static volatile int sink;
KEPT int called(int a) { sink += a; return sink; }
KEPT int never(int a) { sink += 2 * a; return sink; }
static inline int copied(int a) { sink += 3 * a; return sink + a * sink; }
static inline int copied_unused(int a) { sink += 5 * a; return sink - a * sink; }
KEPT int outer(int a) { return called(a) + copied(a); }
KEPT int never_outer(int a) { return copied_unused(a) * 7; }
static void *in_thread(void *unused) { called(1); return unused; }
int main(int count, char **words)
{
	const char *how = count > 1 ? words[1] : "";
	if (strcmp(how, "outer") == 0) outer(3);
	if (strcmp(how, "thread") == 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, in_thread, NULL);
		pthread_join(thread, NULL);
	}
	if (strcmp(how, "killed") == 0) { called(1); raise(SIGKILL); }
	if (strcmp(how, "forks") == 0)
		for (int i = 0; i < 500; i++) {
			if (!fork()) { if (i == 437) called(i); _exit(0); }
			wait(NULL);
		}
	if (count > 9) { never(1); never_outer(count); }
	return 0;
}
"""
FRAMES = "-fno-omit-frame-pointer"
LIBRARY = "int exported(int a) { return a + 1; }\nint unused(int a) { return a + 2; }\n"
LOADER = r"""
#include <dlfcn.h>
int main(int count, char **words)
{
	int (*function)(int) = dlsym(dlopen(words[1], RTLD_NOW), "exported");
	return function(count) != count + 1;
}
"""
GO_PROGRAM = """
package main

import (
	"fmt"
	"os"
)

type Counter struct{ n int }

//go:noinline
func (c *Counter) Add(k int) int { c.n += k; return c.n }

//go:noinline
func (c Counter) Never() int { return c.n * 3 }

func Inlined(a int) int {
	if a > 3 {
		return a*7 ^ len(os.Args)
	}
	return a + 1
}

func InlinedNever(a int) int { return a*31 ^ len(os.Args) }

//go:noinline
func Holder(n int) int { return Inlined(n) + 2 }

//go:noinline
func HolderWithBranch(n int) int {
	if n > 1000 {
		return InlinedNever(n) + 5
	}
	return n
}

//go:noinline
func Generic[T int | string](a T) string { return fmt.Sprint(a) }

//go:noinline
func Maker(k int) func() int { return func() int { return k + len(os.Args) } }

//go:noinline
func InGoroutine(done chan int) { done <- 1 }

func main() {
	done := make(chan int)
	go InGoroutine(done)
	<-done
	fmt.Println((&Counter{}).Add(2), Holder(len(os.Args)), HolderWithBranch(2),
		Generic(3), Maker(4)())
	if len(os.Args) > 5 {
		fmt.Println(Counter{}.Never())
	}
}
"""
GO_NAMES = {
    f"example.org/small.{name}": ran
    for name, ran in {
        "Counter.Add": True,
        "Counter.Never": False,
        "Inlined": True,
        "InlinedNever": False,
        "Holder": True,
        "HolderWithBranch": True,
        "Generic": True,
        "Maker": True,
        "InGoroutine": True,
    }.items()
}


@dataclass
class Watched:
    trace: Trace
    calls: dict[str, FunctionCall]
    recording: FunctionRecording

    @property
    def watched(self) -> set[str]:
        return {one.name for one in self.recording.watched}

    @property
    def reasons(self) -> dict[str, str]:
        return {one.name: one.reason for one in self.recording.unwatched}


Watch = Callable[..., Watched]
Between = Callable[[], object]


@pytest.fixture
def watch(agent: Path) -> Watch:
    def run(
        command: Sequence[str | Path],
        *names: str,
        file: Path | None = None,
        source: Source | None = None,
        between: Between = lambda: None,
    ) -> Watched:
        functions = FunctionWatch(on_host=True)
        path = file or Path(command[0])
        probes = functions.add(str(path), path.read_bytes(), names=names)
        with waiting([*map(str, command)]) as target:
            recording = AgentRecorder(agent).start(
                Target(process_id=target.process_id), source=source, probes=probes
            )
            between()
            target.run()
            trace = recording.stop()
        calls, told = functions.results(trace)
        return Watched(trace, {call.name: call for call in calls}, told)

    return run


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def compiled(folder: Path, name: str, text: str, *options: str) -> Path:
    """The program or library, compiled once a session."""
    program = folder / name
    if not program.exists():
        source = folder / f"{name}.c"
        source.write_text(text)
        command = ["cc", *options, "-o", str(program), str(source), "-lpthread", "-ldl"]
        subprocess.run(command, check=True)
    return program


@pytest.fixture(scope="session")
def program(folder: Path) -> Path:
    return compiled(folder, "program", C_PROGRAM, "-O2", "-g", FRAMES)


C_NAMES = ("called", "never", "copied", "copied_unused", "outer", "never_outer")


def test_functions_that_ran_are_told_apart_from_those_that_did_not(
    watch: Watch, program: Path
) -> None:
    seen = watch([program, "outer"], *C_NAMES)

    assert set(seen.calls) == {"called", "copied", "outer"}
    assert seen.watched == set(C_NAMES)
    assert seen.recording.reasons == ()
    assert seen.calls["copied"].inlined_into == "outer"
    assert seen.calls["called"].stack[:2] == ("outer", "main")
    assert seen.calls["called"].process == str(program)
    assert seen.calls["called"].process_id == 1
    assert seen.calls["called"].source is Source.UPROBE


def test_without_debug_data_silence_proves_nothing(
    watch: Watch, program: Path, folder: Path
) -> None:
    plain = folder / "plain"
    subprocess.run(["strip", "-g", "-o", plain, program], check=True)

    seen = watch([plain, "outer"], "called", "never", "copied")

    assert set(seen.calls) == {"called"}
    assert seen.watched == set()
    assert "debug data" in seen.reasons["never"]
    assert "no symbol" in seen.reasons["copied"]


@pytest.mark.parametrize(("how", "by"), [("thread", 1), ("killed", 1), ("forks", 439)])
def test_a_call_in_a_thread_a_fork_or_before_a_kill_is_seen(
    watch: Watch, program: Path, how: str, by: int
) -> None:
    """The shell is the first process where the program may be killed."""
    shell = ["sh", "-c", '"$0" "$1"; true', str(program), how]

    seen = watch(shell, *C_NAMES, file=program)

    assert set(seen.calls) == {"called"}
    assert seen.calls["called"].process_id == by + 1
    assert seen.watched == set(C_NAMES)


def test_probes_one_by_one_as_older_kernels_have_them_see_the_same(
    watch: Watch, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEXXY_TRACE_ONE_BY_ONE", "1")

    seen = watch([program, "outer"], *C_NAMES)

    assert set(seen.calls) == {"called", "copied", "outer"}
    assert seen.watched == set(C_NAMES)


def test_the_same_program_in_another_container_is_not_reported(
    watch: Watch, program: Path
) -> None:
    def elsewhere() -> None:
        subprocess.run([program, "outer"], check=True)

    seen = watch([program], *C_NAMES, between=elsewhere)

    assert seen.calls == {}
    assert seen.watched == set(C_NAMES)


def test_a_source_that_cannot_watch_functions_says_so(watch: Watch, program: Path) -> None:
    seen = watch([program, "outer"], *C_NAMES, source=Source.PTRACE)

    assert seen.calls == {}
    assert seen.watched == set()
    assert all("eBPF" in reason for reason in seen.reasons.values())


def test_a_program_that_is_replaced_meanwhile_is_not_watched(
    watch: Watch, program: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copy(program, copy)

    def replace() -> None:
        shutil.copy(program, tmp_path / "new")
        (tmp_path / "new").replace(copy)

    seen = watch([copy, "outer"], *C_NAMES, between=replace)

    assert seen.watched == set()
    assert "replaced" in seen.reasons["never"]


def test_a_file_with_other_bytes_than_expected_is_not_probed(
    agent: Path, program: Path
) -> None:
    wrong = Uprobe(number=7, path=str(program), offset=64, code=b"other", on_host=True)
    with waiting([str(program)]) as target:
        recording = AgentRecorder(agent).start(
            Target(process_id=target.process_id), probes=[wrong]
        )
        target.run()
        trace = recording.stop()

    assert set(trace.probes.refused) == {7}
    assert trace.probes.finished


def test_a_library_that_appears_later_can_be_watched_from_then_on(
    agent: Path, folder: Path
) -> None:
    loader = compiled(folder, "loader", LOADER)
    library = compiled(folder, "library.so", LIBRARY, "-O1", "-g", "-shared", "-fPIC")
    functions = FunctionWatch(on_host=True)
    with waiting([str(loader), str(library)]) as target:
        recording = AgentRecorder(agent).start(
            Target(process_id=target.process_id), probes=()
        )
        names = ["exported", "unused"]
        recording.add_probes(functions.add(str(library), library.read_bytes(), names=names))
        target.run()
        trace = recording.stop()
    calls, told = functions.results(trace)

    assert [call.name for call in calls] == ["exported"]
    assert calls[0].module == "library.so"
    assert calls[0].process == str(loader)
    assert {one.name for one in told.watched} == {"exported", "unused"}


def test_a_thousand_functions_at_once_are_watched(
    watch: Watch, folder: Path, tmp_path: Path
) -> None:
    """Every other one is called, a hundred times each."""
    lines = ["static volatile int sink;", "#define KEPT __attribute__((noinline))"]
    lines += [f"KEPT void f{n}(void) {{ sink += {n}; }}" for n in range(1000)]
    calls = "".join(f"f{number}();" for number in range(0, 1000, 2))
    lines.append(f"int main(void) {{ for (int i = 0; i < 100; i++) {{ {calls} }} }}")
    program = compiled(folder, "thousand", "\n".join(lines), "-O1", "-g")

    seen = watch([program], *(f"f{number}" for number in range(1000)))

    assert set(seen.calls) == {f"f{number}" for number in range(0, 1000, 2)}
    assert len(seen.watched) == 1000
    assert seen.trace.lost_events == 0


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-ldflags=-s -w",),
        ("-trimpath",),
        ("-buildmode=pie", "-ldflags=-s -w"),
    ],
    ids=["plain", "stripped", "trimpath", "stripped pie"],
)
def test_functions_of_a_go_program_are_seen_however_it_was_linked(
    watch: Watch, folder: Path, options: tuple[str, ...]
) -> None:
    seen = watch([go_program(folder, *options)], *GO_NAMES)

    ran = {f"{call.module}.{call.name}" for call in seen.calls.values()}
    assert ran == {name for name, did in GO_NAMES.items() if did}
    assert seen.watched == set(GO_NAMES)
    assert seen.calls["Inlined"].inlined_into == "main.Holder"
    assert any("main.go" in line for line in seen.calls["Counter.Add"].stack)
    assert "main.main" in seen.calls["Counter.Add"].stack[0]


def go_program(folder: Path, *options: str) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain on this machine")
    place = folder / "go"
    place.mkdir(exist_ok=True)
    (place / "go.mod").write_text("module example.org/small\n\ngo 1.18\n")
    (place / "main.go").write_text(GO_PROGRAM)
    program = place / ("small" + "".join(options).replace(" ", "").replace("/", ""))
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    subprocess.run(
        [go, "build", *options, "-o", str(program), "."],
        cwd=place,
        env=environment,
        check=True,
    )
    return program
