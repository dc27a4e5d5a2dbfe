"""Arrays and sets, by answers computed by hand or given on Microsoft's pages."""

from __future__ import annotations

from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import one, run, types

WORDS = "dynamic(['this', 'is', 'an', 'example', 'an', 'example'])"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("array_length(dynamic([1, null, [2, 3]]))", 3),
        ("array_length(dynamic([]))", 0),
        ("array_length(dynamic({'a': 1}))", None),
        ("array_length(dynamic('[1]'))", None),
        ("array_length(dynamic(null))", None),
        ("array_length(parse_json('null'))", None),
        ("array_length(split('a,b', ','))", 2),
        ("array_length(dynamic({'a': [1, 2]}).a)", 2),
        ("array_concat(dynamic([1]), dynamic([null, 'é']), dynamic([]))", [1, None, "é"]),
        ("array_concat(dynamic([1]), dynamic(null))", None),
        ("array_reverse(dynamic([1, 'b', null]))", [None, "b", 1]),
        ("array_reverse(dynamic(5))", None),
        ("array_sum(dynamic([1, 2.5, -1]))", 2.5),
        ("array_sum(dynamic([1, '2']))", None),
        ("array_sum(dynamic([]))", 0.0),
        ("array_slice(dynamic([1, 2, 3]), 1, 2)", [2, 3]),
        ("array_slice(dynamic([1, 2, 3, 4, 5]), 2, -1)", [3, 4, 5]),
        ("array_slice(dynamic([1, 2, 3, 4, 5]), -3, -2)", [3, 4]),
        ("array_slice(dynamic([1, 2, 3]), -9, 9)", [1, 2, 3]),
        ("array_slice(dynamic([1, 2, 3]), 2, 1)", []),
        ("array_slice(dynamic([1, 2, 3]), 0, 0)", [1]),
        (f"array_index_of({WORDS}, 'an')", 2),
        (f"array_index_of({WORDS}, 'AN')", -1),
        (f"array_index_of({WORDS}, 'example', 1, 3)", 3),
        (f"array_index_of({WORDS}, 'example', 1, 2)", -1),
        (f"array_index_of({WORDS}, 'is', 2, 4)", -1),
        (f"array_index_of({WORDS}, 'example', 2, -1)", 3),
        (f"array_index_of({WORDS}, 'an', 1, -1, 2)", 4),
        (f"array_index_of({WORDS}, 'an', 1, -1, 3)", -1),
        (f"array_index_of({WORDS}, 'an', -3)", 4),
        (f"array_index_of({WORDS}, 'is', -4)", -1),
        (f"array_index_of({WORDS}, 'is', 0, -2)", None),
        (f"array_index_of({WORDS}, 'is', 0, -1, -1)", None),
        ("array_index_of(dynamic([1, '1', true]), '1')", 1),
        ("array_index_of(dynamic([1, '1', true]), true)", 2),
        ("array_iff(dynamic([true, false, true]), dynamic([1, 2, 3]), dynamic([4, 5, 6]))", [1, 5, 3]),
        ("array_iff(dynamic([1, 0, 50]), 'yes', 'no')", ["yes", "no", "yes"]),
        ("array_iif(dynamic(['text', null, false]), 1, 0)", [None, None, 0]),
        ("array_iff(dynamic([true, true, true]), dynamic([1, 2]), dynamic([3, 4]))", [1, 2, None]),
        ("array_iff(dynamic(true), 1, 0)", None),
        ("array_sort_asc(dynamic([null, 'blue', 'yellow', 'green', null]))", ["blue", "green", "yellow", None, None]),
        (
            "array_sort_asc(dynamic([null, 'blue', 'yellow', 'green', null]), false)",
            [None, None, "blue", "green", "yellow"],
        ),
        ("array_sort_asc(dynamic([10, 9, 'b', 2.5, 'B', 'a']))", [2.5, 9, 10, "B", "a", "b"]),
        ("array_sort_desc(dynamic([10, 9, 'b', null, 2.5, 'a']))", [10, 9, 2.5, "b", "a", None]),
        ("array_sort_asc(dynamic([9007199254740993, 9007199254740992]))", [9007199254740992, 9007199254740993]),
        ("strcat_array(array_sort_asc(split('John,Paul,George,Ringo', ',')), ',')", "George,John,Paul,Ringo"),
        ("array_rotate_left(dynamic([1, 2, 3, 4, 5]), 2)", [3, 4, 5, 1, 2]),
        ("array_rotate_left(dynamic([1, 2, 3, 4, 5]), -2)", [4, 5, 1, 2, 3]),
        ("array_rotate_right(dynamic([1, 2, 3, 4, 5]), 2)", [4, 5, 1, 2, 3]),
        ("array_rotate_left(dynamic([1, 2, 3]), 7)", [2, 3, 1]),
        ("array_rotate_left(dynamic([]), 1)", []),
        ("array_shift_left(dynamic([1, 2, 3, 4, 5]), 2)", [3, 4, 5, None, None]),
        ("array_shift_left(dynamic([1, 2, 3, 4, 5]), 2, -1)", [3, 4, 5, -1, -1]),
        ("array_shift_left(dynamic([1, 2, 3, 4, 5]), -2, -1)", [-1, -1, 1, 2, 3]),
        ("array_shift_right(dynamic([1, 2, 3]), 1)", [None, 1, 2]),
        ("array_shift_right(dynamic(['a', 'b']), 1)", ["", "a"]),
        ("array_shift_left(dynamic([1, 2]), 5)", [None, None]),
        ("array_split(dynamic([1, 2, 3, 4, 5]), 2)", [[1, 2], [3, 4, 5]]),
        ("array_split(dynamic([1, 2, 3, 4, 5]), dynamic([1, 3]))", [[1], [2, 3], [4, 5]]),
        ("array_split(dynamic([1, 2, 3]), -1)", [[1, 2], [3]]),
        ("array_split(dynamic([1, 2]), 0)", [[], [1, 2]]),
        ("array_split(dynamic([1, 2]), 9)", [[1, 2], []]),
        ("zip(dynamic([1, 2]), dynamic(['a']))", [[1, "a"], [2, None]]),
        ("zip(dynamic([1]), dynamic(null))", None),
        ("pack_array(1, 'a', long(null), 2s, true, dynamic([1]))", [1, "a", None, "00:00:02", True, [1]]),
        ("pack_array(datetime(2020-01-01))", ["2020-01-01T00:00:00.0000000Z"]),
        ("pack_array()", []),
        ("range(1, 8, 3)", [1, 4, 7]),
        ("range(1, 3)", [1, 2, 3]),
        ("range(3, 1)", []),
        ("range(5, 1, -2)", [5, 3, 1]),
        ("range(1.0, 2, 0.5)", [1.0, 1.5, 2.0]),
        ("range(1h, 3h)", ["01:00:00", "02:00:00", "03:00:00"]),
        (
            "range(datetime(2015-01-01), datetime(2015-01-02), 1d)",
            ["2015-01-01T00:00:00.0000000Z", "2015-01-02T00:00:00.0000000Z"],
        ),
        ("array_length(range(1, 1000000000))", 1048576),
        ("repeat(1, 3)", [1, 1, 1]),
        ("repeat('x', 0)", []),
        ("repeat('x', -1)", None),
        # Sets.
        ("set_union(dynamic([1, 2, 1, 4]), dynamic([1, 2]), dynamic([8]))", [1, 2, 4, 8]),
        ("set_union(dynamic(['A4', 'A2', 'A7', 'A2']), dynamic([]))", ["A4", "A2", "A7"]),
        ("set_union(dynamic([1]), dynamic(null))", None),
        ("set_intersect(dynamic([3, 2, 1, 2, null]), dynamic([null, 2, 3]))", [3, 2, None]),
        ("set_difference(dynamic([1, 2, 2, 3, 4]), dynamic([3]), dynamic([4]))", [1, 2]),
        ("set_difference(dynamic(['a']), dynamic(['A']))", ["a"]),
        ("set_has_element(dynamic(['this', 'example']), 'example')", True),
        ("set_has_element(dynamic(['1']), 1)", False),
        ("set_has_element(dynamic([{'a': 1}]), dynamic({'a': 1}))", True),
        ("set_has_element(dynamic([{'a': 1}]), parse_json('{\"a\" : 1}'))", True),
        ("set_has_element(dynamic([null]), dynamic(null))", True),
        ("set_has_element(dynamic(5), 5)", None),
        ("jaccard_index(dynamic([1, 2, 3, 3]), dynamic([1, 2, 3, 4]))", 0.75),
        ("jaccard_index(dynamic([1]), dynamic([]))", 0.0),
    ],
)
def test_arrays(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_arrays_of_columns() -> None:
    rows = "datatable(a: dynamic, n: long)[dynamic([1, 2, 3]), 1, dynamic(null), 2, dynamic('text'), 0]"
    query = (
        f"{rows} | project array_slice(a, n, n), array_rotate_left(a, n), array_shift_left(a, n), array_split(a, n),"
        " array_index_of(a, n), set_has_element(a, n), array_concat(a, a)"
    )
    assert run(query) == [
        ([2], [2, 3, 1], [2, 3, None], [[1], [2, 3]], 0, True, [1, 2, 3, 1, 2, 3]),
        (None, None, None, None, -1, None, None),
        (None, None, None, None, -1, None, None),
    ]


def test_all_columns_in_an_array() -> None:
    assert run("datatable(a: string, n: long)['x', 1, '', long(null)] | project p = pack_array(*)") == [
        (["x", 1],),
        (["", None],),
    ]


def test_the_types_of_answers() -> None:
    query = "print a = array_length(dynamic([])), b = array_sum(dynamic([1])), c = array_index_of(dynamic([1]), 1)"
    assert types(query) == ["long", "real", "long"]


@pytest.mark.parametrize("call", ["array_length('[1]')", "set_union(dynamic([1]), 'x')", "array_reverse(5)"])
def test_what_is_no_dynamic_is_refused(call: str) -> None:
    with pytest.raises(KqlSchemaError, match="dynamic is needed") as caught:
        run(f"print {call}")
    assert "parse_json" in caught.value.hint


def test_several_arrays_are_not_sorted_together() -> None:
    with pytest.raises(KqlUnsupported, match="several arrays") as caught:
        run("print array_sort_asc(dynamic([1]), dynamic([2]))")
    assert caught.value.column == 7
