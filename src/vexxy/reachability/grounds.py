"""What one run said of each installed package, kept so that it can be asked again.

An advisory that appears tomorrow is about code that ran, or did not, today. The files
are not needed again: what a package's files did is the same for every vulnerability of
it. Only what rests on the files themselves (which functions could still be called) is
not asked again, so a decision from grounds is never bolder than the package's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from vexxy.advisories.types import Match, Symbol
from vexxy.reachability.rules import sentences, symbols
from vexxy.reachability.rules.decide import decide
from vexxy.reachability.rules.facts import Facts, SymbolFact, SymbolState
from vexxy.reachability.types import Settings, Verdict
from vexxy.sbom.types import Package
from vexxy.tracer.types import FunctionCall

# A verdict shows three; more of them say nothing more.
ACCESSES_MAX: Final = 8
CALLS_MAX: Final = 20_000
NOT_HERE: Final = (
    "not among the functions that were recorded; the image's files were not looked into "
    "again, so whether it could still be called is not known"
)
DEFAULTS: Final = Settings()


@dataclass(frozen=True, slots=True)
class Ground:
    """What is the same for every vulnerability of one installed package.

    Attributes:
        package: Without its files.
        owner: The distribution's package that installed it, with the shared files.
        facts: Without symbols and preconditions.
        calls: Functions of its files that ran.
        calls_left_out: How many did not fit; then silence about one proves nothing.
    """

    package: Package
    facts: Facts
    owner: Package | None = None
    calls: tuple[FunctionCall, ...] = ()
    calls_left_out: int = 0


def ground(
    package: Package,
    facts: Facts,
    *,
    calls: Sequence[FunctionCall],
    owner: Package | None = None,
) -> Ground:
    """Return what is worth keeping of a package's facts."""
    shared = () if owner is None else tuple(set(package.locations) & set(owner.files))
    return Ground(
        package=replace(package, files=(), missing=()),
        facts=replace(
            facts,
            accesses=facts.accesses[:ACCESSES_MAX],
            symbols=(),
            preconditions=(),
        ),
        owner=None if owner is None else replace(owner, files=shared, missing=()),
        calls=tuple(replace(one, stack=one.stack[:1]) for one in calls[:CALLS_MAX]),
        calls_left_out=max(0, len(calls) - CALLS_MAX),
    )


def decide_again(match: Match, known: Ground, settings: Settings = DEFAULTS) -> Verdict:
    """Return the verdict on a match with a package whose files are not here.

    A function that was recorded as called makes it `affected`. Of any other nothing is
    known, and then the package as a whole decides: loaded is `affected`, and only a
    complete, driven run in which nothing loaded it, or could, is `not_affected`.
    """
    found = tuple(_fact(symbol, known) for symbol in match.symbols)
    whole = replace(known.facts, symbols=found)
    return decide(replace(match, package=known.package), whole, settings)


def _fact(symbol: Symbol, known: Ground) -> SymbolFact:
    files = {call.path for call in known.calls}
    if known.package.type == "pypi":
        files = set(symbols.python_files(symbols.python_module(symbol), files))
    elif known.package.type == "npm":
        files = set(symbols.script_files(symbol, known.package, files))
    for call in known.calls:
        if call.path in files and symbols.is_call_of(call, symbol):
            return SymbolFact(symbol, SymbolState.CALLED, sentences.call(call))
    return SymbolFact(symbol, SymbolState.UNKNOWN, NOT_HERE)
