"""Values of plans and prices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Tier(StrEnum):
    """The plans of the contract, section 4, each with what the one before it has."""

    FREE = "free"
    STARTER = "starter"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"


class Feature(StrEnum):
    """What a plan can include.

    `basic_analysis` is verdicts about packages, `reachability_analysis` verdicts about
    functions, `security_fuzzing` the scanners and mutated input.
    """

    BASIC_ANALYSIS = "basic_analysis"
    VEX_GENERATION = "vex_generation"
    REACHABILITY_ANALYSIS = "reachability_analysis"
    SECURITY_FUZZING = "security_fuzzing"
    PRIORITY_SUPPORT = "priority_support"
    DEDICATED_SUPPORT = "dedicated_support"
    CUSTOM_INTEGRATIONS = "custom_integrations"


class Aggregation(StrEnum):
    """How the events of a metric become one number a period."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"
    UNIQUE = "unique"


class Cap(StrEnum):
    """What happens when more is used than a plan includes.

    `soft` passes with a warning and costs what the plan says; where the plan says
    nothing it passes for the time of grace. `hard` does not pass.
    """

    SOFT = "soft"
    HARD = "hard"


class Interval(StrEnum):
    """How often a plan is paid; allowances and quotas are by the month in both."""

    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class MetricTerms:
    """What a plan says about one metric.

    Attributes:
        included: A month, in the metric's unit; None without limit.
        overage_unit_price: In the catalog's currency, for each unit beyond; None where
            more is not for sale.
    """

    metric: str
    aggregation: Aggregation
    included: Decimal | None
    cap: Cap = Cap.SOFT
    overage_unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one tier gives, in one version of the catalog.

    Attributes:
        tier: Its name in the catalog, such as `starter`.
        monthly_analyses: Analyses a month, None without limit.
        monthly_credits: Credits a month, None without limit.
        priority: Of its analyses in the queue; more goes first.
        features: Names; those of `Feature` are known to the product.
        version: Of the plan; a subscriber keeps theirs until they are moved.
        monthly_price_cents: None where a month cannot be bought.
        annual_price_cents: None where a year cannot be bought.
        currency: Of its prices, ISO 4217 in lower case, as Stripe writes it.
        metrics: By name; the analyses and credits above are not among them.
    """

    tier: str
    monthly_analyses: int | None
    monthly_credits: int | None
    priority: int
    features: frozenset[str]
    version: int = 1
    name: str = ""
    monthly_price_cents: int | None = None
    annual_price_cents: int | None = None
    trial_days: int = 0
    currency: str = "usd"
    metrics: Mapping[str, MetricTerms] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """The parts of an analysis that have a price of their own."""

    fuzzing: bool = False
    profiling: bool = False
    coverage: bool = False
