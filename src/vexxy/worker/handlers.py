"""Who does which kind of job; one line a kind, added by its owner."""

from collections.abc import Mapping
from typing import Final

from vexxy.worker import sandboxes
from vexxy.worker.work import Work

HANDLERS: Final[Mapping[str, Work]] = {
    "sweep_sandboxes": Work(sandboxes.handle),
}
