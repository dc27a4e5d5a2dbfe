"""What every app shares of a tenant: tokens, transports and the quota book, each living as long as the worker."""

import functools
import logging

import redis
from django.conf import settings

from msapi.endpoint import Endpoint
from msapi.governor import Governor
from msapi.tokens import TokenProvider
from msapi.transport import CallRecord, Transport

logger = logging.getLogger("ircase.tenant")


@functools.lru_cache(maxsize=32)
def tokens(endpoint: Endpoint) -> TokenProvider:
    """One token cache per endpoint; a changed connection is another endpoint."""
    return TokenProvider(endpoint)


def transport(endpoint: Endpoint) -> Transport:
    """A transport of the caller's own (its session is not shared between threads) over the shared tokens."""
    return Transport(endpoint, tokens(endpoint), on_call=log_call)


@functools.cache
def governor() -> Governor:
    return Governor(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2))


def log_call(call: CallRecord) -> None:
    logger.info(
        "tenant.call",
        extra={
            "service": call.service,
            "method": call.method,
            "path": call.path,
            "status": call.status,
            "ms": round(call.milliseconds),
            "request_id": call.request_id,
            "attempt": call.attempt,
            "bytes": call.received,
        },
    )
