"""Values of reports. Months are of UTC; each is named by its first day."""

from dataclasses import dataclass
from datetime import date
from typing import Final

# Where credits of plans without a limit come from: there is no lot of them.
UNLIMITED: Final = "unlimited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """What became of the credits of one source in a month.

    Attributes:
        source: Of their lots (`plan_allowance`, `purchase` …), or `unlimited`.
        granted: Given.
        revoked: Taken back again.
        spent: Charged, for analyses and by holds.
        refunded: Given back of charges.
        expired: Lost because their time was over.
        adjusted: Corrected by hand, below zero for less.
        outstanding: Left when the month ended, those set aside included.
    """

    source: str
    granted: int
    revoked: int
    spent: int
    refunded: int
    expired: int
    adjusted: int
    outstanding: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoiced:
    """What invoices of one currency that were made in a month ask for.

    Attributes:
        usage_cents: Of lines for use beyond plans, late use among them; void ones not.
    """

    currency: str
    invoices: int
    total_cents: int
    paid_cents: int
    open_cents: int
    void_cents: int
    usage_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month.

    Attributes:
        analyses: That were charged.
    """

    first_day: date
    analyses: int
    credits: tuple[Credits, ...]
    invoices: tuple[Invoiced, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All months with anything in them, the oldest first.

    Attributes:
        differences: Sums that are not the ledger's own; empty unless something is wrong.
    """

    months: tuple[Month, ...]
    differences: tuple[str, ...]
