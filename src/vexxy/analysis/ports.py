"""What an analysis needs from outside; `bootstrap` puts the real ones together."""

from dataclasses import dataclass
from pathlib import Path

from vexxy.sandbox.ports import ContainerEngine, TrafficGenerator
from vexxy.tracer.ports import Recorder


@dataclass(frozen=True, slots=True)
class Tools:
    """The adapters of one analysis.

    Attributes:
        database_path: The advisory database; it may not exist yet.
    """

    engine: ContainerEngine
    recorder: Recorder
    traffic: TrafficGenerator
    database_path: Path
