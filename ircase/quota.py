"""The quota book that all workers share: one per process, over the Redis of the settings."""

import functools

import redis
from django.conf import settings

from msapi.governor import Governor


@functools.cache
def governor() -> Governor:
    return Governor(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2))
