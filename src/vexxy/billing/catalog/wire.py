"""A catalog as a file says it (TOML), and a plan as the database keeps it (JSON)."""

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, TypeVar

from vexxy.billing.catalog import rules
from vexxy.billing.catalog.errors import InvalidCatalog
from vexxy.billing.catalog.rules import Kind, Table
from vexxy.billing.catalog.types import Catalog
from vexxy.billing.types import Aggregation, Cap, Feature, MetricTerms, Plan

R = TypeVar("R")

VERSION: Final = rules.whole(1, 10**6)
# Those of a job (`jobs`), where they order the queue.
PRIORITY: Final = rules.whole(0, 9)
CREDITS: Final = rules.limit(10**9)
CENTS: Final = rules.whole(0, 10**9)
TRIAL_DAYS: Final = rules.whole(0, 730)
HOURS: Final = rules.whole(0, 31 * 24)
DAYS: Final = rules.whole(0, 90)
HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 24 * HOUR_SECONDS
# May be left out, unlike what limits something.
PRICE: Final[Kind[Decimal | None]] = Kind(rules.PRICE.allowed, rules.PRICE.read)
# What plans count by fields of their own.
OWN_METRICS: Final = ("analyses", "credits")


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the top of the file says and plans need."""

    version: int
    currency: str
    metrics: Mapping[str, Aggregation]
    features: Collection[str]
    meters_analyses: bool


class _Faults(list[str]):
    """Sentences about what is wrong, in the order of the file."""

    def gather(self, read: Callable[[], R]) -> R | None:
        """Return what reads, or keep why it does not."""
        try:
            return read()
        except ValueError as error:
            self.append(str(error))
            return None


def read(content: bytes, *, file: str) -> Catalog:
    """Return the catalog that the file's content describes.

    Args:
        content: TOML 1.0.
        file: The file's name, for what is told about it.

    Raises:
        InvalidCatalog: With everything that is wrong, a sentence for each table.
    """
    try:
        # Numbers with a point stay what is written: 0.1 is a tenth.
        values = tomllib.loads(content.decode(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidCatalog(file, [f"it is not TOML: {error}"]) from error
    faults = _Faults()
    catalog = faults.gather(lambda: _catalog(values, faults))
    if faults or catalog is None:
        raise InvalidCatalog(file, faults)
    return catalog


def _catalog(values: Mapping[str, object], faults: _Faults) -> Catalog | None:
    top = Table("", values)
    plans_said = top.take("plans", rules.FILLED)
    shared = _shared(top, plans_said)
    name = top.take("name", rules.WORD_KIND)
    default_tier = top.take("default_tier", rules.one_of(list(plans_said)))
    credit_price_cents = top.take("credit_price_cents", rules.whole(1, 10**6))
    alert_percents = top.take("alert_percents", rules.PERCENTS)
    grace_hours = top.take("grace_hours", HOURS)
    payment_grace_days = top.take("payment_grace_days", DAYS)
    top.end()
    plans = [
        faults.gather(lambda tier=tier, said=said: _plan(tier, said, shared))  # type: ignore[misc]
        for tier, said in plans_said.items()
    ]
    kept = sorted((plan for plan in plans if plan is not None), key=_priority)
    for lower, higher in pairwise(kept):
        if lower.priority == higher.priority:
            faults.append(
                f"plan {higher.tier}: priority: {higher.priority} is that of plan"
                f" {lower.tier}; allowed: one of its own"
            )
    return Catalog(
        name=name,
        version=shared.version,
        currency=shared.currency,
        default_tier=default_tier,
        plans={plan.tier: plan for plan in kept},
        metrics=shared.metrics,
        meters_analyses=shared.meters_analyses,
        alert_percents=alert_percents,
        grace_seconds=grace_hours * HOUR_SECONDS,
        payment_grace_seconds=payment_grace_days * DAY_SECONDS,
        credit_price_cents=credit_price_cents,
    )


def _priority(plan: Plan) -> int:
    return plan.priority


def _shared(top: Table, plans: Mapping[str, object]) -> _Shared:
    names = top.take_or("metrics", rules.FILLED, default={})
    metrics: dict[str, Aggregation] = {}
    table = Table("metrics: ", names)
    for name in names:
        if rules.WORD.fullmatch(name) is None or name in OWN_METRICS:
            raise ValueError(
                f"metrics: {name!r} is no name of a metric; allowed:"
                f" {rules.WORD_KIND.allowed}, neither {' nor '.join(OWN_METRICS)}"
            )
        metrics[name] = table.take(name, rules.choice(Aggregation))
    own = top.take_or("own_features", rules.WORDS, default=())
    return _Shared(
        version=top.take("version", VERSION),
        currency=top.take("currency", rules.CURRENCY_KIND),
        metrics=metrics,
        features=[*(str(feature) for feature in Feature), *own],
        meters_analyses=any(
            name in plan
            for plan in plans.values()
            if isinstance(plan, dict)
            for name in OWN_METRICS
        ),
    )


def _plan(tier: str, said: object, shared: _Shared) -> Plan:
    place = f"plan {tier}: "
    if rules.WORD.fullmatch(tier) is None:
        raise ValueError(
            f"{place}this is no name of a plan; allowed: {rules.WORD_KIND.allowed}"
        )
    if not isinstance(said, dict):
        raise ValueError(f"{place}not a table")  # noqa: TRY004  gathered as one kind
    table = Table(place, said)
    features = table.take("features", rules.WORDS)
    for feature in features:
        if feature not in shared.features:
            raise ValueError(
                f"{place}features: {feature!r} is not allowed; allowed:"
                f" {', '.join(shared.features)}, and what own_features lists"
            )
    plan = Plan(
        tier=tier,
        # Absent everywhere or nowhere: a plan without a limit has to say so.
        monthly_analyses=_limit(table, "analyses", shared),
        monthly_credits=_limit(table, "credits", shared),
        priority=table.take("priority", PRIORITY),
        features=frozenset(features),
        version=table.take_or("version", VERSION, default=shared.version),
        name=table.take("name", rules.NAME),
        monthly_price_cents=_cents(table, "monthly_price_cents"),
        annual_price_cents=_cents(table, "annual_price_cents"),
        trial_days=table.take_or("trial_days", TRIAL_DAYS, default=0),
        currency=shared.currency,
        metrics=_terms(table, shared),
    )
    table.end()
    if plan.monthly_price_cents is None and plan.annual_price_cents is None:
        raise ValueError(
            f"{place}monthly_price_cents: missing, and so is annual_price_cents;"
            f" allowed: one of them or both, each {CENTS.allowed}"
        )
    return plan


def _limit(table: Table, name: str, shared: _Shared) -> int | None:
    return table.take(name, CREDITS) if shared.meters_analyses else None


def _cents(table: Table, name: str) -> int | None:
    kind: Kind[int | None] = Kind(CENTS.allowed, CENTS.read)
    return table.take_or(name, kind, default=None)


def _terms(table: Table, shared: _Shared) -> Mapping[str, MetricTerms]:
    if not shared.metrics:
        return {}
    said = Table(f"{table.place}metric ", table.take("metrics", rules.TABLE))
    found: dict[str, MetricTerms] = {}
    for name, aggregation in shared.metrics.items():
        own = Table(f"{said.place}{name}: ", said.take(name, rules.TABLE))
        found[name] = _term(own, name, aggregation)
    said.end()
    return found


def _term(table: Table, metric: str, aggregation: Aggregation) -> MetricTerms:
    included = table.take("included", rules.QUANTITY)
    cap = table.take_or("cap", rules.choice(Cap), default=Cap.SOFT)
    price: Decimal | None = table.take_or("overage_unit_price", PRICE, default=None)
    table.end()
    if included is None and "cap" in table.values:
        raise ValueError(f"{table.place}cap: nothing caps what is unlimited; leave it out")
    if price is not None and included is None:
        raise ValueError(
            f"{table.place}overage_unit_price: nothing is beyond what is unlimited;"
            " leave it out"
        )
    if price is not None and cap is Cap.HARD:
        raise ValueError(
            f"{table.place}overage_unit_price: a hard cap sells nothing beyond; leave it"
            ' out, or allowed: cap = "soft"'
        )
    return MetricTerms(
        metric=metric,
        aggregation=aggregation,
        included=included,
        cap=cap,
        overage_unit_price=price,
    )


def plain(number: Decimal | None) -> str | None:
    """Return the number as its digits, the same for equal numbers."""
    if number is None:
        return None
    return format(number.normalize() if number else Decimal(0), "f")


def definition(plan: Plan) -> dict[str, Any]:
    """Return a plan's version as it is kept; equal for plans that promise the same."""
    return {
        "name": plan.name,
        "currency": plan.currency,
        "monthly_analyses": plan.monthly_analyses,
        "monthly_credits": plan.monthly_credits,
        "priority": plan.priority,
        "features": sorted(plan.features),
        "monthly_price_cents": plan.monthly_price_cents,
        "annual_price_cents": plan.annual_price_cents,
        "trial_days": plan.trial_days,
        "metrics": {
            name: {
                "aggregation": str(terms.aggregation),
                "included": plain(terms.included),
                "cap": str(terms.cap),
                "overage_unit_price": plain(terms.overage_unit_price),
            }
            for name, terms in plan.metrics.items()
        },
    }


def plan_of(tier: str, version: int, kept: Mapping[str, Any]) -> Plan:
    """Return the plan that was kept."""
    return Plan(
        tier=tier,
        version=version,
        name=kept["name"],
        currency=kept["currency"],
        monthly_analyses=kept["monthly_analyses"],
        monthly_credits=kept["monthly_credits"],
        priority=kept["priority"],
        features=frozenset(kept["features"]),
        monthly_price_cents=kept["monthly_price_cents"],
        annual_price_cents=kept["annual_price_cents"],
        trial_days=kept["trial_days"],
        metrics={
            name: MetricTerms(
                metric=name,
                aggregation=Aggregation(terms["aggregation"]),
                included=_number(terms["included"]),
                cap=Cap(terms["cap"]),
                overage_unit_price=_number(terms["overage_unit_price"]),
            )
            for name, terms in kept["metrics"].items()
        },
    )


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def differences(kept: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """Return in words which fields of two definitions differ, as `metrics.x.cap`."""
    found: list[str] = []
    for name in sorted({*kept, *said}):
        before, after = kept.get(name), said.get(name)
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            found += [f"{name}.{words}" for words in differences(before, after)]
        else:
            found.append(f"{name} was {before!r} and is {after!r}")
    return found
