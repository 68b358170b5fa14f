"""What one `vexxy serve` is asked for."""

from dataclasses import dataclass
from pathlib import Path

from vexxy.settings import ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to serve.

    Attributes:
        port: 0 takes a free one.
        api_processes: How many share the address.
        workers: Whether analyses are worked on here as well.
    """

    host: str
    port: int
    data_directory: Path
    api_processes: int
    workers: bool
    settings: ServiceSettings
