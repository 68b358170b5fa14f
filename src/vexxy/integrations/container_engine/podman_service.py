"""Podman's API without anybody having set it up: our own service, ended with us."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vexxy.sandbox.errors import EngineUnavailable

START_SECONDS_MAX: Final = 15.0
STOP_SECONDS_MAX: Final = 5.0
CHECK_SECONDS: Final = 0.02
CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")


class PodmanService:
    """A `podman system service` that lives no longer than the thread that made it."""

    def __init__(self, *, runtime: str | None = None) -> None:
        """Start it and wait until it listens.

        Raises:
            EngineUnavailable: Podman is missing or did not start.
        """
        podman = shutil.which("podman")
        if podman is None:
            raise EngineUnavailable(
                "no container engine answers, and podman is not installed",
                hint="apt-get install podman runc, or start Docker",
            )
        self.runtime: Final = runtime
        self._directory = Path(tempfile.mkdtemp(prefix="vexxy-podman-"))
        self._socket = self._directory / "podman.sock"
        self.address: Final = f"unix://{self._socket}"
        self._log = self._directory / "log"
        options = () if runtime is None else ("--runtime", runtime)
        command = (podman, *options, "system", "service", "--time=0", self.address)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _ends_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Its monitors write a file named oom to where they were started.
                cwd=self._directory,
                start_new_session=True,
            )
        self._wait()

    def close(self) -> None:
        """End it; containers go on, they have processes of their own."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._socket.exists():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace").strip()[-500:]
                self.close()
                raise EngineUnavailable(
                    "podman is installed but its service did not start"
                    + (f": {said}" if said else ""),
                    hint="try it by hand: podman info"
                    if self.runtime is None
                    else f"install the runtime {self.runtime}, or ask for none",
                )
            time.sleep(CHECK_SECONDS)


def choose_runtime(*, unified: bool, found: Sequence[str]) -> str | None:
    """Return the OCI runtime to tell Podman to use, None to leave its choice.

    Args:
        unified: Whether the control groups are version 2 only.
        found: Runtimes on PATH. crun of Debian 12 fails where version 2 is mounted
            beside version 1; runc works on both.
    """
    if unified and "crun" in found:
        return None
    return "runc" if "runc" in found else None


def find_runtime() -> str | None:
    """Return the runtime that Podman has to be told to use on this machine, or None."""
    found = [name for name in ("crun", "runc") if shutil.which(name)]
    unified = (CONTROL_GROUPS / "cgroup.controllers").exists()
    return choose_runtime(unified=unified, found=found)


def _ends_with_us(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command so that the kernel ends it when our thread ends, also by -9."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.uname().sysname != "Linux":
        return tuple(command)
    return (setpriv, "--pdeathsig", "TERM", *command)
