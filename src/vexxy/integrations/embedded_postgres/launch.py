"""Become PostgreSQL: give up root, arrange to die with the parent, run the program.

A program of its own, started with the standard library only: changing the user
between fork and exec is not safe in a process with threads, and a change of user
forgets the parent-death signal, so it has to be set last.

Arguments: pid of the parent, user id, group id, the database's folder, "hidden" when
that user cannot get there (else "open"), the folder of installed packages, PostgreSQL's
folder in it, name of the program, its arguments. Where "{folder}" stands in those, the
database's folder as the program sees it is put.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
# Every Linux has it, and nothing that PostgreSQL needs is there.
STAGE = "/mnt"
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, *, kind: str = "none", flags: int = 0) -> None:
    """Mount, or raise what the kernel said."""
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {target}")


def stage(folder: str, packages: str) -> tuple[str, str]:
    """Show both folders at paths any user can follow; return those paths.

    What lies below a home directory that is closed to others (as root's is) cannot be
    reached by another user, whoever owns it. Nobody outside sees these mounts.
    """
    if LIBC.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts of its own")
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    opened = [os.open(path, os.O_PATH) for path in (folder, packages)]
    mount("none", STAGE, kind="tmpfs")
    shown = []
    for number, name in zip(opened, ("database", "packages"), strict=True):
        path = Path(STAGE, name)
        path.mkdir(mode=0o755)
        path.chmod(0o755)
        mount(f"/proc/self/fd/{number}", str(path), flags=MS_BIND | MS_REC)
        os.close(number)
        shown.append(str(path))
    return shown[0], shown[1]


def main(arguments: list[str]) -> None:
    """Run the program in place of this one."""
    parent, user, group = (int(word) for word in arguments[:3])
    folder, hidden, packages, programs, name, *rest = arguments[3:]
    os.umask(0o077)
    if hidden == "hidden":
        try:
            folder, packages = stage(folder, packages)
        except OSError as error:
            sys.exit(
                f"no user but root gets at {folder} or {packages}, and this machine "
                f"does not let it be shown elsewhere ({error}): choose a data "
                "directory like /var/lib/vexxy, or run as an ordinary user"
            )
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    os.chdir("/")
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit("the program that asked for the database has ended")
    program = f"{packages}/{programs}/bin/{name}"
    words = [word.replace("{folder}", folder) for word in rest]
    os.execv(program, [program, *words])  # noqa: S606  becoming it is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
