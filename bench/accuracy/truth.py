"""Planted ground truth: what each component of an image is, by construction.

A row's label says how the application loads the component; from it follow whether its
code is reachable and in which stage it is first seen to be used.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.images.recipe import FOLDER

# Whether a stranger can make the code run. `loadable`: on a route that no test takes;
# calling that not affected is as false as for code that did run.
YES: Final = "yes"
LOADABLE: Final = "loadable"
NO: Final = "no"
STAGES: Final = ("idle", "driven", "all")


@dataclass(frozen=True, slots=True)
class Label:
    """What a label means.

    Attributes:
        reachable: `yes`, `loadable` or `no`.
        first: Stage in which its code is first used; None for never.
    """

    reachable: str
    first: str | None


LABELS: Final = {
    "loaded at start": Label(YES, "idle"),
    "dlopen at start": Label(YES, "idle"),
    "static": Label(YES, "idle"),
    "vendored copy": Label(YES, "idle"),
    "lazy, driven": Label(YES, "driven"),
    "dlopen, driven": Label(YES, "driven"),
    "plugin needs it, driven": Label(YES, "driven"),
    "helper, driven": Label(YES, "driven"),
    "lazy, not driven": Label(LOADABLE, "all"),
    "dlopen, not driven": Label(LOADABLE, "all"),
    "plugin needs it, not driven": Label(LOADABLE, "all"),
    "helper, not driven": Label(LOADABLE, "all"),
    "function linked, not driven": Label(LOADABLE, None),
    "function not linked": Label(NO, None),
    "metadata only": Label(NO, None),
    "data only": Label(NO, None),
    "never": Label(NO, None),
}


@dataclass(frozen=True, slots=True)
class Component:
    """One row of the truth.

    Attributes:
        type: purl type: deb, pypi, npm, golang.
        name: As its ecosystem names it; a binary package for deb.
        label: A key of `LABELS`.
        source: Source package, for deb.
        at: Path that tells copies apart: a package's folder, or the binary it is in.
        symbols: Import path and function names, for a planted function-level record.
        why: How the application uses it.
    """

    type: str
    name: str
    label: str
    source: str = ""
    at: str = ""
    symbols: tuple[str, ...] = ()
    why: str = ""

    @property
    def meaning(self) -> Label:
        """Return what the label means."""
        return LABELS[self.label]

    @property
    def advisory_id(self) -> str:
        """Return the id of the record that is planted for this component."""
        name = self.source or self.name
        function = f"-{self.symbols[-1]}" if self.symbols else ""
        safe = "".join(c if c.isalnum() else "-" for c in f"{self.type}-{name}{function}")
        return f"VXTEST-{safe}".upper()


@dataclass(frozen=True, slots=True)
class Truth:
    """The rows of one image, and the port its driver uses."""

    image: str
    port: int
    components: tuple[Component, ...]


def images() -> list[str]:
    """Return the names of the images that have a truth."""
    return sorted(path.parent.name for path in FOLDER.glob("*/truth.json"))


def load(image: str) -> Truth:
    """Return the truth of one image."""
    document = json.loads((FOLDER / image / "truth.json").read_text())
    rows = tuple(
        Component(**{**row, "symbols": tuple(row.get("symbols", ()))})
        for row in document["components"]
    )
    return Truth(image=image, port=document["port"], components=rows)


def records(truth: Truth) -> dict[str, dict[str, Any]]:
    """Return one OSV record for each planted advisory, by id; they hit every version."""
    ecosystems = {"deb": "Debian:12", "pypi": "PyPI", "npm": "npm", "golang": "Go"}
    made: dict[str, dict[str, Any]] = {}
    for row in truth.components:
        package = {"ecosystem": ecosystems[row.type], "name": row.source or row.name}
        affected: dict[str, Any] = {
            "package": package,
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
        if row.type in ("golang", "npm"):
            affected["ranges"][0]["type"] = "SEMVER"
        if row.symbols:
            path, *names = row.symbols
            affected["ecosystem_specific"] = {"imports": [{"path": path, "symbols": names}]}
        made[row.advisory_id] = {
            "schema_version": "1.6.0",
            "id": row.advisory_id,
            "modified": "2026-11-01T00:00:00Z",
            "published": "2026-11-01T00:00:00Z",
            "summary": f"Planted for measuring accuracy: {row.name}",
            "affected": [affected],
        }
    return made


def plant(truth: Truth, folder: Path) -> None:
    """Write the planted records into the folder."""
    for name, record in records(truth).items():
        (folder / f"{name}.json").write_text(json.dumps(record))
