"""A time as a person gives it: in a zone, and as exactly as it is known. Kept in UTC, with what was written."""

import functools
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, TypeVar

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from ircase.models import Event

T = TypeVar("T")
Precision = Event.Precision
_HOUR_ONLY: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2})")
_OFFSET: Final = re.compile(r"[+-]\d{2}:\d{2}")
_HOW: Final = "Write it as 2026-02-01 23:30:05; seconds may be missing, and Z or +01:00 may follow."


@dataclass(frozen=True)
class When:
    """A time of an event, field by field as `Event` keeps it. `at` and `until` are UTC."""

    at: datetime
    until: datetime | None = None
    precision: str = Precision.EXACT
    zone: str = ""
    given: str = ""


@functools.cache
def zones() -> tuple[str, ...]:
    """The names of the zones that a time may be given in."""
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC"))


def zone_of(name: str) -> tzinfo:
    """The zone called `name`, or an offset such as +01:00. Raises ValidationError."""
    try:
        if _OFFSET.fullmatch(name):
            return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo or UTC
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValidationError(f"“{name[:64]}” is no time zone. Write it as in Europe/Copenhagen or UTC.") from None


def parse(text: str, zone: str) -> tuple[datetime, bool]:
    """The time in UTC, and whether `text` named its offset itself; where it did not, it is one of `zone`.

    Raises ValidationError, also for the hour that a clock put forward leaves out. Of an hour that a clock put back
    lives twice it is the first.
    """
    text = text.strip()
    found = _parsed(text)
    if found is None:
        raise ValidationError(f"“{text[:40]}” is no time. {_HOW}")
    if found.tzinfo is not None:
        return _in_utc(found), True
    if not zone:
        raise ValidationError(f"“{text[:40]}” names no zone. Choose the zone that it was written in.")
    return _in_utc(_placed(found, zone_of(zone))), False


def _parsed(text: str) -> datetime | None:
    hour = _HOUR_ONLY.fullmatch(text)
    try:
        found = parse_datetime(f"{hour[1]}T{hour[2]}:00" if hour else text)
        if found is None and (day := parse_date(text)):
            found = datetime(day.year, day.month, day.day)  # noqa: DTZ001 its zone is given below
    except ValueError:
        return None
    return found


def _placed(naive: datetime, zone: tzinfo) -> datetime:
    placed = naive.replace(tzinfo=zone)
    try:
        back = placed.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        back = naive
    if back != naive:
        raise ValidationError(f"{naive:%Y-%m-%d %H:%M} was skipped in {zone}: the clock was put forward then.")
    return placed


def _in_utc(found: datetime) -> datetime:
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValidationError("A time must lie between the years 1 and 9999.") from None


def read(text: str, *, zone: str, precision: str = Precision.EXACT, until: str = "") -> When:
    """What a person gave. Raises ValidationError by field: `at`, `until`, `zone`."""
    precision = Precision(precision)
    if zone:
        _named("zone", lambda: zone_of(zone))
    at, own = _named("at", lambda: parse(text, zone))
    end = None
    if precision == Precision.BETWEEN:
        if not until.strip():
            raise ValidationError({"until": "Say until when: it is between two times."})
        end, _ = _named("until", lambda: parse(until, zone))
        if end <= at:
            raise ValidationError({"until": "The end must lie after the beginning."})
    given = text.strip() + (f" – {until.strip()}" if end else "")
    written = _offset(text) if own else zone
    return When(at if own else _floor(at, precision, zone), end, precision, written, given[:120])


def _named(field: str, act: Callable[[], T]) -> T:
    try:
        return act()
    except ValidationError as error:
        raise ValidationError({field: error.messages}) from None


def _offset(text: str) -> str:
    found = _parsed(text.strip())
    return found.isoformat()[-6:] if found and found.utcoffset() else "UTC"


def _floor(at: datetime, precision: str, zone: str) -> datetime:
    """Where the minute, hour or day in the zone begins that the time lies in."""
    local = at.astimezone(zone_of(zone))
    parts = {Precision.MINUTE: 5, Precision.HOUR: 4, Precision.DAY: 3}.get(Precision(precision))
    if parts is None:
        return at
    # The fold stays: of the hour that is there twice, it is the same one.
    small: dict[str, Any] = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    for name in ("hour", "minute")[: parts - 3]:
        del small[name]
    return local.replace(**small).astimezone(UTC)


def words(event: Event) -> str:
    """The time as the page, a file or a screen reader says it, in the reader's zone, except a day: that is one of the
    zone it was given in."""
    local = timezone.localtime(event.at)
    match event.precision:
        case Precision.DAY:
            day = event.at.astimezone(known_zone(event.zone))
            return f"{day:%-d %b %Y}, that day" + (f" ({event.zone})" if event.zone else "")
        case Precision.HOUR:
            return f"{local:%-d %b %Y, %H}h, within the hour"
        case Precision.MINUTE:
            return f"{local:%-d %b %Y, %H:%M}, to the minute"
        case Precision.BEFORE:
            return f"before {local:%-d %b %Y, %H:%M:%S}"
        case Precision.AFTER:
            return f"after {local:%-d %b %Y, %H:%M:%S}"
        case Precision.BETWEEN if event.until is not None:
            return f"between {local:%-d %b %Y, %H:%M:%S} and {timezone.localtime(event.until):%-d %b %Y, %H:%M:%S}"
    return f"{local:%-d %b %Y, %H:%M:%S}"


def known_zone(name: str) -> tzinfo:
    """The zone of an event, the reader's own where it has none that is known."""
    try:
        return zone_of(name)
    except ValidationError:
        return timezone.get_current_timezone()


def text_of(at: datetime, zone: str) -> str:
    """The time as the form shows it for editing: in the zone it was given in, without what is finer than a second."""
    return f"{at.astimezone(known_zone(zone)).replace(microsecond=0, tzinfo=None):%Y-%m-%dT%H:%M:%S}"
