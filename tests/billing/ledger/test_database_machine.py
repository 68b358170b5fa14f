"""The state machine over the whole slice and a real PostgreSQL."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import text

from tests import service_values
from tests.billing.ledger.machine import Answer, LedgerMachine
from vexxy.billing.ledger import service
from vexxy.billing.ledger.checks import repository as checks
from vexxy.billing.ledger.checks import service as checking
from vexxy.billing.ledger.types import Account, Request
from vexxy.kit.db import Database

STEPS = 250
STEPS_EACH = 50
AFTER = text(
    "select sequence from billing_events where organization_id = :id"
    " order by sequence desc limit 1"
)


class Crashed(Exception):
    """The process is gone before it could commit."""


class DatabaseMachine(LedgerMachine):
    """Asks the service, in a transaction of its own each time; some crash before commit."""

    steps = 0
    system: ClassVar[Database]
    bound: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.organization_id = service_values.an_organization(self.system)

    def post(self, requests: Sequence[Request], *, crash: bool) -> list[Answer]:
        if crash:
            with pytest.raises(Crashed):
                self.crash(requests)
        with self.bound.transaction(self.organization_id) as session:
            answers = service.post(session, self.organization_id, requests, now=self.now)
            rows = checks.list_rows(session, self.organization_id)
            for row in list(rows)[len(self.books.rows) :]:
                self.books.add(row)
        return answers

    def crash(self, requests: Sequence[Request]) -> None:
        with self.bound.transaction(self.organization_id) as session:
            service.post(session, self.organization_id, requests, now=self.now)
            raise Crashed

    def compare(self) -> None:
        with self.system.transaction() as session:
            stored = checks.read_stored(session, self.organization_id)
        assert stored is not None
        books = self.books
        assert (stored.sequence, stored.chain) == (len(books.rows), books.chain)
        assert stored.balances == {name: books.balances[name] for name in Account}
        assert stored.credit_balance == books.balances[Account.AVAILABLE]
        assert books.lots == {
            lot.id: {
                Account.AVAILABLE: lot.available_credits,
                Account.HELD: lot.held_credits,
            }
            for lot in stored.lots.values()
        }

    def teardown(self) -> None:
        report = checking.check(self.system, self.organization_id, now=self.now)
        found = [one for one in report.differences if not one.what.startswith("hold ")]
        assert found == []
        assert report.rows == len(self.books.rows)


@pytest.fixture
def _machine(db_system: Database, db_request: Database) -> Iterator[None]:
    DatabaseMachine.system, DatabaseMachine.bound = db_system, db_request
    DatabaseMachine.steps = 0
    yield
    del DatabaseMachine.system, DatabaseMachine.bound


@pytest.mark.usefixtures("_machine")
def test_what_is_kept_is_what_was_decided(db_system: Database) -> None:
    round_settings = settings(
        max_examples=STEPS // STEPS_EACH + 2,
        stateful_step_count=STEPS_EACH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        # A smaller example is found by the engine alone, a hundred times faster.
        phases=[Phase.generate],
    )
    while DatabaseMachine.steps < STEPS:
        run_state_machine_as_test(DatabaseMachine, settings=round_settings)
    broken = [name for name, _, _ in checking.violations(db_system)]
    # Time in the machine is not the database's: open holds of it are long over.
    assert set(broken) <= {"lapsed_holds_are_ended"}
