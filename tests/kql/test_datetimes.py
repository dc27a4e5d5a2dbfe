"""Datetimes and timespans, by answers computed by hand or shown on Microsoft's pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import NOW, at, one, run, types


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("now()", NOW),
        ("now(-2h)", NOW - timedelta(hours=2)),
        ("now() - now(1d)", timedelta(days=-1)),
        ("ago(1d)", NOW - timedelta(days=1)),
        ("ago(2 * 1h)", NOW - timedelta(hours=2)),
        ("getyear(now())", 2024),
        ("getmonth(datetime(2024-02-03))", 2),
        ("monthofyear(datetime(2024-02-03))", 2),
        ("dayofmonth(datetime(2024-02-03))", 3),
        ("dayofyear(datetime(2024-02-03))", 34),
        ("hourofday(datetime(2024-02-03 04:05))", 4),
        # A Wednesday; weeks begin on Sunday.
        ("dayofweek(datetime(2024-01-10))", timedelta(days=3)),
        ("dayofweek(datetime(2024-01-07))", timedelta(0)),
        ("week_of_year(datetime(2021-01-01))", 53),
        ("week_of_year(datetime(2020-12-31))", 53),
        ("datetime_part('year', datetime(2017-10-30 01:02:03.7654321))", 2017),
        ("datetime_part('quarter', datetime(2017-10-30))", 4),
        ("datetime_part('week_of_year', datetime(2017-10-30))", 44),
        ("datetime_part('dayOfYear', datetime(2017-10-30))", 303),
        ("datetime_part('second', datetime(2017-10-30 01:02:03.7654321))", 3),
        ("datetime_part('millisecond', datetime(2017-10-30 01:02:03.7654321))", 765),
        ("datetime_part('microsecond', datetime(2017-10-30 01:02:03.7654321))", 765432),
        # Differences count the borders between, and may be negative.
        ("datetime_diff('year', datetime(2017-01-01), datetime(2000-12-31))", 17),
        ("datetime_diff('quarter', datetime(2017-07-01), datetime(2017-03-30))", 2),
        ("datetime_diff('month', datetime(2017-01-01), datetime(2015-12-30))", 13),
        ("datetime_diff('week', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))", 5),
        ("datetime_diff('day', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))", 29),
        ("datetime_diff('hour', datetime(2017-10-31 01:00), datetime(2017-10-30 23:59))", 2),
        ("datetime_diff('minute', datetime(2017-10-30 23:05:01), datetime(2017-10-30 23:00:59))", 5),
        ("datetime_diff('second', datetime(2017-10-30 23:00:10.100), datetime(2017-10-30 23:00:00.900))", 10),
        (
            "datetime_diff('millisecond', datetime(2017-10-30 23:00:00.200100), datetime(2017-10-30 23:00:00.100900))",
            100,
        ),
        (
            "datetime_diff('microsecond', datetime(2017-10-30 23:00:00.1009), datetime(2017-10-30 23:00:00.1008))",
            100,
        ),
        ("datetime_diff('day', datetime(1969-12-31), datetime(1970-01-01 12:00))", -1),
        ("datetime_diff('week', datetime(2024-01-07), datetime(2024-01-06))", 1),
        ("datetime_diff('week', datetime(2024-01-08), datetime(2024-01-07))", 0),
        ("datetime_add('month', 1, datetime(2024-01-31))", datetime(2024, 2, 29, tzinfo=UTC)),
        ("datetime_add('year', -1, datetime(2024-02-29))", datetime(2023, 2, 28, tzinfo=UTC)),
        ("datetime_add('quarter', 1, datetime(2024-01-01))", datetime(2024, 4, 1, tzinfo=UTC)),
        ("datetime_add('week', -1, datetime(2024-01-10))", at(3)),
        ("datetime_add('millisecond', 1500, datetime(2024-01-01))", at(1) + timedelta(seconds=1.5)),
        ("startofday(datetime(2024-01-10 12:34))", at(10)),
        ("startofday(datetime(2024-01-10 12:34), -1)", at(9)),
        ("startofweek(datetime(2024-01-10))", at(7)),
        ("startofweek(datetime(2024-01-07 10:00))", at(7)),
        ("startofweek(datetime(2024-01-10), 1)", at(14)),
        ("startofmonth(datetime(2024-02-10), -1)", at(1)),
        ("startofyear(datetime(2024-05-10), 1)", datetime(2025, 1, 1, tzinfo=UTC)),
        ("endofday(datetime(2024-01-10 12:34))", at(11) - timedelta(microseconds=1)),
        ("endofweek(datetime(2024-01-10))", at(14) - timedelta(microseconds=1)),
        ("endofmonth(datetime(2024-01-10))", datetime(2024, 2, 1, tzinfo=UTC) - timedelta(microseconds=1)),
        ("endofyear(datetime(2024-01-10), -1)", at(1) - timedelta(microseconds=1)),
        ("make_datetime(2017, 10, 1)", datetime(2017, 10, 1, tzinfo=UTC)),
        ("make_datetime(2017, 10, 1, 12, 10)", datetime(2017, 10, 1, 12, 10, tzinfo=UTC)),
        ("make_datetime(2017, 10, 1, 12, 11, 0.1234567)", datetime(2017, 10, 1, 12, 11, 0, 123456, UTC)),
        ("make_datetime(2017, 13, 1)", None),
        ("make_datetime(2017, 2, 29)", None),
        ("make_timespan(1, 12)", timedelta(hours=1, minutes=12)),
        ("make_timespan(1, 12, 30.5)", timedelta(hours=1, minutes=12, seconds=30.5)),
        ("make_timespan(1, 12, 30, 55.123)", timedelta(days=1, hours=12, minutes=30, seconds=55.123)),
        ("make_timespan(25, 0)", None),
        ("unixtime_seconds_todatetime(1704067200)", at(1)),
        ("unixtime_seconds_todatetime(1704067200.5)", at(1) + timedelta(seconds=0.5)),
        ("unixtime_milliseconds_todatetime(1704067200001)", at(1) + timedelta(milliseconds=1)),
        ("unixtime_microseconds_todatetime(1704067200000001)", at(1) + timedelta(microseconds=1)),
        ("unixtime_nanoseconds_todatetime(1704067200000001999)", at(1) + timedelta(microseconds=1)),
        ("unixtime_seconds_todatetime(99999999999999)", None),
        ("unixtime_seconds_todatetime(long(null))", None),
        ("unixtime_seconds_todatetime(dynamic(1704067200))", at(1)),
        ("unixtime_milliseconds_todatetime(dynamic({'t': 1704067200001}).t)", at(1) + timedelta(milliseconds=1)),
        # Daylight saving time in summer, none in winter.
        ("datetime_utc_to_local(datetime(2024-01-01), 'Europe/Berlin')", at(1, 1)),
        ("datetime_utc_to_local(datetime(2024-07-01), 'Europe/Berlin')", datetime(2024, 7, 1, 2, tzinfo=UTC)),
        ("datetime_local_to_utc(datetime(2024-01-01), 'US/Pacific')", at(1, 8)),
        ("datetime_local_to_utc(datetime(2024-07-01 02:00), 'Europe/Berlin')", datetime(2024, 7, 1, tzinfo=UTC)),
        ("startofday(datetime(null))", None),
        ("datetime_diff('day', datetime(null), now())", None),
    ],
)
def test_times(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [HH:mm:ss]')", "17-01-29 [09:00:05]"),
        ("format_datetime(datetime(2017-01-29 09:00:05), 'yyyy-M-dd [H:mm:ss]')", "2017-1-29 [9:00:05]"),
        ("format_datetime(datetime(2017-01-29 21:00:05), 'yy-MM-dd [hh:mm:ss tt]')", "17-01-29 [09:00:05 PM]"),
        ("format_datetime(datetime(2017-01-29 00:05), 'h:m')", "12:5"),
        # A run of letters is cut into the longest elements there are.
        ("format_datetime(datetime(2017-01-05), 'ddd')", "055"),
        ("format_datetime(datetime(2017-01-05), 'yyyyy')", "201717"),
        # F gives the digits, or nothing where all are 0.
        ("format_datetime(datetime(2017-01-05 00:00:00.0617500), 'fff FFFFFF F')", "061 061750 "),
        ("format_datetime(datetime(2017-01-05), 'ss.FFF')", "00."),
        ("format_datetime(datetime(2017-01-05 00:00:00.123456), 'fffffff')", "1234560"),
        ("format_datetime(datetime(null), 'yyyy')", ""),
        ("format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss:FF')", "29.09:00:05:12"),
        ("format_timespan(time(29.09:00:05.12345), 'ddd.h:mm:ss [fffffff]')", "029.9:00:05 [1234500]"),
        ("format_timespan(timespan(null), 'd')", ""),
        ("format_bytes(564)", "564 Bytes"),
        ("format_bytes(20010332)", "19 MB"),
        ("format_bytes(20010332, 0, 'KB')", "19541 KB"),
    ],
)
def test_formats(expression: str, expected: str) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_over_rows() -> None:
    rows = "datatable(t: datetime, n: long, w: timespan)[datetime(2024-01-31 23:59:59.5), 1, 90m,"
    rows += " datetime(null), long(null), timespan(null)]"
    query = rows + (
        "| project datetime_add('month', n, t), startofday(t, n), dayofweek(t), format_datetime(t, 'HH:mm:ss.ff'),"
        " format_timespan(w, 'd.HH:mm'), ago(w), datetime_diff('hour', now(), t), hourofday(t),"
        " unixtime_seconds_todatetime(n)"
    )
    assert run(query) == [
        (
            datetime(2024, 2, 29, 23, 59, 59, 500000, UTC),
            datetime(2024, 2, 1, tzinfo=UTC),
            timedelta(days=3),
            "23:59:59.50",
            "0.01:30",
            NOW - timedelta(minutes=90),
            -515,
            23,
            datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        ),
        (None, None, None, "", "", None, None, None, None),
    ]
    assert types(query)[2:9] == ["timespan", "string", "string", "datetime", "long", "int", "datetime"]


@pytest.mark.parametrize(
    ("expression", "error", "words"),
    [
        ("datetime_part('week', now())", KqlUnsupported, "does not know week"),
        ("datetime_diff('dayofyear', now(), now())", KqlUnsupported, "does not know"),
        ("datetime_part('nanosecond', now())", KqlUnsupported, "microsecond"),
        ("format_datetime(now(), 'yyyy-MM-ddTHH')", KqlUnsupported, "T is no element"),
        ("format_datetime(now(), '')", KqlUnsupported, "needs a format"),
        ("format_datetime(now(), 'yyy-M')", KqlUnsupported, "yyy is no element"),
        ("format_datetime(1d, 'yyyy')", KqlSchemaError, "is a timespan"),
        ("datetime_utc_to_local(now(), 'Mars/Olympus')", KqlUnsupported, "no time zone"),
        ("weekofyear(now())", KqlUnsupported, "week_of_year"),
        ("ago('1d')", KqlSchemaError, "is a string"),
        ("startofday('2024-01-01')", KqlSchemaError, "is a string"),
        ("ingestion_time()", KqlUnsupported, "Timestamp"),
    ],
)
def test_what_is_refused(expression: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        run(f"print {expression}")
