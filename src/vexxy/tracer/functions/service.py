"""Every recorder of functions at once: what to put beside an image, what came of it."""

from collections.abc import Mapping
from typing import Final

from vexxy.tracer.functions.jvm import service as jvm
from vexxy.tracer.functions.node import service as node
from vexxy.tracer.functions.python import service as python
from vexxy.tracer.functions.ruby import service as ruby
from vexxy.tracer.functions.types import Beside, Collector, Evidence, Planner
from vexxy.tracer.functions.uncovered import service as uncovered
from vexxy.tracer.types import FunctionCall, FunctionRecording, Runtime

RECORDERS: Final[Mapping[Runtime, tuple[Planner, Collector]]] = {
    Runtime.PYTHON: (python.plan, python.collect),
    Runtime.NODE: (node.plan, node.collect),
    Runtime.JVM: (jvm.plan, jvm.collect),
    Runtime.RUBY: (ruby.plan, ruby.collect),
    Runtime.PHP: (uncovered.plan, uncovered.collector(Runtime.PHP)),
}
"""A further runtime is a further entry; each extends the variables it shares."""


def plan(environment: Mapping[str, str]) -> Beside:
    """Return what all recorders together need.

    Args:
        environment: The image's variables with the user's on top.
    """
    files: dict[str, bytes] = {}
    added: dict[str, str] = {}
    for planner, _ in RECORDERS.values():
        wanted = planner({**environment, **added})
        files |= wanted.files
        added |= wanted.environment
    return Beside(files, added)


def collect(
    evidence: Evidence,
) -> tuple[tuple[FunctionCall, ...], tuple[FunctionRecording, ...]]:
    """Return the functions that were called, first called first, and how completely."""
    found = [collector(evidence) for _, collector in RECORDERS.values()]
    recorded = [one for one in found if one is not None]
    calls = [call for one in recorded for call in one.calls]
    calls.sort(key=lambda call: (call.first_called_seconds or 0.0, call.path, call.name))
    return tuple(calls), tuple(one.recording for one in recorded)
