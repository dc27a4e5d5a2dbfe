"""When to call again: one pure function over a small table, and the reading of Retry-After."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

LONGEST_WAIT: Final = 86_400.0
_SECONDS: Final = re.compile(r"\s*\d{1,12}(?:\.\d{1,6})?\s*")
_CLOCK: Final = re.compile(r"\b(?:(\d{1,2})\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?")
_WORDS: Final = re.compile(r"(?i)\b(\d{1,5})\s*(hour|hr|minute|min|second|sec)")
_UNITS: Final = {"h": 3600, "m": 60, "s": 1}


class Kind(Enum):
    """What became of one attempt."""

    OK = "ok"
    THROTTLED = "throttled"  # 429: refused before it was carried out
    UNAVAILABLE = "unavailable"  # 408, 500, 502, 503, 504: may have been carried out
    NOT_SENT = "not_sent"  # no connection was made
    BROKEN = "broken"  # sent, and no whole answer came back
    REFUSED = "refused"  # any other answer: asking again changes nothing


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt's end; `retry_after` in seconds where the service named it."""

    kind: Kind
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`attempts` in all; waits grow from `backoff` to `backoff_cap`; one above `max_wait` is not slept here."""

    attempts: int = 3
    backoff: float = 1.0
    backoff_cap: float = 30.0
    max_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Call again after `delay` seconds."""

    delay: float


class GiveUp(Enum):
    """Why there is no further attempt."""

    DONE = "done"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"
    AMBIGUOUS = "ambiguous"
    WAIT_TOO_LONG = "wait_too_long"


def decide(idempotent: bool, attempt: int, outcome: Outcome, policy: Policy, jitter: float = 0.0) -> Retry | GiveUp:
    """What follows attempt number `attempt` (from 1); `jitter` in 0..1 spreads callers that failed together.

    A call that is not idempotent is repeated only where it certainly was not carried out.
    """
    if outcome.kind is Kind.OK:
        return GiveUp.DONE
    if outcome.kind is Kind.REFUSED:
        return GiveUp.REFUSED
    if not idempotent and outcome.kind in (Kind.BROKEN, Kind.UNAVAILABLE):
        return GiveUp.AMBIGUOUS
    wait = _wait(attempt, outcome, policy)
    if wait > policy.max_wait:
        return GiveUp.WAIT_TOO_LONG
    if attempt >= policy.attempts:
        return GiveUp.EXHAUSTED
    return Retry(wait + jitter * min(1.0, wait / 2))


def _wait(attempt: int, outcome: Outcome, policy: Policy) -> float:
    if outcome.retry_after is not None:
        return outcome.retry_after
    growth = min(attempt - 1, 16)
    return float(min(policy.backoff_cap, policy.backoff * 2**growth))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from `now` (epoch seconds) that a Retry-After header asks for: 0 to one day; None where it is unreadable.

    Both forms of https://www.rfc-editor.org/rfc/rfc9110#field.retry-after are read.
    """
    if value is None or len(value) > 100:
        return None
    if _SECONDS.fullmatch(value) and value.isascii():
        return min(float(value), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.fromtimestamp(now, UTC)).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT) if math.isfinite(seconds) else None


def duration_in(text: str) -> float | None:
    """The first duration named in a sentence ("again in 00:12:30", "in 12 minutes"), in seconds; None without one."""
    clock = _CLOCK.search(text)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return min(days * 86_400 + hours * 3600.0 + minutes * 60 + seconds, LONGEST_WAIT)
    words = _WORDS.findall(text)
    if not words:
        return None
    return min(float(sum(int(count) * _UNITS[unit[0].lower()] for count, unit in words)), LONGEST_WAIT)
