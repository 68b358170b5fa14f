"""Puts together where advisories, and the fixes they name, are read from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vexxy.advisories.ports import Feed, Histories, History, PatchSource
from vexxy.integrations.debian.apt import Apt
from vexxy.integrations.debian.patches import DebianPatches
from vexxy.integrations.fixes.git import Clones, GitHistory
from vexxy.integrations.osv.feed import OsvFeed
from vexxy.settings import Settings


def feed(settings: Settings) -> Feed:
    """Return OSV's exports, or the mirror of them that is set."""
    return OsvFeed(settings.osv_url)


@contextmanager
def debian_patches() -> Iterator[PatchSource]:
    """Provide Debian's source packages, read through apt."""
    with Apt() as apt:
        yield DebianPatches(apt)


def clones(folder: Path) -> Histories:
    """Return the repositories below a folder of this machine."""
    return Clones(folder)


def history(path: Path) -> History:
    """Return one repository on this machine."""
    return GitHistory(path)
