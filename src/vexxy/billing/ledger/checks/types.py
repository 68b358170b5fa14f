"""What a check finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from vexxy.billing.ledger.types import Account, Lot


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it must be.

    Attributes:
        what: Where, such as `row 7` or `account held`.
        found: What is stored there.
        expected: What should be.
        repair: What to do about it.
    """

    what: str
    found: str
    expected: str
    repair: str


@dataclass(frozen=True, slots=True)
class Projections:
    """What the record amounts to, or what is stored beside it.

    Attributes:
        sequence: Of the last row.
        chain: Of the last row.
        lots: By id; used-up lots as well.
    """

    sequence: int
    chain: bytes
    balances: Mapping[Account, int]
    lots: Mapping[UUID, Lot]
    credit_balance: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of one organization found.

    Attributes:
        rows: How many rows the record has.
        differences: None where all is well; the first of each kind comes first.
    """

    organization_id: UUID
    rows: int
    differences: Sequence[Difference]
