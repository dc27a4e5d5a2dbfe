"""The quota book: how often and how many at once all workers together may call one tenant's API. Kept in Redis.

Calls are counted in sliding windows of a minute and an hour, so that no 60 seconds ever hold more than the limit,
wherever they begin. Waiting tickets stand in one line per bucket, in which flows (a hunt of a case) take turns and
priority overtakes. Leases count calls (or sessions) under way; both they and tickets lapse when their holder falls
silent.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from msapi.endpoint import ApiLimits, Endpoint
from msapi.errors import Cancelled, GovernorUnavailable, InvalidParameter

_SCRIPT: Final = Path(__file__).with_name("governor.lua").read_text(encoding="utf-8")
_KEYS: Final = (
    "calls", "queue", "alive", "leases", "nonces", "penalty", "counter", "held", "flows", "virtual", "spent"
)  # fmt: skip
_ASK_AGAIN: Final = 60.0  # as in the script
_FOREVER: Final = 30 * 86_400.0
DEFAULT_PRIORITY: Final = 5
HUNTING_SLACK: Final = 2.0
DEFENDER_SLACK: Final = 0.1  # its calls say when they were made, so that only the clocks' difference remains
LINE_SECONDS: Final = 900.0
PACKAGE_LINKS: Final = 2  # a minute


@dataclass(frozen=True, slots=True)
class Bucket:
    """One API of one tenant and its limits; 0 means no limit. Times are seconds.

    `lease_seconds`: how long a holder is believed without `renew`. `ticket_seconds`: how long a waiting ticket keeps
    its place past the moment it should ask again. `priority_seconds`: what one step of priority is worth in waiting, at
    the rate of `per_minute`. `cpu_seconds`: what the calls of 15 minutes may take together. `slack`: by how much the
    windows are longer here, because one call may take longer to reach the service than the next. `minute`: how long
    the service's minute lasts, 60 but for a simulated tenant whose clock runs faster.
    """

    tenant_id: str
    api: str
    per_minute: int = 0
    per_hour: int = 0
    concurrency: int = 0
    lease_seconds: float = 300.0
    ticket_seconds: float = 90.0
    priority_seconds: float = 60.0
    cpu_seconds: float = 0.0
    slack: float = 0.0
    minute: float = 60.0

    @property
    def priority_calls(self) -> float:
        """How many calls one step of priority overtakes."""
        return self.priority_seconds * (self.per_minute or 60) / 60

    @property
    def key(self) -> str:
        """What its Redis keys begin with; the braces keep them on one node of a cluster."""
        return f"msapi:governor:{{{self.tenant_id.lower()}|{self.api}}}"


@dataclass(frozen=True, slots=True)
class Granted:
    """Leave to make one call now. Give it back with `release`; `nonce` tells it from another grant of the ticket."""

    bucket: Bucket
    ticket: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet: ask again in `seconds` (60 at most) to keep the place, which counts from 1. `eta` is the estimate, in
    seconds, of when it is this ticket's turn."""

    seconds: float
    place: int
    eta: float


@dataclass(frozen=True, slots=True)
class Load:
    """What a bucket has used: calls in the last minute and hour, leases held, tickets waiting, seconds of penalty."""

    minute: int
    hour: int
    held: int
    waiting: int
    penalty: float


