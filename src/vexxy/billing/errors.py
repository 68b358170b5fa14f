"""What billing refuses, whichever part of it."""

from vexxy.kit.errors import NotFound


class NoSuchPlan(NotFound):
    """The catalog has no plan of that name."""

    def __init__(self, plan: str) -> None:
        super().__init__(f"there is no plan {plan!r}", hint="GET /billing/tiers lists them")
