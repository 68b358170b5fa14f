"""The state machine over the engine alone."""

from collections.abc import Sequence

from tests.billing.ledger.machine import Answer, LedgerMachine
from tests.billing.ledger.values import an_empty_state
from vexxy.billing.ledger.rules import chain, engine
from vexxy.billing.ledger.types import Account, Request
from vexxy.kit import ids


class EngineMachine(LedgerMachine):
    """Asks the engine; a crash is a decision that nobody wrote down."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.state = an_empty_state()

    def post(self, requests: Sequence[Request], *, crash: bool) -> list[Answer]:
        if crash:
            engine.decide(self.state, requests, now=self.now, new_id=ids.new_id)
        decided = engine.decide(self.state, requests, now=self.now, new_id=ids.new_id)
        for row in decided.rows:
            self.books.add(row)
        self.state = decided.state
        return list(decided.answers)

    def compare(self) -> None:
        state, books = self.state, self.books
        assert state.sequence == len(books.rows)
        assert state.chain == books.chain
        assert {name: books.balances[name] for name in Account} == state.balances
        kept = {
            lot.id: {
                Account.AVAILABLE: lot.available_credits,
                Account.HELD: lot.held_credits,
            }
            for lot in state.lots.values()
        }
        assert kept == books.lots
        assert state.resolved.keys() == books.resolved.keys()

    def teardown(self) -> None:
        previous = chain.START
        for row in self.books.rows:
            assert chain.holds(previous, row)
            previous = row.chain
