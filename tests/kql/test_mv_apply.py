"""``mv-apply``, by answers computed by hand from Microsoft's page."""

from __future__ import annotations

import pytest

from kql import KqlSchemaError
from tests.kql.support import names, run

ROWS = "datatable(index:int, Arr:dynamic)[0, dynamic([5, 1, 3]), 1, dynamic([4, 10, 8, 7])]"


def test_the_largest_of_each() -> None:
    assert run(f"{ROWS} | mv-apply topElem=Arr to typeof(long) on (top 1 by topElem)") == [
        (0, [5, 1, 3], 5),
        (1, [4, 10, 8, 7], 10),
    ]


def test_an_aggregate_within() -> None:
    text = f"{ROWS} | mv-apply Arr2=Arr to typeof(long) on (top 2 by Arr2 | summarize Top2=make_list(Arr2))"
    assert names(text) == ["index", "Arr", "Top2"]
    assert run(f"{text} | project index, Top2") == [(0, [5, 3]), (1, [10, 8])]


def test_groups_within() -> None:
    text = f"{ROWS} | mv-apply x=Arr to typeof(long) on (summarize n=count() by big = x > 4 | sort by big asc)"
    assert run(f"{text} | project index, big, n") == [(0, False, 2), (0, True, 1), (1, False, 1), (1, True, 3)]


def test_the_index_and_the_rows_own_columns_are_in_sight() -> None:
    text = f"{ROWS} | mv-apply with_itemindex=i v=Arr to typeof(long) on (where i >= 2 | extend w = v + index)"
    assert names(text) == ["index", "Arr", "v", "i", "w"]
    assert run(f"{text} | project index, v, i, w") == [(0, 3, 2, 3), (1, 8, 2, 9), (1, 7, 3, 8)]
    summed = f"{ROWS} | mv-apply v=Arr to typeof(long) on (summarize s = sum(v * (index + 1)))"
    assert run(f"{summed} | project index, s") == [(0, 9), (1, 58)]


def test_several_in_step() -> None:
    text = (
        "datatable(Val:int, Arr1:dynamic, Arr2:dynamic)[1, dynamic(['A1', 'A2']), dynamic(['B1', 'B2', 'B3']),"
        " 5, dynamic(['C1', 'C2']), dynamic(['D1'])]"
        " | mv-apply T1=Arr1, T2=Arr2 on (extend Out = strcat(T1, '_', T2) | summarize Out = make_list(Out))"
    )
    assert names(text) == ["Val", "Arr1", "Arr2", "Out"]
    assert run(f"{text} | project Val, Out") == [(1, ["A1_B1", "A2_B2", "_B3"]), (5, ["C1_D1", "C2_"])]


@pytest.mark.parametrize("steps", ["extend y = x", "take 5", "summarize count()"])
def test_an_empty_array_gives_no_row_and_a_null_one(steps: str) -> None:
    text = "datatable(id:int, a:dynamic)[1, dynamic([]), 2, dynamic(null), 3, dynamic(['x'])]"
    assert [row[0] for row in run(f"{text} | mv-apply x=a on ({steps})")] == [2, 3]


def test_an_expanded_column_goes_last_or_away() -> None:
    assert names(f"{ROWS} | extend z=1 | mv-apply Arr to typeof(long) on (where Arr > 4)") == ["index", "z", "Arr"]
    assert names(f"{ROWS} | mv-apply Arr to typeof(long) on (summarize m=max(Arr))") == ["index", "m"]
    assert run(f"{ROWS} | mv-apply Arr to typeof(long) on (where Arr > 4)") == [(0, 5), (1, 10), (1, 8), (1, 7)]


def test_a_column_of_the_subquery_goes_before_one_of_its_name() -> None:
    text = f"{ROWS} | mv-apply v=Arr to typeof(long) on (summarize index = max(v))"
    assert run(f"{text} | project index") == [(5,), (10,)]


def test_columns_pass_that_the_steps_do_not_name() -> None:
    text = "print a = 1, b = 'é', d = dynamic([3, 4]) | mv-apply x=d to typeof(long) on (sort by x desc | take 1)"
    assert run(text) == [(1, "é", [3, 4], 4)]
    distinct = "print a = 1, d = dynamic([3, 3]) | mv-apply x=d to typeof(long) on (distinct *)"
    assert run(f"{distinct} | project a, x") == [(1, 3)]


def test_neighbours_within() -> None:
    text = f"{ROWS} | mv-apply v=Arr to typeof(long) on (sort by v asc | extend d = v - prev(v) | summarize max(d))"
    assert run(f"{text} | project index, max_d") == [(0, 2), (1, 3)]


def test_one_within_another() -> None:
    text = (
        f"{ROWS} | mv-apply v=Arr to typeof(long) on"
        " (mv-apply w=Arr to typeof(long) on (summarize s=sum(w)) | summarize t = sum(s))"
    )
    assert run(f"{text} | project index, t") == [(0, 27), (1, 116)]


def test_a_bag_by_an_inner_expansion() -> None:
    text = (
        "print Source = '555-1', Target = 'x', Pack = dynamic({'Source': '555-1', 'Target': 'x'})"
        " | mv-apply p = Pack on (mv-expand kind=array Pack | where Pack[1] !startswith '555'"
        " | summarize k = make_set(Pack[0])) | project k"
    )
    assert run(text) == [(["Target"],)]


def test_a_sample_and_a_sum_of_the_part() -> None:
    assert run(f"{ROWS} | mv-apply v=Arr to typeof(long) on (sample 1 | count) | project index, Count") == [
        (0, 1),
        (1, 1),
    ]
    shared = (
        f"{ROWS} | mv-apply v=Arr to typeof(long) on (as P | where v > toscalar(P | summarize avg(v)))"
        " | project index, v"
    )
    assert run(shared) == [(0, 5), (1, 10), (1, 8)]


def test_a_string_is_no_array() -> None:
    with pytest.raises(KqlSchemaError, match="dynamic"):
        run("print s = 'x' | mv-apply s on (take 1)")
