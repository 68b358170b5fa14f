"""Summing up months, and comparing the sums with what the ledger itself says."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.ledger.types import Kind
from vexxy.billing.reports import repository
from vexxy.billing.reports.types import UNLIMITED, Credits, Invoiced, Month, Report
from vexxy.kit.db import Database

# Which column a kind's moves are summed in, and with which sign.
COLUMNS: Final[Mapping[str, tuple[str, int]]] = {
    Kind.GRANT: ("granted", 1),
    Kind.REVOKE: ("revoked", -1),
    Kind.SETTLE: ("spent", -1),
    Kind.REFUND: ("refunded", 1),
    Kind.EXPIRE_LOT: ("expired", -1),
    Kind.ADJUST: ("adjusted", 1),
}
SIGNS: Final = dict(COLUMNS.values())
Sums = dict[tuple[date, str], dict[str, int]]


def make(database: Database, organization_id: UUID | None = None) -> Report:
    """Return what happened in every month, of one organization or of all.

    One snapshot shows everything; nothing is locked. Every row of the ledger is read.

    Args:
        database: Of the SYSTEM role.
        organization_id: Only this one; None for all.
    """
    with database.transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        sums, between = _sums(session, organization_id)
        analyses = dict(map(tuple, repository.analyses(session, organization_id)))
        invoices: dict[date, list[Invoiced]] = defaultdict(list)
        for row in repository.invoiced(session, organization_id):
            values = dict(row._mapping)  # noqa: SLF001  a row's public mapping
            invoices[values.pop("month")].append(Invoiced(**values))
        differences = tuple(
            _differences(session, organization_id, sums=sums, between=between)
        )
    months = sorted({month for month, _ in sums} | analyses.keys() | invoices.keys())
    credits_by_month = _credits(sums, months)
    return Report(
        months=tuple(
            Month(
                first_day=month,
                analyses=analyses.get(month, 0),
                credits=credits_by_month[month],
                invoices=tuple(sorted(invoices[month], key=_currency)),
            )
            for month in months
        ),
        differences=differences,
    )


def _sums(session: Session, home: UUID | None) -> tuple[Sums, int]:
    """Return the columns, and what moved where nothing may come of it."""
    sums: Sums = defaultdict(lambda: defaultdict(int))
    between = 0
    for month, source, kind, credits_ in repository.moved(session, home):
        if kind in COLUMNS:
            column, sign = COLUMNS[kind]
            sums[month, source][column] += sign * credits_
        else:
            between += abs(credits_)
    for month, kind, credits_ in repository.unlimited(session, home):
        column, sign = ("spent", 1) if kind == Kind.SETTLE else ("refunded", -1)
        sums[month, UNLIMITED][column] += sign * credits_
    return sums, between


def _differences(
    session: Session, home: UUID | None, *, sums: Sums, between: int
) -> Iterable[str]:
    totals = _totals(sums)
    owned, revenue, expired = repository.accounts(session, home)
    left = {source: _net(columns) for source, columns in totals.items()}
    left.pop(UNLIMITED, None)
    gone = sum(columns["expired"] for columns in totals.values())
    yield from _compare(
        "credits left of lots", left, dict(map(tuple, repository.lots(session, home)))
    )
    for what, summed, kept in (
        ("credits owned", sum(left.values()), owned),
        ("credits charged", _charged(totals), revenue),
        ("credits expired", gone, expired),
        ("credits that holds made or lost", between, 0),
    ):
        yield from _compare(what, {"": summed}, {"": kept})
    for one in repository.unequal_invoices(session, home):
        yield f"invoice {one}: its lines do not sum to its total"


def _currency(invoiced: Invoiced) -> str:
    return invoiced.currency


def _credits(sums: Sums, months: Iterable[date]) -> dict[date, tuple[Credits, ...]]:
    sources = sorted({source for _, source in sums})
    outstanding: dict[str, int] = defaultdict(int)
    found: dict[date, tuple[Credits, ...]] = {}
    for month in months:
        lines = []
        for source in sources:
            columns = sums.get((month, source), {})
            if source != UNLIMITED:
                outstanding[source] += _net(columns)
            if columns or outstanding[source]:
                filled = {column: columns.get(column, 0) for column in SIGNS}
                left = outstanding[source]
                lines.append(Credits(source=source, outstanding=left, **filled))
        found[month] = tuple(lines)
    return found


def _totals(sums: Sums) -> dict[str, dict[str, int]]:
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (_, source), columns in sums.items():
        for column, credits_ in columns.items():
            totals[source][column] += credits_
    return totals


def _net(columns: Mapping[str, int]) -> int:
    return sum(SIGNS[column] * credits_ for column, credits_ in columns.items())


def _charged(totals: Mapping[str, Mapping[str, int]]) -> int:
    return sum(
        columns.get("spent", 0) - columns.get("refunded", 0) for columns in totals.values()
    )


def _compare(
    what: str, summed: Mapping[str, int], kept: Mapping[str, int]
) -> Iterable[str]:
    for name in sorted({*summed, *kept}):
        if summed.get(name, 0) != kept.get(name, 0):
            of = f" ({name})" if name else ""
            yield (
                f"{what}{of}: {summed.get(name, 0)} by months,"
                f" {kept.get(name, 0)} by the ledger's totals"
            )
