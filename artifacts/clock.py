"""When did it happen: event time by rule, and the rule's name beside it.

Sysmon's ``UtcTime`` is the moment itself. A shipper's ``EventTime`` or ``TimeCreated`` is the sending host's wall
clock, whatever zone it claims, so its distance from UTC, a whole number of quarter hours, is learned per file and host
from rows that carry both. The arrival time ``@timestamp`` comes last: it lags by a minute and more.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?\Z")
_QUARTER = 900
_TOLERANCE = 300  # seconds by which a wall clock may miss a whole quarter hour: shipping and rounding
_FARTHEST = 14 * 3600
_VOTES = 3


def utc_text(text: object) -> str | None:
    """A time as ``YYYY-MM-DDThh:mm:ss.fffffffZ``; taken as UTC where it names no zone. None if it is no time."""
    match = _ISO.match(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    digits = (fraction or "")[:7].ljust(7, "0")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}")
        if zone and zone not in ("Z", "UTC", "+00:00", "+0000", "-00:00"):
            moment -= _zone_offset(zone)
            return f"{moment.isoformat()}.{digits}Z"
    except (ValueError, OverflowError):
        return None
    return f"{day}T{clock}.{digits}Z"


def _zone_offset(zone: str) -> timedelta:
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


def shift(text: str, offset: timedelta) -> str | None:
    """A canonical UTC text moved by ``offset``, all digits kept; None where no calendar has that: 9999 means never."""
    try:
        moment = datetime.fromisoformat(text[:19]) + offset
    except OverflowError:
        return None
    return moment.isoformat() + text[19:]


class WallClocks:
    """Offsets from wall clock to UTC, learned per host while a file is read.

    An offset holds once three rows running agree on it; three that agree on another replace it (a change to summer
    time). ``final`` settles hosts that never got three.
    """

    def __init__(self) -> None:
        self._offsets: dict[str, timedelta] = {}
        self._runs: dict[str, tuple[timedelta, int]] = {}

    def observe(self, host: str, utc: str, wall: str) -> None:
        """A row that has both times, each as ``utc_text`` gives it."""
        seconds = (_seconds(utc) - _seconds(wall)) if utc[:10] != wall[:10] or utc[11:13] != wall[11:13] else 0.0
        quarters = round(seconds / _QUARTER)
        if abs(seconds - quarters * _QUARTER) > _TOLERANCE or abs(seconds) > _FARTHEST:
            return
        offset = timedelta(seconds=quarters * _QUARTER)
        if self._offsets.get(host) == offset:
            self._runs.pop(host, None)
            return
        seen, count = self._runs.get(host, (offset, 0))
        count = count + 1 if seen == offset else 1
        self._runs[host] = (offset, count)
        if count >= _VOTES:
            self._offsets[host] = offset
            del self._runs[host]

    def final(self) -> None:
        """Take what fewer than three rows said, for hosts that have nothing better."""
        for host, (offset, _) in self._runs.items():
            self._offsets.setdefault(host, offset)
        self._runs.clear()

    def offset(self, host: str) -> timedelta | None:
        return self._offsets.get(host)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()
