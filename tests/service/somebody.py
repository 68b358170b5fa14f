"""An ordinary user to run programs as, also where tests run as root."""

import os
import pwd
import shutil
import site
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = "nobody"


@contextmanager
def as_somebody() -> Iterator[tuple[Path, list[str]]]:
    """Provide a folder of an ordinary user, and the start of a command that is Python.

    Where we are no root, that is ourselves.
    """
    # Not in pytest's own folder, which is closed to others.
    folder = Path(tempfile.mkdtemp(prefix="vexxy-somebody-"))
    try:
        yield folder, _command(folder)
    finally:
        shutil.rmtree(folder)


def _command(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return [sys.executable]
    user = pwd.getpwnam(NOBODY)
    os.chown(folder, user.pw_uid, user.pw_gid)
    words = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
    paths = [str(ROOT / "src"), str(ROOT), *site.getsitepackages()]
    variables = [f"PYTHONPATH={os.pathsep.join(paths)}", f"HOME={folder}"]
    command = [*words, "--clear-groups", "env", *variables, _python()]
    # Another patch release may want packages that ours does not, and a checkout may lie
    # where nobody gets.
    tried = subprocess.run(
        [*command, "-c", "import vexxy.bootstrap"], capture_output=True, check=False
    )
    if tried.returncode != 0:
        pytest.skip("an ordinary user cannot run this checkout with a Python of the system")
    return command


def _python() -> str:
    """Return an interpreter of our version that others may run."""
    candidates = (Path(sys.executable).resolve(), Path("/usr/bin/python3"))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in candidates:
        real = path.resolve()
        open_to_others = all(parent.stat().st_mode & 0o001 for parent in real.parents)
        if open_to_others and real.name == version:
            return str(real)
    pytest.skip(f"no {version} here that an ordinary user may run")
