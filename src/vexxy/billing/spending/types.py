"""Values of the hot path."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from vexxy.audit.types import Act
from vexxy.billing.ledger.types import Decision, Hold, Posted, Release, Settle

# What can be combined; everything else goes through `ledger.service`.
Spend: TypeAlias = Hold | Settle | Release


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written for one organization.

    Attributes:
        expected: The sequence that the decision stands on; it is written only if the
            account is still there.
        acts: For the record of acts, of those requests that are done now.
    """

    expected: int
    decision: Decision
    acts: Sequence[Act] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A hold, and what ended it: None while it stands."""

    hold: Posted
    resolution: Posted | None
