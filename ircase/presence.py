"""Who is on a case's pages now, and who writes a note: told to colleagues who may see the case, and kept nowhere.

A page says every half minute that it is there. Redis has, for each place, a sorted set of people by the moment of their
last word, by Redis' own clock, and forgets all of it a little over a minute after the last. No row is written, nothing
is logged. Without Redis nobody is shown."""

import functools
import logging
import time
from typing import Any, Final
from uuid import UUID

import redis
from django.conf import settings

from ircase import access
from ircase.models import Case, User

logger = logging.getLogger(__name__)
EVERY: Final = 30
"""Seconds between two words of a page; templates name it too."""
LIFE: Final = 75  # seconds: one word may be lost
MOST: Final = 20
_REST_SECONDS: Final = 10.0  # that a Redis that is away is not asked again
# One round trip: says it, forgets the silent, tells who is left.
_SAY: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""


def on_case(case: Case, user: User) -> list[User]:
    """Say that `user` is on a page of `case`; who else is, of those who may see it."""
    return _others(case, user, f"ircase:here:case:{case.uuid}")


def at_note(case: Case, note: UUID, user: User) -> list[User]:
    """Say that `user` writes this note of `case`; who else does, of those who may see the case."""
    return _others(case, user, f"ircase:here:note:{note}")


def _others(case: Case, user: User, place: str) -> list[User]:
    found = {int(pk) for pk in _say(place, user)} - {user.pk}
    if not found:
        return []
    # Asked at every word: whoever was taken off the case is shown no more, and sees no more.
    seeing = access.people_who_see(case).filter(pk__in=found)
    return list(seeing.order_by("first_name", "last_name", "username")[:MOST])


def _say(place: str, user: User) -> list[bytes]:
    if time.monotonic() < _away.until:
        return []
    try:
        said: Any = _client().eval(_SAY, 1, place, user.pk, LIFE)
    except redis.RedisError as error:
        _away.until = time.monotonic() + _REST_SECONDS
        logger.warning("presence.off", extra={"reason": type(error).__name__, "seconds": _REST_SECONDS})
        return []
    return list(said)


class _Away:
    """Until when Redis is not asked, on this process's monotonic clock."""

    until: float = 0.0


_away = _Away()


@functools.cache
def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5)
