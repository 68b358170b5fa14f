"""`os-release`: which distribution an image is made from.

Source: freedesktop.org, os-release(5).
"""

import shlex
from typing import Final

from vexxy.images.rootfs import RootFilesystem
from vexxy.kit.errors import VexxyError
from vexxy.sbom.types import Distribution

PATHS: Final = ("/etc/os-release", "/usr/lib/os-release")
_LIMIT_BYTES: Final = 64 * 1024


def find_distribution(root: RootFilesystem) -> Distribution | None:
    """Return the distribution, or None for an image that names none (`scratch`)."""
    for path in PATHS:
        if root.resolve(path) is None:
            continue
        try:
            text = root.read_bytes(path, limit=_LIMIT_BYTES).decode("utf-8", "replace")
        except VexxyError:
            continue
        fields = dict(_fields(text))
        if fields.get("ID"):
            return Distribution(
                id=fields["ID"].lower(),
                version_id=fields.get("VERSION_ID", ""),
                codename=fields.get("VERSION_CODENAME", ""),
            )
    return None


def _fields(text: str) -> list[tuple[str, str]]:
    fields = []
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            words = [value]
        fields.append((key, words[0] if words else ""))
    return fields
