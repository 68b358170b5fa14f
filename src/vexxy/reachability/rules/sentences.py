"""What a verdict says to a person: one sentence each, with the names that matter."""

from typing import Final

from vexxy.advisories.types import Match
from vexxy.reachability.rules.facts import Facts, SymbolFact, SymbolState
from vexxy.reachability.types import CopiedAccess, MovedAccess, Reference, Unfollowed
from vexxy.tracer.types import Access, FileAccess, FunctionCall

NAMES_MAX: Final = 3
CHAIN_MAX: Final = 5
STACK_MAX: Final = 8

VERBS: Final = {
    Access.EXECUTED: "was executed",
    Access.MAPPED: "was mapped as code",
    Access.CODE: "was read as code",
    Access.DATA: "was read as data",
    Access.METADATA: "was read as a package manager's record",
}


def action(match: Match) -> str:
    """Return what to do about an affected package."""
    name = match.package.name
    if not match.fixed_versions:
        return (
            f"No fixed version of {name} is known: follow the advisory, or remove or "
            "replace the package."
        )
    return f"Upgrade {name} to {' or '.join(match.fixed_versions)}."


def kernel(match: Match) -> str:
    """The kernel is not in the image."""
    return (
        f"{_package(match)} is a part of the Linux kernel's package; a container runs on "
        "its host's kernel, never on one from its image."
    )


def called(match: Match, facts: Facts) -> str:
    """The vulnerable function ran."""
    names = _names(facts, SymbolState.CALLED)
    return f"The vulnerable function of {_package(match)} ran: {names}."


def code_absent(match: Match, facts: Facts) -> str:
    """None of the vulnerable code is there."""
    detail = facts.symbols[0].detail if facts.symbols else ""
    return (
        f"The vulnerable code is not in this copy of {_package(match)}: "
        f"{_names(facts, SymbolState.ABSENT)}; {detail}."
    )


def module_loaded(match: Match, facts: Facts) -> str:
    """The module with the vulnerable function is loaded."""
    near = [
        fact
        for fact in facts.symbols
        if fact.state in {SymbolState.LOADED, SymbolState.NOT_CALLED}
    ]
    detail = near[0].detail if near else "its module is loaded"
    name = _symbol(near[0]) if near else "the vulnerable function"
    return f"The code that holds {name} of {_package(match)} is loaded: {detail}."


def loaded(match: Match, facts: Facts) -> str:
    """The package is loaded and nobody knows which function is vulnerable."""
    known = "nobody said which function is vulnerable"
    if facts.symbols:
        known = "whether its vulnerable function is loaded could not be told"
    return f"{_package(match)} is loaded ({_first(facts)}); {known}."


def data_read(match: Match, facts: Facts) -> str:
    """A package of data was used."""
    return f"{_package(match)} brings data and the image reads it ({_first(facts)})."


def absent(match: Match, facts: Facts) -> str:
    """The files are not there."""
    return f"{_package(match)} is listed but not there: {facts.presence_detail}."


def unknown(match: Match, facts: Facts) -> str:
    """Nobody can tell what the package's files are."""
    return f"Whether {_package(match)} is used cannot be told: {facts.presence_detail}."


def incomplete(match: Match, facts: Facts) -> str:
    """Silence proves nothing in this run."""
    return (
        f"{_package(match)} was not seen running its vulnerable code, which proves nothing "
        f"here: {'; '.join(facts.observation.gaps)}."
    )


def served(match: Match, facts: Facts) -> str:
    """Code for browsers left the image, perhaps."""
    return (
        f"{_package(match)} holds code for browsers, and {facts.served[0]} was read, "
        "perhaps to be sent to one; it runs where nobody observes it."
    )


def payload(match: Match, facts: Facts) -> str:
    """Data of a language's package was read without its code."""
    return (
        f"{_package(match)} was not loaded, but its data was read ({facts.payload[0]}); "
        "whether the hole is in the data cannot be told."
    )


def readable(match: Match, facts: Facts) -> str:
    """Nobody read the data, and somebody could."""
    return f"{_package(match)} brings data that was not read, but could be: {facts.reader}."


def loadable(match: Match, facts: Facts) -> str:
    """Something could still load the package."""
    if facts.chains:
        more = f" (and {facts.chain_count - 1} more)" if facts.chain_count > 1 else ""
        return (
            f"{_package(match)} was not loaded, but could be: "
            f"{chain(facts.chains[0])}{more}."
        )
    return f"{_package(match)} was not loaded, but could be: {_whole(facts.unfollowed[0])}."


def linked(match: Match, facts: Facts) -> str:
    """The package is for building, and something was built."""
    return (
        f"{_package(match)} was not loaded, but may be a part of what ran: {facts.linked}."
    )


def module_loadable(match: Match, facts: Facts) -> str:
    """Something could still load the vulnerable module."""
    near = [fact for fact in facts.symbols if fact.state is SymbolState.LOADABLE]
    return (
        f"{_package(match)} is loaded, the module with {_symbol(near[0])} is not, but "
        f"could be: {near[0].detail}."
    )


def not_called(match: Match) -> str:
    """The runtime's coverage does not list the function."""
    return (
        f"The module with the vulnerable function of {_package(match)} is loaded; the "
        "function was not called in this run, which does not prove that it cannot be."
    )


