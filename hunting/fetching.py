"""One file from an address that an administrator has allowed, and from nowhere else.

The address is https; its host is resolved once, every address that it resolves to must be a public one, and the
connection goes to exactly such an address: a name that means something else a moment later gains nothing. Redirects are
followed by the same rules, to allowed hosts only. Bytes, time and redirects have caps.
"""

from __future__ import annotations

import http.client
import ipaddress
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from msapi.endpoint import is_loopback
from msapi.sessions import USER_AGENT, tls_context

logger = logging.getLogger(__name__)

SECONDS: Final = 60.0
REDIRECTS: Final = 5
_SILENCE: Final = 15.0
_TRIED: Final = 4
_CHUNK: Final = 64 * 1024
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_PLAIN: Final = re.compile(r"[\x21-\x7e]{1,2000}")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Reply = http.client.HTTPResponse
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


class FetchError(Exception):
    """The file was not fetched. The message says why, for a person; it holds no query string."""


@dataclass(frozen=True)
class Rules:
    """What a fetch may do. `hosts`: lower-case names that redirects may lead to. `loopback`: this machine may be asked,
    also by plain http: for tests only."""

    hosts: frozenset[str]
    max_bytes: int
    seconds: float = SECONDS
    loopback: bool = False


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def shown(address: str) -> str:
    """An address for messages and manifests: what follows the question mark may be a key."""
    head, mark, _ = address.partition("?")
    return f"{head[:300]}?…" if mark else head[:300]


def problem_of(address: str, *, loopback: bool = False) -> str:
    """Why an address can never be fetched, a sentence; "" where it can."""
    if not _PLAIN.fullmatch(address):
        return "An address is at most 2,000 plain characters, without blanks."
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "This is not an address."
    if not host or parts.username is not None or parts.fragment:
        return "An address has a host, and neither a name with a password nor a # part."
    if parts.scheme == "https" or (parts.scheme == "http" and loopback and is_loopback(host)):
        return ""
    return "The address must begin with https://."


@contextmanager
def fetched(address: str, rules: Rules, resolve: Resolve = resolved) -> Iterator[Iterator[bytes]]:
    """The file's bytes in chunks, while the context lasts. Raises FetchError, also while they are read."""
    deadline = time.monotonic() + rules.seconds
    for _ in range(REDIRECTS + 1):
        with _answered(address, rules, resolve, deadline) as (reply, clock):
            if reply.status not in _MOVED:
                yield _body(reply, address, rules, clock)
                return
            address = _next(address, reply.getheader("Location") or "", rules)
    raise FetchError(f"It was sent on more than {REDIRECTS} times.")


def _next(address: str, location: str, rules: Rules) -> str:
    target = urljoin(address, location)
    if not location or problem_of(target, loopback=rules.loopback):
        raise FetchError("It was sent on to an address that is not https.")
    host = (urlsplit(target).hostname or "").lower()
    if host not in rules.hosts:
        raise FetchError(f"It was sent on to {host[:200]}, which no feed allows. Allow a feed at that host too.")
    return target


@contextmanager
def _answered(address: str, rules: Rules, resolve: Resolve, deadline: float) -> Iterator[tuple[Reply, _Clock]]:
    """One request's reply, and the clock that ends it, however slowly it drips."""
    if problem := problem_of(address, loopback=rules.loopback):
        raise FetchError(problem)
    parts = urlsplit(address)
    connection = _connection(parts, rules, resolve)
    clock = _Clock(rules.seconds)
    try:
        connection.connect()
        clock.start(connection.sock, deadline)
        reply = _reply(connection, parts)
        clock.check()
        yield reply, clock
    except (OSError, http.client.HTTPException) as error:
        clock.check()
        raise FetchError(_words(error)) from error
    finally:
        clock.stop()
        connection.close()


class _Clock:
    """Ends a connection at its time. To whoever reads, that may look like the end of the file: ask `check`."""

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

    def check(self) -> None:
        """Raises FetchError where the time is up."""
        if self._over.is_set():
            raise FetchError(f"It took longer than {self._seconds:g} seconds.")

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _reply(connection: http.client.HTTPConnection, parts: SplitResult) -> Reply:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def _body(reply: Reply, address: str, rules: Rules, clock: _Clock) -> Iterator[bytes]:
    if reply.status != 200:
        raise FetchError(f"{shown(address)} answered with status {reply.status}.")
    declared = reply.length
    if declared is not None and declared > rules.max_bytes:
        raise FetchError(f"It has {declared:,} bytes, and the feed allows {rules.max_bytes:,}.")
    total = 0
    while chunk := reply.read1(_CHUNK):
        total += len(chunk)
        if total > rules.max_bytes:
            raise FetchError(f"It has more than the {rules.max_bytes:,} bytes that the feed allows.")
        yield chunk
    clock.check()
    if declared is not None and total < declared:
        raise FetchError("It ended before it was complete.")


def _connection(parts: SplitResult, rules: Rules, resolve: Resolve) -> http.client.HTTPConnection:
    """A connection to an address that was looked at, in the name of the host."""
    host = (parts.hostname or "").lower()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = [ipaddress.ip_address(one.partition("%")[0]) for one in resolve(host, port)]
    except (OSError, UnicodeError, ValueError) as error:
        raise FetchError(f"The host {host[:200]} was not found.") from error
    refused = [one for one in found if not (is_public(one) or (rules.loopback and one.is_loopback))]
    if refused or not found:
        # One private address among public ones is how a name is made to mean two things.
        logger.warning("feed.private_address", extra={"host": host[:200], "addresses": [str(one) for one in refused]})
        raise FetchError(f"The host {host[:200]} is not on the public internet; such addresses are never asked.")
    if parts.scheme == "https":
        return _Pinned(host, port, [str(one) for one in found], tls_context(None))
    return _PlainPinned(host, port, [str(one) for one in found])


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


class _PlainPinned(http.client.HTTPConnection):
    """Connects to an address that was looked at, whatever the host means by now."""

    def __init__(self, host: str, port: int, addresses: Sequence[str]) -> None:
        super().__init__(host, port, timeout=_SILENCE)
        self._addresses = addresses

    def connect(self) -> None:
        self.sock = _connected(self._addresses, self.port)


class _Pinned(http.client.HTTPSConnection):
    """The same with TLS: the certificate must be the host's."""

    def __init__(self, host: str, port: int, addresses: Sequence[str], context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_SILENCE, context=context)
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
            return socket.create_connection((address, port), _SILENCE)
        except OSError as error:
            failure = error
    raise failure or OSError("no address")


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"Its certificate is not trusted: {error.verify_message}."
    if isinstance(error, TimeoutError):
        return f"It was silent for {_SILENCE:g} seconds."
    return f"The connection failed ({type(error).__name__})."
