"""The line that `vexxy-trace probe` writes."""

import msgspec

from vexxy.tracer.types import Probe, Source


class _Source(msgspec.Struct):
    works: bool
    reason: str = ""


class _Probe(msgspec.Struct):
    kernel: str
    sources: dict[Source, _Source]


def decode(line: bytes) -> Probe:
    """Return what the agent found.

    Raises:
        msgspec.MsgspecError: The line is not what `vexxy-trace probe` writes.
    """
    found = msgspec.json.decode(line, type=_Probe)
    return Probe(
        kernel=found.kernel,
        sources={
            source: "" if one.works else one.reason or "it does not work here"
            for source, one in found.sources.items()
        },
    )
