"""How much processor time the static overlay takes, next to reading the same files.

    python -m bench.overlay [--image truth-python] [--runs 5]

Processor time and not the clock's, for machines are shared. What it is compared with is
measured in the same run: every file that the overlay followed is read once, and each
Python source is parsed with `ast`, which is what a reader of syntax trees would have to
pay before it did anything. The profile holds the entry point alone, so that all the
rest of the application is followed statically.
"""

import argparse
import ast
import statistics
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.accuracy.again import mounted, settings_of
from bench.images import build
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import service
from vexxy.reachability.types import Loadable, Settings
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import (
    Access,
    Completeness,
    ExecutionProfile,
    FileAccess,
    Process,
    Source,
)

AIM_SECONDS = 2.0
NOTHING = Inventory(None, ())


def main() -> int:
    """Print the figures; return 1 when the aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", action="append")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    missed = 0
    for name in given.image or ["truth-python", "truth-node", "nginx"]:
        reference = build.build(name)
        with mounted(reference) as root:
            missed += measure(name, root, settings_of(reference), runs=given.runs)
    return int(missed > 0)


def measure(name: str, root: Path, settings: Settings, *, runs: int) -> bool:
    """Measure one image; return whether the aim was missed."""
    profile = started(root, settings)
    ours, reads, parses = [], [], []
    for _ in range(runs):
        files = RootFilesystem(root)
        begin = time.process_time()
        loadable = service.overlay(files, profile, NOTHING, settings=settings)
        ours.append(time.process_time() - begin)
        begin = time.process_time()
        sources, size = read_all(files, loadable)
        reads.append(time.process_time() - begin)
        begin = time.process_time()
        parse_all(sources)
        parses.append(time.process_time() - begin)
    own, read, parse = map(statistics.median, (ours, reads, parses))
    print(
        f"{name}: {len(loadable.references)} files followed ({size / 1e6:.1f} MB, "
        f"{len(sources)} Python sources)"
    )
    print(
        f"  overlay {own:.2f} s of CPU (aim {AIM_SECONDS} s); reading the files once "
        f"{read:.3f} s, ratio {own / read:.1f}; with parsing {read + parse:.2f} s, "
        f"ratio {own / (read + parse):.2f}"
    )
    return own > AIM_SECONDS


def started(root: Path, settings: Settings) -> ExecutionProfile:
    """Return a profile in which only the entry point has been executed."""
    files = RootFilesystem(root)
    program, *rest = settings.arguments
    path = program if "/" in program else f"/usr/bin/{program}"
    executable = files.resolve(path) or files.resolve(f"/usr/sbin/{program}") or path
    accesses = [FileAccess(executable, Access.EXECUTED, 0.0)]
    for argument in rest:
        found = files.resolve(argument) if argument.startswith("/") else None
        if found is not None and found.endswith((".py", ".js")):
            accesses.append(FileAccess(found, Access.CODE, 0.1))
    return ExecutionProfile(
        sandbox_id="bench",
        duration_seconds=60.0,
        files_accessed=tuple(accesses),
        executed_binaries=(),
        loaded_libraries=(),
        syscalls=(),
        network_connections=(),
        completeness=Completeness(60.0, 1.0, 100, 0, partial=False),
        sources=(Source.EBPF,),
        processes=(Process(1, 0, executable, settings.arguments),),
    )


def read_all(files: RootFilesystem, loadable: Loadable) -> tuple[list[bytes], int]:
    """Read what was followed once; return the Python sources and the bytes of all."""
    size, sources = 0, []
    for path in loadable.references:
        content = files.read_bytes(path)
        size += len(content)
        if path.endswith(".py"):
            sources.append(content)
    return sources, size


def parse_all(sources: Iterable[bytes]) -> None:
    """Parse Python sources as a reader of syntax trees would have to."""
    for content in sources:
        with suppress(SyntaxError, ValueError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(content)


if __name__ == "__main__":
    sys.exit(main())
