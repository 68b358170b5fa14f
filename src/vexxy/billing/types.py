"""Values of plans and prices."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What one tier gives.

    Attributes:
        monthly_analyses: Analyses a month, None without limit.
        monthly_credits: Credits a month, None without limit.
        priority: Of its analyses in the queue; more goes first.
    """

    tier: Tier
    monthly_analyses: int | None
    monthly_credits: int | None
    priority: int
    features: frozenset[Feature]


@dataclass(frozen=True, slots=True)
class Options:
    """The parts of an analysis that have a price of their own."""

    fuzzing: bool = False
    profiling: bool = False
    coverage: bool = False
