"""Quiet hours and digests, by hand-computed moments. Copenhagen changes its clocks on 29 March and 25 October 2026."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ircase.models import NoticeSettings, User
from ircase.telling import moments

COPENHAGEN = ZoneInfo("Europe/Copenhagen")


def quiet(begins: str = "20:00", ends: str = "07:00", **more: object) -> NoticeSettings:
    fields = {"quiet": True, "quiet_from": time.fromisoformat(begins), "quiet_until": time.fromisoformat(ends), **more}
    return NoticeSettings(**fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-01-15T18:59", "2026-01-15T18:59"),  # 19:59 on the wall
        ("2026-01-15T19:00", "2026-01-16T06:00"),  # 20:00 begins
        ("2026-01-15T23:30", "2026-01-16T06:00"),  # 00:30 of the next day
        ("2026-01-16T05:59", "2026-01-16T06:00"),
        ("2026-01-16T06:00", "2026-01-16T06:00"),  # 07:00 ends
        ("2026-03-28T22:00", "2026-03-29T05:00"),  # the clock is put forward in this night
        ("2026-10-24T22:00", "2026-10-25T06:00"),  # and back in this one
    ],
)
def test_over_midnight_in_their_zone(now: str, then: str) -> None:
    assert moments.not_before(quiet(), COPENHAGEN, "mention", at(now)) == at(then)


def test_within_a_day() -> None:
    noon = quiet("12:00", "13:00")
    assert moments.not_before(noon, UTC, "mention", at("2026-01-15T12:30")) == at("2026-01-15T13:00")
    assert moments.not_before(noon, UTC, "mention", at("2026-01-15T13:00")) == at("2026-01-15T13:00")


def test_what_passes() -> None:
    night = at("2026-01-15T23:00")
    for code, fields, passes in (
        ("alarm", {}, True),
        ("alarm", {"alarm_passes": False}, False),
        ("clock", {}, False),
        ("clock", {"clock_passes": True}, True),
        ("mention", {"clock_passes": True}, False),
    ):
        told = moments.not_before(quiet(**fields), UTC, code, night)
        assert (told == night) is passes, (code, fields)
    assert moments.not_before(NoticeSettings(quiet=False, quiet_from=time(20), quiet_until=time(7)), UTC, "mention",
                              night) == night  # fmt: skip
    assert moments.not_before(quiet("08:00", "08:00"), UTC, "mention", night) == night


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.times(), st.times())
def test_nothing_is_told_in_quiet_hours_or_put_off_for_more_than_a_day(moment: datetime, one: time, two: time) -> None:
    chosen = NoticeSettings(quiet=True, quiet_from=one.replace(fold=0), quiet_until=two.replace(fold=0))
    now = moment.replace(tzinfo=UTC)
    then = moments.not_before(chosen, COPENHAGEN, "mention", now)
    assert now <= then and (then - now).total_seconds() <= 25 * 3600


@pytest.mark.parametrize(
    ("now", "days", "then"),
    [
        ("2026-11-20T06:30", [0, 1, 2, 3, 4], "2026-11-20T07:00"),  # a Friday, 07:30 on the wall
        ("2026-11-20T07:00", [0, 1, 2, 3, 4], "2026-11-23T07:00"),  # 08:00 has come: Monday
        ("2026-11-20T07:00", [4], "2026-11-27T07:00"),
        ("2026-11-20T07:00", [], "2026-11-23T07:00"),  # no day is every weekday
        ("2026-03-28T12:00", [6], "2026-03-29T06:00"),  # summer time: 08:00 is an hour earlier
    ],
)
def test_the_next_digest(now: str, days: list[int], then: str) -> None:
    chosen = NoticeSettings(digest_hour=8, digest_days=days)
    assert moments.next_digest(chosen, COPENHAGEN, at(now)) == at(then)


def test_a_zone_that_is_none_is_utc() -> None:
    assert moments.zone_of(User(time_zone="Nowhere/Here")) is UTC
    assert moments.zone_of(User(time_zone="../etc")) is UTC
