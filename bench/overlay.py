"""How long the static overlay takes, next to what reading the same files costs.

    python -m bench.overlay [--image truth-python] [--runs 5]

The limit is measured in the same run: every file that the overlay followed is read, and
each Python source is parsed with `ast`, which is what a reader of syntax trees would have
to pay before it did anything. The profile holds the entry point alone, so that all the
rest of the application is followed statically.
"""

import argparse
import ast
import statistics
import sys
import time
import warnings
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
    ours, limits = [], []
    for _ in range(runs):
        files = RootFilesystem(root)
        begin = time.perf_counter()
        loadable = service.overlay(files, profile, NOTHING, settings=settings)
        ours.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        size, parsed = read_all(files, loadable)
        limits.append(time.perf_counter() - begin)
    own, limit = statistics.median(ours), statistics.median(limits)
    print(
        f"{name}: {len(loadable.references)} files followed ({size / 1e6:.1f} MB, "
        f"{parsed} Python sources)"
    )
    print(
        f"  overlay {own:.2f} s, reading and parsing alone {limit:.2f} s, "
        f"ratio {own / limit:.2f} (aim {AIM_SECONDS} s)"
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


def read_all(files: RootFilesystem, loadable: Loadable) -> tuple[int, int]:
    """Read what was followed and parse its Python; return bytes and sources."""
    size = parsed = 0
    for path in loadable.references:
        content = files.read_bytes(path)
        size += len(content)
        if path.endswith(".py"):
            with suppress(SyntaxError, ValueError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(content)
            parsed += 1
    return size, parsed


if __name__ == "__main__":
    sys.exit(main())
