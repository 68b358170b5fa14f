"""What an answer says about the quota that its request met."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.types import Scope

# In the scope: the headers, put there by whoever decided.
QUOTA: Final = "vexxy.quota"
PAYMENT_REQUIRED: Final = 402

# Every header, and what it says.
HEADERS: Final[Mapping[str, str]] = {
    "X-Quota-Metric": "The metric that this request used, where it has a limit",
    "X-Quota-Limit": "How much of it the period includes",
    "X-Quota-Usage": "How much of it is used, this request included",
    "X-Quota-Remaining": "What is left, never less than 0",
    "X-Quota-Percentage": "The usage in percent of the limit",
    "X-Quota-Reset": "When the period ends and the count begins anew",
    "X-Quota-Warning": "Near the limit or beyond it: what that means, a sentence",
    "X-Grace-Period-Expires": "Beyond the limit: until when that is allowed",
}


def say(scope: Scope, headers: Iterable[tuple[str, str]]) -> None:
    """Have the answer carry these headers; what an endpoint names itself comes last."""
    said = tuple(headers)
    if said:
        scope[QUOTA] = said


def said(scope: Scope, status: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer; a failed act used nothing and tells nothing."""
    if scope.get(QUOTA) is None or (status >= 400 and status != PAYMENT_REQUIRED):  # noqa: PLR2004  HTTP's own
        return []
    return [(name.lower().encode(), value.encode()) for name, value in scope[QUOTA]]
