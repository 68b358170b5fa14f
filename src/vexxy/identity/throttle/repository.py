"""SQL of the counters."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Session

from vexxy.identity.throttle.types import Counter

# Counted before the proof is looked at, so that attempts made at once cannot all pass.
# Names are sorted: two requests that count the same things lock them in one order.
_SPEND: Final = text(
    """
    insert into sign_in_attempts as counted (counter, attempts, window_ends_at)
    select name, 1, now() + seconds * interval '1 second'
    from unnest(:names, :seconds) as tried (name, seconds)
    order by name
    on conflict (counter) do update set
      attempts = case when counted.window_ends_at <= now() then 1
        else counted.attempts + 1 end,
      window_ends_at = case when counted.window_ends_at <= now()
        then excluded.window_ends_at else counted.window_ends_at end
    returning counter, attempts,
      ceil(extract(epoch from window_ends_at - now()))::int as seconds
    """
).bindparams(
    bindparam("names", type_=ARRAY(BYTEA)), bindparam("seconds", type_=ARRAY(BigInteger))
)
_SWEEP: Final = text(
    """
    delete from sign_in_attempts where counter in (
      select counter from sign_in_attempts where window_ends_at < now()
      order by window_ends_at limit 20 for update skip locked)
    """
)
_RETURN: Final = text(
    "update sign_in_attempts set attempts = greatest(attempts - 1, 0) where counter = :name"
)
_FORGET: Final = text("delete from sign_in_attempts where counter = :name")


def spend(session: Session, counters: Sequence[Counter]) -> int:
    """Count an attempt; return the seconds to wait, 0 where every limit holds."""
    session.execute(_SWEEP)
    ordered = sorted(counters, key=lambda counter: counter.name)
    values = {
        "names": [counter.name for counter in ordered],
        "seconds": [counter.window_seconds for counter in ordered],
    }
    limits = {counter.name: counter.limit for counter in counters}
    return max(
        (
            max(1, seconds)
            for name, attempts, seconds in session.execute(_SPEND, values)
            if attempts > limits[bytes(name)]
        ),
        default=0,
    )


def give_back(session: Session, counter: Counter) -> None:
    """Take one attempt back."""
    session.execute(_RETURN, {"name": counter.name})


def forget(session: Session, counter: Counter) -> None:
    """Take all attempts back."""
    session.execute(_FORGET, {"name": counter.name})
