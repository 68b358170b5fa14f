"""What is told about a catalog file that cannot be used."""

import copy
import tomllib
from collections.abc import Callable
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.billing.catalog import service, wire
from vexxy.billing.catalog.errors import InvalidCatalog

Values = dict[str, Any]
FOLDER = resources.files("vexxy.billing.catalog") / "data"


def content(name: str) -> bytes:
    return (FOLDER / f"{name}.toml").read_bytes()


def values(name: str) -> Values:
    return tomllib.loads(content(name).decode(), parse_float=Decimal)


def toml(value: object) -> str:
    """Return a value as TOML writes it; tables inline."""
    if isinstance(value, dict):
        inner = ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def written(changed: Values) -> bytes:
    return "\n".join(f"{toml(k)} = {toml(v)}" for k, v in changed.items()).encode()


def faults_of(changed: Values) -> tuple[str, ...]:
    with pytest.raises(InvalidCatalog) as refused:
        wire.read(written(changed), file="mine.toml")
    assert refused.value.message.startswith("the catalog mine.toml is not valid: ")
    return refused.value.faults


def places(name: str) -> list[tuple[str, ...]]:
    """Return where every value of a file stands, tables before what is in them."""

    def walk(value: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        found = [path] if path else []
        if isinstance(value, dict):
            for key, inner in value.items():
                found += walk(inner, (*path, key))
        return found

    return walk(values(name), ())


def words(path: tuple[str, ...]) -> list[str]:
    """Return what a sentence about a place has to name: plan, metric, field."""
    named: list[str] = []
    match path:
        case ("plans", tier, "metrics", metric, *rest):
            named = [f"plan {tier}: ", f"metric {metric}: ", *rest]
        case ("plans", tier, "metrics"):
            named = [f"plan {tier}: metric"]
        case ("plans", tier, *rest):
            named = [f"plan {tier}", *rest]
        case ("metrics", metric):
            named = ["metrics: ", metric]
        case _:
            named = list(path)
    return named


def at(changed: Values, path: tuple[str, ...]) -> Values:
    for key in path[:-1]:
        changed = changed[key]
    return changed


def told(faults: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return any(all(word in fault for word in words(path)) for fault in faults)


REQUIRED = [
    (name, path)
    for name in service.SHIPPED
    for path in places(name)
    if path[-1]
    not in {"annual_price_cents", "trial_days", "cap", "overage_unit_price", "version"}
    and len(path) != 2
]
EVERY = [(name, path) for name in service.SHIPPED for path in places(name)]
# Of no field's kind: no text, number, list or table that anything here may be.
NONSENSE: list[object] = [True, -1, Decimal("-0.5"), "", "No Word!", [True], {"x": 1}]


@pytest.mark.parametrize("name", service.SHIPPED)
def test_a_file_that_is_written_anew_says_the_same(name: str) -> None:
    assert wire.read(written(values(name)), file="x") == service.load(name)


@given(st.sampled_from(EVERY), st.sampled_from(NONSENSE))
def test_any_value_that_cannot_be_is_named_with_its_place_and_what_can(
    case: tuple[str, tuple[str, ...]], wrong: object
) -> None:
    name, path = case
    changed = values(name)
    at(changed, path)[path[-1]] = wrong
    faults = faults_of(changed)
    if path not in (("metrics",), ("plans",)):
        assert told(faults, path), faults
    assert all("allowed: " in fault or "not a table" in fault for fault in faults)


@given(st.sampled_from(REQUIRED))
def test_any_field_that_is_missing_is_named(case: tuple[str, tuple[str, ...]]) -> None:
    name, path = case
    changed = values(name)
    del at(changed, path)[path[-1]]
    if path == ("metrics",):
        # Then nothing is counted, and what plans say of metrics is unknown.
        assert all("metrics: unknown field" in fault for fault in faults_of(changed))
        return
    if path[-1] == "monthly_price_cents" and "annual_price_cents" in at(changed, path):
        wire.read(written(changed), file="x")
        return
    assert told(faults_of(changed), path), faults_of(changed)


@given(
    st.sampled_from([(n, p) for n, p in EVERY if len(p) in {1, 3, 5}]),
    st.from_regex(r"[a-z]{3,8}_typo", fullmatch=True),
)
def test_any_field_that_is_not_known_is_named(
    case: tuple[str, tuple[str, ...]], typo: str
) -> None:
    name, path = case
    changed = values(name)
    at(changed, path)[typo] = 1
    faults = faults_of(changed)
    assert told(faults, (*path[:-1], typo)) or told(faults, (*path[:-1], f"metric {typo}"))
    assert any("unknown field" in fault for fault in faults)


def change(path: str, value: object) -> Callable[[Values], None]:
    keys = tuple(path.split("."))

    def done(changed: Values) -> None:
        at(changed, keys)[keys[-1]] = value

    return done


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            change("default_tier", "gold"),
            (
                "default_tier: 'gold' is not allowed;"
                ' allowed: "free", "standard", "enterprise"'
            ),
        ),
        (
            change("currency", "jpy"),
            (
                "currency: 'jpy' is not allowed; allowed: three lower-case letters of"
                ' ISO 4217, of a currency with hundredths, such as "usd" or "eur"'
            ),
        ),
        (
            change("alert_percents", [100, 80]),
            (
                "alert_percents: [100, 80] is not allowed;"
                " allowed: a list of whole numbers from 1 to 1000 in rising order"
            ),
        ),
        (
            change("plans.standard.priority", 0),
            "plan standard: priority: 0 is that of plan free; allowed: one of its own",
        ),
        (
            change("plans.standard.metrics.llm_tokens.overage_unit_price", Decimal("NaN")),
            (
                "plan standard: metric llm_tokens: overage_unit_price: NaN is not allowed;"
                " allowed: a number from 0 to 1000000 with at most 12 decimals"
            ),
        ),
        (
            change("plans.standard.metrics.llm_tokens.cap", "hard"),
            (
                "plan standard: metric llm_tokens: overage_unit_price: a hard cap sells"
                ' nothing beyond; leave it out, or allowed: cap = "soft"'
            ),
        ),
        (
            change("plans.enterprise.metrics.user_seats.cap", "hard"),
            (
                "plan enterprise: metric user_seats: cap: nothing caps what is unlimited;"
                " leave it out"
            ),
        ),
        (
            change("plans.free.analyses", 10),
            (
                "plan free: credits: missing; allowed: a whole number from 0 to 1000000000,"
                ' or "unlimited"'
            ),
        ),
        (
            change("plans.free.features", ["security_fuzing"]),
            (
                "plan free: features: 'security_fuzing' is not allowed; allowed:"
                " basic_analysis, vex_generation, reachability_analysis, security_fuzzing,"
                " priority_support, dedicated_support, custom_integrations, and what"
                " own_features lists"
            ),
        ),
        (
            change("metrics.analyses", "sum"),
            (
                "metrics: 'analyses' is no name of a metric; allowed: a word of a-z, 0-9"
                " and _, at most 63, a letter first, neither analyses nor credits"
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_exactly(
    changed: Callable[[Values], None], sentence: str
) -> None:
    file = copy.deepcopy(values("agents"))
    changed(file)
    text = written(file).replace(b"NaN", b"nan")
    with pytest.raises(InvalidCatalog) as refused:
        wire.read(text, file="mine.toml")
    assert sentence in refused.value.faults


def test_everything_that_is_wrong_is_told_at_once() -> None:
    file = values("agents")
    file["plans"]["free"]["priority"] = -1
    file["plans"]["standard"]["name"] = ""
    assert len(faults_of(file)) == 2


def test_a_catalog_may_name_features_of_its_own() -> None:
    file = values("agents")
    file["own_features"] = ["voice"]
    file["plans"]["standard"]["features"] = ["voice"]
    assert wire.read(written(file), file="x").plans["standard"].features == {"voice"}


def test_plans_may_have_versions_of_their_own() -> None:
    file = values("agents")
    file["version"] = 3
    file["plans"]["standard"]["version"] = 9
    plans = wire.read(written(file), file="x").plans
    assert {tier: plan.version for tier, plan in plans.items()} == {
        "free": 3,
        "standard": 9,
        "enterprise": 3,
    }


@pytest.mark.parametrize("broken", [b"a = ", b"\xff\xfe", b"[" * 5000, b"a = 1\na = 2"])
def test_what_is_no_toml_is_said_so(broken: bytes) -> None:
    with pytest.raises(InvalidCatalog, match=r"mine\.toml is not valid: it is not TOML"):
        wire.read(broken, file="mine.toml")


def test_a_file_of_an_operator_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_bytes(content("agents").replace(b'"agents"', b'"mine"', 1))
    assert service.load(file).name == "mine"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, words_of_it in (
        (tmp_path / "absent.toml", "No such file"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(InvalidCatalog, match=words_of_it) as refused:
            service.load(path)
        assert "allowed: a file, vexxy or agents" in refused.value.message


def test_a_file_that_is_far_too_large_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "plans.toml"
    file.write_bytes(b"#" * (service.FILE_BYTES_MAX + 1))
    with pytest.raises(InvalidCatalog, match="too large"):
        service.load(file)
