"""Counting time: every figure here was counted by hand on a calendar."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ircase.clocks import ics
from ircase.clocks.reading import calendars, regimes, rules, span_of
from ircase.clocks.times import Span

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("happened", "ends"),
    [
        ("2026-11-16T10:00", "2026-11-20"),  # Monday: Tuesday, Wednesday, Thursday, Friday
        ("2026-11-20T10:00", "2026-11-27"),  # Friday before Thanksgiving (26 November)
        ("2026-11-21T10:00", "2026-11-27"),  # Saturday: Monday is the first day; Thursday is Thanksgiving
        ("2026-11-26T10:00", "2026-12-02"),  # Thanksgiving itself: Friday is the first day
        ("2026-12-24T10:00", "2026-12-31"),  # Thursday; Friday is Christmas
        ("2026-07-01T10:00", "2026-07-08"),  # Wednesday; 4 July is a Saturday, observed on Friday 3
    ],
)
def test_four_business_days_of_the_sec(happened: str, ends: str) -> None:
    start = datetime.fromisoformat(happened).replace(tzinfo=NEW_YORK)
    due = rules()["sec-8k-105"].due(start, {})
    assert due.astimezone(NEW_YORK).isoformat(timespec="minutes")[:16] == f"{ends}T17:30"


def test_the_zone_says_which_day_it_was() -> None:
    # 02:00 UTC on a Tuesday is Monday evening in New York: the first day is Tuesday.
    due = rules()["sec-8k-105"].due(at("2026-11-17T02:00"), {})
    assert due == at("2026-11-20T22:30"), "17:30 in New York in winter"


def test_hours_and_months() -> None:
    assert rules()["nis2-early-warning"].due(at("2026-11-22T09:15"), {}) == at("2026-11-23T09:15")
    assert rules()["gdpr-notification"].due(at("2026-11-20T18:00"), {}) == at("2026-11-23T18:00"), "weekends count"
    assert rules()["nis2-final-report"].due(at("2026-01-31T12:00"), {}) == at("2026-02-28T12:00")
    assert rules()["nis2-final-report"].due(at("2026-12-05T12:00"), {}) == at("2027-01-05T12:00")


@pytest.mark.parametrize("spent", ["2025-10-24T18:00", "2025-03-28T18:00"])  # the clocks change on the Sunday
def test_an_hour_is_an_hour_where_the_clocks_change_in_between(spent: str) -> None:
    start = datetime.fromisoformat(spent).replace(tzinfo=ZoneInfo("Europe/Copenhagen"))
    for span in (Span(72, "hours"), Span(3, "days"), Span(1, "months")):
        assert span.after(start) == span.after(start.astimezone(UTC)), "whoever says the same moment has the same time"
    assert Span(72, "hours").after(start).astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=72)


def test_dora_takes_the_earlier_of_two_unless_it_was_classified_late() -> None:
    rule = rules()["dora-initial"]
    aware = {"aware": at("2026-11-22T00:00")}
    assert rule.due(at("2026-11-22T10:00"), aware) == at("2026-11-22T14:00"), "4 h after the classification"
    assert rule.due(at("2026-11-22T22:00"), aware) == at("2026-11-23T00:00"), "24 h after awareness come first"
    assert rule.due(at("2026-11-23T06:00"), aware) == at("2026-11-23T10:00"), "classified later than 24 h (5(2))"
    assert rule.due(at("2026-11-22T22:00"), {}) == at("2026-11-23T02:00"), "awareness is not known"


def test_every_law_names_its_source_article_and_what_to_deliver() -> None:
    assert set(regimes()) == {"dora", "gdpr", "nis2", "sec"}
    for rule in rules().values():
        assert rule.source.startswith("https://")
        assert "rticle" in rule.article or "Item" in rule.article
        assert len(rule.deliver) > 30
        assert rule.counted[0].isdigit()
        assert bool(rule.milestone) != bool(rule.after)


def test_federal_holidays_are_whole() -> None:
    days = calendars()["us-federal"].holidays
    assert len(days) == 11 * 11
    assert all(day.weekday() < 5 for day in days), "as observed, never on a weekend"


@given(st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2034, 1, 1)), st.integers(1, 40))
def test_business_days_end_on_a_business_day_after_the_start(start: datetime, amount: int) -> None:
    among = calendars()["us-federal"]
    due = span_of(amount, "business_days", "us-federal").after(start.replace(tzinfo=UTC))
    assert due > start.replace(tzinfo=UTC)
    assert among.is_business_day(due.astimezone(NEW_YORK).date())
    longer = span_of(amount + 1, "business_days", "us-federal").after(start.replace(tzinfo=UTC))
    assert longer > due


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_calendar_file_holds_any_text_on_lines_of_75_octets(title: str, text: str) -> None:
    entry = ics.Entry("a@b", at("2026-11-22T09:15"), title, text, "https://x.example/")
    made = ics.calendar([entry], at("2026-11-20T00:00"))
    lines = made.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines)
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2] == "END:VCALENDAR"
    unfolded = made.replace("\r\n ", "").split("\r\n")
    assert unfolded.count("BEGIN:VEVENT") == 1, "no text can begin an entry of its own"
    assert "DTSTART:20261122T091500Z" in unfolded


def test_words_of_a_span() -> None:
    assert Span(1, "hours").words == "1 hour"
    assert span_of(4, "business_days", "us-federal").words.startswith("4 business days (Business days of the United")
