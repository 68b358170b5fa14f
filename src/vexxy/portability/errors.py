"""What goes wrong with handing over or erasing an organization."""

from vexxy.kit import errors


class NoSuchTenant(errors.NotFound):
    """No such organization, or another one than the caller's."""

    def __init__(self) -> None:
        super().__init__("there is no such organization")


class ExportNotFound(errors.NotFound):
    """No such export, or another organization's."""

    def __init__(self) -> None:
        super().__init__("there is no such export")


class ExportNotReady(errors.Conflict):
    """The archive does not exist yet, or no longer."""

    def __init__(self, state: str) -> None:
        super().__init__(
            f"the export is {state} and cannot be downloaded",
            hint="ask for its status; an expired one is asked for again",
        )


class ExportTooLarge(errors.TooLarge):
    """The archive is larger than one may be; nothing was stored."""


class Unconfirmed(errors.InvalidInput):
    """An erasure was not confirmed with the organization's slug."""

    def __init__(self) -> None:
        super().__init__(
            "the erasure is not confirmed; nothing was done",
            hint="repeat it with ?confirm= and the organization's slug, as"
            " GET /organizations/current shows it",
        )


class OwnersOnly(errors.PermissionDenied):
    """Somebody who may not wants to end an organization."""

    def __init__(self) -> None:
        super().__init__("only an owner of the organization may erase it")


class OperatorsHome(errors.Conflict):
    """An operator of the service is a member of the organization."""

    def __init__(self) -> None:
        super().__init__(
            "an operator of this service belongs to the organization",
            hint="take the operator's rights away first: vexxy users",
        )


class StillErasing(errors.Conflict):
    """The organization is being erased and cannot be exported."""

    def __init__(self) -> None:
        super().__init__("the organization is being erased")


class NotErased(errors.VexxyError):
    """Something of an organization is still there after it was erased."""

    def __init__(self, where: str) -> None:
        super().__init__(f"after the erasure there are still rows in {where}")
