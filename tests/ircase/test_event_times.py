"""A time as a person gives it: zones, precision, and what cannot be."""

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from ircase.curated import times

COPENHAGEN = "Europe/Copenhagen"


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-02-01 23:30:05", COPENHAGEN, datetime(2026, 2, 1, 22, 30, 5, tzinfo=UTC)),
        ("2026-07-01T23:30", COPENHAGEN, datetime(2026, 7, 1, 21, 30, tzinfo=UTC)),
        ("2026-02-01T23:30:05Z", COPENHAGEN, datetime(2026, 2, 1, 23, 30, 5, tzinfo=UTC)),
        ("2026-02-01T23:30:05.25+05:30", "", datetime(2026, 2, 1, 18, 0, 5, 250_000, tzinfo=UTC)),
        ("2026-02-01 14", "UTC", datetime(2026, 2, 1, 14, tzinfo=UTC)),
        ("2026-02-01", COPENHAGEN, datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("2026-02-01 10:00", "+03:00", datetime(2026, 2, 1, 7, tzinfo=UTC)),
        # The hour that is there twice when the clock is put back: the first.
        ("2026-10-25 02:30", COPENHAGEN, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_one_of_its_zone(text: str, zone: str, at: datetime) -> None:
    assert times.parse(text, zone)[0] == at


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("2026-02-01 23:30", "", "names no zone"),
        ("2026-03-29 02:30", COPENHAGEN, "was skipped"),
        ("2026-02-01 23:30", "Mars/Olympus", "no time zone"),
        ("2026-02-30", "UTC", "is no time"),
        ("yesterday", "UTC", "is no time"),
        ("0001-01-01 00:00", "Asia/Tokyo", "between the years"),
    ],
)
def test_what_is_no_time_is_said(text: str, zone: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        times.parse(text, zone)


@pytest.mark.parametrize(
    ("precision", "at"),
    [
        ("exact", datetime(2026, 2, 1, 9, 47, 33, tzinfo=UTC)),
        ("minute", datetime(2026, 2, 1, 9, 47, tzinfo=UTC)),
        ("hour", datetime(2026, 2, 1, 9, 30, tzinfo=UTC)),
        ("day", datetime(2026, 1, 31, 18, 30, tzinfo=UTC)),
        ("before", datetime(2026, 2, 1, 9, 47, 33, tzinfo=UTC)),
    ],
)
def test_precision_begins_where_the_minute_hour_or_day_of_the_zone_begins(precision: str, at: datetime) -> None:
    when = times.read("2026-02-01 15:17:33", zone="Asia/Kolkata", precision=precision)  # five and a half hours ahead
    assert (when.at, when.precision, when.zone, when.given) == (at, precision, "Asia/Kolkata", "2026-02-01 15:17:33")


def test_between_wants_two_times_in_order() -> None:
    when = times.read("2026-02-01 10:00", zone="UTC", precision="between", until="2026-02-01 12:00")
    assert when.until == datetime(2026, 2, 1, 12, tzinfo=UTC)
    for until, says in (("", "Say until when"), ("2026-02-01 10:00", "after the beginning")):
        with pytest.raises(ValidationError) as failed:
            times.read("2026-02-01 10:00", zone="UTC", precision="between", until=until)
        assert says in failed.value.message_dict["until"][0]


def test_an_offset_in_the_text_goes_before_the_zone_and_is_kept() -> None:
    when = times.read("2026-02-01T10:00:00-08:00", zone=COPENHAGEN)
    assert (when.at, when.zone) == (datetime(2026, 2, 1, 18, tzinfo=UTC), "-08:00")
    assert times.text_of(when.at, when.zone) == "2026-02-01T10:00:00"


@given(st.text(max_size=60), st.sampled_from(["", "UTC", COPENHAGEN, "x", "+99:99", "../etc/passwd", "\x00"]))
def test_any_text_is_a_time_or_refused(text: str, zone: str) -> None:
    try:
        found, _ = times.parse(text, zone)
    except ValidationError:
        return
    assert found.tzinfo is not None
