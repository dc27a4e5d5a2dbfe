"""Sending statements outside: by https only, to the addresses of the settings, tried again, and given up aloud.

A host is resolved once and the connection goes to an address that was looked at. Addresses that are not of the public
internet are refused unless IRCASE_STATEMENT_PRIVATE_HOSTS names the host.
"""

import http.client
import ipaddress
import logging
import socket
import ssl
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.utils import timezone

from ircase import jobs
from ircase.models import StatementPost, User
from ircase.services import log
from ircase.services.vault import signing, statements
from msapi.errors import ApiError
from msapi.sessions import USER_AGENT, tls_context

logger = logging.getLogger(__name__)
_SECONDS: Final = 15.0
_LEASE: Final = timedelta(minutes=5)
_FIRST_WAIT: Final = 60
_MOST_ATTEMPTS: Final = 12  # the waits double: the last try is two and a half days after the first


class NotSent(Exception):
    """It did not arrive. The message says why, in a sentence."""


def send_due() -> int:
    """Send what waits; how many arrived."""
    return sum(_send(post) for post in _due()[:50])


def remind() -> None:
    """Beat's tick: have a worker send what is due."""
    if _due().exists():
        jobs.send("ircase.post_statements")


def again(*, post: StatementPost, actor: User) -> None:
    """Try a dead letter once more. Raises ValidationError where it is none."""
    changed = StatementPost.objects.filter(pk=post.pk).exclude(given_up_at=None)
    if not changed.update(given_up_at=None, attempts=0, next_at=timezone.now()):
        raise ValidationError("It is not given up: it waits for its next try, or has arrived.")
    log.record("statement.sent_again", actor=actor, number=post.statement.number, url=post.url)
    jobs.enqueue(statements.TASK)


def _due() -> QuerySet[StatementPost]:
    waiting = StatementPost.objects.filter(sent_at=None, given_up_at=None, next_at__lte=timezone.now())
    return waiting.select_related("statement__key").order_by("next_at", "pk")


def _send(post: StatementPost) -> bool:
    now = timezone.now()
    mine = StatementPost.objects.filter(pk=post.pk, attempts=post.attempts, sent_at=None)
    # Of two workers one wins; one that dies leaves it due again after the lease.
    if not mine.update(attempts=F("attempts") + 1, next_at=now + _LEASE):
        return False
    row = StatementPost.objects.filter(pk=post.pk)
    try:
        post_to(post.url, signing.canonical(statements.as_json(post.statement)))
    except NotSent as error:
        attempts = post.attempts + 1
        wait = timedelta(seconds=_FIRST_WAIT * 2 ** min(attempts, 16))
        over = now if attempts >= _MOST_ATTEMPTS else None
        row.update(problem=str(error)[:300], next_at=now + wait, given_up_at=over)
        logger.warning("statement.not_sent", extra={"post": post.pk, "attempts": attempts, "given_up": bool(over)})
        return False
    row.update(sent_at=timezone.now(), problem="")
    return True


def post_to(url: str, body: bytes) -> None:
    """One POST of JSON. Raises NotSent for anything but a 2xx answer; redirects are not followed."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or 443
    except ValueError:
        raise NotSent("This is not an address.") from None
    if parts.scheme != "https" or not host or parts.username is not None:
        raise NotSent("The address must begin with https:// and hold no password.")
    address = _looked_at(host, port)
    try:
        connection = _Pinned(host, port, address, tls_context(None))
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(
                "POST",
                path,
                body,
                {"User-Agent": USER_AGENT, "Content-Type": "application/json", "Connection": "close"},
            )
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError, ApiError) as error:
        raise NotSent(f"The connection failed ({type(error).__name__}).") from error
    if not 200 <= status < 300:
        raise NotSent(f"It answered with status {status}.")


def _looked_at(host: str, port: int) -> str:
    try:
        found = [str(one[4][0]).partition("%")[0] for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise NotSent(f"The host {host[:200]} was not found.") from None
    if host not in settings.STATEMENT_PRIVATE_HOSTS and not all(_is_public(one) for one in found):
        raise NotSent(f"{host[:200]} is not on the public internet. IRCASE_STATEMENT_PRIVATE_HOSTS may allow it.")
    return found[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        # Any other way to put an IPv4 address inside (Teredo, NAT64) is refused as a whole.
        if inside is not None:
            return _is_public(str(inside))
        if address.teredo or address in ipaddress.ip_network("64:ff9b::/96"):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Pinned(http.client.HTTPSConnection):
    """Connects to an address that was looked at; the certificate must be the host's."""

    def __init__(self, host: str, port: int, address: str, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_SECONDS, context=context)
        self._address, self._tls = address, context

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), _SECONDS)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
