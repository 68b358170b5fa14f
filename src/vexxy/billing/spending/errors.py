"""What a caller of the hot path is told beside the ledger's own refusals."""

from vexxy.kit.errors import Unavailable


class OutcomeUnknown(Unavailable):
    """The commit was sent and its answer never came."""

    def __init__(self) -> None:
        super().__init__(
            "it is not known whether this was done",
            hint="ask again with the same key: it is done once",
        )


class TooManyWaiting(Unavailable):
    """More wait than can be served in time; nothing was done."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} spends wait already", hint="try again in a moment")


class Stopping(Unavailable):
    """The process ends; nothing was done."""

    def __init__(self) -> None:
        super().__init__("this process is stopping", hint="try again in a moment")
