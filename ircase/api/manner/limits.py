"""How often a token and a person may ask: fixed windows of a minute, counted in Redis for all web processes together.

The headers are those of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ . Without Redis nobody
is held up: the limit is against loops, and a case must be reachable when its queue is not."""

import functools
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis
from django.conf import settings

logger = logging.getLogger(__name__)
WINDOW: Final = 60
_REST_SECONDS: Final = 10.0  # that a Redis that is away is not asked again
# One round trip: counts up, begins the window with its first request, tells count and milliseconds left.
_COUNT: Final = """
local said = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  if count == 1 then redis.call('PEXPIRE', key, ARGV[1]) end
  said[#said + 1] = count
  said[#said + 1] = redis.call('PTTL', key)
end
return said
"""


@dataclass(frozen=True)
class Limit:
    """So many requests in a window, and where they are counted."""

    name: str
    key: str
    most: int


@dataclass(frozen=True)
class Standing:
    """What is left of a limit, and in how many seconds its window ends."""

    limit: Limit
    count: int
    seconds: int

    @property
    def left(self) -> int:
        return max(0, self.limit.most - self.count)

    @property
    def spent(self) -> bool:
        return self.count > self.limit.most


def limits_of(token: int, person: int) -> list[Limit]:
    """The limits that a request counts against; one of 0 is off."""
    both = (
        Limit("token", f"ircase:api:token:{token}", settings.API_PER_TOKEN),
        Limit("person", f"ircase:api:person:{person}", settings.API_PER_PERSON),
    )
    return [limit for limit in both if limit.most > 0]


def count(limits: Sequence[Limit]) -> list[Standing]:
    """Count a request against all of `limits`. Empty where there are none, or where Redis is away."""
    if not limits or time.monotonic() < _away.until:
        return []
    try:
        said: Any = _client().eval(_COUNT, len(limits), *(limit.key for limit in limits), WINDOW * 1000)
    except redis.RedisError as error:
        _away.until = time.monotonic() + _REST_SECONDS
        logger.warning("api.limits_off", extra={"reason": type(error).__name__, "seconds": _REST_SECONDS})
        return []
    pairs = zip(limits, said[::2], said[1::2], strict=True)
    return [Standing(limit, int(seen), max(1, math.ceil(int(rest) / 1000))) for limit, seen, rest in pairs]


def headers(standings: Sequence[Standing]) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit`; empty where nothing was counted."""
    if not standings:
        return {}
    policies = ", ".join(f'"{one.limit.name}";q={one.limit.most};w={WINDOW}' for one in standings)
    now = ", ".join(f'"{one.limit.name}";r={one.left};t={one.seconds}' for one in standings)
    return {"RateLimit-Policy": policies, "RateLimit": now}


class _Away:
    """Until when Redis is not asked, on this process's monotonic clock."""

    until: float = 0.0


_away = _Away()


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)
