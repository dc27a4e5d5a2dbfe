"""Operators, by answers computed by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported, Table
from tests.kql.support import at, names, one, result, run, table, types

Tables = tuple[Table, ...]

COLUMNS = ["Timestamp", "Id", "Name", "AdditionalFields", "Ok", "Took"]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("Name", ["Name", "Timestamp", "Id", "AdditionalFields", "Ok", "Took"]),
        ("T*", ["Timestamp", "Took", "Id", "Name", "AdditionalFields", "Ok"]),
        ("T* desc", ["Took", "Timestamp", "Id", "Name", "AdditionalFields", "Ok"]),
        ("Ok, * asc", ["Ok", "AdditionalFields", "Id", "Name", "Timestamp", "Took"]),
        ("X*", COLUMNS),
    ],
)
def test_project_reorder(tables: Tables, items: str, expected: list[str]) -> None:
    assert names(f"Events | project-reorder {items}", *tables) == expected


def test_project_reorder_in_natural_order() -> None:
    row = "print a10 = 1, a9 = 2, b = 3"
    assert names(f"{row} | project-reorder a* granny-asc") == ["a9", "a10", "b"]
    assert names(f"{row} | project-reorder b, a* granny-desc") == ["b", "a10", "a9"]


def test_project_keep_and_away_take_patterns_and_keep_the_order(tables: Tables) -> None:
    assert names("Events | project-keep Ok, T*", *tables) == ["Timestamp", "Ok", "Took"]
    assert names("Events | project-away T*, Ok", *tables) == ["Id", "Name", "AdditionalFields"]


@pytest.mark.parametrize("operator", ["project-reorder", "project-keep", "project-away"])
def test_an_unknown_column_is_named(tables: Tables, operator: str) -> None:
    with pytest.raises(KqlSchemaError, match="There is no column Nme here. Did you mean Name") as caught:
        run(f"Events\n| {operator} Nme", *tables)
    assert (caught.value.line, caught.value.column) == (2, 4 + len(operator))


def test_next_and_prev_after_sort(tables: Tables) -> None:
    rows = run(
        "Events | where isnotnull(Timestamp) | sort by Timestamp asc"
        " | extend Gap = datetime_diff('millisecond', next(Timestamp, 1), Timestamp), Before = prev(Name)"
        " | project Id, Gap, Before, Two = next(Id, 2, -1)",
        *tables,
    )
    # Two was computed after the projection before it: the order of the rows is still the sort's.
    assert rows == [(1, 86_400_000, "", 4), (3, 108_000_000, "Alpha Beta", -1), (4, None, "powershell.exe", -1)]


def test_a_neighbour_keeps_its_type(tables: Tables) -> None:
    rows = run(
        "Events | sort by Id asc | project n = next(Timestamp), t = prev(Took), d = prev(AdditionalFields)", *tables
    )
    assert rows[2] == (at(3, 6), None, None)
    assert rows[3] == (None, timedelta(days=1), "just text")


def test_serialize_with_and_without_columns(tables: Tables) -> None:
    bare = "Devices | sort by Id desc | serialize | extend n = row_number()"
    assert [(r[0], r[3]) for r in run(bare, *tables)] == [(9, 1), (3, 2), (1, 3)]
    named = "Devices | sort by Id asc | serialize n = row_number(10), sum = row_cumsum(Id) | project Id, n, sum"
    assert run(named, *tables) == [(1, 10, 1), (3, 11, 4), (9, 12, 13)]


def test_rows_are_filtered_by_their_neighbours(tables: Tables) -> None:
    assert run("Devices | sort by Id asc | where next(Id) == 9 | project Id", *tables) == [(3,)]


@pytest.mark.parametrize(
    "query",
    [
        "Events | extend n = next(Id)",
        "Events | sort by Id | summarize count() by Name | extend n = row_number()",
        "Events | sort by Id | join kind=inner (Devices) on Id | extend n = prev(Id)",
    ],
)
def test_neighbours_need_an_order(tables: Tables, query: str) -> None:
    with pytest.raises(KqlUnsupported, match="needs rows in a defined order") as caught:
        run(query, *tables)
    assert caught.value.column == query.rindex("= ") + 3


def test_the_order_of_a_let_counts(tables: Tables) -> None:
    assert run("let X = Devices | sort by Id desc; X | project n = next(Id)", *tables) == [(3,), (1,), (None,)]


def test_a_union_in_brackets_is_a_source(tables: Tables) -> None:
    rows = run(
        "(union isfuzzy=true (Events | where Id == 1 | project Id, Name), (Devices | where Id > 5), Absent"
        " | sort by Id desc) | project Id, Name, Site",
        *tables,
    )
    assert rows == [(9, "nine", "Oslo"), (1, "Alpha Beta", "")]


def test_brackets_around_a_let_and_within_a_let(tables: Tables) -> None:
    rows = run(
        "let Few = (Events | where Id < 3 | project-reorder Name);"
        "let All = (union Few, (Devices | project-keep Id, Name));"
        "(All) | sort by Id asc, Name asc | serialize | project Id, Name, Before = prev(Name)",
        *tables,
    )
    expected = [(1, "Alpha Beta", ""), (1, "one", "Alpha Beta"), (2, "", "one"), (3, "three", ""), (9, "nine", "three")]
    assert rows == expected


def test_columns_of_a_union_and_their_nulls(tables: Tables) -> None:
    rows = run("union Events, Devices | where Site == '' and Id in (1, 9, 4) | project Id, Ok, Took", *tables)
    assert sorted(rows, key=str) == [(1, True, None), (4, True, timedelta(hours=1))]
    assert one("union kind=inner Events, Devices | where Id == 9", *tables) == (9, "nine")


def test_a_union_splits_a_column_of_differing_types(tables: Tables) -> None:
    text = "union (Events | where Id == 1 | project Id), (Devices | where Id == 9 | project Id = tostring(Id), Site)"
    assert names(text, *tables) == ["Id_long", "Id_string", "Site"]
    assert sorted(run(text, *tables), key=str) == [(1, "", ""), (None, "9", "Oslo")]


def test_a_union_of_patterns_names_its_sources(tables: Tables) -> None:
    rows = run("union withsource=Source Dev*, Log* | summarize count() by Source | sort by Source asc", *tables)
    assert rows == [("Devices", 3), ("Logs", 2)]


def test_a_source_name_that_is_a_column_is_refused(tables: Tables) -> None:
    with pytest.raises(KqlSchemaError, match="has a column Site already") as caught:
        run("union withsource=Site Events, Devices", *tables)
    assert (caught.value.line, caught.value.column) == (1, 1)


@pytest.fixture
def strangers(tmp_path: Path) -> Tables:
    """Tables that were never meant for each other: one name in two types, two spellings of one name."""
    first = table(tmp_path, "AlphaEvents", {"ReportId": "long", "LogonId": "long"}, [(1, 11)])
    other = table(tmp_path, "BetaEvents", {"ReportId": "string", "LogonID": "string"}, [("b", "0x3e7")])
    return first, other


def test_a_pattern_splits_columns_of_differing_types_and_spellings(strangers: Tables) -> None:
    assert run("union withsource=From * | summarize Rows = count() by From | sort by From asc", *strangers) == [
        ("AlphaEvents", 1),
        ("BetaEvents", 1),
    ]
    assert names("union *Events", *strangers) == ["ReportId_long", "ReportId_string", "LogonId", "LogonID"]
    assert run("union *Events | where ReportId_string == 'b' | project ReportId_long", *strangers) == [(None,)]


def test_spellings_of_one_name_stay_apart(strangers: Tables) -> None:
    assert run("union * | where LogonID == '0x3e7' | project LogonID, LogonId", *strangers) == [("0x3e7", None)]


def test_a_table_that_is_named_beside_a_pattern_stays_as_it_is(strangers: Tables) -> None:
    text = "let Known = BetaEvents | project LogonID; union Alpha* | where '0x3e7' in (Known) | project ReportId"
    assert run(text, *strangers) == [(1,)]


def test_a_second_view_is_left_out_of_patterns_but_not_of_its_name(tables: Tables) -> None:
    first, *others = tables
    second = replace(first, name="EventsAgain", wildcard=False)
    counted = "| summarize Rows = count()"
    (alone,) = one(f"union Events* {counted}", first, *others)
    assert one(f"union Events* {counted}", first, second, *others) == (alone,)
    assert one(f"EventsAgain {counted}", first, second, *others) == (alone,)
    assert one(f"union EventsAgain, Dev* {counted}", first, second, *others) == (alone + 3,)
    assert one(f"union *Again {counted}", first, second, *others) == (alone,)


def test_a_missing_table_is_named_except_in_a_fuzzy_union(tables: Tables) -> None:
    with pytest.raises(KqlSchemaError, match="There is no table Evens here. Did you mean Events"):
        run("union Devices, Evens", *tables)
    assert one("union isfuzzy=true Evens, Devices | count", *tables) == (3,)
    with pytest.raises(KqlSchemaError, match="None of the tables of this union is here"):
        run("union isfuzzy=true Evens, Nothing", *tables)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("inner", [(1, "Berlin"), (3, "")]),
        ("leftouter", [(1, "Berlin"), (2, ""), (3, ""), (4, "")]),
        ("leftsemi", [(1, None), (3, None)]),
        ("leftanti", [(2, None), (4, None)]),
        ("rightouter", [(1, "Berlin"), (3, ""), (None, "Oslo")]),
        ("fullouter", [(1, "Berlin"), (2, ""), (3, ""), (4, ""), (None, "Oslo")]),
    ],
)
def test_kinds_of_join(tables: Tables, kind: str, expected: list[tuple[int | None, str | None]]) -> None:
    site = "Site" if kind.endswith(("inner", "outer")) else "''"
    rows = run(f"Events | join kind={kind} (Devices) on Id | project Id, Site = {site}", *tables)
    assert sorted(rows, key=str) == sorted([(i, s or "") for i, s in expected], key=str)


def test_join_without_kind_takes_each_left_key_once() -> None:
    left = "datatable(k:string, v:long)['a', 1, 'a', 2, 'b', 3]"
    assert one(f"{left} | join ({left}) on k | count") == (3,)
    assert one(f"{left} | join kind=inner ({left}) on k | count") == (5,)


def test_join_on_named_sides_in_either_order(tables: Tables) -> None:
    for condition in ("$left.Id == $right.Key", "$right.Key == $left.Id"):
        joined = f"Devices | join kind=inner (Events | project Key = Id, Ok) on {condition}"
        assert run(f"{joined} | project Id, Ok | sort by Id asc", *tables) == [(1, True), (3, None)]


def test_join_and_lookup_keys_must_exist(tables: Tables) -> None:
    with pytest.raises(KqlSchemaError, match="no column Ident"):
        run("Events | join kind=inner (Devices) on Ident", *tables)
    with pytest.raises(KqlSchemaError, match="no column id here. Names are case-sensitive: write Id"):
        run("Events | lookup (Devices) on id", *tables)


@pytest.mark.parametrize("operator", ["join kind=inner", "join kind=leftanti", "join", "lookup"])
def test_keys_of_differing_types_are_refused(tables: Tables, operator: str) -> None:
    with pytest.raises(KqlSchemaError, match="Id is long, Id is string") as caught:
        run(f"Events\n| {operator} (Devices | extend Id = tostring(Id)) on Id", *tables)
    assert caught.value.line == 2
    with pytest.raises(KqlSchemaError, match="AdditionalFields is dynamic"):
        run(f"Events | {operator} (Events) on AdditionalFields", *tables)


def test_an_int_key_fits_a_long_one(tables: Tables) -> None:
    assert one("Events | join kind=inner (print Id = int(3)) on Id | project Id, Name", *tables) == (
        3,
        "powershell.exe",
    )


def test_lookup_leaves_strings_empty(tables: Tables) -> None:
    rows = run("Events | lookup (Devices | project Id, Site) on Id | where Site == '' | project Id", *tables)
    assert sorted(rows) == [(2,), (3,), (4,)]


def test_time_columns_stand_in_for_each_other(tables: Tables) -> None:
    assert run("Logs | where Timestamp > datetime(2024-01-05) | project Timestamp", *tables) == [(at(9),)]
    assert names("Logs | take 1 | where Timestamp > ago(30d)", *tables) == ["Timestamp", "Computer"]
    both = (
        "union (Events | project Timestamp, Id), (Logs | project Timestamp = TimeGenerated) | summarize max(Timestamp)"
    )
    assert one(both, *tables) == (at(9),)
    assert names("Logs | extend Age = Timestamp - TimeGenerated", *tables) == [
        "TimeGenerated",
        "Computer",
        "Timestamp",
        "Age",
    ]


def test_sort_by_a_column_whose_name_has_desc_in_it() -> None:
    rows = "datatable(Description:string)['b', 'a', 'c']"
    assert run(f"{rows} | sort by Description asc") == [("a",), ("b",), ("c",)]
    assert run(f"{rows} | sort by Description") == [("c",), ("b",), ("a",)]


def test_sort_places_nulls(tables: Tables) -> None:
    assert run("Events | sort by Timestamp asc | project Id", *tables) == [(2,), (1,), (3,), (4,)]
    assert run("Events | sort by Timestamp desc nulls first | project Id", *tables) == [(2,), (4,), (3,), (1,)]


def test_take_and_top_by_a_let(tables: Tables) -> None:
    assert one("let N = 2; Events | take N | count", *tables) == (2,)
    assert run("let N = 2; Events | top N by Id | project Id", *tables) == [(4,), (3,)]


def test_distinct_rows(tables: Tables) -> None:
    assert run("Events | project Ok | distinct * | summarize count()", *tables) == [(3,)]


NULLS = """
let T = datatable(k: long, t: datetime, v: string)
[
    1, datetime(2024-01-01), "a", 1, datetime(2024-01-03), "b", 1, datetime(null), "c",
    2, datetime(null), "d", long(null), datetime(2024-01-02), "e", long(null), datetime(2024-01-01), "f"
];
"""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("arg_max(t, *) by k", [(1, at(3), "b"), (2, None, "d"), (None, at(2), "e")]),
        ("arg_min(t, v) by k", [(1, at(1), "a"), (2, None, "d"), (None, at(1), "f")]),
        ("arg_max(t, *)", [(at(3), 1, "b")]),
        ("arg_max(k, v) by d = startofday(t)", None),
        ("arg_max(t, *) by big = k > 1", [(False, at(3), 1, "b"), (True, None, 2, "d"), (None, at(2), None, "e")]),
    ],
)
def test_the_largest_row_is_the_same_beside_another_aggregate(call: str, expected: list[Any] | None) -> None:
    alone = run(f"{NULLS} T | summarize {call} | sort by v asc")
    aggregate, _, by = call.partition(" by ")
    beside = run(
        f"{NULLS} T | summarize {aggregate}, n = count() {f'by {by}' if by else ''} | project-away n | sort by v asc"
    )
    assert alone == beside
    assert expected is None or sorted(alone, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize(
    "source",
    [
        "range x from 1 to 200 step 1 | extend r = rand()",
        "range x from 1 to 200 step 1 | extend r = tostring(new_guid())",
        "range x from 1 to 200 step 1 | sample 100 | extend r = x",
        "range x from 1 to 200 step 1 | extend g = x % 3 | summarize r = take_any(x) by x2 = x",
    ],
)
def test_rows_that_come_out_otherwise_each_time_are_read_once(source: str) -> None:
    key = "x2" if "x2" in source else "x"
    assert one(f"{source} | summarize arg_max(r, *) by g = {key} % 3 | count") == (3,)


def test_the_largest_row_of_no_rows() -> None:
    assert run("print x = 1, y = 2 | where x > 1 | summarize arg_max(x, *)") == [(None, None)]
    assert run("print x = 1, y = 2 | where x > 1 | summarize arg_max(x, *) by y") == []


def test_arg_max_of_all_columns(tables: Tables) -> None:
    rows = run("Events | summarize arg_max(Timestamp, *) by Ok | project Ok, Id | sort by Id asc", *tables)
    assert rows == [(False, 2), (None, 3), (True, 4)]
    assert one("Events | summarize arg_min(Timestamp, Id, Name)", *tables) == (at(1), 1, "Alpha Beta")


def test_summarize(tables: Tables) -> None:
    row = one(
        "Events | summarize count(), dcount(Ok), countif(Ok), min(Timestamp), max(Id), make_set(Ok), make_list(Id)",
        *tables,
    )
    assert row[:5] == (4, 2, 2, at(1), 4)
    assert sorted(row[5]) == [False, True]
    assert sorted(row[6]) == [1, 2, 3, 4]


def test_bins(tables: Tables) -> None:
    rows = run("Events | where Id > 2 | summarize n = count() by bin(Timestamp, 1d) | sort by Timestamp asc", *tables)
    assert rows == [(at(2), 1), (at(3), 1)]


def test_mv_expand(tables: Tables) -> None:
    query = (
        "Events | where Id == 1 | mv-expand Tag = AdditionalFields.tags | extend Tag = tostring(Tag) | project Id, Tag"
    )
    assert run(query, *tables) == [(1, "x"), (1, "y")]


def test_columns_that_differ_only_by_case(tmp_path_factory: pytest.TempPathFactory) -> None:
    clash = table(tmp_path_factory.mktemp("case"), "Clash", {"Isp": "string", "ISP": "string"}, [("a", "b")])
    assert names("Clash", clash) == ["Isp", "ISP"]
    assert one("Clash | project ISP, Isp", clash) == ("b", "a")
    assert names("Clash | extend isp = 1", clash) == ["Isp", "ISP", "isp"]
    with pytest.raises(KqlSchemaError, match="case-sensitive: write Isp"):
        run("Clash | project isp", clash)


def test_render_is_told_and_changes_nothing(tables: Tables) -> None:
    drawn = result("Devices | summarize count() by Site | render piechart with (title='Sites')", *tables)
    assert drawn.render == {"visualization": "piechart", "title": "Sites"}
    assert len(list(drawn)) == 3


@pytest.mark.parametrize(
    ("rows", "aggregate", "expected"),
    [
        # A text that looks like JSON is a text: only the arrays of a dynamic column are joined into one set.
        ("s:string)['[{\"a\":1}]', '[{\"a\":1}]', 'x']", "make_set(s)", ['[{"a":1}]', "x"]),
        ("s:string)['[{\"a\":1}]']", "make_set(s, 20)", ['[{"a":1}]']),
        ("s:string)['[1,2]', '7', 'null', '']", "make_list(s, 20)", ["[1,2]", "7", "null", ""]),
        ("s:string)['[1,2]', '7', 'null', '']", "make_list(s)", ["[1,2]", "7", "null", ""]),
        ("d:dynamic)[dynamic(['a', 'b']), dynamic(['b', 'c']), dynamic('d')]", "make_set(d)", ["a", "b", "c", "d"]),
        ("d:dynamic)[dynamic(['a', 'b']), dynamic('x')]", "make_list(d)", [["a", "b"], "x"]),
        ("n:long)[3, 1, 2, long(null)]", "make_list(n, 2)", [3, 1]),
        ("n:long)[long(null)]", "make_set(n, 2)", []),
        ("s:string)['a b a']", "make_set(split(s, ' '), 2)", ["a", "b"]),
    ],
)
def test_what_make_set_and_make_list_collect(rows: str, aggregate: str, expected: list[Any]) -> None:
    (found,) = one(f"datatable({rows} | summarize x = {aggregate}")
    if "make_set" in aggregate:
        found = sorted(found, key=str)
    assert found == expected
    assert types(f"datatable({rows} | summarize x = {aggregate}") == ["dynamic"]


def test_the_most_that_make_set_keeps() -> None:
    numbers = "range n from 1 to 1000 step 1 | extend s = tostring(n)"
    assert one(
        f"{numbers} | summarize a = make_set(s, 20), b = make_list(s, 30) | project array_length(a), array_length(b)"
    ) == (20, 30)
    assert one(f"let Most = 5; {numbers} | summarize a = make_set(n, Most) | project array_length(a)") == (5,)
    with pytest.raises(KqlUnsupported, match="at most 0"):
        run(f"{numbers} | summarize make_set(n, 0)")
    with pytest.raises(KqlUnsupported, match="constant"):
        run(f"{numbers} | summarize make_set(n, n)")
