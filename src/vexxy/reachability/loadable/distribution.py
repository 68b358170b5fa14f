"""Which files belong to the distribution, asked of its own records.

What an application's file does with values counts more than what a program of the
distribution does: the latter's callers say what it shall start.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.tree import Tree

DPKG: Final = ("/var/lib/dpkg/info", "/var/lib/dpkg/status.d")
LISTS: Final = (".list", ".md5sums")
APK: Final = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
PLACES: Final = (
    "/usr/bin/", "/usr/sbin/", "/usr/share/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/",
    "/bin/", "/sbin/", "/lib/", "/lib64/", "/etc/", "/var/lib/",
)  # fmt: skip


class Distribution:
    """The distribution's files of one image."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree

    def owns(self, path: str) -> bool:
        """Return whether the file at a canonical path came with the distribution.

        Where it keeps no list that is read here, the place decides.
        """
        if not path.startswith(PLACES):
            return False
        return path in self._listed if self._listed else True

    @cached_property
    def _listed(self) -> frozenset[str]:
        found = {*self._of_dpkg(), *self._of_apk()}
        resolved = (self._tree.locate(path) for path in found if path.startswith(PLACES))
        return frozenset(path for path in resolved if path)

    def _of_dpkg(self) -> Iterator[str]:
        for directory in DPKG:
            for path in self._tree.files_in(directory):
                if path.endswith(LISTS):
                    for line in (self._tree.read_text(path) or "").splitlines():
                        name = line.split("  ", 1)[-1].strip()
                        yield name if name.startswith("/") else f"/{name}"

    def _of_apk(self) -> Iterator[str]:
        for path in APK:
            directory = ""
            for line in (self._tree.read_text(path) or "").splitlines():
                if line.startswith("F:"):
                    directory = line[2:]
                elif line.startswith("R:"):
                    yield f"/{directory}/{line[2:]}".replace("//", "/")
