"""Token buckets: so many acts a minute, as many at once as were saved up.

Written here and not taken from a library: the one that is kept well (`limits`) counts in
windows, and its memory store looks at every key on every request, which lets strangers
with many addresses make each request dear. A bucket is two numbers.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from vexxy.kit import logging
from vexxy.kit.errors import VexxyError

log: Final = logging.logger(__name__)

KEYS_MAX: Final = 100_000
SHARED_PAUSE_SECONDS: Final = 5.0


class Rate(NamedTuple):
    """How much is allowed.

    Attributes:
        per_minute: Acts a minute in the long run; 0 allows any number.
        burst: Acts at once after a rest.
    """

    per_minute: int
    burst: int

    @property
    def per_second(self) -> float:
        """Tokens that come back in a second."""
        return self.per_minute / 60


class SharedUnreachable(VexxyError):
    """The store that all processes share does not answer."""


class Shared(Protocol):
    """Buckets that several processes draw from."""

    async def take(self, key: str, rate: Rate) -> float:
        """Take one token; return 0, or the seconds until there is one.

        Raises:
            SharedUnreachable: The store does not answer.
        """


class Buckets:
    """The buckets of one process; the least used are forgotten, which fills them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, rate: Rate) -> float:
        """Take one token; return 0, or the seconds until there is one."""
        now = self._clock()
        with self._lock:
            tokens, seen = self._kept.get(key, (float(rate.burst), now))
            tokens = min(rate.burst, tokens + (now - seen) * rate.per_second)
            wait = 0.0 if tokens >= 1 else (1 - tokens) / rate.per_second
            self._kept[key] = (tokens - (wait == 0), now)
            self._kept.move_to_end(key)
            if len(self._kept) > KEYS_MAX:
                self._kept.popitem(last=False)
        return wait


class Limiter:
    """Draws from the shared store where there is one, from its own while it is away."""

    def __init__(
        self,
        *,
        shared: Shared | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = Buckets(clock)
        self._shared = shared
        self._clock = clock
        self._shared_again_at = 0.0

    async def take(self, key: str, rate: Rate) -> int:
        """Take one token; return 0, or the whole seconds to wait (at least 1)."""
        if rate.per_minute == 0:
            return 0
        wait = await self._drawn(key, rate)
        return max(1, math.ceil(wait)) if wait > 0 else 0

    async def _drawn(self, key: str, rate: Rate) -> float:
        if self._shared is not None and self._clock() >= self._shared_again_at:
            try:
                return await self._shared.take(key, rate)
            except SharedUnreachable:
                # Ask again in a while: a store that is down must not slow every request.
                self._shared_again_at = self._clock() + SHARED_PAUSE_SECONDS
                log.warning("rates.own", reason="the shared store does not answer")
        return self._own.take(key, rate)
