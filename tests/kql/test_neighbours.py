"""Functions that look at neighbouring rows: Microsoft's own examples, and answers computed by hand."""

from __future__ import annotations

from datetime import datetime

import pytest

from kql import KqlDataError, KqlSchemaError, KqlUnsupported
from tests.kql.support import at, run, types

SALARIES = (
    "datatable(name: string, month: int, salary: long)['Alice', 1, 1000, 'Bob', 1, 1000, 'Alice', 2, 2000,"
    " 'Bob', 2, 1950, 'Alice', 3, 1400, 'Bob', 3, 1450] | order by name asc, month asc"
)
FLIGHTS = (
    "datatable(a: string, b: string, d: long)['SEA', 'LH', 3, 'SEA', 'LY', 100, 'SEA', 'UA', 3, 'SEA', 'BA', 2,"
    " 'SEA', 'EL', 3, 'AMS', 'EL', 1, 'AMS', 'BA', 1]"
)


def test_sums_and_numbers_that_begin_again() -> None:
    query = (
        f"{SALARIES} | extend total = row_cumsum(salary, name != prev(name)), n = row_number(1, prev(name) != name),"
        " m = row_number(10), k = row_number() | project total, n, m, k"
    )
    assert run(query) == [
        (1000, 1, 10, 1),
        (3000, 2, 11, 2),
        (4400, 3, 12, 3),
        (1000, 1, 13, 4),
        (2950, 2, 14, 5),
        (4400, 3, 15, 6),
    ]


def test_sums_of_every_type_and_of_nulls() -> None:
    rows = "datatable(i: int, r: real)[1, 0.5, int(null), real(null), 3, 1.0] | serialize"
    query = f"{rows} | project a = row_cumsum(i), b = row_cumsum(r)"
    assert run(query) == [(1, 0.5), (1, 0.5), (4, 1.5)]
    assert types(query) == ["long", "real"]


def test_ranks() -> None:
    ranks = "r = row_rank_dense(d, prev(a) != a), m = row_rank_min(d, prev(a) != a)"
    assert run(f"{FLIGHTS} | sort by a desc, d asc | project {ranks}") == [
        (1, 1),
        (2, 2),
        (2, 2),
        (2, 2),
        (3, 5),
        (1, 1),
        (1, 1),
    ]
    plain = f"{FLIGHTS} | where a == 'SEA' | sort by d asc | project row_rank_dense(d), row_rank_min(d)"
    with pytest.raises(KqlSchemaError, match="needs a name"):
        run(plain)
    nulls = "datatable(x: long)[long(null), long(null), 1] | serialize | project r = row_rank_dense(x)"
    assert run(nulls) == [(1,), (1,), (2,)]


def test_a_minimal_rank_of_rows_that_are_not_sorted_is_an_error() -> None:
    with pytest.raises(KqlDataError, match="sorted by its term"):
        run("datatable(x: long)[1, 2, 1] | serialize | extend r = row_rank_min(x)")


def test_neighbours_of_neighbours() -> None:
    rows = "datatable(x: long, s: string)[1, 'a', 4, 'b', 9, 'c'] | sort by x asc"
    query = (
        f"{rows} | project a = prev(prev(x)), b = x - prev(x), c = next(prev(s)), d = prev(x + next(x, 1, 0), 1, -1)"
    )
    assert run(query) == [(None, None, "a", -1), (None, 3, "b", 5), (1, 5, "", 13)]


def test_defaults_take_the_wider_type() -> None:
    rows = "datatable(x: int)[1, 2] | serialize"
    assert run(f"{rows} | project p = prev(x, 1, -1), n = next(x, 1, 0.5)") == [(-1, 2.0), (1, 0.5)]
    with pytest.raises(KqlSchemaError, match="Argument 3"):
        run(f"{rows} | extend p = prev(x, 1, 'none')")


def test_filters_and_several_steps() -> None:
    rows = "datatable(x: long)[3, 1, 2]"
    assert run(f"{rows} | serialize | where prev(x) > 1 | extend n = row_number()") == [(1, 1)]
    assert run(f"{rows} | sort by x asc | where x != prev(x) and row_number() > 1") == [(2,), (3,)]
    assert run(f"{rows} | serialize total = row_cumsum(x), n = row_number() | extend p = prev(total)") == [
        (3, 3, 1, None),
        (1, 4, 2, 3),
        (2, 6, 3, 4),
    ]


def test_sessions() -> None:
    rows = (
        "datatable(ID: string, T: datetime)['1', datetime(2024-01-11 10:00), '2', datetime(2024-01-11 10:18),"
        " '1', datetime(2024-01-11 11:00), '3', datetime(2024-01-11 11:30), '2', datetime(2024-01-11 13:30),"
        " '2', datetime(2024-01-11 10:16)] | sort by ID asc, T asc"
    )
    assert run(f"{rows} | project s = row_window_session(T, 1h, 5m, ID != prev(ID))") == [
        (at(11, 10),),
        (at(11, 11),),
        (at(11, 10, 16),),
        (at(11, 10, 16),),
        (at(11, 13, 30),),
        (at(11, 11, 30),),
    ]


def starts(query: str) -> list[datetime | None]:
    return [row[0] for row in run(query)]


def test_sessions_end_after_their_longest_time() -> None:
    rows = "range i from 0 to 6 step 1 | extend t = datetime(2024-01-01) + i * 10m | sort by t asc"
    expected = [at(1), at(1), at(1), at(1, 0, 30), at(1, 0, 30), at(1, 0, 30), at(1, 1)]
    assert starts(f"{rows} | project s = row_window_session(t, 25m, 15m)") == expected
    # Both ends belong to the next session: a row that lies exactly so far begins one.
    assert starts(f"{rows} | project s = row_window_session(t, 30m, 11m)") == expected
    assert starts(f"{rows} | project s = row_window_session(t, 1d, 10m)") == [
        at(1, m // 60, m % 60) for m in range(0, 70, 10)
    ]


def test_sessions_and_nulls() -> None:
    later = "datetime(null), datetime(2024-01-01 00:01), datetime(2024-01-01 00:02)"
    rows = f"datatable(t: datetime)[datetime(2024-01-01), {later}]"
    expected = [at(1), None, at(1, 0, 1), at(1, 0, 1)]
    assert starts(f"{rows} | serialize | project s = row_window_session(t, 1h, 5m)") == expected
    with pytest.raises(KqlSchemaError, match="a datetime is needed"):
        run("datatable(t: long)[1] | serialize | extend s = row_window_session(t, 1h, 5m)")


@pytest.mark.parametrize("call", ["prev(x, -1)", "next(x, x)", "row_number(x)"])
def test_what_is_refused(call: str) -> None:
    with pytest.raises(KqlUnsupported) as caught:
        run(f"datatable(x: long)[1] | serialize | extend y = {call}")
    assert caught.value.hint


def test_rows_without_an_order_have_no_neighbours() -> None:
    with pytest.raises(KqlUnsupported, match="defined order") as caught:
        run("datatable(x: long)[1] | summarize by x | extend y = row_rank_dense(x)")
    assert "serialize" in caught.value.hint
