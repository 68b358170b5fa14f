"""Values of the catalog: every plan that can be had, and what holds for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from vexxy.billing.types import Aggregation, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What one catalog file says.

    Attributes:
        name: Of the catalog; subscriptions remember it beside tier and version.
        version: Of the plans that name none of their own.
        currency: Of every price, ISO 4217 in lower case; all have two decimals.
        default_tier: The plan of an organization that chose none.
        plans: By tier, lowest priority first.
        metrics: What is counted besides analyses and credits, and how a period's number
            comes of it.
        meters_analyses: Whether plans say how many analyses and credits they include;
            where they do not, both are without limit and recorded all the same.
        alert_percents: Of what a plan includes, in rising order.
        grace_seconds: How long use passes a soft cap beyond which nothing is sold.
        payment_grace_seconds: How long a subscription is usable after a failed payment.
        credit_price_cents: Of one bought credit.
    """

    name: str
    version: int
    currency: str
    default_tier: str
    plans: Mapping[str, Plan]
    metrics: Mapping[str, Aggregation]
    meters_analyses: bool
    alert_percents: tuple[int, ...]
    grace_seconds: int
    payment_grace_seconds: int
    credit_price_cents: int
