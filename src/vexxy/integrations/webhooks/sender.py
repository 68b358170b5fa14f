"""One request to an address that a stranger chose, without becoming their tool."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Final

import httpx

from vexxy.notifications import rules
from vexxy.notifications.rules import Network
from vexxy.notifications.types import Response

# From looking the name up to the status line, however slowly the other side trickles.
TOTAL_SECONDS: Final = 15
STEP_SECONDS: Final = 10


class HttpSender:
    """Posts to public addresses, and to networks that are allowed by a setting.

    The name is resolved once, every address it has is checked, and the connection goes
    to the checked one: a name that changes in between leads nowhere else.
    """

    def __init__(
        self, allowed: Sequence[Network] = (), *, total_seconds: float = TOTAL_SECONDS
    ) -> None:
        self._allowed = tuple(allowed)
        self._total_seconds = total_seconds

    def send(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Response:
        """Post the body; whatever the other side does becomes a `Response`."""
        # `asyncio.run` would wait for a name server that hangs in its thread.
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(self._within(url, headers, body=body))
        finally:
            loop.close()

    async def _within(
        self, url: str, headers: Mapping[str, str], *, body: bytes
    ) -> Response:
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._post(httpx.URL(url), headers, body=body)
        except TimeoutError:
            return Response(None, f"no answer within {self._total_seconds:g} s")
        except httpx.InvalidURL:
            return Response(None, "the address cannot be used")
        except httpx.TimeoutException:
            return Response(None, f"no answer within {STEP_SECONDS} s")
        except httpx.TransportError as error:
            return Response(None, f"the connection failed ({type(error).__name__})")

    async def _post(
        self, url: httpx.URL, headers: Mapping[str, str], *, body: bytes
    ) -> Response:
        address, problem = await self._resolve(url)
        if address is None:
            return Response(None, problem)
        limits = httpx.Timeout(STEP_SECONDS)
        # Proxies and passwords of the environment are for us, not for strangers' hosts.
        async with httpx.AsyncClient(timeout=limits, trust_env=False) as client:
            request = client.build_request(
                "POST",
                url.copy_with(host=address),
                headers={**headers, "host": url.netloc.decode("ascii")},
                content=body,
                extensions={"sni_hostname": url.host},
            )
            # Only the status counts; the body is a stranger's and is never read.
            answer = await client.send(request, stream=True, follow_redirects=False)
            await answer.aclose()
        status = answer.status_code
        return Response(status, "" if answer.is_success else f"it answered {status}")

    async def _resolve(self, url: httpx.URL) -> tuple[str | None, str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return None, "its name does not resolve"
        addresses = [str(one[4][0]) for one in found]
        if not addresses:
            return None, "its name has no address"
        # A name with one public and one inner address is a trick or a mistake.
        if not all(rules.is_callable(one, self._allowed) for one in addresses):
            return None, "its name leads to an address that is not public"
        return addresses[0], ""
