"""Every line of the rules, on facts alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.values import a_completeness, a_match, a_profile, a_symbol
from vexxy.advisories.types import Match, Symbol
from vexxy.reachability.rules import explain
from vexxy.reachability.rules.decide import decide, decide_all
from vexxy.reachability.rules.facts import Facts, Presence, SymbolFact, SymbolState
from vexxy.reachability.rules.observation import Observation, novelty, weigh
from vexxy.reachability.types import Level, Reference, Settings, Unfollowed
from vexxy.tracer.types import Access, FileAccess, Source
from vexxy.vex.types import Justification, Status

GOOD = Observation((), observed_seconds=120, traffic_requests=200)
NOT_IN_PATH = Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH
CHAIN = (Reference("/usr/lib/libfoo1.so.1", "/usr/sbin/daemon", "may load", "elf"),)
PERL = Unfollowed("perl", "/usr/bin/perl was executed")


def an_access(access: Access, path: str = "/usr/lib/libfoo1.so.1") -> FileAccess:
    return FileAccess(path, access, 1.0, process="/usr/sbin/daemon")


def a_fact(state: SymbolState, *, confidence: float = 1.0) -> SymbolFact:
    symbol = Symbol("foo.bar", "baz", "a record", confidence)
    return SymbolFact(symbol, state, "where it was found")


def facts(**given: object) -> Facts:
    return replace(Facts(observation=GOOD, file_count=3), **given)  # type: ignore[arg-type]


def verdict_on(**given: object):  # noqa: ANN201  the type is decide's
    return decide(a_match(), facts(**given))


@pytest.mark.parametrize("access", [Access.EXECUTED, Access.MAPPED, Access.CODE])
def test_loaded_code_is_affected(access: Access) -> None:
    verdict = verdict_on(accesses=(an_access(access),))
    assert verdict.status is Status.AFFECTED
    assert verdict.level is Level.LOADED
    assert "nobody said which function" in verdict.reason
    assert verdict.action_statement == "Upgrade libfoo1 to 1.0-2."
    assert verdict.justification is None


def test_an_affected_package_without_a_fix_says_so() -> None:
    match = a_match(fixed_versions=())
    verdict = decide(match, facts(accesses=(an_access(Access.MAPPED),)))
    assert "No fixed version of libfoo1 is known" in str(verdict.action_statement)


def test_positive_evidence_stands_in_a_partial_run() -> None:
    partial = replace(GOOD, gaps=("events were lost",))
    verdict = verdict_on(observation=partial, accesses=(an_access(Access.MAPPED),))
    assert verdict.status is Status.AFFECTED


def test_a_called_function_is_the_surest_affected() -> None:
    mapped = (an_access(Access.MAPPED),)
    called = verdict_on(accesses=mapped, symbols=(a_fact(SymbolState.CALLED),))
    near = verdict_on(accesses=mapped, symbols=(a_fact(SymbolState.LOADED),))
    bare = verdict_on(accesses=mapped)
    assert (called.level, near.level, bare.level) == (
        Level.CALLED,
        Level.MODULE_LOADED,
        Level.LOADED,
    )
    assert called.confidence_score > near.confidence_score > bare.confidence_score


def test_never_loaded_and_not_loadable_is_not_affected() -> None:
    verdict = verdict_on()
    assert (verdict.status, verdict.justification) == (Status.NOT_AFFECTED, NOT_IN_PATH)
    assert verdict.level is Level.PRESENT
    assert verdict.action_statement is None


def test_code_that_was_only_read_as_data_is_not_loaded() -> None:
    verdict = verdict_on(accesses=(an_access(Access.DATA),))
    assert verdict.status is Status.NOT_AFFECTED
    assert verdict.level is Level.READ_AS_DATA
    assert "only read as data" in verdict.reason


def test_what_could_still_be_loaded_stays_open_with_its_chain() -> None:
    verdict = verdict_on(chains=(CHAIN,), chain_count=1)
    assert verdict.status is Status.UNDER_INVESTIGATION
    assert "/usr/sbin/daemon may load /usr/lib/libfoo1.so.1" in verdict.reason
    assert any(one.kind == "static_reference" for one in verdict.evidence)


def test_a_language_that_nobody_follows_keeps_its_packages_open() -> None:
    verdict = verdict_on(unfollowed=(PERL,))
    assert verdict.status is Status.UNDER_INVESTIGATION
    assert "/usr/bin/perl was executed" in verdict.reason


def test_data_that_something_names_is_not_cleared_by_silence() -> None:
    """The overlay cannot predict reads: a path that is written down will be read."""
    verdict = verdict_on(data_only=True, chains=(CHAIN,))

    assert verdict.status is Status.UNDER_INVESTIGATION


def test_data_is_used_by_reading_it() -> None:
    read = verdict_on(data_only=True, accesses=(an_access(Access.DATA),))
    unread = verdict_on(data_only=True)
    assert read.status is Status.AFFECTED
    assert unread.status is Status.NOT_AFFECTED
    assert "none of it was read" in unread.reason


def test_browser_code_that_was_read_may_run_in_a_browser() -> None:
    page = "/usr/share/javascript/jquery.js"
    verdict = verdict_on(accesses=(an_access(Access.DATA, page),), served=(page,))
    assert verdict.status is Status.UNDER_INVESTIGATION


def test_a_kernel_package_is_not_the_images() -> None:
    verdict = verdict_on(kernel=True, observation=replace(GOOD, gaps=("short",)))
    assert verdict.status is Status.NOT_AFFECTED
    assert verdict.justification is Justification.COMPONENT_NOT_PRESENT


def test_absent_files_are_a_proof_in_any_run() -> None:
    gone = facts(presence=Presence.ABSENT, observation=replace(GOOD, gaps=("partial",)))
    verdict = decide(a_match(), gone)
    assert verdict.justification is Justification.COMPONENT_NOT_PRESENT
    assert verdict.level is Level.ABSENT


def test_an_unknown_presence_is_never_clean() -> None:
    verdict = verdict_on(presence=Presence.UNKNOWN, presence_detail="no files listed")
    assert verdict.status is Status.UNDER_INVESTIGATION
    assert "no files listed" in verdict.reason


MAPPED = (an_access(Access.MAPPED),)


@pytest.mark.parametrize(
    ("states", "confidence", "status", "justification"),
    [
        ([SymbolState.NOT_LOADED], 1.0, Status.NOT_AFFECTED, NOT_IN_PATH),
        ([SymbolState.NOT_LOADED], 0.69, Status.AFFECTED, None),
        ([SymbolState.NOT_LOADED, SymbolState.UNKNOWN], 1.0, Status.AFFECTED, None),
        ([SymbolState.NOT_LOADED, SymbolState.LOADED], 1.0, Status.AFFECTED, None),
        ([SymbolState.LOADABLE], 1.0, Status.UNDER_INVESTIGATION, None),
        ([SymbolState.NOT_CALLED], 1.0, Status.UNDER_INVESTIGATION, None),
        (
            [SymbolState.ABSENT],
            1.0,
            Status.NOT_AFFECTED,
            Justification.VULNERABLE_CODE_NOT_PRESENT,
        ),
        ([SymbolState.ABSENT], 0.9, Status.UNDER_INVESTIGATION, None),
        (
            [SymbolState.ABSENT, SymbolState.NOT_LOADED],
            1.0,
            Status.UNDER_INVESTIGATION,
            None,
        ),
        ([SymbolState.ABSENT, SymbolState.UNKNOWN], 1.0, Status.AFFECTED, None),
        ([SymbolState.UNKNOWN], 1.0, Status.AFFECTED, None),
    ],
)
def test_a_loaded_package_is_judged_by_its_symbols(
    states: list[SymbolState],
    confidence: float,
    status: Status,
    justification: Justification | None,
) -> None:
    known = tuple(a_fact(state, confidence=confidence) for state in states)
    verdict = verdict_on(accesses=MAPPED, symbols=known)
    assert (verdict.status, verdict.justification) == (status, justification)


@pytest.mark.parametrize(
    ("other", "confidence", "status"),
    [
        (SymbolState.NOT_LOADED, 1.0, Status.NOT_AFFECTED),
        (SymbolState.NOT_LOADED, 0.9, Status.UNDER_INVESTIGATION),
        (SymbolState.NOT_CALLED, 1.0, Status.UNDER_INVESTIGATION),
        (SymbolState.LOADABLE, 1.0, Status.UNDER_INVESTIGATION),
        (SymbolState.ABSENT, 1.0, Status.UNDER_INVESTIGATION),
        (SymbolState.UNKNOWN, 1.0, Status.AFFECTED),
        (SymbolState.CALLED, 1.0, Status.AFFECTED),
    ],
)
def test_a_function_that_a_linker_left_out_leaves_the_verdict_to_the_others(
    other: SymbolState, confidence: float, status: Status
) -> None:
    unlinked = replace(a_fact(SymbolState.ABSENT, confidence=confidence), unlinked=True)
    quiet = a_fact(SymbolState.NOT_LOADED, confidence=confidence)
    known = (unlinked, quiet, a_fact(other, confidence=confidence))
    assert verdict_on(accesses=MAPPED, symbols=known).status is status


def test_symbols_that_are_not_loaded_prove_nothing_in_a_partial_run() -> None:
    partial = replace(GOOD, gaps=("events were lost",))
    quiet = (a_fact(SymbolState.NOT_LOADED),)
    verdict = verdict_on(observation=partial, accesses=MAPPED, symbols=quiet)
    assert verdict.status is Status.UNDER_INVESTIGATION


def test_code_that_is_not_linked_is_a_proof_in_any_run() -> None:
    partial = replace(GOOD, gaps=("events were lost",))
    absent = (a_fact(SymbolState.ABSENT),)
    verdict = verdict_on(observation=partial, accesses=MAPPED, symbols=absent)
    assert verdict.justification is Justification.VULNERABLE_CODE_NOT_PRESENT


def test_too_thin_an_observation_stays_open_and_says_what_to_do() -> None:
    thin = replace(GOOD, observed_seconds=30, traffic_requests=0)
    verdict = verdict_on(observation=thin)
    assert verdict.status is Status.UNDER_INVESTIGATION
    assert "observe longer or send more traffic" in verdict.reason
    assert verdict.confidence_score < Settings().confidence_min


@pytest.mark.parametrize(
    ("given", "driven", "gap"),
    [
        ({}, False, "nothing exercised"),
        ({"observed_seconds": 29.0}, True, "only 29 s"),
        ({"partial": True, "reasons": ("a restart",)}, True, "a restart"),
        ({"lost_events": 1}, True, "1 events were lost"),
        ({"ready_seconds": None}, True, "never became ready"),
    ],
)
def test_every_incompleteness_is_a_gap(
    given: dict[str, object], *, driven: bool, gap: str
) -> None:
    ran = (FileAccess("/init", Access.EXECUTED, 0.0),)
    profile = a_profile(completeness=a_completeness(**given), files_accessed=ran)
    observation = weigh(profile, driven=driven, settings=Settings())
    assert any(gap in one for one in observation.gaps)
    assert decide(a_match(), Facts(observation)).status is Status.UNDER_INVESTIGATION


def test_a_recording_of_nothing_is_a_gap() -> None:
    observation = weigh(a_profile(), driven=True, settings=Settings())
    assert not observation.complete


def test_moments_are_no_recording() -> None:
    ran = (FileAccess("/init", Access.EXECUTED, 0.0),)
    profile = a_profile(files_accessed=ran, sources=(Source.PROC_MAPS,))
    assert not weigh(profile, driven=True, settings=Settings()).complete


def test_novelty_counts_code_after_readiness_only() -> None:
    accesses = (
        FileAccess("/start.so", Access.MAPPED, 0.5),
        FileAccess("/late.so", Access.MAPPED, 91.0),
        FileAccess("/log", Access.DATA, 119.0),
    )
    share, files = novelty(a_profile(files_accessed=accesses))
    assert share == pytest.approx(0.75)
    assert files == 1


gaps = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=2).map(tuple)
states = st.lists(st.sampled_from(SymbolState), max_size=3)
access_lists = st.lists(
    st.sampled_from([Access.EXECUTED, Access.MAPPED, Access.CODE, Access.DATA]), max_size=3
)
any_facts = st.builds(
    lambda touched, symbol_states, flags: facts(
        accesses=tuple(an_access(one) for one in sorted(touched, key=list(Access).index)),
        symbols=tuple(a_fact(state, confidence=flags[3]) for state in symbol_states),
        data_only=flags[0],
        chains=(CHAIN,) if flags[1] else (),
        unfollowed=(PERL,) if flags[2] else (),
    ),
    access_lists,
    states,
    st.tuples(
        st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0.5, 0.8, 1.0])
    ),
)
PROOFS = {
    Justification.COMPONENT_NOT_PRESENT,
    Justification.VULNERABLE_CODE_NOT_PRESENT,
}


@given(any_facts, gaps)
def test_silence_is_never_an_argument_in_an_incomplete_run(
    some: Facts, reasons: tuple[str, ...]
) -> None:
    incomplete = replace(some, observation=replace(GOOD, gaps=reasons))
    verdict = decide(a_match(), incomplete)
    assert verdict.status is not Status.NOT_AFFECTED or verdict.justification in PROOFS


def test_quiet_functions_clear_no_data_that_was_used() -> None:
    quiet = (a_fact(SymbolState.NOT_LOADED),)
    ran = verdict_on(data_only=True, accesses=(an_access(Access.CODE),), symbols=quiet)
    assert ran.status is Status.AFFECTED


@given(any_facts, st.sampled_from([Access.EXECUTED, Access.MAPPED, Access.CODE]))
def test_more_loading_never_clears_what_was_affected(some: Facts, more: Access) -> None:
    before = decide(a_match(), some)
    stronger = replace(some, accesses=(an_access(more), *some.accesses))
    after = decide(a_match(), stronger)
    if before.status is Status.AFFECTED:
        assert after.status is not Status.NOT_AFFECTED


@given(any_facts)
def test_an_unfollowed_or_loadable_package_is_never_cleared_by_silence(some: Facts) -> None:
    verdict = decide(a_match(), replace(some, chains=(CHAIN,), symbols=()))
    assert verdict.status is not Status.NOT_AFFECTED


@given(any_facts)
def test_every_verdict_is_complete(some: Facts) -> None:
    verdict = decide(a_match(), some)
    assert 0 <= verdict.confidence_score <= 1
    assert verdict.reason.endswith(".")
    assert len(verdict.evidence) <= 16
    assert (verdict.justification is not None) == (verdict.status is Status.NOT_AFFECTED)
    assert (verdict.action_statement is not None) == (verdict.status is Status.AFFECTED)
    if verdict.justification is NOT_IN_PATH:
        assert verdict.confidence_score >= Settings().confidence_min


def test_verdicts_come_in_the_order_of_the_matches() -> None:
    matches: list[Match] = [a_match(vulnerability_id=f"CVE-2026-{n:04}") for n in range(3)]
    verdicts = decide_all((match, facts()) for match in matches)
    assert [one.vulnerability_id for one in verdicts] == [
        one.vulnerability_id for one in matches
    ]


def test_an_explanation_shows_every_fact_with_its_source() -> None:
    match = a_match(symbols=(a_symbol(),))
    known = (a_fact(SymbolState.LOADED),)
    lines = "\n".join(explain.explain(decide(match, facts(accesses=MAPPED, symbols=known))))
    for expected in ("CVE-2026-0001", "affected", "Upgrade libfoo1", "[ebpf]", "a record"):
        assert expected in lines
