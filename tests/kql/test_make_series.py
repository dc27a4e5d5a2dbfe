"""``make-series``, by answers computed by hand from Microsoft's page."""

from __future__ import annotations

import pytest

from kql import KqlError, KqlSchemaError, KqlUnsupported
from tests.kql.support import names, one, run, types

DAYS = (
    "datatable(t:datetime, m:real)[datetime(2023-12-31 06:00), 50, datetime(2024-01-01), 4, datetime(2024-01-02), 3,"
    " datetime(2024-01-03), 4, datetime(2024-01-03 03:00), 6, datetime(2024-01-05), 8, datetime(2024-01-05 13:40), 13,"
    " datetime(2024-01-06 05:00), 5]"
)


def moments(*days: int, hour: str = "00:00") -> list[str]:
    """Days of January 2024, as they stand in a dynamic array."""
    return [f"2024-01-{day:02}T{hour}:00.0000000Z" for day in days]


def test_gaps_are_filled_and_the_end_is_out() -> None:
    text = f"{DAYS} | make-series avg(m) on t from datetime(2024-01-01) to datetime(2024-01-06) step 1d"
    assert names(text) == ["avg_m", "t"]
    assert types(text) == ["dynamic", "dynamic"]
    assert run(text) == [([4.0, 3.0, 5.0, 0.0, 10.5], moments(1, 2, 3, 4, 5))]


def test_the_last_bin_may_be_cut() -> None:
    text = f"{DAYS} | make-series n=count() on t from datetime(2024-01-01) to datetime(2024-01-04 12:00) step 1d"
    assert run(text) == [([1, 1, 2, 0], moments(1, 2, 3, 4))]


def test_bins_begin_at_from() -> None:
    text = f"{DAYS} | make-series n=count() on t from datetime(2024-01-02 20:00) to datetime(2024-01-05 20:00) step 1d"
    assert run(text) == [([2, 0, 2], moments(2, 3, 4, hour="20:00"))]


def test_without_bounds_each_series_has_its_own() -> None:
    rows = "datatable(k:string, x:long)['a', 1, 'a', 19, 'b', -3, 'b', 4, 'c', long(null)]"
    text = f"{rows} | make-series n=count(), s=sum(x) default=-1 on x step 5 by k | sort by k asc"
    assert names(text) == ["k", "n", "s", "x"]
    assert run(text) == [("a", [1, 0, 0, 1], [1, -1, -1, 19], [0, 5, 10, 15]), ("b", [1, 1], [-3, 4], [-5, 0])]
    only_from = f"{DAYS} | make-series n=count() on t from datetime(2024-01-03 01:00) step 1d"
    assert run(only_from) == [([1, 1, 1, 1], moments(3, 4, 5, 6, hour="01:00"))]
    only_to = f"{DAYS} | make-series n=count() on t to datetime(2024-01-02) step 1d"
    assert run(only_to) == [([1, 1], ["2023-12-31T00:00:00.0000000Z", *moments(1)])]


def test_keys_and_names() -> None:
    rows = "datatable(k:string, v:long, x:long)['a', 5, 0, 'a', 7, 1, 'b', 9, 1]"
    text = f"{rows} | make-series Total=sum(v), max(v) on Axis=x from 0 to 2 step 1 by Key=toupper(k) | sort by Key asc"
    assert names(text) == ["Key", "Total", "max_v", "Axis"]
    assert run(text) == [("A", [5, 7], [5, 7], [0, 1]), ("B", [0, 9], [0, 9], [0, 1])]


def test_a_null_default_and_a_real_axis() -> None:
    rows = "datatable(x:real, v:real)[-4.0, 1, 1.5, 2, real(null), 9]"
    text = f"{rows} | make-series v=avg(v) default=real(null) on x from -4.0 to 3.5 step 2.5"
    assert run(text) == [([1.0, None, 2.0], [-4.0, -1.5, 1.0])]


def test_timespans_and_the_old_spelling() -> None:
    rows = "datatable(t:timespan)[1h, 3h]"
    old = f"{rows} | make-series n=count() on t in range(0h, 4h, 1h)"
    assert run(old) == [([0, 1, 0, 1, 0], ["00:00:00", "01:00:00", "02:00:00", "03:00:00", "04:00:00"])]
    with pytest.raises(KqlUnsupported, match="whole number of steps") as caught:
        run(f"{rows} | make-series n=count() on t in range(30m, 4h, 1h)")
    assert "bin()" in caught.value.hint
    computed = f"{rows} | make-series n=count() on t in range(bin(90m, 1h) - 1h, 2h * 2, 1h)"
    assert run(computed) == run(old)


def test_nothing_gives_nothing_unless_asked_for() -> None:
    none = f"{DAYS} | take 0"
    bounds = "from datetime(2024-01-01) to datetime(2024-01-03) step 1d"
    assert run(f"{none} | make-series avg(m) default=1.0 on t {bounds}") == []
    assert run(f"{none} | make-series kind=nonempty avg(m) default=1.0 on t {bounds}") == [([1.0, 1.0], moments(1, 2))]
    with pytest.raises(KqlUnsupported, match="nonempty"):
        run(f"{none} | make-series kind=nonempty count() on t step 1d")


def test_a_bound_may_be_computed() -> None:
    text = (
        f"let T = {DAYS}; let Start = toscalar(T | summarize min(t)); T"
        " | make-series n=count() on t from bin(Start, 1d) to bin(Start, 1d) + 3d step 1d"
    )
    assert run(text) == [([1, 1, 1], ["2023-12-31T00:00:00.0000000Z", *moments(1, 2)])]


def test_a_series_has_an_end() -> None:
    with pytest.raises(KqlError) as caught:
        run("print x = 1 | make-series count() on x from 0 to 2000000 step 1")
    assert "1048576" in caught.value.detail
    assert one("print x = 1 | make-series n=count() on x from 0 to 5000 step 1 | project array_length(n)") == (5000,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("make-series make_list(m) on t step 1d", "aggregates that are numbers"),
        ("make-series count() on t step 5", "does not fit an axis of datetime"),
        ("make-series count() on t from 1 to 2 step 1d", "does not fit an axis of datetime"),
        ("make-series count() on t step 0d", "more than nothing"),
        ("make-series count() on tostring(t) step 1d", "has no bins"),
        ("make-series count() default='x' on t step 1d", "The default is a string"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(KqlSchemaError, match=message):
        run(f"{DAYS} | {text}")
