"""Requests that tests of the ledger start from."""

import itertools
from datetime import UTC, datetime, timedelta

from vexxy.billing.ledger.types import Account, Grant, Hold, Settle, Source, State
from vexxy.kit import ids

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_numbers = itertools.count(1)


def an_empty_state() -> State:
    return State(
        organization_id=ids.new_id(),
        sequence=0,
        chain=bytes(32),
        balances=dict.fromkeys(Account, 0),
        lots={},
    )


def a_grant(credits: int = 100, **values: object) -> Grant:  # noqa: A002
    given = {"key": f"grant-{next(_numbers)}", "source": Source.PURCHASE}
    return Grant(credits=credits, **{**given, **values})  # type: ignore[arg-type]


def a_hold(credits: int = 18, **values: object) -> Hold:  # noqa: A002
    given = {"key": f"hold-{next(_numbers)}", "expires_at": NOW + HOUR}
    return Hold(credits=credits, **{**given, **values})  # type: ignore[arg-type]


def a_settle(hold: Hold, credits: int) -> Settle:  # noqa: A002
    return Settle(key=f"{hold.key}-settle", hold_key=hold.key, credits=credits)
