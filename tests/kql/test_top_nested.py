"""``top-nested`` and ``top-hitters``, by answers computed by hand from Microsoft's pages."""

from __future__ import annotations

import pytest

from kql import KqlSchemaError
from tests.kql.support import at, names, run, types

ROWS = (
    "datatable(s:string, e:string, l:string, v:long)['A', 'x', 'p', 10, 'A', 'x', 'q', 5, 'A', 'y', 'p', 3,"
    " 'A', 'z', 'r', 1, 'B', 'x', 'p', 8, 'B', 'y', 'q', 7, 'C', 'x', 'p', 2, 'D', 'w', 't', 1]"
)


def test_one_level() -> None:
    text = f"{ROWS} | top-nested 2 of s by sum(v)"
    assert names(text) == ["s", "aggregated_s"]
    assert run(text) == [("A", 19), ("B", 15)]
    assert run(f"{ROWS} | top-nested 1 of s by sum(v) asc") == [("D", 1)]


def test_the_sum_of_a_level_is_that_of_all_its_rows() -> None:
    text = f"{ROWS} | top-nested 2 of s by sum(v), top-nested 1 of Kind=e by Sum=sum(v)"
    assert names(text) == ["s", "aggregated_s", "Kind", "Sum"]
    assert run(text) == [("A", 19, "x", 15), ("B", 15, "x", 8)]


def test_others() -> None:
    text = f"{ROWS} | top-nested 2 of s with others='Rest' by sum(v)"
    assert run(text) == [("A", 19), ("B", 15), ("Rest", 3)]
    deeper = f"{text}, top-nested 1 of e by sum(v)"
    assert run(deeper) == [("A", 19, "x", 15), ("B", 15, "x", 8), ("Rest", 3, "", None)]


def test_others_below_a_level_without() -> None:
    text = (
        f"{ROWS} | top-nested 2 of s with others='Rest' by sum(v), top-nested 1 of e by sum(v),"
        " top-nested 1 of l with others='More' by sum(v)"
    )
    assert sorted(run(text), key=str) == sorted(
        [
            ("A", 19, "x", 15, "p", 10),
            ("A", 19, "x", 15, "More", 5),
            ("A", 19, "", None, "More", 4),
            ("B", 15, "x", 8, "p", 8),
            ("B", 15, "", None, "More", 7),
            ("Rest", 3, "", None, "More", 3),
        ],
        key=str,
    )


def test_all_values_of_a_level() -> None:
    text = (
        "datatable(id: string, t: datetime, info: string)['B', datetime(2024-01-01), '1', 'B', datetime(2024-01-02),"
        " '2',"
        " 'B', datetime(2024-01-03), '3', 'D', datetime(2024-01-06), '4', 'D', datetime(2024-01-04), '5',"
        " 'D', datetime(2024-01-05), '6']"
        " | top-nested of id by I0=max(1), top-nested 2 of t by I1=max(t), top-nested of info by I2=max(1)"
        " | project-away I*"
    )
    assert sorted(run(text)) == [("B", at(2), "2"), ("B", at(3), "3"), ("D", at(5), "6"), ("D", at(6), "4")]


def test_nulls_are_values_of_a_key() -> None:
    rows = "datatable(k:long, v:long)[long(null), 5, long(null), 6, 1, 2]"
    assert run(f"{rows} | top-nested 1 of k by sum(v)") == [(None, 11)]


def test_what_top_nested_refuses() -> None:
    with pytest.raises(KqlSchemaError, match="others is a string, and the key is a long"):
        run(f"{ROWS} | top-nested 1 of v with others='Rest' by count()")
    with pytest.raises(KqlSchemaError, match="a number or a time"):
        run(f"{ROWS} | top-nested 1 of s by make_list(v)")


def test_top_hitters() -> None:
    text = f"{ROWS} | top-hitters 2 of e"
    assert names(text) == ["e", "approximate_count_e"]
    assert run(text) == [("x", 4), ("y", 2)]
    weighed = f"{ROWS} | top-hitters 2 of s by v"
    assert names(weighed) == ["s", "approximate_sum_v"]
    assert types(weighed) == ["string", "long"]
    assert run(weighed) == [("A", 19), ("B", 15)]
    with pytest.raises(KqlSchemaError, match="adds up numbers"):
        run(f"{ROWS} | top-hitters 2 of s by e")
