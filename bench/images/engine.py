"""The container engine's command line, and how a failing step is told."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.images.recipe import BuildFailed

Say = Callable[[str], None]
ULIMITS: Final = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
TAIL_LINES: Final = 25
STEP_SECONDS: Final = 900


def say(line: str) -> None:
    """Print one line of progress, at once."""
    print(line, file=sys.stderr, flush=True)


def cache() -> Path:
    """Return this user's folder for what is downloaded and built once."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "vexxy" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tool(name: str, hint: str) -> str:
    """Return the path of a program.

    Raises:
        BuildFailed: It is not installed; the message carries the hint.
    """
    path = shutil.which(name)
    if path is None:
        raise BuildFailed(f"{name} is needed and not installed: {hint}")
    return path


def engine() -> str:
    """Return the container engine's command: podman, else docker."""
    for name in ("podman", "docker"):
        if shutil.which(name):
            return name
    raise BuildFailed("no container engine: apt-get install podman")


def run(
    command: Sequence[str],
    *,
    step: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run one step to its end and return what it printed.

    Raises:
        BuildFailed: It failed; the last lines it printed are in the message.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{step} did not end in {STEP_SECONDS} seconds") from error
    if done.returncode:
        tail = "\n    ".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise BuildFailed(
            f"{step} failed (exit code {done.returncode} of {' '.join(command[:3])} ...)\n"
            f"    {tail}\n"
            "  Mend what the lines above name (network, disk space, a missing program) "
            "and run the same command again; finished steps are kept."
        )
    return done.stdout


def timed(line: str, work: Callable[[], object]) -> None:
    """Do one step and say what it was and how long it took."""
    say(f"{line} ...")
    start = time.monotonic()
    work()
    say(f"{line}: {time.monotonic() - start:.0f} s")


def exists(reference: str) -> bool:
    """Return whether the engine has the image."""
    found = subprocess.run(
        [engine(), "image", "inspect", reference], capture_output=True, check=False
    )
    return found.returncode == 0
