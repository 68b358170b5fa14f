"""What can go wrong with notifications."""

from uuid import UUID

from vexxy.kit.errors import Conflict, InvalidInput, NotFound, QuotaExceeded


class EndpointInvalid(InvalidInput):
    """The address or secret of an endpoint cannot be used."""


class EndpointNotFound(NotFound):
    """No such endpoint in the organization."""

    def __init__(self, endpoint_id: UUID) -> None:
        super().__init__(f"no notification endpoint has the id {endpoint_id}")


class DeliveryNotFound(NotFound):
    """No such delivery in the organization."""

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"no delivery has the id {delivery_id}")


class DeliveryNotDead(Conflict):
    """Only a dead delivery is sent again by hand."""

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"delivery {delivery_id} is not dead; it needs no replay")


class TooManyEndpoints(QuotaExceeded):
    """The organization has as many endpoints as it may."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"an organization has at most {limit} notification endpoints",
            hint="delete one that is no longer used",
            details={"quota_type": "endpoints", "limit": limit, "current": limit},
        )
