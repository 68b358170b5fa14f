"""Planted functions: what each one is, by construction.

A row is one function in a package that was made for it, one label and one advisory that
names this function alone. From the label follows whether a stranger can make it run.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

RAN: Final = "ran"
UNTAKEN: Final = "untaken route"
DYNAMIC: Final = "dynamic dispatch"
PLATFORM: Final = "other platform"
DEAD: Final = "dead"
ABSENT: Final = "absent"
INLINED: Final = "inlined"
INLINED_UNTAKEN: Final = "inlined, untaken"
COPY: Final = "unused copy"
LABELS: Final = (
    RAN,
    INLINED,
    UNTAKEN,
    INLINED_UNTAKEN,
    DYNAMIC,
    PLATFORM,
    DEAD,
    ABSENT,
    COPY,
)
# In which stage of the witness a function is first seen; None for never.
STAGES: Final = {RAN: "test", INLINED: "test"} | dict.fromkeys(
    (UNTAKEN, INLINED_UNTAKEN, DYNAMIC), "all"
)
JUSTIFICATIONS: Final = {
    PLATFORM: {"vulnerable_code_not_in_execute_path", "vulnerable_code_not_present"},
    DEAD: {"vulnerable_code_not_in_execute_path", "vulnerable_code_not_present"},
    ABSENT: {"vulnerable_code_not_present", "component_not_present"},
    COPY: {
        "vulnerable_code_not_in_execute_path",
        "vulnerable_code_not_present",
        "component_not_present",
    },
}
OLD: Final = "1.0.0"
NEW: Final = "2.0.0"
ECOSYSTEMS: Final = {"pypi": "PyPI", "npm": "npm", "golang": "Go", "deb": "Debian:12"}


@dataclass(frozen=True, slots=True)
class Planted:
    """One function.

    Attributes:
        type: purl type of its package.
        package: Package with the function.
        module: As its ecosystem names it: dotted module, file, import path.
        symbol: The function as advisories name it.
        shape: How it is written or reached.
        at: Folder or binary of the copy that is meant, where there are several.
    """

    type: str
    package: str
    module: str
    symbol: str
    label: str
    shape: str
    at: str = ""

    @property
    def stage(self) -> str | None:
        """Return in which stage of the witness it first runs."""
        return STAGES.get(self.label)

    @property
    def advisory_id(self) -> str:
        """Return the id of its record."""
        words = f"{self.type}-{self.module}-{self.symbol}-{self.label}"
        safe = "".join(c if c.isalnum() else "-" for c in words)
        return f"VXFUNC-{safe}".upper()

    def record(self) -> dict[str, Any]:
        """Return its OSV record; a copy's record hits the old version alone."""
        events: list[dict[str, str]] = [{"introduced": "0"}]
        if self.label == COPY:
            events.append({"fixed": "1.9.0" if self.type == "golang" else NEW})
        semantic = self.type in ("npm", "golang")
        return {
            "schema_version": "1.6.0",
            "id": self.advisory_id,
            "modified": "2026-11-01T00:00:00Z",
            "published": "2026-11-01T00:00:00Z",
            "summary": f"Planted function {self.symbol}",
            "affected": [
                {
                    "package": {"ecosystem": ECOSYSTEMS[self.type], "name": self.package},
                    "ranges": [
                        {"type": "SEMVER" if semantic else "ECOSYSTEM", "events": events}
                    ],
                    "ecosystem_specific": self.named(),
                }
            ],
        }

    def named(self) -> dict[str, Any]:
        """Return the ecosystem's own field that names the function."""
        if self.type == "golang":
            return {"imports": [{"path": self.module, "symbols": [self.symbol]}]}
        return {"imports": [{"attribute": self.symbol, "modules": [self.module]}]}


@dataclass(frozen=True, slots=True)
class Project:
    """The sources of one image with planted functions.

    Attributes:
        files: Path in the image (or in the build folder, for compiled languages) -> text.
        taken: Requests that the driver makes.
        untaken: Requests that only the witness makes, in its second stage.
        apt: Debian packages of the image.
        config: Instructions of its Containerfile.
        binaries: Go binary in the image -> folder of its module in `files`.
        native: Whether `files` has a `native` folder with a Makefile, for C.
    """

    name: str
    rows: tuple[Planted, ...]
    files: Mapping[str, str]
    taken: tuple[str, ...]
    untaken: tuple[str, ...]
    apt: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    binaries: Mapping[str, str] = field(default_factory=dict)
    native: bool = False

    def script(self, *, everything: bool = False) -> str:
        """Return the driver; each request has to be answered with 200."""
        paths = [*self.taken, *(self.untaken if everything else ())]
        urls = "\n".join(f"get '{path}'" for path in paths)
        return f"{SCRIPT}{urls}\necho driven\n"


SCRIPT: Final = """#!/bin/sh
set -eu
get() { curl -sS --fail --max-time 10 --output /dev/null "http://$HOST:$PORT$1"; }
"""


def plant(rows: Iterable[Planted], folder: Path) -> None:
    """Write the records into the folder."""
    for row in rows:
        path = folder / f"{row.advisory_id}.json"
        path.write_text(json.dumps(row.record()))
