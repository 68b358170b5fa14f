"""What subscriptions refuse."""

from datetime import datetime
from uuid import UUID

from vexxy.kit import clock
from vexxy.kit.errors import Conflict, InvalidInput, NotFound, PaymentRequired, Unavailable


class OrganizationClosed(NotFound):
    """The organization is erased, or being erased: it subscribes to nothing any more."""

    def __init__(self) -> None:
        super().__init__("the organization is closed")


class NotPossible(Conflict):
    """The state of the subscription does not allow the act."""


class NotForSale(InvalidInput):
    """The plan has no price for the interval."""

    def __init__(self, tier: str, interval: str) -> None:
        super().__init__(
            f"the plan {tier!r} cannot be had by the {interval}",
            hint="GET /billing/tiers lists prices",
        )


class PaymentsOff(Unavailable):
    """Something has to be paid for and nothing here can take a payment."""

    def __init__(self, tier: str) -> None:
        super().__init__(
            f"the plan {tier!r} has to be paid for, and payments are off here",
            hint="ask the operator of this installation, who can set the plan",
            kept="the plan as it is",
        )


class SubscriptionUnusable(PaymentRequired):
    """Nothing may be submitted while the subscription is in this state."""

    def __init__(self, status: str, *, hint: str) -> None:
        super().__init__(
            f"the subscription is {status}", hint=hint, details={"status": status}
        )


class UsedUp(Conflict):
    """Money would come back for days whose worth is used up."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"more {what} were used than the days so far are worth",
            hint="the change can be had when what is paid is over (when: period_end,"
            " or at_period_end=true)",
            kept="the plan as it is",
            details={"quota_type": what},
        )


class QuoteNotFound(NotFound):
    """No quote has the id."""

    def __init__(self, quote_id: UUID) -> None:
        super().__init__(f"there is no quote {quote_id}", hint="ask for a preview")


class QuoteOver(Conflict):
    """The quote holds no longer."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the quote {why}", hint="ask for another preview", kept="the plan as it is"
        )


class RolloverHalted(Unavailable):
    """So many periods were missed that a person has to look before any is booked."""

    def __init__(
        self, subscription_id: UUID, *, missed: int, most: int, since: datetime
    ) -> None:
        super().__init__(
            f"the subscription {subscription_id} missed {missed} periods since"
            f" {clock.rfc3339(since)}; more than {most} are not booked by themselves",
            hint="an operator checks the machine's clock and the subscription, then"
            " raises BILLING_MISSED_PERIODS_MAX; the next sweep goes on",
            kept="everything as it was",
            details={"missed": missed, "most": most},
        )
