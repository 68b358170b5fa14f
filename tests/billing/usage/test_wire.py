"""What a body says is what is stored, by the quick way and by the careful one."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.billing.usage.values import NOON, TERMS
from vexxy.billing.usage import rules, wire
from vexxy.billing.usage.errors import InvalidEvents
from vexxy.billing.usage.types import Batch
from vexxy.kit.errors import InvalidInput

INSTANTS = st.timedeltas(timedelta(days=-35), timedelta(minutes=5)).map(
    lambda apart: (NOON + apart).isoformat()
)
VALUES = st.one_of(
    st.text(max_size=20), st.integers(-(2**60), 2**60), st.booleans(), st.none()
)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.text(min_size=1, max_size=40),
            "metric": st.sampled_from(["api_calls", "storage_gb"]),
            "quantity": st.one_of(
                st.integers(0, 10**17),
                st.decimals(0, 10**6, places=4).map(str),
                st.floats(0, 1e6),
            ),
            "timestamp": INSTANTS,
        },
        optional={"properties": st.dictionaries(st.text(max_size=8), VALUES, max_size=3)},
    ),
    min_size=1,
    max_size=6,
)


def outcome(body: bytes) -> Batch | list[Any]:
    try:
        return wire.read(body, TERMS)
    except InvalidEvents as error:
        return list(error.details["errors"])


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_the_quick_way_and_the_careful_one_agree(told: list[dict[str, Any]]) -> None:
    body = json.dumps(told).encode()
    found = outcome(body)
    decoded = msgspec.json.decode(body, type=list[wire.Told])
    if wire._plainly_valid(decoded, TERMS) is None:
        return
    assert isinstance(found, Batch)
    faults: list[tuple[str, str]] = []
    for row, event in enumerate(decoded):
        quantity = wire._looked_at(event, TERMS, lambda *fault: faults.append(fault))
        assert quantity == Decimal(found.quantities[row])
        assert json.loads(found.properties[row]) == event.properties
        assert found.keys[row] == rules.key(event.id)
    assert faults == []


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_what_is_taken_can_be_stored_and_what_is_refused_is_named(
    told: list[dict[str, Any]],
) -> None:
    found = outcome(json.dumps(told).encode())
    if isinstance(found, list):
        assert all(error["loc"][0] == "body" and error["message"] for error in found)
        return
    assert len(found.ids) == len(told)
    for column in (found.ids, found.metrics, found.quantities, found.properties):
        assert all("\n" not in text and "\x00" not in text for text in column)
    assert all(rules.QUANTITY.fullmatch(text) for text in found.quantities)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0", "0"),
        ("1e3", "1000"),
        ("2.50000", "2.5"),
        ('"0.1"', "0.1"),
        ("0e-40", "0"),
        ("9999999999999999.9999", "9999999999999999.9999"),
    ],
)
def test_a_number_is_stored_as_it_is(written: str, stored: str) -> None:
    body = json.dumps({"id": "a", "metric": "api_calls", "timestamp": NOON.isoformat()})
    whole = body[:-1] + f', "quantity": {written}}}'
    assert wire.read(whole.encode(), TERMS).quantities == [stored]


@pytest.mark.parametrize(
    "written", ["-1", "-0", "1e16", "0.00001", "1e999999", '"NaN"', '" 1"', '"1_0"', "true"]
)
def test_a_number_that_cannot_be_stored_is_refused(written: str) -> None:
    body = json.dumps({"id": "a", "metric": "api_calls", "timestamp": NOON.isoformat()})
    whole = body[:-1] + f', "quantity": {written}}}'
    with pytest.raises(InvalidInput):
        wire.read(whole.encode(), TERMS)


def test_the_window_holds_to_the_second() -> None:
    def at(instant: datetime) -> bytes:
        event = {"id": "a", "metric": "api_calls", "quantity": 1}
        return json.dumps({**event, "timestamp": instant.isoformat()}).encode()

    for apart in (timedelta(days=-35), timedelta(minutes=5)):
        assert wire.read(at(NOON + apart), TERMS).instants == [NOON + apart]
        step = timedelta(seconds=1 if apart > timedelta() else -1)
        beyond = NOON + apart + step
        with pytest.raises(InvalidEvents):
            wire.read(at(beyond), TERMS)
    event = {"id": "a", "metric": "api_calls", "quantity": 1}
    far = {**event, "timestamp": "0001-01-01T00:00:00+14:00"}
    with pytest.raises(InvalidEvents):
        wire.read(json.dumps(far).encode(), TERMS)


@pytest.mark.parametrize("single", [True, False])
def test_a_property_that_is_not_flat_is_named_by_its_field(*, single: bool) -> None:
    event = {"id": "a", "metric": "api_calls", "quantity": 1, "properties": {"b": [1]}}
    told: Any = event | {"timestamp": NOON.isoformat()}
    found = outcome(json.dumps(told if single else [told]).encode())
    assert isinstance(found, list)
    place = ["body", "properties"] if single else ["body", 0, "properties"]
    assert [error["loc"] for error in found] == [place]
