"""Stands in for the process of an analysis; the test script says how it behaves."""

import os
import sys
import time
from pathlib import Path

from tests.fakes.values import (
    a_completeness,
    a_match,
    a_package,
    a_profile,
    a_result,
    a_verdict,
    an_image,
)
from vexxy.analysis.types import Observation
from vexxy.kit.errors import VexxyError
from vexxy.kit.progress import Progress
from vexxy.sandbox.errors import EngineFailed, ImageExited
from vexxy.sbom.types import Inventory
from vexxy.tracer.types import Access, FileAccess
from vexxy.worker import analysis_lines
from vexxy.worker.analysis_folder import Folder

NOT_UTF8 = b"/srv/bad\xff.bin".decode("utf-8", "surrogateescape")
FAILURES: dict[str, VexxyError] = {
    "image": ImageExited("the image exited", exit_code=3, logs="no\0configuration"),
    "engine": EngineFailed("unix:///run/engine.sock went away"),
}


def main(folder: Folder) -> None:
    order, stored = folder.take_order()
    said = (order.config.test_script or "").split()
    with Path(os.environ["VEXXY_TEST_DIARY"]).open("a") as diary:
        diary.write(
            f"{'decided' if stored else 'ran'} {order.image_digest}"
            f" {dict(order.environment)} {sorted(os.environ)}"
            f" {sorted(path.name for path in folder.path.iterdir())}\n"
        )
    analysis_lines.told(Progress("Deploying workload", 15))
    teller = analysis_lines.Teller(folder)
    teller.resolved(an_image())
    for name, failure in FAILURES.items():
        if f"fail:{name}" in said:
            folder.put_failure(failure)
            sys.exit(1)
    if "hang" in said:
        time.sleep(600)
    observation = stored or observed(said)
    if stored is None:
        folder.evidence.mkdir()
        (folder.evidence / "container_logs.txt").write_text("listening\0")
        teller.observed(observation)
    if "die-once" in said and stored is None:
        os._exit(9)
    folder.put_result(
        a_result(
            a_verdict(),
            matches=(a_match(),),
            profile=observation.profile,
            inventory=Inventory(None, (a_package(),)),
            fuzzed="fuzzed" in said,
        )
    )


def observed(said: list[str]) -> Observation:
    completeness = a_completeness(partial="partial" in said, reasons=("holes",))
    accesses = (FileAccess(NOT_UTF8, Access.DATA, 1.0),) if "bytes" in said else ()
    profile = a_profile(completeness=completeness, files_accessed=accesses)
    return Observation(an_image().image_id, profile, driven=True, container_log="hi\0")


if __name__ == "__main__":
    main(Folder(Path(sys.argv[1])))
