"""Why a catalog is refused."""

from collections.abc import Sequence

from vexxy.kit.errors import Conflict, InvalidInput


class InvalidCatalog(InvalidInput):
    """The file says something that cannot be; nothing of it is used.

    Args:
        file: The file's name.
        faults: One sentence each: plan, field, what is wrong, what is allowed.
    """

    def __init__(self, file: str, faults: Sequence[str]) -> None:
        super().__init__(
            f"the catalog {file} is not valid: {'; '.join(faults)}",
            hint="docs/billing.md lists every field of a catalog",
            details={"file": file, "faults": list(faults)},
        )
        self.faults = tuple(faults)


class PlanChanged(Conflict):
    """The file changes a version of a plan that was published before."""

    def __init__(
        self, *, catalog: str, tier: str, version: int, fields: Sequence[str]
    ) -> None:
        super().__init__(
            f"plan {tier!r} of catalog {catalog!r} differs from its published version"
            f" {version}: {'; '.join(fields)}",
            hint=f"give the plan a higher version than {version}; who subscribed before"
            " keeps what they chose",
            kept="the published plan",
            details={"catalog": catalog, "tier": tier, "version": version},
        )
