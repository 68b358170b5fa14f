"""Loads of images that were begun, so that a killed run's image is found again.

A container tells by its labels whose it is. An image cannot, and between the start of
a load and the first container of the image there is nothing else that could.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from vexxy.sandbox.types import Owner

SUFFIX: Final = ".load.json"


def state_directory() -> Path:
    """Return where loads are noted, by the XDG base directory specification."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "vexxy"


@contextmanager
def noted_load(image_id: str, owner: Owner) -> Iterator[None]:
    """Keep a note that the owner is loading the image, until the end of the block."""
    directory = state_directory()
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{image_id.rpartition(':')[2]}-{owner.process_id}-{owner.started_ticks}"
    note = directory / f"{name}{SUFFIX}"
    note.write_text(json.dumps({"image_id": image_id, "owner": asdict(owner)}))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def list_loads() -> list[tuple[Path, str, Owner]]:
    """Return notes with image ID and owner; what cannot be read is left out."""
    found = []
    for note in sorted(state_directory().glob(f"*{SUFFIX}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(note.read_text())
            found.append((note, str(said["image_id"]), Owner(**said["owner"])))
    return found
