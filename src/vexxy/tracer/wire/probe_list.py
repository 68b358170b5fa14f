"""The list of probes that `vexxy-trace` reads; docs/tracer.md shows it."""

import itertools
from collections.abc import Sequence
from urllib.parse import quote_from_bytes

from vexxy.tracer.functions.native.types import Uprobe

CODE_BYTES_MAX = 16


def encode(probes: Sequence[Uprobe]) -> bytes:
    """Return the lines of one set of probes; an empty set has only its end."""
    found = []
    ordered = sorted(probes, key=lambda probe: (probe.on_host, probe.path))
    for (on_host, path), group in itertools.groupby(
        ordered, key=lambda probe: (probe.on_host, probe.path)
    ):
        place = "host" if on_host else "container"
        quoted = quote_from_bytes(path.encode("utf-8", "surrogateescape"))
        found.append(f"file {place} {quoted}")
        found += [_probe(probe) for probe in group]
    return "\n".join([*found, "set", ""]).encode("ascii")


def _probe(probe: Uprobe) -> str:
    kind = "entry" if probe.entry else "inside"
    code = probe.code[:CODE_BYTES_MAX].hex() or "-"
    return f"probe {probe.number} {probe.offset} {kind} {code}"
