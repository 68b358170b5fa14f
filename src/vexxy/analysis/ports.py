"""What an analysis needs from outside; `bootstrap` puts the real ones together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vexxy.analysis.types import Observation
from vexxy.images.types import Image
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


class Keeper(Protocol):
    """Keeps what an analysis has found out so far, for another attempt at it."""

    def resolved(self, image: Image) -> None:
        """Take note of which image is meant, before anything of it runs."""

    def observed(self, observation: Observation) -> None:
        """Take note of the observation, before anything is decided from it."""


class Forgetful:
    """Keeps nothing."""

    def resolved(self, image: Image) -> None:
        """Let it go."""

    def observed(self, observation: Observation) -> None:
        """Let it go."""
