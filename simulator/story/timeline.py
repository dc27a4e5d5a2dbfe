"""Moments of the story. A moment is an int: microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_END_OF_STORY = 17 * HOUR + 30 * MINUTE
_QUARTER_HOUR = 15 * MINUTE


@lru_cache(maxsize=131_072)
def _minute_text(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def stamp(moment: int) -> str:
    """The moment as Microsoft writes it: UTC, seven fractional digits, `Z`. The seventh digit is derived, not zero."""
    second, fraction = divmod(moment, SECOND)
    return f"{_minute_text(second // 60)}{second % 60:02d}.{fraction:06d}{fraction % 9}Z"


def moment_of(when: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    return round((when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def as_datetime(moment: int) -> datetime:
    """The moment as an aware UTC datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)


@dataclass(frozen=True)
class Week:
    """The story's calendar: it ends at `now`, which is Friday 17:30 at the company, and reaches `days` back."""

    now: int
    days: int

    @property
    def start(self) -> int:
        """The first moment of telemetry."""
        return self.now - self.days * DAY

    def at(self, day: int, clock: str) -> int:
        """The moment of a local `HH:MM:SS`: day 0 is the Friday of the intrusion, -1 the Thursday before."""
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        local = hours * HOUR + minutes * MINUTE + seconds * SECOND
        return self.now - _END_OF_STORY + day * DAY + local

    def is_weekend(self, day: int) -> bool:
        """Whether the local day is a Saturday or Sunday, counted back from Friday (day 0)."""
        return day % 7 in (1, 2)

    @property
    def local_offset(self) -> timedelta:
        """The company's offset from UTC, to the quarter hour, between -12 and +12 hours."""
        of_day = self.now % DAY
        shift = (_END_OF_STORY - of_day + DAY // 2) % DAY - DAY // 2
        return timedelta(microseconds=round(shift / _QUARTER_HOUR) * _QUARTER_HOUR)

    def local(self, moment: int) -> datetime:
        """A naive datetime in the company's local time, as a device would print it."""
        return (as_datetime(moment) + self.local_offset).replace(tzinfo=None)
