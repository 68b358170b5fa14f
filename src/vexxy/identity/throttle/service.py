"""Counting attempts."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from vexxy.identity.errors import TooManyAttempts
from vexxy.identity.throttle import repository
from vexxy.identity.throttle.types import Counter
from vexxy.kit.db import Database


def spend(database: Database, counters: Sequence[Counter]) -> None:
    """Count an attempt, whatever becomes of it.

    In a transaction of its own: what fails afterwards must not uncount it.

    Raises:
        TooManyAttempts: A limit is reached; the sentence does not tell which.
    """
    with database.transaction() as session:
        wait_seconds = repository.spend(session, counters)
    if wait_seconds:
        raise TooManyAttempts(retry_after_seconds=wait_seconds)


def succeeded(session: Session, *, account: Counter, address: Counter) -> None:
    """Forget what failed before for the account, and this attempt of the address.

    Not what the address tried elsewhere: with one account of their own, somebody could
    otherwise guess at others for ever.
    """
    repository.forget(session, account)
    repository.give_back(session, address)
