"""One file from an address that an administrator has allowed, and from nowhere else.

The address is https; its host is resolved once, every address that it resolves to must be a public one, and the
connection goes to exactly such an address: a name that means something else a moment later gains nothing. Redirects are
followed by the same rules, to allowed hosts only. Bytes, time and redirects have caps.
"""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from ircase import outgoing
from ircase.outgoing import Clock, NotReached, Resolve, is_public, resolved
from msapi.endpoint import is_loopback
from msapi.sessions import USER_AGENT

SECONDS: Final = 60.0
REDIRECTS: Final = 5
_CHUNK: Final = 64 * 1024
_MOVED: Final = frozenset({301, 302, 303, 307, 308})

Reply = http.client.HTTPResponse


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


def shown(address: str) -> str:
    """An address for messages and manifests: what follows the question mark may be a key."""
    head, mark, _ = address.partition("?")
    return f"{head[:300]}?…" if mark else head[:300]


def problem_of(address: str, *, loopback: bool = False) -> str:
    """Why an address can never be fetched, a sentence; "" where it can."""
    return outgoing.problem_of(address, plain=lambda host: loopback and is_loopback(host))


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
def _answered(address: str, rules: Rules, resolve: Resolve, deadline: float) -> Iterator[tuple[Reply, Clock]]:
    """One request's reply, and the clock that ends it, however slowly it drips."""
    if problem := problem_of(address, loopback=rules.loopback):
        raise FetchError(problem)
    parts = urlsplit(address)
    clock = Clock(rules.seconds)
    try:
        connection = outgoing.connection(
            parts, lambda one: is_public(one) or (rules.loopback and one.is_loopback), resolve
        )
    except NotReached as error:
        raise FetchError(str(error)) from error
    try:
        connection.connect()
        clock.start(connection.sock, deadline)
        reply = _reply(connection, parts)
        _check(clock)
        yield reply, clock
    except (OSError, http.client.HTTPException) as error:
        _check(clock)
        raise FetchError(outgoing.words_of(error)) from error
    finally:
        clock.stop()
        connection.close()


def _may(rules: Rules, address: outgoing.Address) -> bool:
    return is_public(address) or (rules.loopback and address.is_loopback)


def _check(clock: Clock) -> None:
    """Raises FetchError where the time is up: to a reader that may look like the end of the file."""
    if words := clock.words():
        raise FetchError(words)


def _reply(connection: http.client.HTTPConnection, parts: SplitResult) -> Reply:
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def _body(reply: Reply, address: str, rules: Rules, clock: Clock) -> Iterator[bytes]:
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
    _check(clock)
    if declared is not None and total < declared:
        raise FetchError("It ended before it was complete.")
