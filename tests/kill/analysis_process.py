"""Stands in for the process of an analysis, and says where it is, to be killed there.

It leaves at each boundary a line in a file of its analysis and goes on a moment later.
"""

import os
import sys
import threading
from pathlib import Path

from tests.analysis.attempts.process import observed
from tests.fakes.values import a_match, a_package, a_result, a_verdict, an_image
from vexxy.kit.progress import Progress
from vexxy.sbom.types import Inventory
from vexxy.worker import analysis_lines
from vexxy.worker.analysis_folder import Folder

MOMENTS = "VEXXY_TEST_MOMENTS"
MOMENT_SECONDS = 0.3
PHASES = ("begun", "resolved", "watching", "observed", "decided")


def main(folder: Folder) -> None:
    """Go through the phases of an analysis, or from what was observed on."""
    order, stored = folder.take_order()
    moments = Path(os.environ[MOMENTS], str(order.analysis_id))

    def reach(phase: str) -> None:
        with moments.open("a") as written:
            written.write(f"{phase}\n")
        threading.Event().wait(MOMENT_SECONDS)

    reach("begun")
    teller = analysis_lines.Teller(folder)
    teller.resolved(an_image())
    reach("resolved")
    observation = stored
    if observation is None:
        analysis_lines.told(Progress("Observing", 45))
        reach("watching")
        observation = observed([])
        folder.evidence.mkdir()
        (folder.evidence / "container_logs.txt").write_text("listening")
        teller.observed(observation)
        reach("observed")
    folder.put_result(
        a_result(
            a_verdict(),
            matches=(a_match(),),
            profile=observation.profile,
            inventory=Inventory(None, (a_package(),)),
        )
    )
    reach("decided")


if __name__ == "__main__":
    main(Folder(Path(sys.argv[1])))
