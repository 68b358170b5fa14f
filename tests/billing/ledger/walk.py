"""Random walks of the state machine, by the million: `make nightly-ledger`.

Hypothesis chooses well and finds small examples, and takes most of the time for it. A
walk asks the same rules with values of a seeded generator, for many more and much longer
records. What fails names its seed; `--seed` walks it again.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

from tests.billing.ledger.engine_machine import EngineMachine
from vexxy.billing.ledger.types import Kind, Source

STEPS_EACH: Final = 250
SOURCES: Final = (Source.PLAN_ALLOWANCE, Source.PURCHASE, Source.PROMOTION)
Values = Callable[[random.Random], dict[str, Any]]


def pick(chance: random.Random) -> int:
    return chance.getrandbits(16)


def coin(chance: random.Random) -> bool:
    return chance.random() < 0.5


def part(chance: random.Random) -> int | None:
    return None if chance.random() < 0.3 else chance.randint(1, 40)


# Of every rule the values of one step; how often relative to others; what must be there.
RULES: Final[Mapping[str, tuple[Values, int, Kind | None]]] = {
    "grant": (
        lambda c: {
            "amount": c.randint(1, 60),
            "source": c.choice(SOURCES),
            "hours": None if coin(c) else c.randint(1, 60),
            "crash": coin(c),
        },
        3,
        None,
    ),
    "roll_over": (
        lambda c: {"amount": c.randint(1, 60), "change": c.randint(-30, 30)},
        1,
        None,
    ),
    "adjust": (lambda c: {"amount": c.randint(-70, 40), "crash": coin(c)}, 1, None),
    "hold": (
        lambda c: {
            "size": pick(c),
            "hours": c.randint(1, 60),
            "unlimited": c.random() < 0.1,
            "crash": coin(c),
        },
        6,
        None,
    ),
    "work": (
        lambda c: {"sizes": [(pick(c), pick(c)) for _ in range(c.randint(1, 4))]},
        2,
        None,
    ),
    "settle": (
        lambda c: {"pick": pick(c), "size": pick(c), "crash": coin(c)},
        5,
        Kind.HOLD,
    ),
    "release": (
        lambda c: {"pick": pick(c), "expired": coin(c), "crash": coin(c)},
        3,
        Kind.HOLD,
    ),
    "race": (
        lambda c: {"pick": pick(c), "first": c.randint(0, 2), "second": c.randint(0, 2)},
        2,
        Kind.HOLD,
    ),
    "refund": (
        lambda c: {"pick": pick(c), "amount": part(c), "crash": coin(c)},
        3,
        Kind.SETTLE,
    ),
    "revoke": (
        lambda c: {"pick": pick(c), "amount": part(c), "crash": coin(c)},
        1,
        Kind.GRANT,
    ),
    "wait": (lambda c: {"minutes": c.randint(1, 60 * 24), "sweep": coin(c)}, 3, None),
    "again": (
        lambda c: {"picks": [pick(c) for _ in range(c.randint(1, 5))]},
        2,
        Kind.GRANT,
    ),
    "reuse": (lambda c: {"pick": pick(c)}, 1, Kind.GRANT),
}


def walk(seed: int) -> int:
    """Walk one record; return how many transactions it has."""
    chance = random.Random(seed)  # noqa: S311  to be walked again
    machine = EngineMachine()
    names = list(RULES)
    weights = [RULES[name][1] for name in names]
    for name in chance.choices(names, weights, k=STEPS_EACH):
        values, _, needed = RULES[name]
        if needed is None or machine.named[needed]:
            getattr(machine, name)(**values(chance))
        else:
            machine.grant(amount=10, source=Source.PURCHASE, hours=None, crash=False)
        machine.compare()
    machine.teardown()
    return len(machine.books.rows)


def walked(seed: int) -> tuple[int, int]:
    """Walk, and say which seed it was that failed."""
    try:
        return seed, walk(seed)
    except Exception as error:
        raise RuntimeError(f"--seed {seed}") from error


def main() -> int:
    """Walk until there were enough steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None, help="only this walk")
    options = parser.parse_args()
    if options.seed is not None:
        walk(options.seed)
        return 0
    began = time.monotonic()
    first = random.SystemRandom().getrandbits(32)
    seeds = range(first, first + -(-options.steps // STEPS_EACH))
    with ProcessPoolExecutor(options.processes) as pool:
        rows = sum(found for _, found in pool.map(walked, seeds, chunksize=16))
    seconds = time.monotonic() - began
    sys.stdout.write(
        f"{len(seeds) * STEPS_EACH} steps in {len(seeds)} walks from seed {first},"
        f" {rows} transactions, {seconds:.0f} s: every invariant held after each\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
