"""Less evidence never raises a confidence, in any argument."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.reachability.rules import confidence
from vexxy.reachability.rules.observation import Observation
from vexxy.tracer.types import Access

seconds = st.floats(0, 10_000)
requests = st.integers(0, 1_000_000)
shares = st.floats(0, 1)
files = st.integers(0, 1000)


def a_score(**given: object) -> float:
    observation = Observation((), observed_seconds=60, traffic_requests=50)
    arguments = {
        key: given.pop(key) for key in ("symbols", "static_agreement") if key in given
    }
    return confidence.of_silence(replace(observation, **given), **arguments)  # type: ignore[arg-type]


@given(seconds, seconds)
def test_a_shorter_observation_is_never_surer(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert a_score(observed_seconds=low) <= a_score(observed_seconds=high)


@given(requests, requests)
def test_less_traffic_is_never_surer(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert a_score(traffic_requests=low) <= a_score(traffic_requests=high)


@given(shares, shares, files)
def test_later_novelty_is_never_surer(one: float, other: float, count: int) -> None:
    early, late = sorted((one, other))
    assert a_score(late_share=late, late_files=count) <= a_score(
        late_share=early, late_files=count
    )


@given(files, files, shares)
def test_more_late_code_is_never_surer(one: int, other: int, share: float) -> None:
    few, many = sorted((one, other))
    assert a_score(late_files=many, late_share=share) <= a_score(
        late_files=few, late_share=share
    )


@given(shares, shares)
def test_less_sure_symbols_are_never_surer(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert a_score(symbols=low) <= a_score(symbols=high)
    assert a_score(static_agreement=low) <= a_score(static_agreement=high)


@given(seconds, requests, shares, files)
def test_a_confidence_is_between_nothing_and_certainty(
    time: float, traffic: int, late: float, count: int
) -> None:
    score = a_score(
        observed_seconds=time, traffic_requests=traffic, late_share=late, late_files=count
    )
    assert 0 <= score < 1


def test_any_gap_takes_everything() -> None:
    assert a_score(gaps=("one event was lost",)) == 0


def test_stronger_accesses_are_surer() -> None:
    mapped, code, data = (
        confidence.of_loading(one) for one in (Access.MAPPED, Access.CODE, Access.DATA)
    )
    assert mapped > code > data
    assert confidence.of_loading(Access.CODE, module_loaded=True) > code
    assert confidence.of_loading(Access.EXECUTED, module_loaded=True) < confidence.CALLED


@pytest.mark.parametrize(
    ("time", "traffic", "enough"),
    [(30, 0, False), (30, 100, True), (60, 1, True), (120, 10, True), (10, 1000, False)],
)
def test_the_documented_examples_hold(time: float, traffic: int, *, enough: bool) -> None:
    score = a_score(observed_seconds=time, traffic_requests=traffic)
    assert (score >= 0.6) is enough