class Governor:
    """The book, for any number of workers. Every method raises GovernorUnavailable where Redis does not answer.

    `clock` gives epoch seconds; None takes the Redis server's clock, which all machines share.
    """

    def __init__(self, redis_client: Any, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        # redis-py loads the script again where the server has forgotten it (NOSCRIPT after a restart).
        self._script = redis_client.register_script(_SCRIPT)

    def acquire(self, bucket: Bucket, ticket: str, priority: int = DEFAULT_PRIORITY, flow: str = "") -> Granted | Wait:
        """Take a turn, or a place in the line; never waits. `ticket` names the job (a run's id) and keeps its place and
        its one lease over any number of calls. `priority` is 0 (first) to 9. Tickets of one `flow` are served in their
        order; flows take turns, so that a thousand tickets of one hold up nobody else."""
        if not 0 <= priority <= 9:
            raise InvalidParameter("A priority is 0 (first) to 9.")
        nonce = uuid.uuid4().hex
        verdict, wait, place = self._do("acquire", bucket, ticket, priority=priority, extra=nonce, flow=flow)
        if verdict == "granted":
            return Granted(bucket, ticket, nonce)
        return Wait(min(float(wait), _ASK_AGAIN), int(place), float(wait))

    def place(self, bucket: Bucket, ticket: str) -> int | None:
        """The ticket's place in the line, from 1; None where it does not wait."""
        verdict, _, place = self._do("look", bucket, ticket)
        return int(place) if verdict == "wait" else None

    def eta(self, bucket: Bucket, ticket: str) -> float | None:
        """Seconds until the ticket's turn, as far as can be told; None where it does not wait."""
        verdict, wait, _ = self._do("look", bucket, ticket)
        return float(wait) if verdict == "wait" else None

    def first(self, bucket: Bucket, number: int) -> list[str]:
        """The tickets at the front of the line, in order."""
        return self._do("first", bucket, "", extra=str(number))

    def leave(self, bucket: Bucket, ticket: str, flow: str = "") -> bool:
        """Give up a place in the line; whether there was one."""
        return self._do("leave", bucket, ticket, flow=flow)[2] == "1"

    def renew(self, granted: Granted) -> bool:
        """Say that the holder is alive. False: another grant of the same ticket has taken over, so stop."""
        return self._do("renew", granted.bucket, granted.ticket, extra=granted.nonce)[0] == "renewed"

    def release(self, granted: Granted) -> bool:
        """Give the lease back; False where it had lapsed or another grant of the ticket holds it."""
        return self._do("release", granted.bucket, granted.ticket, extra=granted.nonce)[0] == "released"

    def made(self, granted: Granted) -> bool:
        """Say that the call was made and answered. It then counts from now, not from the grant: however long it took to
        reach the service, no window there holds more than the limit. False where the call is not known any more."""
        return self._do("made", granted.bucket, granted.ticket, extra=granted.nonce)[0] == "made"

    def penalise(self, bucket: Bucket, seconds: float) -> float:
        """After a 429: nobody calls for `seconds`, or for longer where that was said before. Gives the seconds left."""
        bounded = min(max(0.0, seconds), _FOREVER)
        return float(self._do("penalise", bucket, "", extra=f"{bounded:.6f}")[1])

    def load(self, bucket: Bucket) -> Load:
        """What the bucket has used, for a page that shows it."""
        minute, hour, held, waiting, penalty = self._do("load", bucket, "")
        return Load(int(minute), int(hour), int(held), int(waiting), float(penalty))

    def wait(
        self,
        bucket: Bucket,
        ticket: str,
        priority: int = DEFAULT_PRIORITY,
        *,
        cancel: threading.Event | None = None,
        on_wait: Callable[[int, float], None] | None = None,
        longest_nap: float = 5.0,
        timeout: float | None = None,
    ) -> Granted:
        """Wait for a turn. `on_wait(place, eta)` is told each time the line is looked at. Raises Cancelled, and
        leaves the line, once `cancel` is set or `timeout` seconds have passed."""
        stop = cancel or threading.Event()
        ends = None if timeout is None else time.monotonic() + timeout
        while not stop.is_set():
            answer = self.acquire(bucket, ticket, priority)
            if isinstance(answer, Granted):
                return answer
            if on_wait is not None:
                on_wait(answer.place, answer.eta)
            left = longest_nap if ends is None else min(longest_nap, ends - time.monotonic())
            if left <= 0:
                break
            stop.wait(min(max(answer.seconds, 0.02), left))
        self.leave(bucket, ticket)
        raise Cancelled("Waiting for a turn was given up before there was one.")

    @contextmanager
    def turn(self, bucket: Bucket, ticket: str, priority: int = DEFAULT_PRIORITY, **options: Any) -> Iterator[Granted]:
        """`wait` (with its options) and, at the end, `release`."""
        granted = self.wait(bucket, ticket, priority, **options)
        try:
            yield granted
        finally:
            self.release(granted)

    def _do(
        self, verb: str, bucket: Bucket, ticket: str, *, priority: int = 0, extra: str = "", flow: str = ""
    ) -> list[str]:
        arguments: list[str | int | float] = [
            verb,
            "" if self._clock is None else f"{self._clock():.6f}",
            ticket,
            bucket.per_minute,
            bucket.per_hour,
            bucket.concurrency,
            bucket.lease_seconds,
            bucket.ticket_seconds,
            priority,
            f"{bucket.priority_calls:.6f}",
            extra,
            flow,
            bucket.cpu_seconds,
            bucket.slack,
            bucket.minute,
        ]
        keys = [f"{bucket.key}:{name}" for name in _KEYS]
        try:
            answer = self._script(keys=keys, args=arguments)
        except redis.exceptions.RedisError as error:
            raise GovernorUnavailable(
                f"The quota book in Redis does not answer ({type(error).__name__}). Nothing was called; "
                "the work goes on once Redis is back."
            ) from error
        return [item.decode() if isinstance(item, bytes) else str(item) for item in answer]


def hunting_bucket(endpoint: Endpoint) -> Bucket:
    """Hunting through Graph."""
    limits = endpoint.limits
    return Bucket(
        endpoint.tenant_id, "hunting", limits.hunting_per_minute, limits.hunting_per_hour, slack=HUNTING_SLACK
    )


def defender_bucket(endpoint: Endpoint) -> Bucket:
    """Defender's calls other than starting Live Response."""
    limits = endpoint.limits
    return Bucket(
        endpoint.tenant_id,
        "defender",
        limits.defender_per_minute,
        limits.defender_per_hour,
        slack=DEFENDER_SLACK,
        minute=limits.minute_seconds,
    )


def live_response_bucket(endpoint: Endpoint, lease_seconds: float = 900.0) -> Bucket:
    """Starting a session; the lease is the session itself, held until the action is final and renewed at each poll. A
    ticket of a long line asks seldom, so it is believed for long."""
    limits: ApiLimits = endpoint.limits
    return Bucket(
        endpoint.tenant_id,
        "live_response",
        limits.live_response_per_minute,
        0,
        limits.live_response_sessions,
        lease_seconds=lease_seconds,
        ticket_seconds=LINE_SECONDS,
        slack=DEFENDER_SLACK,
        minute=limits.minute_seconds,
    )


def package_bucket(endpoint: Endpoint) -> Bucket:
    """Asking for the link of an investigation package: 2 a minute, 120 an hour.
    https://learn.microsoft.com/defender-endpoint/api/get-package-sas-uri"""
    return Bucket(endpoint.tenant_id, "package_link", PACKAGE_LINKS, 120)


def loganalytics_bucket(endpoint: Endpoint) -> Bucket:
    """Log Analytics queries; the lease is the query."""
    limits = endpoint.limits
    lease = float(limits.loganalytics_timeout) + 60.0
    return Bucket(
        endpoint.tenant_id,
        "loganalytics",
        limits.loganalytics_per_minute,
        0,
        limits.loganalytics_concurrency,
        lease_seconds=lease,
    )
