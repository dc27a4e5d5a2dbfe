"""``mv-expand``, by answers computed by hand from Microsoft's page."""

from __future__ import annotations

from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import at, names, one, run, types


def test_each_element_is_a_row_in_its_order() -> None:
    text = "datatable(a:int, b:dynamic)[1, dynamic([10, 20]), 2, dynamic(['a', 'b'])] | mv-expand b"
    assert run(text) == [(1, 10), (1, 20), (2, "a"), (2, "b")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("dynamic([])", []),
        ("dynamic({})", []),
        ("dynamic(null)", [(None,)]),
        ("dynamic('just text')", [("just text",)]),
        ("dynamic(7)", [(7,)]),
        ("dynamic([[1, 2], null])", [([1, 2],), (None,)]),
        ('dynamic({"a b": 1, "é.\\"x": [2]})', [({"a b": 1},), ({'é."x': [2]},)]),
    ],
)
def test_what_is_no_list(value: str, expected: list[Any]) -> None:
    assert run(f"print d = {value} | mv-expand d") == expected


def test_pairs_as_arrays() -> None:
    text = 'print d = dynamic({"p": "a1", "q": 2}) | mv-expand kind=array d | extend k = tostring(d[0]), v = d[1]'
    assert run(f"{text} | project k, v") == [("p", "a1"), ("q", 2)]
    assert run("print d = dynamic([1]) | mv-expand bagexpansion=array d") == [(1,)]


def test_several_in_step_and_the_rest_null() -> None:
    text = 'print b = dynamic({"p": "a", "q": "b"}), c = dynamic([5, 4, 3]) | mv-expand with_itemindex=i b, c'
    assert names(text) == ["b", "c", "i"]
    assert run(text) == [({"p": "a"}, 5, 0), ({"q": "b"}, 4, 1), (None, 3, 2)]
    # One of them is empty: the other decides.
    assert run("print b = dynamic([]), c = dynamic([1]) | mv-expand b, c to typeof(string)") == [(None, "1")]


def test_a_name_replaces_or_adds() -> None:
    rows = "datatable(id:int, a:dynamic, b:dynamic)[1, dynamic([7]), dynamic('x')]"
    assert names(f"{rows} | mv-expand a") == ["id", "a", "b"]
    assert names(f"{rows} | mv-expand x = a") == ["id", "a", "b", "x"]
    assert run(f"{rows} | mv-expand b = a") == [(1, [7], 7)]
    assert names("print d = dynamic({'k': [1]}) | mv-expand d.k") == ["d", "d_k"]
    assert run("print id = 1 | mv-expand range(1, 2, 1)") == [(1, 1), (1, 2)]
    assert names("print Index = 1, d = dynamic([1]) | mv-expand with_itemindex=Index d") == ["Index", "d", "Index1"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("long", [1, 2, -2, None, None, None]),
        ("real", [1.0, 2.5, -2.5, None, None, None]),
        ("bool", [True, None, None, None, True, None]),
        ("string", ["1", "2.5", "-2.5", "2020-01-02T03:04:05Z", "true", ""]),
        ("datetime", [None, None, None, at(2, 3, 4, 5).replace(year=2020), None, None]),
        ("guid", [None] * 6),
    ],
)
def test_a_type_is_a_cast_and_no_conversion(kind: str, expected: list[Any]) -> None:
    text = f"print d = dynamic([1, 2.5, -2.5, '2020-01-02T03:04:05Z', true, null]) | mv-expand d to typeof({kind})"
    assert [row[0] for row in run(text)] == expected
    assert types(text) == [kind]


def test_long_numbers_keep_their_digits() -> None:
    text = "print d = dynamic([9007199254740993, 3000000000]) | mv-expand d, e = d"
    assert run(f"{text} to typeof(int)") == [(9007199254740993, None), (3000000000, None)]
    assert run("print d = dynamic([9007199254740993]) | mv-expand d to typeof(long)") == [(9007199254740993,)]


def test_a_limit_counts_for_each_row() -> None:
    rows = "datatable(a:int, b:dynamic)[1, dynamic([1, 2, 3]), 2, dynamic([4])]"
    assert run(f"{rows} | mv-expand b limit 2") == [(1, 1), (1, 2), (2, 4)]
    assert run(f"{rows} | mv-expand b limit 0") == []
    assert one("print d = range(1, 200, 1) | mv-expand d | count") == (200,)
    # The old spelling has a limit of its own.
    assert one("print d = range(1, 200, 1) | mvexpand d | count") == (128,)


def test_an_order_goes_through() -> None:
    text = "datatable(a:int, b:dynamic)[1, dynamic(['x', 'y']), 2, dynamic(['z'])] | sort by a desc | mv-expand b"
    assert run(f"{text} | extend n = row_number()") == [(2, "z", 1), (1, "x", 2), (1, "y", 3)]


def test_one_after_the_other_is_a_product() -> None:
    text = "print b = dynamic([1, 2]), c = dynamic(['x', 'y']) | mv-expand b | mv-expand c"
    assert run(text) == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_what_is_refused() -> None:
    with pytest.raises(KqlSchemaError, match="this is a string") as caught:
        run("print s = 'a,b'\n| mv-expand s")
    assert (caught.value.line, caught.value.column) == (2, 13)
    with pytest.raises(KqlUnsupported, match="needs a name"):
        run("print a = dynamic([1]), b = dynamic([2]) | mv-expand array_concat(a, b)")
    with pytest.raises(KqlUnsupported, match="timespan"):
        run("print d = dynamic(['1.00:00:00']) | mv-expand d to typeof(timespan)")
