"""When something may be told: quiet hours and the digest, in the person's own zone, clock changes included."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from ircase.models import NoticeCode, NoticeSettings, User
from ircase.telling import rules


def zone_of(person: User) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(person.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def not_before(chosen: NoticeSettings, zone: tzinfo, code: str, now: datetime) -> datetime:
    """`now`, or the end of the quiet hours that it lies in."""
    passes = (code == NoticeCode.ALARM and chosen.alarm_passes) or (code == NoticeCode.CLOCK and chosen.clock_passes)
    if not chosen.quiet or passes or chosen.quiet_from == chosen.quiet_until:
        return now
    local = now.astimezone(zone)
    begins, ends = chosen.quiet_from, chosen.quiet_until
    at = local.time()
    over_midnight = begins > ends
    inside = (at >= begins or at < ends) if over_midnight else begins <= at < ends
    if not inside:
        return now
    day = local.date() + timedelta(days=1 if over_midnight and at >= begins else 0)
    # Where the clock is put back, the wall shows the end twice: the first of them may lie behind `now`.
    return max(_moment(day, ends, zone), now)


def next_digest(chosen: NoticeSettings, zone: tzinfo, now: datetime) -> datetime:
    """The next time that the digest is sent, after `now`."""
    days, hour = rules.days_of(chosen), time(min(chosen.digest_hour, 23))
    today = now.astimezone(zone).date()
    for ahead in range(9):
        day = today + timedelta(days=ahead)
        moment = _moment(day, hour, zone)
        if day.weekday() in days and moment > now:
            return moment
    raise AssertionError("a week has every weekday")


def _moment(day: date, at: time, zone: tzinfo) -> datetime:
    """A time of the wall in UTC. One that the clock skips is the moment that the clock was put forward by."""
    return datetime.combine(day, at, zone).astimezone(UTC)
