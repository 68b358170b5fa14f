"""What can be wrong with an override."""

from uuid import UUID

from vexxy.kit.errors import Conflict, InvalidInput, NotFound


class OverrideRefused(InvalidInput):
    """The override cannot be.

    Args:
        field: As the request names it.
        message: What is wrong with it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(
            f"{field}: {message}",
            details={"errors": [{"loc": ["body", field], "message": message}]},
        )


class OverrideNotFound(NotFound):
    """There is no such override, or it is another organization's."""

    def __init__(self, override_id: UUID) -> None:
        super().__init__(f"there is no override {override_id}")


class OverrideOver(Conflict):
    """An override ends once."""

    def __init__(self, override_id: UUID) -> None:
        super().__init__(f"the override {override_id} is over already")
