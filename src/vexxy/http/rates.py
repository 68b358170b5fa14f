"""Rate limits: by address before anybody is known, by organization after."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from starlette.types import ASGIApp, Receive, Scope, Send

from vexxy.http import addresses, problems
from vexxy.http.access import QUIET
from vexxy.http.errors import ANSWERS
from vexxy.kit import errors, metrics
from vexxy.kit.buckets import Limiter, Rate

MESSAGE: Final = "too many requests"


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits of one process and what they are drawn from."""

    limiter: Limiter
    address: Rate
    organization: Rate

    async def spend(self, organization_id: UUID) -> None:
        """Count one request of the organization.

        Raises:
            RateLimited: It made too many.
        """
        wait = await self.limiter.take(f"organization:{organization_id}", self.organization)
        if wait:
            metrics.RATE_LIMITED.count(scope="organization")
            raise errors.RateLimited(MESSAGE, retry_after_seconds=wait)


class AddressRates:
    """Refuses an address that asks too often, before anything is looked up for it."""

    def __init__(self, app: ASGIApp, *, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or refuse it."""
        # A probe that is refused would have the process killed for being busy.
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        address = addresses.bucket(scope.get(addresses.ADDRESS, ""))
        wait = await self._rates.limiter.take(f"address:{address}", self._rates.address)
        if not wait:
            await self._app(scope, receive, send)
            return
        metrics.RATE_LIMITED.count(scope="address")
        await problems.answer(
            scope,
            send,
            ANSWERS[errors.RateLimited],
            message=MESSAGE,
            details={"retry_after_seconds": wait},
            headers={"Retry-After": str(wait)},
        )
