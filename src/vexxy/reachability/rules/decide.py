"""From facts to a status. The rules are tried in order; the first that speaks decides.

Positive evidence comes first and stands in any run. Proofs of absence come next; they
rest on files, not on silence. Silence comes last, and only a complete, driven run that
the static overlay agrees with may use it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from vexxy.advisories.types import Match
from vexxy.reachability.calls.types import Reach
from vexxy.reachability.rules import confidence, evidence, sentences
from vexxy.reachability.rules.facts import Facts, Presence, SymbolState
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.types import Level, Settings, Verdict
from vexxy.tracer.types import Access
from vexxy.vex.types import Justification, Status

REVIEWED: Final = 1.0
DEFAULTS: Final = Settings()

# States of functions that were not called and may be called yet.
CALLABLE: Final = frozenset({SymbolState.NOT_CALLED, SymbolState.LOADABLE})
# States that leave room for "its code does not run" although the package is loaded.
QUIET: Final = frozenset({SymbolState.NOT_LOADED, SymbolState.LOADABLE, SymbolState.ABSENT})


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule concluded."""

    status: Status
    level: Level
    confidence: float
    reason: str
    justification: Justification | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One match with its facts and the limits that apply."""

    match: Match
    facts: Facts
    settings: Settings

    @property
    def states(self) -> frozenset[SymbolState]:
        """The states of the vulnerable symbols; empty when none is known."""
        return frozenset(fact.state for fact in self.facts.symbols)

    @property
    def symbol_confidence(self) -> float:
        """The confidence of the least sure symbol; 0 when none is known."""
        return min((one.symbol.confidence for one in self.facts.symbols), default=0.0)

    @property
    def strongest(self) -> Access | None:
        """The strongest access to the package's own files."""
        order = list(Access)
        found = [one.access for one in self.facts.accesses]
        return min(found, key=order.index, default=None)

    @property
    def loaded(self) -> bool:
        """Whether some code of the package ran or was read to run."""
        return self.strongest in CODE_ACCESSES

    @property
    def observed_level(self) -> Level:
        """The level that accesses alone prove."""
        if self.loaded:
            return Level.LOADED
        return Level.READ_AS_DATA if self.strongest is Access.DATA else Level.PRESENT


Rule = Callable[[Case], Decision | None]


def decide(match: Match, facts: Facts, settings: Settings = DEFAULTS) -> Verdict:
    """Return the verdict on one match."""
    case = Case(match, facts, settings)
    decision = next(found for rule in RULES if (found := rule(case)) is not None)
    affected = decision.status is Status.AFFECTED
    return Verdict(
        vulnerability_id=match.vulnerability_id,
        aliases=match.aliases,
        cve_id=match.cve_id,
        package=match.package,
        severity=match.severity,
        fixed_versions=match.fixed_versions,
        status=decision.status,
        justification=decision.justification,
        level=decision.level,
        confidence_score=round(decision.confidence, 4),
        reason=decision.reason,
        evidence=evidence.collect(facts),
        action_statement=sentences.action(match) if affected else None,
    )


def decide_all(
    cases: Iterable[tuple[Match, Facts]], settings: Settings = DEFAULTS
) -> tuple[Verdict, ...]:
    """Return the verdicts, in the order of the matches."""
    return tuple(decide(match, facts, settings) for match, facts in cases)


def _kernel(case: Case) -> Decision | None:
    if not case.facts.kernel:
        return None
    return Decision(
        Status.NOT_AFFECTED,
        Level.ABSENT,
        confidence.KERNEL,
        sentences.kernel(case.match),
        Justification.COMPONENT_NOT_PRESENT,
    )


def _called(case: Case) -> Decision | None:
    if SymbolState.CALLED not in case.states:
        return None
    return Decision(
        Status.AFFECTED,
        Level.CALLED,
        confidence.CALLED,
        sentences.called(case.match, case.facts),
    )


def _code_absent(case: Case) -> Decision | None:
    """All vulnerable code is provably not in this version or not linked."""
    proved = case.states == {SymbolState.ABSENT} and case.symbol_confidence >= REVIEWED
    if not proved or case.facts.presence is Presence.UNKNOWN:
        return None
    return Decision(
        Status.NOT_AFFECTED,
        case.observed_level,
        confidence.CODE_ABSENT,
        sentences.code_absent(case.match, case.facts),
        Justification.VULNERABLE_CODE_NOT_PRESENT,
    )


def _loaded(case: Case) -> Decision | None:
    if not case.loaded or case.strongest is None:
        return None
    if _module_loaded(case):
        return Decision(
            Status.AFFECTED,
            Level.MODULE_LOADED,
            confidence.of_loading(case.strongest, module_loaded=True),
            sentences.module_loaded(case.match, case.facts),
        )
    return _quiet_symbols(case) or Decision(
        Status.AFFECTED,
        Level.LOADED,
        confidence.of_loading(case.strongest),
        sentences.loaded(case.match, case.facts),
    )


def _module_loaded(case: Case) -> bool:
    """Whether a vulnerable module is loaded and no complete coverage speaks against it."""
    uncertain = not case.facts.observation.complete
    return SymbolState.LOADED in case.states or (
        SymbolState.NOT_CALLED in case.states and uncertain
    )


