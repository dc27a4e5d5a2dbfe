"""``scan``, by the answers of Microsoft's page and others computed by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import at, names, run

EVENTS = (
    "datatable (Ts: timespan, Event: string) [0m, 'A', 1m, 'Start', 2m, 'B', 3m, 'D', 4m, 'Stop', 6m, 'C', 8m, 'Start',"
    " 11m, 'E', 12m, 'Stop'] | sort by Ts asc"
)
STEPS = (
    "(step s1: Event == 'Start'; step s2: Event != 'Start' and Event != 'Stop' and Ts - s1.Ts <= 5m;"
    " step s3: Event == 'Stop' and Ts - s1.Ts <= 5m;)"
)


def minutes(count: int) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)


def test_a_running_sum() -> None:
    text = "range x from 1 to 5 step 1 | scan declare (s:long=0) with (step s1: true => s = x + s1.s;)"
    assert run(text) == [(1, 1), (2, 3), (3, 6), (4, 10), (5, 15)]
    reset = (
        "range x from 1 to 5 step 1 | extend y = 2 * x | scan declare (a:long=0, b:long=0) with"
        " (step s1: true => a = iff(s1.a >= 10, x, x + s1.a), b = iff(s1.b >= 10, y, y + s1.b))"
    )
    assert run(reset) == [(1, 2, 1, 2), (2, 4, 3, 6), (3, 6, 6, 12), (4, 8, 10, 8), (5, 10, 5, 18)]


def test_a_value_is_carried_on() -> None:
    text = (
        "datatable (n: long, e: string) [1, 'A', 2, '', 3, 'B', 4, ''] | sort by n asc"
        " | scan declare (last: string = 'none') with (step s1: true => last = iff(isempty(e), s1.last, e);)"
    )
    assert [row[2] for row in run(text)] == ["A", "A", "B", "B"]
    assert run(text.replace("[1, 'A',", "[1, '',"))[0] == (1, "", "none")


def test_sequences_of_steps() -> None:
    text = f"{EVENTS} | scan with_match_id=id with {STEPS}"
    assert names(text) == ["Ts", "Event", "id"]
    assert run(text) == [
        (minutes(1), "Start", 0),
        (minutes(2), "B", 0),
        (minutes(3), "D", 0),
        (minutes(4), "Stop", 0),
        (minutes(8), "Start", 1),
        (minutes(11), "E", 1),
        (minutes(12), "Stop", 1),
    ]


def test_sessions() -> None:
    text = (
        "datatable (Ts: timespan, e: string) [0m, 'A', 1m, 'A', 2m, 'B', 32m, 'B', 36m, 'C', 75m, 'A'] | sort by Ts asc"
        " | scan with_match_id=id declare (began: timespan) with"
        " (step within: true => began = iff(isnull(within.began), Ts, within.began);"
        " step end output=none: Ts - within.began > 30m;)"
    )
    assert [(row[2], row[3]) for row in run(text)] == [
        (minutes(0), 0), (minutes(0), 0), (minutes(0), 0), (minutes(32), 1), (minutes(32), 1), (minutes(75), 2),
    ]  # fmt: skip


def test_what_a_step_knows_of_the_one_before_it() -> None:
    text = (
        "datatable (n: long, e: string, v: long) [1, 'a', 5, 2, 'x', 0, 3, 'b', 7, 4, 'b', 9] | sort by n asc"
        " | scan declare (sum: long) with (step one: e == 'a'; step two: e == 'b' => sum = one.v + v;)"
    )
    # The row x matches no step; the second b is a repetition of step two.
    assert run(text) == [(1, "a", 5, None), (3, "b", 7, 12), (4, "b", 9, 14)]


def test_each_part_has_a_state_of_its_own() -> None:
    text = (
        "datatable(t:datetime, user:long, e:string)"
        "[datetime(2024-01-01 08:00), 1, 'login', datetime(2024-01-01 08:30), 2, 'login',"
        " datetime(2024-01-01 12:30), 1, 'logout', datetime(2024-01-01 11:45), 2, 'logout']"
        " | partition hint.strategy=native by user (sort by t asc"
        " | scan declare (start: datetime) with (step s1 output=none: e == 'login' => start = t;"
        " step s2: e == 'logout' => start = s1.start;) | project user, start, took = t - start)"
    )
    assert sorted(run(text)) == [
        (1, at(1, 8), timedelta(hours=4, minutes=30)),
        (2, at(1, 8, 30), timedelta(hours=3, minutes=15)),
    ]
    first = text.replace(" | project user, start, took = t - start)", " | top 1 by t asc | project user)")
    assert sorted(run(first)) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("print x = 1 | where x > 0 | summarize count() by x | scan with (step a: true)", "defined order"),
        ("range x from 1 to 2 step 1 | scan with (step a: true => y = 1)", "y is not declared"),
        ("range x from 1 to 2 step 1 | scan declare (x:long) with (step a: true)", "a column x already"),
        ("range x from 1 to 2 step 1 | scan with (step a: a.z > 1)", "no column z"),
        ("range x from 1 to 2 step 1 | scan with (step a: x)", "condition is needed"),
        ("range x from 1 to 2 step 1 | scan with (step a: true; step a: true)", "two steps a"),
        ("range x from 1 to 2 step 1 | scan with (step a output=last: true)", "output=last"),
        ("print d = dynamic([1]) | mv-apply d on (scan with (step a: true))", "within mv-apply"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises((KqlSchemaError, KqlUnsupported), match=message):
        run(text)
