"""Asking and telling other machines: the host is resolved once, looked at, and exactly that address is connected to.

An address that is not of the public internet (this machine, the house's own network, a cloud's metadata service) is
refused, unless the caller names the host; a name that means something else a moment later gains nothing. Nothing here
follows a redirect. Time and bytes have caps.
"""

import http.client
import ipaddress
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msapi.endpoint import is_loopback
from msapi.errors import ApiError
from msapi.sessions import USER_AGENT, tls_context

logger = logging.getLogger(__name__)

SILENCE: Final = 15.0
_TRIED: Final = 4
_MOST_ANSWER: Final = 64 * 1024
_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,2000}")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_LATER: Final = frozenset({429, 503})
_MOST_WAIT: Final = 24 * 3600.0

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
May = Callable[[Address], bool]


class NotReached(Exception):
    """It was not sent, or not taken. The message says why, in a sentence that holds no secret of the address. `wait`:
    seconds that the other side asked to be left alone, 0 where it did not."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Rules:
    """What a POST may do. `hosts`: lower-case names of hosts that may lie on the house's own network; one of them that
    is this machine by its name may also be asked by plain http, and with `plain_http` so may every one of them.
    `ca_pem`: authorities that are trusted beside the machine's."""

    hosts: frozenset[str] = frozenset()
    seconds: float = 20.0
    headers: Mapping[str, str] = field(default_factory=dict)
    plain_http: bool = False
    ca_pem: str | None = None

    def plain(self, host: str) -> bool:
        """Whether plain http is enough for a lower-case host."""
        return host in self.hosts if self.plain_http else plain_where(self.hosts)(host)


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def problem_of(url: str, *, plain: Callable[[str], bool] = lambda host: False) -> str:
    """Why an address can never be asked, a sentence; "" where it can. `plain` says of a lower-case host whether plain
    http is enough."""
    if not _PLAIN.fullmatch(url):
        return "An address is at most 2,000 plain characters, without blanks."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "This is not an address."
    if not host or parts.username is not None or parts.fragment:
        return "An address has a host, and neither a name with a password nor a # part."
    if parts.scheme == "https" or (parts.scheme == "http" and plain(host)):
        return ""
    return "The address must begin with https://."


def host_of(url: str) -> str:
    """The host of an address, for messages: the rest of it may be a secret."""
    try:
        return (urlsplit(url).hostname or "")[:200]
    except ValueError:
        return ""


def plain_where(hosts: frozenset[str]) -> Callable[[str], bool]:
    """Plain http is for hosts that are this machine by their very name, where they are named."""
    return lambda host: host in hosts and is_loopback(host)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also where it carries an IPv4 address inside."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inside is None and (address in _NAT64 or int(address) < 2**32):
            inside = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(inside)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def connection(
    parts: SplitResult, may: May, resolve: Resolve = resolved, ca_pem: str | None = None
) -> http.client.HTTPConnection:
    """A connection, not yet open, to an address that `may` allows, in the name of the host. Raises NotReached."""
    host = (parts.hostname or "").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = [ipaddress.ip_address(one.partition("%")[0]) for one in resolve(host, port)]
    except (OSError, UnicodeError, ValueError) as error:
        raise NotReached(f"The host {host[:200]} was not found.") from error
    refused = [one for one in found if not may(one)]
    if refused or not found:
        # One private address among public ones is how a name is made to mean two things.
        logger.warning("outgoing.private_address", extra={"host": host[:200], "addresses": [str(a) for a in refused]})
        raise NotReached(f"The host {host[:200]} is not on the public internet; such addresses are never asked.")
    if parts.scheme == "https":
        return _Pinned(host, port, [str(one) for one in found], tls_context(ca_pem))
    return _PlainPinned(host, port, [str(one) for one in found])


def post(url: str, body: bytes, rules: Rules, resolve: Resolve = resolved) -> int:
    """One POST of JSON; the status of its 2xx answer. Raises NotReached for anything else; a redirect is not followed
    and of the answer nothing but its status counts."""
    return _exchanged(url, body, rules, resolve)[0]


