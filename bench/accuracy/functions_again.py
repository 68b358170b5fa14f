"""Decide again about functions from saved results, with the source as it is now."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.accuracy import again
from vexxy.advisories import service as advisories
from vexxy.images.rootfs import RootFilesystem
from vexxy.reachability import service as reachability
from vexxy.reachability.types import Verdict
from vexxy.sbom import service as sbom
from vexxy.tracer.types import ExecutionProfile


def profile_of(result: Mapping[str, Any]) -> ExecutionProfile:
    """Return the saved profile."""
    return msgspec.convert(result["execution_profile"], ExecutionProfile)


def verdicts(
    reference: str, records: Path, runs: Sequence[tuple[ExecutionProfile, bool]]
) -> Iterator[tuple[Verdict, ...]]:
    """Yield today's verdicts on each (profile, whether it was driven) of one image."""
    settings = again.settings_of(reference)
    with again.mounted(reference) as path:
        root = RootFilesystem(path)
        inventory = sbom.inventory(root)
        matches = advisories.examine(advisories.load((records,)), inventory).matches
        for profile, driven in runs:
            yield reachability.judge(
                matches,
                inventory=inventory,
                profile=profile,
                root=root,
                driven=driven,
                settings=settings,
            )
