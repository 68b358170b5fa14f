"""What forbids deciding again."""

from uuid import UUID

from vexxy.kit.errors import Conflict, NotFound


class NothingKept(Conflict):
    """There is nothing to decide from."""

    def __init__(self, analysis_id: UUID) -> None:
        super().__init__(
            f"nothing is kept of analysis {analysis_id} to decide from",
            hint="only a completed analysis can be decided again; submit a new one",
        )


class ChangeNotFound(NotFound):
    """A job names a change of the advisories that is not kept."""

    def __init__(self, change_id: UUID) -> None:
        super().__init__(f"no change of the advisories has the id {change_id}")
