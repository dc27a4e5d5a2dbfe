"""Call and processor quotas: sliding windows on the simulator's fast clock."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field

from simulator.clock import Clock
from simulator.http import ApiFault

# Figures: https://learn.microsoft.com/graph/api/security-security-runhuntingquery,
# https://learn.microsoft.com/defender-endpoint/api/run-live-response and the API pages of each endpoint.
WINDOWS: dict[str, tuple[tuple[int, float], ...]] = {
    "hunting": ((45, 60.0), (1500, 3600.0)),
    "graph": ((150, 60.0),),
    "defender": ((100, 60.0), (1500, 3600.0)),
    "liveresponse": ((10, 60.0),),
    "packageuri": ((2, 60.0), (120, 3600.0)),
    "vulnerabilities": ((50, 60.0), (1500, 3600.0)),
    "alertbatch": ((10, 60.0), (500, 3600.0)),
    "indicatorimport": ((30, 60.0),),
    "loganalytics": ((200, 30.0),),
}
CPU_WINDOW = 900.0
CPU_SECONDS = 600.0


@dataclass
class Quotas:
    """Counts calls per bucket and query seconds; raises ApiFault 429 with Retry-After when a window is full."""

    clock: Clock
    on: bool = True
    _calls: dict[str, deque[float]] = field(default_factory=dict)
    _cpu: deque[tuple[float, float]] = field(default_factory=deque)
    _asked: dict[str, deque[float]] = field(default_factory=dict)
    _highest: dict[str, dict[float, int]] = field(default_factory=dict)
    _refused: dict[str, int] = field(default_factory=dict)
    _sessions: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, bucket: str) -> None:
        """One call of a bucket. A refused call counts as well: early retries keep being refused."""
        with self._lock:
            now = self.clock.ticks()
            self._note(bucket, now)
            if not self.on:
                return
            calls = self._calls.setdefault(bucket, deque())
            windows = WINDOWS[bucket]
            while calls and calls[0] <= now - windows[-1][1]:
                calls.popleft()
            for limit, seconds in windows:
                inside = [moment for moment in calls if moment > now - seconds]
                if len(inside) >= limit:
                    self._refused[bucket] = self._refused.get(bucket, 0) + 1
                    raise self.throttled(inside[-limit] + seconds - now, bucket, limit, seconds)
            calls.append(now)

    def _note(self, bucket: str, now: float) -> None:
        """Count the call, taken or refused, into every window that ends with it."""
        asked, windows = self._asked.setdefault(bucket, deque()), WINDOWS[bucket]
        asked.append(now)
        while asked[0] <= now - windows[-1][1]:
            asked.popleft()
        highest = self._highest.setdefault(bucket, {})
        for _, seconds in windows:
            inside = sum(moment > now - seconds for moment in asked)
            highest[seconds] = max(highest.get(seconds, 0), inside)

    def note_sessions(self, number: int) -> None:
        """So many Live Response sessions are open now."""
        with self._lock:
            self._sessions = max(self._sessions, number)

    def peaks(self) -> dict[str, object]:
        """The most calls that any window of each bucket has held, the calls that were refused, and the most sessions
        that were open at once, since the counters were last reset. Seconds are simulated."""
        with self._lock:
            calls = {
                bucket: [
                    {"seconds": seconds, "limit": limit, "highest": self._highest.get(bucket, {}).get(seconds, 0)}
                    for limit, seconds in windows
                ]
                for bucket, windows in WINDOWS.items()
            }
            return {"calls": calls, "refused": dict(self._refused), "sessions": self._sessions}

    def throttled(self, simulated: float, bucket: str, limit: int, seconds: float) -> ApiFault:
        """A 429 that tells how long to wait, in real whole seconds, at least one."""
        wait = max(1, math.ceil(self.clock.real_seconds(simulated)))
        text = (
            f"API calls quota exceeded! Maximum allowed {limit} calls per {seconds:.0f} seconds ({bucket}). "
            f"Retry after {wait} seconds."
        )
        return ApiFault(429, "TooManyRequests", text, headers={"Retry-After": str(wait)})

    def check_cpu(self) -> None:
        """Refuse a query while the tenant's processor time of the 15-minute cycle is used up."""
        if not self.on:
            return
        with self._lock:
            now = self.clock.ticks()
            while self._cpu and self._cpu[0][0] <= now - CPU_WINDOW:
                self._cpu.popleft()
            if sum(seconds for _, seconds in self._cpu) >= CPU_SECONDS:
                raise cpu_exceeded(max(1, math.ceil(self.clock.real_seconds(self._cpu[0][0] + CPU_WINDOW - now))))

    def spend_cpu(self, seconds: float) -> None:
        """Processor time of one query."""
        with self._lock:
            self._cpu.append((self.clock.ticks(), seconds))

    def reset(self) -> None:
        """Forget all."""
        with self._lock:
            self._calls.clear()
            self._cpu.clear()
            self._asked.clear()
            self._highest.clear()
            self._refused.clear()
            self._sessions = 0


def cpu_exceeded(wait: int) -> ApiFault:
    """The 429 of a used-up processor quota."""
    text = (
        f"You have exceeded processing resources allocated to this tenant. You can run queries again in {wait} seconds."
    )
    return ApiFault(429, "TooManyRequests", text, headers={"Retry-After": str(wait)})
