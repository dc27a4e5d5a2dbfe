"""What hunts of the field use and small examples forget: old spellings, literals of another type, odd corners."""

from __future__ import annotations

import pytest

from kql import KqlSchemaError, KqlUnsupported, used_tables
from tests.kql.support import names, one, run, types

EVENTS = """
let Events = datatable(Id: int, Code: string, Good: bool, Name: string)
[
    4624, "0", true, "ann",
    4625, "50126", false, "bob",
    4625, "", bool(null), "cy"
];
"""


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Id == '4625'", ["bob", "cy"]),
        ("'4625' == Id", ["bob", "cy"]),
        ("Id != '4625'", ["ann"]),
        ("Id in ('4624', '4720')", ["ann"]),
        ("Id !in ('4624', '4720')", ["bob", "cy"]),
        ("Id in (dynamic(['4624']))", ["ann"]),
        ("Code == 0", ["ann"]),
        ("Code != 0", ["bob", "cy"]),
        ("Code in (0, 50126)", ["ann", "bob"]),
        ("Code == -1", []),
        ("Good == 1", ["ann"]),
        ("Good == 0", ["bob"]),
        ("Good == '1'", ["ann"]),
        ("Good != 'true'", ["bob", "cy"]),
        ("Good == 'False'", ["bob"]),
    ],
)
def test_a_literal_is_read_as_what_it_is_compared_with(condition: str, expected: list[str]) -> None:
    assert [row[0] for row in run(f"{EVENTS} Events | where {condition} | project Name | sort by Name asc")] == expected


@pytest.mark.parametrize(
    "condition",
    [
        "Id == 'abc'",
        "Id == '4625.0'",
        "Id == '04625'",
        "Id == ''",
        "Id > '4624'",
        "Code > 0",
        "Good == 'x'",
        "Id == Code",
    ],
)
def test_what_cannot_be_read_so_stays_an_error(condition: str) -> None:
    with pytest.raises(KqlSchemaError, match="does not take"):
        run(f"{EVENTS} Events | where {condition}")


@pytest.mark.parametrize("condition", ["Good > 0", "Good >= 1", "1 <= Good"])
def test_a_bool_beside_a_number_counts_as_0_or_1(condition: str) -> None:
    assert run(f"{EVENTS} Events | where {condition} | project Name") == [("ann",)]


def test_bags_of_columns_are_put_together() -> None:
    rows = run(
        """
        datatable(g: string, k: string, v: long)["a", "x", 1, "a", "y", 2, "a", "x", 3, "b", "z", 4]
        | extend p = pack(k, v)
        | summarize all = make_bag(p) by g
        | sort by g asc
        """
    )
    assert rows == [("a", {"x": 1, "y": 2}), ("b", {"z": 4})]


def test_a_bag_of_bags_keeps_values_of_every_kind() -> None:
    text = """
    datatable(d: dynamic)[
        dynamic({"a b": null, "q\\"": [1, {"c": "d"}]}), dynamic("no bag"), dynamic({"t": "ü", "a b": 1})
    ]
    | summarize make_bag(d)
    """
    assert one(text) == ({"a b": None, 'q"': [1, {"c": "d"}], "t": "ü"},)
    assert names(text) == ["bag_d"]
    assert one("print x = 1 | where x == 2 | summarize make_bag(pack('a', x))") == ({},)


def test_a_bag_of_chosen_rows() -> None:
    text = "range x from 1 to 3 step 1 | summarize make_bag_if(pack(strcat('k', x), x), x != 2)"
    assert one(text) == ({"k1": 1, "k3": 3},)