def _quiet_symbols(case: Case) -> Decision | None:
    """The package is loaded; does what is known of its symbols say otherwise?"""
    match, facts, states = case.match, case.facts, case.states
    known = case.symbol_confidence >= case.settings.symbol_confidence_min
    # Data is used by reading it, whatever functions were named.
    unusable = case.facts.data_only or not known
    if unusable or not states <= QUIET | {SymbolState.NOT_CALLED}:
        return None
    if not facts.observation.complete:
        return _open(case, Level.LOADED, sentences.incomplete(match, facts))
    called = SymbolState.NOT_CALLED in states
    level = Level.MODULE_LOADED if called else Level.LOADED
    doubt = _callable(case)
    if doubt is not None:
        return _open(case, level, doubt)
    if _is_doubtful(case):
        return _open(case, level, sentences.unreviewed(match))
    return _silent(case, level, symbols=case.symbol_confidence)


def _is_doubtful(case: Case) -> bool:
    """Whether a missing name says that the list may be of another version."""
    missing = [one for one in case.facts.symbols if one.state is SymbolState.ABSENT]
    reviewed = case.symbol_confidence >= REVIEWED
    return bool(missing) and not (reviewed and all(one.unlinked for one in missing))


def _callable(case: Case) -> str | None:
    """Return why one of the functions could still be called; None if none could."""
    match, facts = case.match, case.facts
    near = [one for one in facts.symbols if one.state in CALLABLE and not one.silent]
    ways = [one for one in near if one.reached and one.reached.reach is Reach.PATH]
    asked = [one for one in near if one.reached is not None]
    if ways:
        return sentences.way(match, ways[0])
    if asked:
        return sentences.way_unknown(match, asked[0])
    if SymbolState.NOT_CALLED in {one.state for one in near}:
        return sentences.not_called(match)
    return sentences.module_loadable(match, facts) if near else None


def _data_read(case: Case) -> Decision | None:
    if not (case.facts.data_only and case.strongest is Access.DATA):
        return None
    return Decision(
        Status.AFFECTED,
        Level.READ_AS_DATA,
        confidence.DATA_READ,
        sentences.data_read(case.match, case.facts),
    )


def _absent(case: Case) -> Decision | None:
    if case.facts.presence is not Presence.ABSENT or case.facts.accesses:
        return None
    return Decision(
        Status.NOT_AFFECTED,
        Level.ABSENT,
        confidence.ABSENT,
        sentences.absent(case.match, case.facts),
        Justification.COMPONENT_NOT_PRESENT,
    )


def _unclear(case: Case) -> Decision | None:
    """Whatever forbids a claim from silence, most fundamental first."""
    facts = case.facts
    if facts.presence is not Presence.PRESENT:
        return _open(case, case.observed_level, sentences.unknown(case.match, facts))
    if not facts.observation.complete:
        return _open(case, case.observed_level, sentences.incomplete(case.match, facts))
    if facts.served or facts.payload:
        read_alone = sentences.served if facts.served else sentences.payload
        return _open(case, case.observed_level, read_alone(case.match, facts))
    doubts = (
        (facts.loadable and not _functions_quiet(case), sentences.loadable),
        (facts.linked, sentences.linked),
        (facts.reader, sentences.readable),
    )
    ways = [one for one in facts.symbols if one.reached is not None and not one.silent]
    if facts.loadable and ways:
        return _open(case, case.observed_level, _callable(case) or "")
    for known, sentence in doubts:
        if known:
            return _open(case, case.observed_level, sentence(case.match, facts))
    return None


def _functions_quiet(case: Case) -> bool:
    """Whether the package could be loaded and its vulnerable functions never called."""
    known = case.symbol_confidence >= case.settings.symbol_confidence_min
    return known and all(one.silent for one in case.facts.symbols)


def _not_observed(case: Case) -> Decision:
    rests = case.facts.loadable and _functions_quiet(case)
    symbols = case.symbol_confidence if rests else 1.0
    return _silent(case, case.observed_level, symbols=symbols)


def _silent(case: Case, level: Level, *, symbols: float = 1.0) -> Decision:
    """Conclude from silence, if it is worth enough."""
    score = confidence.of_silence(case.facts.observation, symbols=symbols)
    if score < case.settings.confidence_min:
        reason = sentences.too_unsure(case.match, score, case.settings.confidence_min)
        return _open(case, level, reason)
    return Decision(
        Status.NOT_AFFECTED,
        level,
        score,
        sentences.not_loaded(case.match, case.facts),
        Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH,
    )


def _open(case: Case, level: Level, reason: str) -> Decision:
    """Leave it open; the score is what "not affected" would have had, and too little."""
    doubted = case.facts.loadable or bool(case.facts.reader)
    agreement = confidence.LOADABLE if doubted else 1.0
    score = confidence.of_silence(case.facts.observation, static_agreement=agreement)
    limit = max(0.0, case.settings.confidence_min - 0.01)
    return Decision(Status.UNDER_INVESTIGATION, level, min(score, limit), reason)


RULES: Final[tuple[Rule, ...]] = (
    _kernel,
    _called,
    _code_absent,
    _loaded,
    _data_read,
    _absent,
    _unclear,
    _not_observed,
)
