"""What the process of an analysis tells its worker: one JSON object a line."""

import sys
from typing import Any, Final

import msgspec

from vexxy.analysis.hiding import Hider
from vexxy.analysis.types import Observation
from vexxy.images.types import Image
from vexxy.kit.progress import Progress
from vexxy.worker.analysis_folder import Folder

HIDES_NOTHING: Final = Hider({})


def tell(**content: Any) -> None:  # noqa: ANN401  JSON
    """Write one line to the worker."""
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()


def told(progress: Progress, /) -> None:
    """Tell the worker how far the analysis is."""
    tell(event="progress", phase=progress.phase, percent=progress.percent)


class Teller:
    """Leaves in the folder what another attempt could go on from, and says so."""

    def __init__(self, folder: Folder, *, hider: Hider = HIDES_NOTHING) -> None:
        self._folder = folder
        self._hider = hider

    def resolved(self, image: Image) -> None:
        """Leave which image is meant."""
        self._folder.put_image(image)
        tell(event="resolved")

    def observed(self, observation: Observation) -> None:
        """Leave what was seen, without the values of variables.

        Nothing may be decided a second time from what was hidden in.
        """
        shown = self._hider.observation(observation)
        whole = self._folder.put_observation(shown)
        tell(event="observed", resumable=whole and shown == observation)
