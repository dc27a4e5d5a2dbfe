"""Event time by rule."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artifacts.clock import WallClocks, shift, utc_text
from tests.artifacts.conftest import Loaded, ndjson, rows


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("2020-09-04 07:06:21.311", "2020-09-04T07:06:21.3110000Z"),
        ("2020-09-04T07:06:21Z", "2020-09-04T07:06:21.0000000Z"),
        ("2021-08-02T13:11:39.7724491Z", "2021-08-02T13:11:39.7724491Z"),
        ("2021-08-02T13:11:39.123456789Z", "2021-08-02T13:11:39.1234567Z"),
        ("2020-09-04T03:06:21.5-04:00", "2020-09-04T07:06:21.5000000Z"),
        ("2020-12-31T23:45:00+0530", "2020-12-31T18:15:00.0000000Z"),
        ("2019-04-03T18:12:04.8838608Z UTC", None),
        ("2019-04-03 18:12:04 UTC", "2019-04-03T18:12:04.0000000Z"),
        ("2020-13-04 07:06:21", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("yesterday", None),
        (None, None),
        (17, None),
    ],
)
def test_utc_text(given_text: object, expected: str | None) -> None:
    assert utc_text(given_text) == expected


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?([+-]\d\d:?\d\d|Z)?"))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = utc_text(text)
    assert found is None or (len(found) == 28 and utc_text(found) == found)


def test_shift_keeps_all_digits() -> None:
    assert shift("2020-09-04T23:30:00.1234567Z", timedelta(hours=4)) == "2020-09-05T03:30:00.1234567Z"


def test_three_rows_that_agree_teach_the_offset_and_three_others_change_it() -> None:
    clocks = WallClocks()
    for second in range(2):
        clocks.observe("h", f"2020-10-25T05:00:0{second}.0000000Z", f"2020-10-25T01:00:0{second}.0000000Z")
    assert clocks.offset("h") is None
    clocks.observe("h", "2020-10-25T05:00:09.0000000Z", "2020-10-25T01:00:10.0000000Z")
    assert clocks.offset("h") == timedelta(hours=4)
    clocks.observe("h", "2020-11-01T07:00:00.0000000Z", "2020-11-01T02:00:00.0000000Z")
    assert clocks.offset("h") == timedelta(hours=4)
    for second in range(2):
        clocks.observe("h", f"2020-11-01T07:00:1{second}.0000000Z", f"2020-11-01T02:00:1{second}.0000000Z")
    assert clocks.offset("h") == timedelta(hours=5)


def test_what_is_no_whole_quarter_hour_teaches_nothing() -> None:
    clocks = WallClocks()
    for second in range(5):
        clocks.observe("h", f"2020-09-04T07:00:0{second}.0000000Z", f"2020-09-04T02:52:0{second}.0000000Z")
    clocks.final()
    assert clocks.offset("h") is None


def nxlog(event_id: int, host: str, **fields: object) -> dict[str, object]:
    return {"EventID": event_id, "Channel": "security", "SourceName": "X", "Hostname": host, **fields}


def test_each_row_says_which_time_it_carries(run: Loaded) -> None:
    sysmon = [
        nxlog(
            5,
            "WS1",
            Channel="Sysmon",
            UtcTime=f"2020-09-04 07:06:{n}.250",
            EventTime=f"2020-09-04 03:06:{n}",
            **{"@timestamp": "2020-09-04T07:07:30Z"},
        )
        for n in (10, 11, 12)
    ]
    early = nxlog(1, "WS1", EventTime="2020-09-04 03:06:05", **{"@timestamp": "2020-09-04T07:07:00Z"})
    late = nxlog(2, "ws1", EventTime="2020-09-04 03:06:20", **{"@timestamp": "2020-09-04T07:07:40Z"})
    stranger = nxlog(3, "WS2", EventTime="2020-09-04 03:06:30", **{"@timestamp": "2020-09-04T07:07:50Z"})
    alone = nxlog(4, "WS2", EventTime="2020-09-04 03:06:31")
    timeless = nxlog(6, "WS2")
    report = run({"events.json": ndjson(early, *sysmon, late, stranger, alone, timeless)})
    found = {row["EventID"]: (str(row.get("TimeGenerated")), row["TimeSource"]) for row in rows(report, "WindowsEvent")}
    assert found == {
        1: ("2020-09-04 07:06:05", "EventTime+offset"),
        2: ("2020-09-04 07:06:20", "EventTime+offset"),
        3: ("2020-09-04 07:07:50", "@timestamp"),
        4: ("2020-09-04 03:06:31", "EventTime (offset unknown)"),
        5: ("2020-09-04 07:06:12.250000", "UtcTime"),
        6: ("None", "none"),
    }
    assert {problem.code for problem in report.problems} == {"event.zone", "event.time"}


def test_a_time_created_that_calls_itself_utc_is_corrected_where_sysmon_knows_better(run: Loaded) -> None:
    sysmon = [
        nxlog(5, "WS", Channel="S", UtcTime=f"2020-10-22 07:52:0{n}.9", TimeCreated=f"2020-10-22T03:52:0{n}.950Z")
        for n in range(3)
    ]
    other = nxlog(1, "WS", TimeCreated="2020-10-22T03:52:05.123Z")
    report = run({"events.json": ndjson(other, *sysmon)})
    (row,) = [row for row in rows(report, "WindowsEvent") if row["EventID"] == 1]
    assert (str(row["TimeGenerated"]), row["TimeSource"]) == ("2020-10-22 07:52:05.123000", "TimeCreated+offset")


def test_many_waiting_rows_wait_on_disk_and_none_is_lost(run: Loaded) -> None:
    waiting = [nxlog(7, "WS", EventTime="2020-09-04 03:06:05", n=n) for n in range(4_500)]
    known = [nxlog(8, "WS", UtcTime="2020-09-04 07:06:00", EventTime="2020-09-04 03:06:00") for _ in range(3)]
    report = run({"events.json": ndjson(*waiting, *known)})
    assert report.table("SecurityEvent").rows == 4_503
    assert report.table("SecurityEvent").last_time == "2020-09-04T07:06:05Z"
