"""What may stand in the record."""

import csv
import io
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.audit import rules
from vexxy.audit.errors import UnusableAct
from vexxy.audit.types import ActorType, Entry
from vexxy.identity.types import Role
from vexxy.kit import ids, jsontext


def an_entry(**changed: object) -> Entry:
    values: dict[str, object] = {
        "id": ids.new_id(),
        "organization_id": ids.new_id(),
        "action": "member.removed",
        "actor_type": ActorType.USER,
        "actor_id": "somebody",
        "resource_type": "user",
        "resource_id": "1",
        "before_state": {"role": "viewer"},
        "after_state": None,
        "metadata": {},
        "ip_address": "192.0.2.1",
        "user_agent": "curl/8",
        "created_at": datetime(2026, 11, 21, tzinfo=UTC),
    }
    return Entry(**(values | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    ["password", "hashed_password", "api_key", "access_token", "client_secret", "env"],
)
def test_what_is_named_like_a_secret_is_not_kept(name: str) -> None:
    kept = rules.kept({name: "hunter2 hunter2", "inside": [{name: "hunter2 hunter2"}]})
    assert "hunter2" not in json.dumps(kept)


def test_what_looks_like_a_key_of_ours_is_not_kept() -> None:
    kept = rules.kept({"reason": "leaked vxy_" + "A" * 64})
    assert "AAAA" not in json.dumps(kept)


def test_values_are_kept_as_json_writes_them() -> None:
    one = UUID(int=1)
    state = {"id": one, "at": datetime(2026, 1, 2, tzinfo=UTC), "role": Role.OWNER}
    assert rules.kept(state) == {
        "id": str(one),
        "at": "2026-01-02T00:00:00Z",
        "role": "owner",
    }


def test_a_long_state_is_cut_and_says_so() -> None:
    kept = rules.kept({f"field{number}": "x" * 400 for number in range(100)})
    assert kept is not None
    assert kept["truncated"] is True
    assert "field1" in str(kept["fields"])


STATES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), STATES, max_size=6))
def test_every_state_becomes_json_that_postgresql_takes(state: dict[str, object]) -> None:
    written = jsontext.encode(rules.kept(state))
    assert b"\\u0000" not in written
    json.loads(written)


@pytest.mark.parametrize(
    "action", ["removed", "Member.removed", "member.", "a.b.c", "a b.c"]
)
def test_an_action_is_a_noun_and_a_verb(action: str) -> None:
    with pytest.raises(UnusableAct):
        rules.checked_action(action)


@pytest.mark.parametrize("text", ["", "unix", "testclient", "1.2.3.4.5", None])
def test_what_is_no_address_is_kept_as_none(text: str | None) -> None:
    assert rules.address(text) is None


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    entry = an_entry(
        user_agent=f"{start}cmd()", created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    rows = list(csv.reader(io.StringIO("".join(rules.csv_lines([entry])))))
    assert rows[0] == list(rules.COLUMNS)
    assert rows[1][-1] == f"'{start}cmd()"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_export_is_one_json_array(count: int) -> None:
    text = "".join(rules.json_lines([an_entry()] * count))
    assert len(json.loads(text)) == count
