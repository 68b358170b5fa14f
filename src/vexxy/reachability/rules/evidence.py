"""The facts a verdict shows, strongest first and bounded, so that a result stays small."""

from typing import Final

from vexxy.reachability.rules import sentences
from vexxy.reachability.rules.facts import Facts, Presence, SymbolFact, SymbolState
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.types import Evidence, Level
from vexxy.tracer.types import Access, FileAccess

ACCESSES_MAX: Final = 3
SYMBOLS_MAX: Final = 3
CHAINS_MAX: Final = 2
UNFOLLOWED_MAX: Final = 1
GAPS_MAX: Final = 2
PRECONDITIONS_MAX: Final = 4

# What the absence of a reference does not say; docs/analysis.md, "Limits".
UNSEEN: Final = (
    "no file that ran or could run has a name that leads to it; a name that exists only as "
    "a value of the run (a message, an unset variable, encoded text) cannot be seen"
)

SYMBOL_LEVELS: Final = {
    SymbolState.CALLED: Level.CALLED,
    SymbolState.LOADED: Level.MODULE_LOADED,
    SymbolState.NOT_CALLED: Level.MODULE_LOADED,
    SymbolState.ABSENT: Level.ABSENT,
}


def collect(facts: Facts) -> tuple[Evidence, ...]:
    """Return the evidence of one verdict; what is left out is counted in words."""
    return (
        *_symbols(facts),
        *_accesses(facts),
        *_references(facts),
        *_linkage(facts),
        _inventory(facts),
        *(
            Evidence("precondition", Level.PRESENT, one, "run")
            for one in facts.preconditions[:PRECONDITIONS_MAX]
        ),
        *_completeness(facts),
    )


def _accesses(facts: Facts) -> list[Evidence]:
    shown = facts.accesses[:ACCESSES_MAX]
    left_out = len(facts.accesses) - len(shown)
    found = [
        Evidence("file_access", _level(one), sentences.access(one), one.source.value)
        for one in shown
    ]
    if left_out and found:
        last = found[-1]
        found[-1] = Evidence(
            last.kind,
            last.level,
            f"{last.detail}; {left_out} more of its files were touched",
            last.source,
        )
    return found


def _level(access: FileAccess) -> Level:
    if access.access in CODE_ACCESSES:
        return Level.LOADED
    return Level.READ_AS_DATA if access.access is Access.DATA else Level.PRESENT


def _symbols(facts: Facts) -> list[Evidence]:
    order = list(SymbolState)
    ranked = sorted(facts.symbols, key=lambda fact: order.index(fact.state))
    left_out = len(ranked) - SYMBOLS_MAX
    found = [_symbol(fact) for fact in ranked[:SYMBOLS_MAX]]
    if left_out > 0:
        last = found[-1]
        found[-1] = Evidence(
            last.kind, last.level, f"{last.detail}; {left_out} more symbols", last.source
        )
    return found


def _symbol(fact: SymbolFact) -> Evidence:
    symbol = fact.symbol
    name = ":".join(part for part in (symbol.module, symbol.name) if part)
    return Evidence(
        "symbol",
        SYMBOL_LEVELS.get(fact.state, Level.PRESENT),
        f"{name}: {fact.detail} (confidence of the name {symbol.confidence:.2f})",
        symbol.provenance,
    )


def _references(facts: Facts) -> list[Evidence]:
    found = [
        Evidence("static_reference", Level.PRESENT, sentences.chain(one), one[-1].source)
        for one in facts.chains[:CHAINS_MAX]
        if one
    ]
    left_out = facts.chain_count - len(found)
    if found and left_out > 0:
        last = found[-1]
        found[-1] = Evidence(
            last.kind,
            last.level,
            f"{last.detail}; {left_out} more of its files could be loaded",
            last.source,
        )
    found += [
        Evidence(
            "static_reference", Level.PRESENT, one.reason, f"interpreter:{one.language}"
        )
        for one in facts.unfollowed[:UNFOLLOWED_MAX]
    ]
    if facts.reader:
        found.append(Evidence("static_reference", Level.PRESENT, facts.reader, "data"))
    silent = not found and not facts.accesses and not facts.kernel
    if silent and facts.presence is Presence.PRESENT:
        found.append(Evidence("static_reference", Level.PRESENT, UNSEEN, "import_graph"))
    return found


def _linkage(facts: Facts) -> list[Evidence]:
    detail = facts.linked or facts.unlinked
    return [Evidence("linkage", Level.PRESENT, detail, "elf")] if detail else []


def _inventory(facts: Facts) -> Evidence:
    level = Level.ABSENT if facts.presence is Presence.ABSENT else Level.PRESENT
    where = f"inside {facts.embedded_in}" if facts.embedded_in else "installed"
    detail = facts.presence_detail or f"{where}, {facts.file_count} files"
    return Evidence("inventory", level, detail, "root_filesystem")


def _completeness(facts: Facts) -> list[Evidence]:
    seen = facts.observation
    found = [
        Evidence(
            "completeness",
            Level.PRESENT,
            f"{seen.observed_seconds:.0f} s observed, {seen.traffic_requests} requests "
            f"answered, {seen.late_files} new code files in the second half",
            "profile",
        )
    ]
    found += [
        Evidence("completeness", Level.PRESENT, gap, "profile")
        for gap in seen.gaps[:GAPS_MAX]
    ]
    return found
