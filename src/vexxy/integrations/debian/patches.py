"""The patches in a source package's `.debian.tar`, read within bounds."""

import gzip
import lzma
import tarfile
import zlib
from pathlib import Path
from typing import Final

from vexxy.advisories.ports import PatchedSource
from vexxy.integrations.debian.apt import Apt
from vexxy.integrations.debian.errors import AptFailed

_FOLDER: Final = "debian/patches/"
_PATCH_BYTES_MAX: Final = 16 << 20
_TOTAL_BYTES_MAX: Final = 256 << 20
_MEMBERS_MAX: Final = 20_000


class DebianPatches:
    """Reads patches through apt."""

    def __init__(self, apt: Apt) -> None:
        self._apt = apt

    def read_patches(self, package: str) -> PatchedSource:
        """Return the patches of the newest version of the source package.

        Raises:
            AptFailed: The package is unknown, or its archive cannot be read.
        """
        path, version = self._apt.fetch_packaging(package)
        try:
            patches = read_tar(path)
        except (tarfile.TarError, OSError, EOFError, lzma.LZMAError, zlib.error) as problem:
            raise AptFailed(f"{path.name} cannot be read: {problem}") from problem
        finally:
            path.unlink(missing_ok=True)
        return PatchedSource(package, version, patches)


def read_tar(path: Path) -> dict[str, str]:
    """Return the text of every regular file below `debian/patches`.

    An old-style `.diff.gz` is one patch. What is larger than a patch can be is left out.
    """
    if path.name.endswith(".diff.gz"):
        with gzip.open(path) as stream:
            text = stream.read(_PATCH_BYTES_MAX).decode("utf-8", "replace")
        return {path.name: text}
    found: dict[str, str] = {}
    left = _TOTAL_BYTES_MAX
    with tarfile.open(path) as archive:
        for count, member in enumerate(archive):
            left -= member.size
            if count > _MEMBERS_MAX or left < 0:
                raise tarfile.TarError("it unpacks to an unreasonable size")
            name = member.name.removeprefix("./")
            wanted = name.startswith(_FOLDER) and member.isreg()
            if wanted and member.size <= _PATCH_BYTES_MAX:
                stream_or_none = archive.extractfile(member)
                if stream_or_none is not None:
                    found[name] = stream_or_none.read().decode("utf-8", "replace")
    return found
