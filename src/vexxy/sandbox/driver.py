"""Programs that exercise a sandbox from beside it.

They share its network and nothing else: other processes, other files, another user.
So nothing they do can be taken for the image's own behavior, and nothing they are can
be reached from the image.
"""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from vexxy.sandbox.errors import DriverFailed
from vexxy.sandbox.types import LOOPBACK, ScriptRun

SCRIPT_PATH: Final = "/tmp/test-script"  # noqa: S108  inside the driver's own file system
OUTPUT_BYTES_MAX: Final = 1024 * 1024
READ_BYTES: Final = 65536
NOBODY: Final = 65534
# What programs need to run; not homes, sockets, secrets or the engine's storage.
_VISIBLE: Final = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt",
    "/etc/alternatives", "/etc/ca-certificates", "/etc/group", "/etc/ld.so.cache",
    "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/mime.types",
    "/etc/nsswitch.conf", "/etc/passwd", "/etc/protocols", "/etc/services",
    "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
)  # fmt: skip
_KEPT: Final = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
_HOSTS: Final = f"{LOOPBACK} localhost\n::1 localhost\n".encode()


def enter_network(path: str) -> tuple[str, ...]:
    """Return the command prefix that runs a program in a network; see its `path`."""
    return ("nsenter", f"--net={path}", "--")


def beside(network_path: str) -> tuple[str, ...]:
    """Return the prefix for a trusted program: it sees this machine's files, read-only.

    It has no capability, its own process tree, and ends when its parent does.
    """
    return (
        *enter_network(network_path),
        _bubblewrap(),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session"),
        *("--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
        *("--tmpfs", "/run", "--cap-drop", "ALL", "--"),
    )


def run_script(
    script: str,
    *,
    network_path: str,
    ports: Sequence[int],
    timeout_seconds: float,
) -> ScriptRun:
    """Run a test script against the sandbox of a network; return what it did.

    The script gets HOST, PORT (the first) and PORTS (all, separated by spaces). It
    runs as nobody with `/tmp` to write to; without a `#!` line it is read by `sh`. Its
    output is kept up to 1 MiB; at the time limit all its processes are killed.

    Raises:
        DriverFailed: It could not be run at all.
    """
    environment = {
        "HOST": LOOPBACK,
        "PORT": str(ports[0]) if ports else "",
        "PORTS": " ".join(map(str, ports)),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",  # noqa: S108  inside the driver's own file system
        "LANG": "C.UTF-8",
    }
    with _given(script.encode()) as text, _given(_HOSTS) as hosts:
        command = [
            *enter_network(network_path),
            *_confined(text.fileno(), hosts.fileno()),
            *([] if script.startswith("#!") else ["sh"]),
            SCRIPT_PATH,
        ]
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=(text.fileno(), hosts.fileno()),
                start_new_session=True,
            )
        except OSError as error:
            raise DriverFailed(f"the test script could not be run: {error}") from error
        output, truncated, in_time = _collect(process, started + timeout_seconds)
    return ScriptRun(
        exit_code=process.returncode if in_time else None,
        output=output.decode("utf-8", "replace"),
        truncated=truncated,
        duration_seconds=time.monotonic() - started,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that was started in a session of its own, with all it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _collect(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bool, bool]:
    """Return output, whether it was cut, and whether the program ended in time."""
    assert process.stdout is not None  # noqa: S101  asked for with PIPE above
    kept = bytearray()
    truncated = False
    in_time = True
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    in_time = False
                    break
                chunk = os.read(process.stdout.fileno(), READ_BYTES)
                if not chunk:
                    break
                room = OUTPUT_BYTES_MAX - len(kept)
                kept += chunk[:room]
                truncated = truncated or len(chunk) > room
        if in_time:
            in_time = _ends_by(process, deadline)
    finally:
        end(process)
        process.stdout.close()
    return bytes(kept), truncated, in_time


def _ends_by(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _confined(script: int, hosts: int) -> tuple[str, ...]:
    """Return the prefix for an untrusted program: as nobody, with few files."""
    files = [word for path in _VISIBLE for word in _shown(path)]
    # What setpriv needs to become nobody; it then drops these, too.
    kept = [word for name in _KEPT for word in ("--cap-add", name)]
    return (
        _bubblewrap(),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--new-session"),
        # Parents that bubblewrap makes by itself would be root's alone.
        *("--die-with-parent", "--dir", "/etc", "--dir", "/etc/ssl", *files),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--perms", "1777", "--tmpfs", "/tmp", "--chdir", "/tmp"),  # noqa: S108  its own
        *("--perms", "0755", "--ro-bind-data", str(script), SCRIPT_PATH),
        *("--perms", "0644", "--ro-bind-data", str(hosts), "/etc/hosts"),
        *("--cap-drop", "ALL", *kept, "--"),
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"),
    )


def _shown(path: str) -> Sequence[str]:
    """Return the arguments that make a path visible as it is, links kept as links."""
    if Path(path).is_symlink():
        return ("--symlink", str(Path(path).readlink()), path)
    return ("--ro-bind-try", path, path)


def _bubblewrap() -> str:
    found = shutil.which("bwrap")
    if found is None:
        raise DriverFailed(
            "bubblewrap is not installed, so nothing can be run beside a sandbox",
            hint="apt-get install bubblewrap",
        )
    return found


def _given(content: bytes) -> IO[bytes]:
    """Return content as a file without a name, read from its start."""
    descriptor = os.memfd_create("vexxy", os.MFD_CLOEXEC)
    file = os.fdopen(descriptor, "w+b")
    file.write(content)
    file.flush()
    file.seek(0)
    return file
