"""Dynamic values and bags, by answers computed by hand or given on Microsoft's pages."""

from __future__ import annotations

from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import one, run

NESTED = "dynamic({'key1': 123, 'key2': {'prop1': 'abc', 'prop2': 'xyz'}, 'key3': [100, 200]})"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('parse_json(\'{"a": [1, {"b": null}]}\')', {"a": [1, {"b": None}]}),
        ("todynamic(' [1] ')", [1]),
        ("parse_json('no json {')", "no json {"),
        ("parse_json('')", None),
        ("parse_json('NaN')", "NaN"),
        ("parse_json(5)", 5),
        ("parse_json(true)", True),
        ("tostring(parse_json('no json'))", "no json"),
        ("tostring(parse_json('no json').x)", ""),
        ("tostring(parse_json('{ \"a\" : [1 , 2] }'))", '{"a":[1,2]}'),
        ("tostring(parse_json('\"text\"'))", "text"),
        ("isnull(parse_json('null'))", True),
        ('parse_json(tostring(parse_json(\'{"a":123, "b":"{\\\\"c\\\\":456}"}\').b)).c', 456),
        # Paths.
        ("dynamic([{'y': 1}]).[0].y", 1),
        ("parse_json('{\"a b\": {\"c.d\": 7}}')['a b']['c.d']", 7),
        ("dynamic([1, 2, 3])[-1]", 3),
        ("dynamic([1])[5]", None),
        ("dynamic({'a': 1}).A", None),
        ("dynamic({'é': {'ß': 'x'}})['é']['ß']", "x"),
        ("strlen(dynamic('abc'))", 3),
        # Bags.
        ("bag_pack('a', 1, 'b', long(null), 'c', dynamic([1]))", {"a": 1, "b": None, "c": [1]}),
        (
            "pack('when', datetime(2024-01-01), 'q', 'say \"x\"')",
            {"when": "2024-01-01T00:00:00.0000000Z", "q": 'say "x"'},
        ),
        ("pack_dictionary('a', 1s)", {"a": "00:00:01"}),
        ("bag_keys(dynamic({'b': 1, 'a': {'c': 1}}))", ["b", "a"]),
        ("bag_keys(dynamic([1]))", None),
        (f"bag_has_key({NESTED}, 'key2')", True),
        (f"bag_has_key({NESTED}, 'KEY2')", False),
        (f"bag_has_key({NESTED}, '$.key2.prop1')", True),
        (f"bag_has_key({NESTED}, \"$['key2']['prop9']\")", False),
        ("bag_has_key(dynamic({'a': null}), 'a')", True),
        ("bag_has_key(dynamic({'a.b': 1}), 'a.b')", True),
        ("bag_has_key(dynamic(null), 'a')", False),
        (
            "bag_merge(dynamic({'A1': 12, 'B1': 2, 'C1': 3}), dynamic({'A2': 81, 'B2': 82, 'A1': 1}))",
            {"A1": 12, "B1": 2, "C1": 3, "A2": 81, "B2": 82},
        ),
        ("bag_merge(dynamic({'a': null}), dynamic({'a': 1}), dynamic({'b': 2}))", {"a": None, "b": 2}),
        ("bag_merge(dynamic({'a': 1}), dynamic(null))", None),
        ("bag_set_key(dynamic({'key1': 1, 'key2': 2}), 'key3', 3)", {"key1": 1, "key2": 2, "key3": 3}),
        ("bag_set_key(dynamic({'key1': 1, 'key3': 'abc'}), 'key3', 3)", {"key1": 1, "key3": 3}),
        (
            "bag_set_key(dynamic({'key1': 123, 'key2': {'prop1': 123, 'prop2': 'xyz'}}), '$.key2.prop1', 'abc')",
            {"key1": 123, "key2": {"prop1": "abc", "prop2": "xyz"}},
        ),
        (
            "bag_set_key(dynamic({'key1': 123}), '$.key2.prop1', 'abc')",
            {"key1": 123, "key2": {"prop1": "abc"}},
        ),
        ("bag_set_key(dynamic({}), 'a', dynamic({'x': null}))", {"a": {"x": None}}),
        ("bag_set_key(dynamic([1]), 'a', 1)", None),
        ("bag_remove_keys(dynamic({'key1': 123, 'key2': 'abc'}), dynamic(['key2', 'key4']))", {"key1": 123}),
        (
            f"bag_remove_keys({NESTED}, dynamic(['$.key2.prop1', 'key3']))",
            {"key1": 123, "key2": {"prop2": "xyz"}},
        ),
        ("bag_remove_keys(dynamic({'k': 5, 'n': null}), dynamic(['$.k.z']))", {"k": 5, "n": None}),
        ("bag_remove_keys(dynamic('x'), dynamic(['k']))", None),
        ("bag_zip(dynamic(['a', 'b', 'c']), dynamic([1, '2', 3.4]))", {"a": 1, "b": "2", "c": 3.4}),
        ("bag_zip(dynamic(['a', 'b', 'c']), dynamic([1, '2']))", {"a": 1, "b": "2", "c": None}),
        ("bag_zip(dynamic(['a', 8, 'b']), dynamic([1, '2', 2.5]))", {"a": 1, "b": 2.5}),
        ("bag_zip(dynamic(['a', 8, 'b']), dynamic(1))", {"a": None, "b": None}),
        ("bag_zip(dynamic('a'), dynamic([1]))", None),
    ],
)
def test_dynamics(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_all_columns_in_a_bag() -> None:
    rows = "datatable(s: string, n: long, d: dynamic)['x', 1, dynamic([2]), '', long(null), dynamic(null)]"
    assert run(f"{rows} | project a = pack_all(), b = pack_all(true)") == [
        ({"s": "x", "n": 1, "d": [2]}, {"s": "x", "n": 1, "d": [2]}),
        ({"s": "", "n": None, "d": None}, {}),
    ]


VALUES = "datatable(d: dynamic)[dynamic('Cat'), dynamic(5), dynamic([1, 'cat']), dynamic({'k': 'CAT'}), dynamic(null)]"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("d == 'Cat'", ["Cat"]),
        ("d != 'Cat'", [5, [1, "cat"], {"k": "CAT"}, None]),
        ("d =~ 'cat'", ["Cat"]),
        ("d == 5", [5]),
        ("d > 4", [5]),
        ("d has 'cat'", ["Cat", [1, "cat"], {"k": "CAT"}]),
        ("d contains_cs 'at'", ["Cat", [1, "cat"]]),
        ("d in ('Cat', 'x')", ["Cat"]),
        ("d in~ ('CAT')", ["Cat"]),
        ("'Cat' in (d)", ["Cat"]),
        ("'cat' in (d)", [[1, "cat"]]),
        ("'a cat' has_any (d)", ["Cat", [1, "cat"]]),
        ("isempty(d)", [None]),
    ],
)
def test_dynamics_in_conditions(condition: str, expected: list[Any]) -> None:
    assert [row[0] for row in run(f"{VALUES} | where {condition}")] == expected


def test_two_dynamics_are_not_compared() -> None:
    with pytest.raises(KqlSchemaError, match="taken for") as caught:
        run("datatable(a: dynamic, b: dynamic)[1, 1] | where a == b")
    assert "tostring" in caught.value.hint


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("bag_pack('a', 1, 'a', 2)", "twice"),
        ("bag_has_key(dynamic({}), '$.a[0]')", "path"),
        ("bag_has_key(dynamic({}), '$')", "path"),
        ("treepath(dynamic({}))", "treepath"),
        ("dynamic_to_json(dynamic({}))", "dynamic_to_json"),
    ],
)
def test_what_is_refused(call: str, message: str) -> None:
    with pytest.raises(KqlUnsupported, match=message) as caught:
        run(f"print {call}")
    assert caught.value.column == 7 and caught.value.hint


def test_a_key_without_a_value_is_an_error() -> None:
    with pytest.raises(KqlSchemaError, match="no value"):
        run("print bag_pack('a', 1, 'b')")


def test_a_key_that_is_no_constant_is_refused() -> None:
    with pytest.raises(KqlUnsupported, match="no constant"):
        run("datatable(k: string)['a'] | project bag_has_key(dynamic({'a': 1}), k)")
