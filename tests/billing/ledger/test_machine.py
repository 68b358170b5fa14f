"""The state machine over the engine alone; `make nightly-ledger` lets it walk for long."""

import inspect
import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RULE_MARKER, run_state_machine_as_test

from tests.billing.ledger import walk
from tests.billing.ledger.engine_machine import EngineMachine
from tests.billing.ledger.machine import LedgerMachine

STEPS = int(os.environ.get("VEXXY_LEDGER_STEPS", "10000"))
STEPS_EACH = 60
# A few at a time, so that it ends soon after enough steps.
EXAMPLES_EACH = 40 if STEPS <= 100_000 else 1000


def test_whatever_is_asked_the_record_and_its_projections_agree() -> None:
    EngineMachine.steps = 0
    round_settings = settings(
        max_examples=EXAMPLES_EACH,
        stateful_step_count=STEPS_EACH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    while EngineMachine.steps < STEPS:
        run_state_machine_as_test(EngineMachine, settings=round_settings)
    assert EngineMachine.steps >= STEPS


def test_a_walk_knows_every_rule_of_the_machine() -> None:
    rules = {
        name
        for name, value in inspect.getmembers(LedgerMachine, inspect.isfunction)
        if hasattr(value, RULE_MARKER)
    }
    assert set(walk.RULES) == rules
    assert walk.walk(seed=7) > walk.STEPS_EACH // 2
