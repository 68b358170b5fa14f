"""The crates that `cargo auditable` records in a binary.

Source: rust-secure-code/cargo-auditable, PARSING.md: zlib-compressed JSON in `.dep-v0`.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Final

from vexxy.sbom.wire.elf import Elf

SECTION: Final = ".dep-v0"
_LIMIT_BYTES: Final = 16 * 1024 * 1024


def find_crates(elf: Elf) -> tuple[tuple[str, str], ...] | None:
    """Return (name, version) of every crate that is in the binary, None without a list.

    Crates that only helped to build are left out.

    Raises:
        ValueError: The list is there and damaged.
    """
    compressed = elf.section(SECTION, limit=_LIMIT_BYTES)
    if compressed is None:
        return None
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(compressed, _LIMIT_BYTES)
        if inflater.unconsumed_tail:
            raise ValueError("the list of crates is larger than any real one")
        packages = json.loads(content)["packages"]
        return tuple(
            (str(package["name"]), str(package["version"]))
            for package in packages
            if _is_linked(package)
        )
    except (zlib.error, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the list of crates is damaged: {error}") from error


def _is_linked(package: Mapping[str, object]) -> bool:
    return package.get("kind", "runtime") == "runtime"
