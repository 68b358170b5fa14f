"""The overlay of vulnerable functions: tab-separated lines, each with its provenance."""

from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.advisories.types import OverlayLine, Symbol
from vexxy.kit.errors import InvalidInput

HEADER: Final = (
    "ecosystem",
    "package",
    "vulnerability_id",
    "module",
    "name",
    "confidence",
    "provenance",
)


def dump(lines: Iterable[OverlayLine]) -> str:
    """Return the lines as text, header first, sorted, each once."""
    rows = {
        (
            line.ecosystem,
            line.package,
            line.vulnerability_id,
            line.symbol.module,
            line.symbol.name,
            f"{line.symbol.confidence:g}",
            line.symbol.provenance,
        )
        for line in lines
    }
    return "".join(
        "\t".join(" ".join(field.split()) for field in row) + "\n"
        for row in (HEADER, *sorted(rows))
    )


def parse(text: str, *, source: str) -> Iterator[OverlayLine]:
    """Yield the lines of an overlay; lines that begin with `#` are comments.

    Raises:
        InvalidInput: A line is not of this form; the message names it.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        fields = tuple(line.split("\t"))
        if not line or line.startswith("#") or fields == HEADER:
            continue
        try:
            ecosystem, package, vulnerability, module, name, confidence, origin = fields
            symbol = Symbol(module, name, origin, float(confidence))
        except ValueError as problem:
            raise InvalidInput(
                f"{source}, line {number}: not a line of an overlay",
                hint=f"the fields are, separated by tabs: {', '.join(HEADER)}",
            ) from problem
        if not 0 < symbol.confidence <= 1:
            raise InvalidInput(f"{source}, line {number}: confidence is not in 0-1")
        yield OverlayLine(ecosystem, package, vulnerability, symbol)
