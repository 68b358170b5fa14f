"""How sure a status is, 0-1. docs/analysis.md explains the same formula to people.

Every factor is between 0 and 1 and rises with its evidence, and factors are only
multiplied: less evidence can never raise the product. Tests check that for each argument.
"""

from typing import Final

from vexxy.reachability.rules.observation import Observation
from vexxy.tracer.types import Access

# Half of what time can give is given after this many seconds.
TIME_HALF_SECONDS: Final = 10.0
# A script without countable requests still exercises the image, hence the floor.
TRAFFIC_FLOOR: Final = 0.7
TRAFFIC_HALF_REQUESTS: Final = 20.0
# How much a run that brings new code until its last second can lose.
NOVELTY_WEIGHT: Final = 0.4

LOADABLE: Final = 0.5
NO_EVIDENCE: Final = 0.0

ABSENT: Final = 0.97
KERNEL: Final = 0.99
CODE_ABSENT: Final = 0.95
CALLED: Final = 0.99
DATA_READ: Final = 0.75
MODULE_BONUS: Final = 0.05
LOADED: Final = {
    Access.EXECUTED: 0.92,
    Access.MAPPED: 0.92,
    Access.CODE: 0.82,
}


def time_factor(observed_seconds: float) -> float:
    """Return what the length of the observation gives, saturating."""
    seconds = max(0.0, observed_seconds)
    return seconds / (seconds + TIME_HALF_SECONDS)


def traffic_factor(requests: int) -> float:
    """Return what the answered requests give, saturating."""
    answered = max(0, requests)
    share = answered / (answered + TRAFFIC_HALF_REQUESTS)
    return TRAFFIC_FLOOR + (1 - TRAFFIC_FLOOR) * share


def novelty_factor(late_share: float, late_files: int) -> float:
    """Return what is left when new code still appeared late in the window."""
    files = max(0, late_files)
    return 1 - NOVELTY_WEIGHT * min(1.0, max(0.0, late_share)) * files / (files + 1)


def symbols_factor(symbols: float) -> float:
    """Return what is left of a claim that rests on names of this confidence.

    Half of it: names below `Settings.symbol_confidence_min` are not used at all, and the
    package they are in was observed whatever they are.
    """
    return 0.5 + 0.5 * min(1.0, max(0.0, symbols))


def of_silence(
    observation: Observation, *, static_agreement: float = 1.0, symbols: float = 1.0
) -> float:
    """Return how sure "it does not run" is, from what an observation did not see.

    Args:
        observation: With any gap the answer is 0.
        static_agreement: 1.0 when nothing could load the code later, `LOADABLE` when
            something could.
        symbols: Confidence of the vulnerable symbols, when the claim rests on them.
    """
    if not observation.complete:
        return NO_EVIDENCE
    product = (
        time_factor(observation.observed_seconds)
        * traffic_factor(observation.traffic_requests)
        * novelty_factor(observation.late_share, observation.late_files)
    )
    return product * static_agreement * symbols_factor(symbols)


def of_loading(access: Access, *, module_loaded: bool = False) -> float:
    """Return how sure "it is loaded, hence affected" is, from the strongest access."""
    return min(1.0, LOADED.get(access, DATA_READ) + MODULE_BONUS * module_loaded)