def test_a_function_may_end_in_the_name_of_its_own_table() -> None:
    text = """
    let busy = (low: long) {
        let found = range x from 1 to 5 step 1 | where x > low;
        found
    };
    let some = busy(3);
    union some, busy(4)
    | summarize sum(x)
    """
    assert one(text) == (14,)
    assert one("let f = () { let t = range x from 1 to 3 step 1; t }; print toscalar(f() | count)") == (3,)
    assert one("let f = (n: long) { let m = n + 1; m }; print f(1)") == (2,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("let f = (n: string) { table(n) | take 1 }; union (f('A')), (f(n='B')), C", {"A", "B", "C"}),
        ("let f = (days: int, n: string = 'D') { let t = table(n); t }; let t = f(1); union t, f(2, 'E')", {"D", "E"}),
        ("let which = 'A'; table(which) | join (table('B')) on x", {"A", "B"}),
        ("let f = (n: string, who: string) { table(n) | where x == who }; f('A', 'bob')", {"A"}),
        ("table(strcat('A', 'B'))", set()),
    ],
)
def test_tables_that_are_named_by_a_text_are_used(text: str, expected: set[str]) -> None:
    assert used_tables(text) == expected


def test_old_spellings_of_aggregates_stop_at_128() -> None:
    text = "range x from 1 to 200 step 1 | summarize makeset(x), makelist(x), makeset(x, 3), makelist(x, 150)"
    assert names(text) == ["set_x", "list_x", "set_x1", "list_x1"]
    assert [len(value) for value in one(text)] == [128, 128, 3, 150]


def test_old_spellings_of_functions() -> None:
    assert one("print arraylength(dynamic([1, 2]))") == (2,)


def test_distinct_names_its_columns() -> None:
    text = "datatable(a: string, b: long)['X', 1, 'x', 1, 'y', 2] | distinct low = tolower(a), b"
    assert names(text) == ["low", "b"]
    assert sorted(run(text)) == [("x", 1), ("y", 2)]


def test_a_moment_by_a_timespan() -> None:
    text = (
        "print datetime(0001-01-02) / 1h, datetime(2024-01-01 06:00) / 1d, datetime(0001-01-03) / datetime(0001-01-02)"
    )
    assert one(text) == (24.0, 738885.25, 2.0)
    assert types(text) == ["real", "real", "real"]
    assert one("print datetime(2024-01-01) / 0s") == (None,)


def test_scan_may_say_its_order_first() -> None:
    with pytest.raises(KqlUnsupported, match="scan with partition by or order by"):
        run("range x from 1 to 3 step 1 | scan order by x asc partition by x with (step s: true;)")


SETS = """
let Known = datatable(n: string)["A", "b"] | summarize make_set(n);
let Rows = datatable(k: string)["a", "A", "b", "c A d"];
"""


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("k in (Known)", ["A", "b"]),
        ("k !in (Known)", ["a", "c A d"]),
        ("k in~ (Known)", ["A", "a", "b"]),
        ("k !in~ (Known)", ["c A d"]),
        ("k has_any (Known)", ["A", "a", "b", "c A d"]),
        ("k in (toscalar(Known))", ["A", "b"]),
        ("k in~ (toscalar(Known))", ["A", "a", "b"]),
        ("k !in~ (toscalar(Known))", ["c A d"]),
        ("k has_any (toscalar(Known))", ["A", "a", "b", "c A d"]),
        ("k has_all (toscalar(Known))", []),
        ("strcat(k, ' b') has_all (toscalar(Known))", ["A", "a", "c A d"]),
        ("strcat(k, ' b') has_all (Known)", ["A", "a", "c A d"]),
    ],
)
def test_a_set_that_was_summarized_is_a_list(condition: str, expected: list[str]) -> None:
    assert [row[0] for row in run(f"{SETS} Rows | where {condition} | sort by k asc")] == expected


def test_lists_in_columns() -> None:
    text = """
    datatable(k: string, l: dynamic)[
        "a", dynamic(["A", "x"]), "b", dynamic(["b", ["c"]]), "c", dynamic(["b", ["c"]]), "d", dynamic("d"),
        "e", dynamic(null)
    ]
    | project k, k in (l), k in~ (l), k has_any (l)
    """
    assert run(text) == [
        ("a", False, True, True),
        ("b", True, True, True),
        ("c", True, True, True),
        ("d", True, True, True),
        ("e", False, False, False),
    ]