def way(match: Match, fact: SymbolFact) -> str:
    """Say what would call a function that did not run."""
    reached = fact.reached
    assert reached is not None  # noqa: S101  the caller looked
    first = f"exercise {reached.entry} to find out" if _is_route(reached.entry) else ""
    more = f"; {first}" if first else ""
    return (
        f"{_symbol(fact)} of {_package(match)} did not run, but could: "
        f"{reached.reason}{more}."
    )


def way_unknown(match: Match, fact: SymbolFact) -> str:
    """Say why it cannot be excluded that a function is called."""
    reason = "" if fact.reached is None else fact.reached.reason
    return (
        f"{_symbol(fact)} of {_package(match)} did not run; that it could is not excluded: "
        f"{reason}."
    )


def quiet(match: Match, facts: Facts) -> str:
    """Say that the vulnerable functions did not run and nothing leads to them."""
    seen = facts.observation
    asked = [one for one in facts.symbols if one.reached is not None]
    more = f" and {len(facts.symbols) - 1} more" if len(facts.symbols) > 1 else ""
    window = f"{seen.observed_seconds:.0f} s with {seen.traffic_requests}"
    return (
        f"{_symbol(asked[0])}{more} of {_package(match)} did not run in {window} answered "
        f"requests, and {asked[0].reached.reason if asked[0].reached else ''}."
    )


def unreviewed(match: Match) -> str:
    """The named code is missing, but the names were derived."""
    return (
        f"{_package(match)} is loaded; some of the code named as vulnerable is not in this "
        "version, but the names are not reviewed or not complete."
    )


def too_unsure(match: Match, score: float, needed: float) -> str:
    """The observation was complete but thin."""
    return (
        f"{_package(match)} was not seen running its vulnerable code, but the observation "
        f"is too thin to conclude (confidence {score:.2f}, {needed:.2f} needed): observe "
        "longer or send more traffic."
    )


def not_loaded(match: Match, facts: Facts) -> str:
    """Nothing loaded it and nothing could."""
    seen = facts.observation
    if any(one.reached is not None for one in facts.symbols):
        return quiet(match, facts)
    what = f"{_package(match)} was never loaded"
    if facts.data_only:
        what = f"{_package(match)} brings only data, and none of it was read"
    elif any(access.access is Access.DATA for access in facts.accesses):
        what = f"{_package(match)} was only read as data, never loaded"
    if facts.symbols and facts.accesses and _is_loaded(facts):
        what = (
            f"{_package(match)} is loaded, but never the module with "
            f"{_symbol(facts.symbols[0])}"
        )
    return (
        f"{what} in {seen.observed_seconds:.0f} s with {seen.traffic_requests} answered "
        "requests, and nothing that ran refers to it by a name in the image."
    )


def chain(references: tuple[Reference, ...]) -> str:
    """Return a chain of references, first cause first, as one sentence without a stop."""
    if not references:
        return ""
    first = references[0]
    parts = [f"{first.via or 'the run'} {first.how} {first.path}"]
    shown = references[1:]
    if len(shown) > CHAIN_MAX:
        parts.append("and so on")
        shown = shown[-CHAIN_MAX:]
    parts += [f"which {one.how} {one.path}" for one in shown]
    return ", ".join(parts)


def access(one: FileAccess) -> str:
    """Return one access as a sentence without a stop."""
    process = f" by {one.process}" if one.process and one.process != one.path else ""
    moved = f" as {one.ran_as}, outside the image," if isinstance(one, MovedAccess) else ""
    if isinstance(one, CopiedAccess):
        moved = f" as its copy {one.copy}"
    when = f"at {one.first_seen_seconds:.1f} s"
    return f"{one.path} {VERBS[one.access]}{moved}{process} {when}"


def call(one: FunctionCall) -> str:
    """Say which function was called first by whom, when, and on whose behalf."""
    line = f":{one.line}" if one.line else ""
    parts = [f"{one.name} in {one.path}{line} was called"]
    if one.process:
        number = f" (process {one.process_id})" if one.process_id is not None else ""
        parts.append(f" by {one.process}{number}")
    if one.first_called_seconds is not None:
        parts.append(f" at {one.first_called_seconds:.1f} s")
    if one.request:
        parts.append(f", answering {one.request}")
    if one.inlined_into:
        parts.append(f", as its copy inside {one.inlined_into}")
    if one.stack:
        shown = one.stack[:STACK_MAX]
        more = (
            f" <- {len(one.stack) - STACK_MAX} more" if len(one.stack) > STACK_MAX else ""
        )
        parts.append(f"; called by {' <- '.join(shown)}{more}")
    return "".join(parts)


def _whole(unfollowed: Unfollowed) -> str:
    return f"{unfollowed.reason}, and what {unfollowed.language} loads cannot be predicted"


def _package(match: Match) -> str:
    return f"{match.package.name} {match.package.version}"


def _first(facts: Facts) -> str:
    return access(facts.accesses[0]) if facts.accesses else "no access recorded"


def _is_loaded(facts: Facts) -> bool:
    return any(one.access not in {Access.DATA, Access.METADATA} for one in facts.accesses)


def _is_route(entry: str) -> bool:
    return entry.partition(" ")[2].startswith("/") and entry.partition(" ")[0].isupper()


def _symbol(fact: SymbolFact) -> str:
    symbol = fact.symbol
    if not symbol.name:
        return symbol.module
    return f"{symbol.module}:{symbol.name}" if symbol.module else symbol.name


def _names(facts: Facts, state: SymbolState) -> str:
    names = [_symbol(fact) for fact in facts.symbols if fact.state is state]
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more
