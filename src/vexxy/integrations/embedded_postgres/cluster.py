"""The files of the database: made once, kept, checked before every start."""

import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from vexxy.integrations.embedded_postgres import programs
from vexxy.integrations.embedded_postgres.errors import (
    DatabaseFailed,
    DatabaseUnreachable,
)
from vexxy.integrations.embedded_postgres.programs import Account

CLUSTER: Final = "cluster"
SOCKET_NAME: Final = ".s.PGSQL.5432"
# The kernel's sun_path has 108 bytes, the last one a NUL.
SOCKET_PATH_BYTES_MAX: Final = 107
LISTED: Final = frozenset(',"')


def prepare(directory: Path) -> Account:
    """Make the directory and the cluster in it if need be; return who runs them.

    A cluster is made under another name and renamed when it is whole, so a program
    that died half-way leaves nothing that looks like one.

    Raises:
        DatabaseFailed: PostgreSQL could not make it, or made it of another version.
        DatabaseMissing: There is no PostgreSQL, or nobody to run it.
        DatabaseUnreachable: The directory is somebody else's.
    """
    runner = programs.account(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid != runner.user_id:
        _hand_over(directory, runner)
    if (directory / CLUSTER / "PG_VERSION").exists():
        _check_version(directory)
    else:
        _make(directory, runner)
    return runner


def socket_directory(directory: Path, runner: Account) -> Path:
    """Return the folder of the socket, private to the account: short enough for one.

    Raises:
        DatabaseUnreachable: Somebody else made a folder of that name.
    """
    inside = directory / "socket"
    short = len(os.fsencode(inside / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX
    # PostgreSQL takes a list of folders, divided by commas.
    if short and not LISTED.intersection(str(inside)):
        inside.mkdir(mode=0o700, exist_ok=True)
        os.chown(inside, runner.user_id, runner.group_id)
        return inside
    # A short path elsewhere, the same one for the same directory.
    name = f"vexxy-{sha256(os.fsencode(directory)).hexdigest()[:16]}"
    outside = Path(tempfile.gettempdir()) / name
    outside.mkdir(mode=0o700, exist_ok=True)
    found = outside.lstat()
    if not outside.is_dir() or outside.is_symlink() or found.st_uid not in _ours(runner):
        raise DatabaseUnreachable(
            f"{outside} belongs to somebody else",
            hint="use a data directory with a shorter path",
        )
    outside.chmod(0o700)
    os.chown(outside, runner.user_id, runner.group_id)
    return outside


def _ours(runner: Account) -> tuple[int, int]:
    return (os.geteuid(), runner.user_id)


def _hand_over(directory: Path, runner: Account) -> None:
    try:
        os.chown(directory, runner.user_id, runner.group_id)
    except OSError as error:
        raise DatabaseUnreachable(
            f"{directory} belongs to another user",
            hint="run as its owner, or use another data directory",
        ) from error


def _check_version(directory: Path) -> None:
    made = (directory / CLUSTER / "PG_VERSION").read_text().strip()
    here = programs.major_version()
    if made != here:
        raise DatabaseFailed(
            f"the database in {directory} was made by PostgreSQL {made}; "
            f"this installation brings {here}",
            hint="dump it with the version that made it, and load the dump here",
            kept="the data is untouched",
        )


def _make(directory: Path, runner: Account) -> None:
    for left in directory.glob("new-*"):
        shutil.rmtree(left)
    name = f"new-{os.getpid()}"
    made = programs.run(
        directory,
        runner,
        name="initdb",
        arguments=(
            *("-D", f"{{folder}}/{name}", "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--no-instructions"),
        ),
    )
    if made.returncode != 0:
        raise DatabaseFailed(
            f"PostgreSQL could not make a database: {made.stdout.strip()[-2000:]}"
        )
    (directory / name).rename(directory / CLUSTER)
