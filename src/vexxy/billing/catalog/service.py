"""The plans that can be had, and those that subscribers kept."""

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Final

from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from vexxy.billing.catalog import repository, wire
from vexxy.billing.catalog.errors import InvalidCatalog, PlanChanged
from vexxy.billing.catalog.types import Catalog
from vexxy.billing.errors import NoSuchPlan
from vexxy.billing.types import Plan
from vexxy.kit import logging
from vexxy.kit.db import Database
from vexxy.kit.errors import InvalidInput, Unavailable

SHIPPED: Final = ("vexxy", "agents")
FILE_BYTES_MAX: Final = 1024 * 1024
# https://www.postgresql.org/docs/current/errcodes-appendix.html
UNDEFINED_TABLE: Final = "42P01"

log = logging.logger(__name__)


def load(path: Path | str | None = None) -> Catalog:
    """Return the catalog of a file.

    Args:
        path: Of a TOML file, or the name of one that ships (`vexxy`, `agents`); None for
            `vexxy`.

    Raises:
        InvalidCatalog: The file cannot be read, or says something that cannot be.
    """
    name = str(path or SHIPPED[0])
    if name in SHIPPED:
        shipped = resources.files("vexxy.billing.catalog") / "data" / f"{name}.toml"
        return wire.read(shipped.read_bytes(), file=f"{name}.toml")
    try:
        with Path(name).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        shipped_names = " or ".join(SHIPPED)
        raise InvalidCatalog(
            name, [f"it cannot be read: {reason}; allowed: a file, {shipped_names}"]
        ) from error
    if len(content) > FILE_BYTES_MAX:
        raise InvalidCatalog(
            name, [f"it is too large; allowed: at most {FILE_BYTES_MAX} bytes"]
        )
    return wire.read(content, file=Path(name).name)


class Plans:
    """The plans of a catalog, and every version of a plan that somebody keeps.

    Args:
        catalog: What is offered.
        default_tier: The plan of an organization that chose none; None for the one that
            the catalog names.

    Raises:
        InvalidInput: The catalog has no such plan.
    """

    def __init__(self, catalog: Catalog, default_tier: str | None = None) -> None:
        chosen = default_tier or catalog.default_tier
        if chosen not in catalog.plans:
            raise InvalidInput(
                f"DEFAULT_TIER: {chosen!r} is no plan of the catalog {catalog.name!r}",
                hint=f"it has {', '.join(catalog.plans)}",
            )
        self.default_tier = chosen
        self.catalog = replace(catalog, default_tier=chosen)
        # Published versions never change, so what was read once holds.
        self._kept: dict[tuple[str, str, int], Plan] = {
            (catalog.name, plan.tier, plan.version): plan for plan in catalog.plans.values()
        }

    def publish(self, session: Session) -> int:
        """Store the plans of the catalog that are not stored yet; return how many.

        Any number of processes may do this at once.

        Args:
            session: Of the SYSTEM role.

        Raises:
            PlanChanged: A plan says something else than its published version.
        """
        stored = 0
        for plan in self.catalog.plans.values():
            said = wire.definition(plan)
            stored += repository.insert_plan(
                session,
                self.catalog.name,
                tier=plan.tier,
                version=plan.version,
                definition=said,
            )
            kept = repository.find_definition(
                session, self.catalog.name, tier=plan.tier, version=plan.version
            )
            differing = wire.differences(kept or {}, said)
            if differing:
                raise PlanChanged(
                    catalog=self.catalog.name,
                    tier=plan.tier,
                    version=plan.version,
                    fields=differing,
                )
        return stored

    def current(self, tier: str) -> Plan:
        """Return the newest version of a plan, as new subscribers get it.

        Raises:
            NoSuchPlan: The catalog has none of that name.
        """
        plan = self.catalog.plans.get(tier)
        if plan is None:
            raise NoSuchPlan(tier)
        return plan

    def get(
        self, session: Session, tier: str, version: int, *, catalog: str | None = None
    ) -> Plan:
        """Return a version of a plan that was published, however long ago.

        Args:
            session: Of any role: plans are public.
            tier: Its name.
            version: Of the plan.
            catalog: Name of the catalog it was of; None for the one that is offered.

        Raises:
            NoSuchPlan: It was never published.
        """
        key = (catalog or self.catalog.name, tier, version)
        plan = self._kept.get(key)
        if plan is None:
            kept = repository.find_definition(session, key[0], tier=tier, version=version)
            if kept is None:
                raise NoSuchPlan(tier)
            plan = self._kept[key] = wire.plan_of(tier, version, kept)
        return plan


def announce(system: Database, plans: Plans) -> bool:
    """Publish the plans at a start; say whether the database could take them.

    A database that is away or has no tables yet stops no start: workers publish again
    (`worker.schedule`), and until then nobody can subscribe to a plan that is new.

    Raises:
        PlanChanged: A plan says something else than its published version.
    """
    try:
        with system.transaction() as session:
            plans.publish(session)
    except Unavailable as error:
        log.warning("plans.unpublished", reason=error.message)
        return False
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        log.warning("plans.unpublished", reason="the schema is not up to date")
        return False
    return True
