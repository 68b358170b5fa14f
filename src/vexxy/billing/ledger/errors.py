"""Why the ledger refuses; a refusal leaves everything as it was."""

from uuid import UUID

from vexxy.kit.errors import Conflict, InvalidInput, NotFound, QuotaExceeded


class IdempotencyKeyReused(Conflict):
    """The key names another fact already."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the key {key!r} was used for something else",
            hint="a key names one fact; take another one for another fact",
        )


class InsufficientCredits(QuotaExceeded):
    """The balance does not cover what is to be spent or held."""

    def __init__(self, *, required_credits: int, available_credits: int) -> None:
        super().__init__(
            f"{required_credits} credits needed, {available_credits} available",
            hint="buy credits, or wait for the next period's allowance",
            details={
                "quota_type": "credits",
                "required": required_credits,
                "available": available_credits,
            },
        )
        self.required_credits = required_credits
        self.available_credits = available_credits


class InvalidCredits(InvalidInput):
    """The number of credits cannot be of this kind of transaction."""


class TransactionNotFound(NotFound):
    """No transaction has the key that is named."""

    def __init__(self, key: str) -> None:
        super().__init__(f"there is no transaction {key!r}")


class WrongKind(Conflict):
    """The transaction that is named is not of the kind that is needed."""


class HoldResolved(Conflict):
    """The hold was settled, voided or expired before; each ends once."""

    def __init__(self, key: str, resolution: str) -> None:
        super().__init__(f"the hold {key!r} is over: {resolution}")
        self.resolution = resolution


class SettleExceedsHold(Conflict):
    """More is to be charged than was set aside."""

    def __init__(self, *, charged_credits: int, held_credits: int) -> None:
        super().__init__(f"{charged_credits} credits are more than the {held_credits} held")


class HoldNotExpired(Conflict):
    """The time of the hold is not over."""


class RefundExceedsCharge(Conflict):
    """More is to be given back than is left of the charge."""


class AdjustmentExceedsBalance(Conflict):
    """More is to be taken than is available."""

    def __init__(self, *, taken_credits: int, available_credits: int) -> None:
        super().__init__(
            f"{taken_credits} credits are more than the {available_credits} available",
            hint="what is held by running analyses cannot be taken",
        )


class InvalidKey(InvalidInput):
    """A key has 1 to 300 characters."""

    def __init__(self) -> None:
        super().__init__("a key of the ledger has 1 to 300 characters")


class InvalidExpiry(InvalidInput):
    """What is over before it begins holds nothing."""


class NoSuchOrganization(NotFound):
    """There is no organization of that id, or not for who asks."""

    def __init__(self, organization_id: UUID) -> None:
        super().__init__(f"there is no organization {organization_id}")


class NoSuchEvent(NotFound):
    """The organization has no event of that id."""

    def __init__(self) -> None:
        super().__init__("there is no such event", hint="GET /billing/events lists them")
