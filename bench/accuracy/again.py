"""Decide again from saved profiles with the source as it is now; nothing is run."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from bench.accuracy import truth as truths
from bench.images import build, engine
from vexxy.advisories import service as advisories
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import service as reachability
from vexxy.reachability.types import Settings, Verdict
from vexxy.sbom import service as sbom
from vexxy.tracer.types import ExecutionProfile


@contextlib.contextmanager
def mounted(reference: str) -> Iterator[Path]:
    """Provide the image's files."""
    path = engine.run(["podman", "image", "mount", reference], step="mounting").strip()
    try:
        yield Path(path)
    finally:
        engine.run(["podman", "image", "umount", reference], step="unmounting")


def verdicts(image: str, results: Sequence[Mapping[str, Any]]) -> list[tuple[Verdict, ...]]:
    """Return the verdicts of today's source on each saved result of one image."""
    truth, reference = truths.load(image), build.build(image)
    settings = settings_of(reference)
    with tempfile.TemporaryDirectory() as folder, mounted(reference) as path:
        truths.plant(truth, Path(folder))
        root = RootFilesystem(path)
        inventory = sbom.inventory(root)
        matches = advisories.examine(advisories.load((Path(folder),)), inventory).matches
        return [
            reachability.judge(
                matches,
                inventory=inventory,
                profile=msgspec.convert(result["execution_profile"], ExecutionProfile),
                root=root,
                driven=result["summary"]["driven"],
                settings=settings,
            )
            for result in results
        ]


def settings_of(reference: str) -> Settings:
    """Return what is known about how the image starts."""
    text = engine.run([engine.engine(), "image", "inspect", reference], step="inspect")
    config = cast("dict[str, Any]", json.loads(text)[0]["Config"])
    return Settings(
        environment=dict(pair.split("=", 1) for pair in config.get("Env") or ()),
        working_directory=config.get("WorkingDir") or "/",
        arguments=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
    )
