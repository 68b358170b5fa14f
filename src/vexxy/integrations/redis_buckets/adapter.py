"""One script a request: read, refill, take, remember; Redis runs it alone."""

import asyncio
from typing import Any, Final

import redis.asyncio as redis
from redis.exceptions import RedisError

from vexxy.kit.buckets import Rate, SharedUnreachable

PREFIX: Final = "vexxy:bucket:"
# Longer than this, a store is away: the process's own buckets serve meanwhile.
SECONDS_MAX: Final = 0.25
CONNECTIONS_MAX: Final = 8

# The clock is Redis's own, so that processes need not agree on the time.
TAKE: Final = """
local burst, per_second = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'seen')
local tokens = tonumber(kept[1]) or burst
local seen = tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - seen) * per_second)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / per_second end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'seen', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - tokens) / per_second * 1000) + 1000)
return tostring(wait)
"""


class RedisBuckets:
    """Buckets in Redis; a bucket that is full again is forgotten there.

    Args:
        url: `redis://…`; shared with Celery's messages, whose names differ.
    """

    def __init__(self, url: str) -> None:
        # Blocking: with many requests at once they wait for a connection, briefly.
        pool: Any = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=SECONDS_MAX,
            socket_timeout=SECONDS_MAX,
            socket_connect_timeout=SECONDS_MAX,
            retry=None,
        )
        self._client: Any = redis.Redis.from_pool(pool)
        self._take = self._client.register_script(TAKE)

    async def take(self, key: str, rate: Rate) -> float:
        """Take one token; return 0, or the seconds until there is one.

        Raises:
            SharedUnreachable: Redis is away, slow or refuses.
        """
        try:
            async with asyncio.timeout(SECONDS_MAX):
                wait = await self._take(
                    keys=[PREFIX + key], args=[rate.burst, rate.per_second]
                )
        except (RedisError, OSError, TimeoutError) as error:
            raise SharedUnreachable("Redis does not answer") from error
        return float(wait)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
