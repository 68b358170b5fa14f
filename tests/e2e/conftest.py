"""The command line as a user runs it, on a real engine and a real kernel."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import engines, image_archive
from tests.fakes.image_archive import Recipe
from vexxy.sandbox import wire
from vexxy.sandbox.ports import ContainerEngine

PACKAGES = """\
Package: libplanted1
Status: install ok installed
Architecture: amd64
Version: 1.0-1

Package: busybox-static
Status: install ok installed
Architecture: amd64
Version: 1:1.35.0-4
"""
FILES = {
    "etc/os-release": b'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
    "var/lib/": b"",
    "var/lib/dpkg/": b"",
    "var/lib/dpkg/info/": b"",
    "var/lib/dpkg/status": PACKAGES.encode(),
    "var/lib/dpkg/info/libplanted1.list": b"/usr/lib/libplanted.so.1\n",
    "var/lib/dpkg/info/busybox-static.list": b"/bin/busybox\n",
    "usr/": b"",
    "usr/lib/": b"",
    "usr/lib/libplanted.so.1": b"\x7fELF nobody loads this",
}


def osv(name: str, number: int) -> dict[str, Any]:
    return {
        "schema_version": "1.6.0",
        "id": f"VXTEST-{number}",
        "modified": "2026-11-21T00:00:00Z",
        "aliases": [f"CVE-2026-{number:04}"],
        "affected": [
            {
                "package": {"ecosystem": "Debian:12", "name": name},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ],
    }


Completed = subprocess.CompletedProcess[str]


@dataclass
class Cli:
    """Runs `vexxy` with a data folder of its own."""

    home: Path
    advisories: Path
    started: list[int] = field(default_factory=list)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "vexxy", *arguments]

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "VEXXY_DATA_DIRECTORY": str(self.home / "data"), **more}

    def run(self, *arguments: str, **more: str) -> Completed:
        command = self.command(*arguments)
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(**more),
        ) as process:
            self.started.append(process.pid)
            output, errors = process.communicate(timeout=240)
        return Completed(command, process.returncode, output, errors)

    def analyze(self, image: str, *options: str, **more: str) -> Completed:
        advisories = ("--advisories", str(self.advisories))
        return self.run(
            "analyze", image, *advisories, "--duration", "30", "--no-fuzz", *options, **more
        )

    def start(self, image: str, *options: str, **more: str) -> subprocess.Popen[str]:
        """Begin an analysis and return once the image is being watched."""
        options = ("--duration", "300", "--no-fuzz", "--json-progress", *options)
        given = ("--advisories", str(self.advisories), *options)
        process = subprocess.Popen(
            # A test runner in the background ignores interrupts, and children inherit it.
            ["env", "--default-signal=INT", *self.command("analyze", image, *given)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=self.environment(**more),
        )
        self.started.append(process.pid)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("{") and json.loads(line)["phase"] == "Observing":
                return process
        pytest.fail("the analysis ended before it watched anything")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    advisories = tmp_path / "advisories"
    advisories.mkdir()
    for number, name in enumerate(("libplanted1", "busybox-static"), start=1):
        (advisories / f"{number}.json").write_text(json.dumps(osv(name, number)))
    return Cli(tmp_path, advisories)


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., str]:
    def make(**given: object) -> str:
        values = {"ports": (80,), "files": FILES, **given}
        recipe = Recipe(**values)  # type: ignore[arg-type]
        path = tmp_path / f"image-{time.monotonic_ns()}.tar"
        path.write_bytes(image_archive.docker_archive(recipe))
        return str(path)

    return make


@pytest.fixture(scope="session")
def engine() -> Iterator[ContainerEngine]:
    yield from engines.real_engine()


def owned_by(engine: ContainerEngine, *process_ids: int) -> list[str]:
    """Return the containers that processes made and did not remove."""
    wanted = {str(process_id) for process_id in process_ids}
    return [
        container
        for container, labels in engine.list_owned().items()
        if labels.get(wire.OWNER_LABEL) in wanted
    ]
