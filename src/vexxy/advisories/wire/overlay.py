"""The overlay of vulnerable functions: tab-separated lines, each with its provenance."""

from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.advisories.types import (
    OverlayLine,
    Precondition,
    PreconditionKind,
    Symbol,
)
from vexxy.kit.errors import InvalidInput

HEADER: Final = (
    "ecosystem",
    "package",
    "vulnerability_id",
    "module",
    "name",
    "confidence",
    "provenance",
    "platforms",
    "preconditions",
)
# Lines may leave the last columns out.
_REQUIRED: Final = 7
_BETWEEN: Final = " | "


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
            " ".join(line.symbol.platforms),
            _BETWEEN.join(map(_written, line.symbol.preconditions)),
        )
        for line in lines
    }
    return "".join(
        "\t".join(" ".join(field.split()) for field in row).rstrip("\t") + "\n"
        for row in (HEADER, *sorted(rows))
    )


def _written(one: Precondition) -> str:
    return f"{one.kind} {one.form}: {one.sentence}".replace("|", "/")


def _preconditions(text: str) -> tuple[Precondition, ...]:
    found = []
    for one in text.split(_BETWEEN) if text else ():
        kind, _, rest = one.partition(" ")
        form, colon, sentence = rest.partition(": ")
        if not (form and colon):
            raise ValueError(one)
        found.append(Precondition(PreconditionKind(kind), form, sentence))
    return tuple(found)


def parse(text: str, *, source: str) -> Iterator[OverlayLine]:
    """Yield the lines of an overlay; lines that begin with `#` are comments.

    Raises:
        InvalidInput: A line is not of this form; the message names it.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split("\t")
        if not line or line.startswith("#") or fields[:2] == list(HEADER[:2]):
            continue
        try:
            ecosystem, package, vulnerability, symbol = _line(fields)
        except ValueError as problem:
            raise InvalidInput(
                f"{source}, line {number}: not a line of an overlay",
                hint=f"the fields are, separated by tabs: {', '.join(HEADER)}",
            ) from problem
        if not 0 < symbol.confidence <= 1:
            raise InvalidInput(f"{source}, line {number}: confidence is not in 0-1")
        yield OverlayLine(ecosystem, package, vulnerability, symbol)


def _line(fields: list[str]) -> tuple[str, str, str, Symbol]:
    if not _REQUIRED <= len(fields) <= len(HEADER):
        raise ValueError(len(fields))
    padded = [*fields, *("",) * (len(HEADER) - len(fields))]
    ecosystem, package, vulnerability, module, name, confidence, origin = padded[:_REQUIRED]
    platforms, preconditions = padded[_REQUIRED:]
    symbol = Symbol(
        module,
        name,
        origin,
        float(confidence),
        tuple(platforms.split()),
        _preconditions(preconditions),
    )
    return ecosystem, package, vulnerability, symbol
