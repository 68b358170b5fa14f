"""The process one analysis runs in: `python -m vexxy.worker.analysis_child FOLDER`.

It reads what is wanted from its folder, leaves there what it finds, and tells on its
standard output, one JSON object a line, how far it is. It knows no database and none of
the service's secrets: what it looks at comes from strangers.
"""

import signal
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final

from vexxy import bootstrap
from vexxy.analysis import pipeline
from vexxy.analysis.attempts import rules
from vexxy.analysis.hiding import Hider
from vexxy.kit.errors import Unavailable
from vexxy.sandbox.types import Placement
from vexxy.settings import Settings
from vexxy.worker import analysis_lines
from vexxy.worker.analysis_folder import Folder

INTERRUPTED: Final = 130


def main(folder: Folder) -> None:
    """Run the analysis that the folder asks for."""
    order, observation = folder.take_order()
    settings = Settings()
    with bootstrap.engine(settings) as engine:
        plan = bootstrap.placement(settings, engine)
        if plan.placement is not Placement.LOCAL:
            raise Unavailable(
                f"this worker cannot analyze: {'; '.join(plan.reasons)}", hint=plan.hint
            )
        result = pipeline.run(
            rules.request_of(order, folder.path),
            bootstrap.tools(settings, engine),
            analysis_lines.told,
            keeper=analysis_lines.Teller(folder, hider=Hider(order.environment)),
            observation=observation,
        )
    folder.put_result(result)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as an interrupt does: whoever is asked to stop still removes the sandbox."""
    raise KeyboardInterrupt


def _leave(folder: Folder) -> None:
    """Have whatever ends this process written down."""

    def hook(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            folder.put_failure(error)
        sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    place = Folder(Path(sys.argv[1]))
    _leave(place)
    try:
        main(place)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