def ask(url: str, body: bytes, rules: Rules, resolve: Resolve = resolved) -> bytes:
    """The same for one who wants the answer: its bytes, at most 64 KiB of them."""
    _, content, over = _exchanged(url, body, rules, resolve)
    if over or len(content) > _MOST_ANSWER:
        raise NotReached(over or f"Its answer is longer than {_MOST_ANSWER // 1024} KiB.")
    return content


def _exchanged(url: str, body: bytes, rules: Rules, resolve: Resolve) -> tuple[int, bytes, str]:
    """Status and beginning of a 2xx answer, and a sentence where the time ended it."""
    if problem := problem_of(url, plain=rules.plain):
        raise NotReached(problem)
    parts = urlsplit(url)
    named = (parts.hostname or "").lower() in rules.hosts
    try:
        may: May = lambda one: is_public(one) or (named and not _never(one))  # noqa: E731
        door = connection(parts, may, resolve, rules.ca_pem)
        status, wait, content, over = _sent(door, parts, body, rules)
    except ApiError as error:
        raise NotReached(str(error)) from error
    if not 200 <= status < 300:
        raise NotReached(f"It answered with status {status}.", wait)
    return status, content, over


def _never(address: Address) -> bool:
    """Of a network of one's own nothing is asked by chance of being link-local: clouds keep their keys there."""
    inside = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (inside or address).is_link_local or (inside or address).is_unspecified


def _sent(
    door: http.client.HTTPConnection, parts: SplitResult, body: bytes, rules: Rules
) -> tuple[int, float, bytes, str]:
    clock = Clock(rules.seconds)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": USER_AGENT, "Content-Type": "application/json", "Connection": "close", **rules.headers}
    try:
        door.connect()
        clock.start(door.sock, time.monotonic() + rules.seconds)
        door.request("POST", path, body, headers)
        reply = door.getresponse()
        content = reply.read(_MOST_ANSWER + 1)
        return reply.status, _wait(reply) if reply.status in _LATER else 0.0, content, clock.words()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotReached(clock.words() or words_of(error)) from error
    finally:
        clock.stop()
        door.close()


def _wait(reply: http.client.HTTPResponse) -> float:
    """Seconds of Retry-After; a date is not read."""
    text = (reply.getheader("Retry-After") or "").strip()
    return min(float(text), _MOST_WAIT) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0


class Clock:
    """Ends a connection at its time. To whoever reads, that may look like the end of the answer: ask `words`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = threading.Event()
        self._timer: threading.Timer | None = None

    def start(self, peer: socket.socket, deadline: float) -> None:
        self._timer = threading.Timer(max(deadline - time.monotonic(), 0.01), self._end, [peer])
        self._timer.daemon = True
        self._timer.start()

    def _end(self, peer: socket.socket) -> None:
        self._over.set()
        # Of TLS too, the plain connection is what ends: a reader that waits is woken by it.
        with suppress(OSError):
            socket.socket.shutdown(peer, socket.SHUT_RDWR)

    def words(self) -> str:
        """A sentence where the time is up, else ""."""
        return f"It took longer than {self._seconds:g} seconds." if self._over.is_set() else ""

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def words_of(error: Exception) -> str:
    """A failed connection in a sentence."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate is not trusted: {error.verify_message}."
    if isinstance(error, TimeoutError):
        return f"It was silent for {SILENCE:g} seconds."
    return f"The connection failed ({type(error).__name__})."


class _PlainPinned(http.client.HTTPConnection):
    """Connects to an address that was looked at, whatever the host means by now."""

    def __init__(self, host: str, port: int, addresses: Sequence[str]) -> None:
        super().__init__(host, port, timeout=SILENCE)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = _connected(self._addresses, self.port)


class _Pinned(http.client.HTTPSConnection):
    """The same with TLS: the certificate must be the host's."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=SILENCE, context=context)
        self._addresses, self._tls = addresses, context

    def connect(self) -> None:
        plain = _connected(self._addresses, self.port)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _connected(addresses: Sequence[str], port: int) -> socket.socket:
    """A connection to the first address that takes one. Raises OSError."""
    failure: OSError | None = None
    for address in addresses[:_TRIED]:
        try:
            return socket.create_connection((address, port), SILENCE)
        except OSError as error:
            failure = error
    raise failure or OSError("no address")
