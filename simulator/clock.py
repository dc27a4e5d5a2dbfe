"""The simulator's time.

Two clocks: the wall clock, which stamps what people see, and the ages of actions, links and quota windows, which run
`speed` times as fast and can be pushed forward. Hunts ask for the wall clock, so that pushing an action ahead by three
days does not move the telemetry out of their window. Tokens live by the wall clock too: msal discards short ones.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """`start` is what the clock shows when it is made (None: the real time); `advanced` are pushed seconds so far."""

    speed: float = 1.0
    start: datetime | None = None
    advanced: float = 0.0
    _born: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wall(self) -> datetime:
        """Now, aware UTC."""
        if self.start is None:
            return datetime.now(UTC)
        return self.start + timedelta(seconds=time.monotonic() - self._born)

    def ticks(self) -> float:
        """Simulated seconds, for quota windows: only differences mean something."""
        return (time.monotonic() - self._born) * self.speed + self.advanced

    def age(self, since: datetime, advanced_then: float) -> float:
        """Simulated seconds since a wall-clock moment at which `advanced` was `advanced_then`."""
        return (self.wall() - since).total_seconds() * self.speed + self.advanced - advanced_then

    def when(self, since: datetime, age: float) -> datetime:
        """The wall-clock moment at which something born at `since` reached a simulated age; never in the future."""
        return min(since + timedelta(seconds=age / self.speed), self.wall())

    def real_seconds(self, simulated: float) -> float:
        """How long a simulated duration takes."""
        return simulated / self.speed

    def advance(self, seconds: float) -> float:
        """Push the ages of everything forward; returns the total pushed so far."""
        with self._lock:
            self.advanced += seconds
            return self.advanced


def iso(moment: datetime) -> str:
    """UTC with seven fractional digits and `Z`, as Defender and Graph write times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def parse_iso(text: str) -> datetime:
    """The moment of `iso` (or of any ISO 8601 text); naive text is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
