"""Rows into Parquet and back: exact types, nothing aborted, misfits counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import Column, KqlType, Table, decode_row, encode_row, read_columns, write_parquet
from kql.parquet import LINE_BYTES
from tests.kql.support import at, names, one, run, types
from tests.kql.test_types import VALUES

ALL = [Column(kind.title(), kind) for kind in get_args(KqlType)]


def write(folder: Path, lines: list[Any], columns: list[Column]) -> tuple[Table, Any]:
    source = folder / "rows.ndjson"
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    source.write_text(text, encoding="utf-8")
    info = write_parquet(source, columns, folder / "T.parquet")
    return Table("T", (folder / "T.parquet",)), info


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_rows_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    draws = [
        # What KQL itself cannot tell apart is not drawn: no null string; a decimal has 15 places here.
        VALUES[c.type] if c.type == "string" else st.none() | VALUES[c.type]
        for c in ALL
    ]
    rows = data.draw(st.lists(st.tuples(*draws), max_size=5))
    folder = tmp_path_factory.mktemp("rows")
    stored, info = write(folder, [encode_row(ALL, row) for row in rows], ALL)
    assert (info.rows, info.misfits, info.skipped) == (len(rows), 0, 0)
    assert read_columns(stored.paths[0]) == tuple(ALL)
    assert types("T", stored) == [c.type for c in ALL]
    back = [json.dumps(encode_row(ALL, row)) for row in run("T", stored)]
    assert back == [json.dumps(encode_row(ALL, _as_stored(row))) for row in rows]


def _as_stored(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Decimals with the places of their column."""
    decimal = [c.type for c in ALL].index("decimal")
    value = row[decimal]
    with localcontext(prec=60):
        fixed = None if value is None else value.quantize(Decimal("1.000000000000000"))
    return (*row[:decimal], fixed, *row[decimal + 1 :])


def test_misfits_become_null_and_are_counted(tmp_path: Path) -> None:
    columns = [Column("a", "long"), Column("t", "datetime"), Column("s", "timespan"), Column("b", "bool")]
    lines = [
        {"a": 1, "t": "2024-01-01T00:00:00.1234567Z", "s": "1.00:00:01", "b": True},
        {"a": "x", "t": "soon", "s": "5", "b": "maybe"},
        {"a": 1.5, "t": 20240101, "s": None, "b": None},
        {"a": 2.0, "t": "2024-01-01T02:00:00+02:00", "b": "False"},
        {"a": 2**64},
    ]
    stored, info = write(tmp_path, lines, columns)
    assert (info.rows, info.misfits, info.skipped) == (5, 7, 0)
    assert run("T", stored) == [
        (1, at(1).replace(microsecond=123456), timedelta(days=1, seconds=1), True),
        (None, None, None, None),
        (None, None, None, None),
        (2, at(1), None, False),
        (None, None, None, None),
    ]


def test_lines_that_are_no_object_are_skipped_and_counted(tmp_path: Path) -> None:
    lines = [{"a": "1"}, "not json", "[1, 2]", "", '{"a": "cut', "null", {"a": "2", "other": 1}, {"b": 1}]
    stored, info = write(tmp_path, lines, [Column("a", "string")])
    assert (info.rows, info.skipped) == (3, 4)
    assert run("T", stored) == [("1",), ("2",), ("",)]


def test_plain_json_is_read_by_type(tmp_path: Path) -> None:
    columns = [Column("s", "string"), Column("d", "dynamic"), Column("g", "guid")]
    lines = [{"s": 5, "d": "text", "g": "01234567-89AB-CDEF-0123-456789ABCDEF"}, {"s": {"a": [1]}, "d": {"a": None}}]
    stored, info = write(tmp_path, lines, columns)
    assert info.misfits == 0
    assert run("T", stored) == [("5", "text", "01234567-89ab-cdef-0123-456789abcdef"), ('{"a":[1]}', {"a": None}, None)]


def test_keys_are_matched_by_exact_case(tmp_path: Path) -> None:
    stored, _ = write(
        tmp_path, [{"Isp": "a", "ISP": "b", "isp": "c"}], [Column("Isp", "string"), Column("ISP", "string")]
    )
    assert read_columns(stored.paths[0]) == (Column("Isp", "string"), Column("ISP", "string"))
    assert names("T", stored) == ["Isp", "ISP"]
    assert run("T", stored) == [("a", "b")]


def test_hostile_names_and_values(tmp_path: Path) -> None:
    columns = [Column("we\"ird' \\x", "string"), Column("$.a", "long"), Column("é.[0]", "dynamic")]
    row = ("a\0b'\"\\é\u2028", 1, {'k"': "\0"})
    stored, _ = write(tmp_path, [encode_row(columns, row)], columns)
    assert run("T", stored) == [row]
    assert names("T", stored) == [c.name for c in columns]


def test_the_span_of_time(tmp_path: Path) -> None:
    columns = [Column("Created", "datetime"), Column("TimeGenerated", "datetime")]
    lines = [{"Created": "2020-01-01", "TimeGenerated": "2024-01-02"}, {"TimeGenerated": "2024-01-01"}, {}]
    _, info = write(tmp_path, lines, columns)
    assert (info.first_time, info.last_time) == (at(1), at(2))
    _, none = write(tmp_path, [], [Column("a", "long")])
    assert (none.rows, none.first_time, none.last_time) == (0, None, None)


def test_no_columns_or_two_of_one_name_are_refused(tmp_path: Path) -> None:
    for columns in ([], [Column("a", "long"), Column("a", "string")], [Column("", "long")]):
        with pytest.raises(ValueError, match="columns"):
            write(tmp_path, [{"a": 1}], columns)
    with pytest.raises(FileNotFoundError):
        write_parquet(tmp_path / "none.ndjson", [Column("a", "long")], tmp_path / "out.parquet")
    assert not list(tmp_path.glob("*.parquet"))


def test_several_sources_make_one_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(json.dumps({"n": name}) + "\n")
    info = write_parquet([tmp_path / "a", tmp_path / "b"], [Column("n", "string")], tmp_path / "T.parquet")
    assert info.rows == 2
    assert sorted(run("T", Table("T", (tmp_path / "T.parquet",)))) == [("a",), ("b",)]
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["T.parquet", "a", "b"]


def test_a_line_longer_than_any_row_is_skipped(tmp_path: Path) -> None:
    long = json.dumps({"a": "x" * (3 * LINE_BYTES)})
    stored, info = write(tmp_path, [{"a": "1"}, long, {"a": "2"}, long], [Column("a", "string")])
    assert (info.rows, info.skipped) == (2, 2)
    assert run("T", stored) == [("1",), ("2",)]


def test_a_table_of_files_with_differing_columns(tmp_path: Path) -> None:
    for name, columns, line in (
        ("a", [Column("x", "long"), Column("s", "string")], {"x": 1, "s": "one"}),
        (
            "b",
            [Column("x", "long"), Column("d", "dynamic"), Column("t", "timespan")],
            {"x": 2, "d": [1], "t": "01:00:00"},
        ),
    ):
        (tmp_path / name).write_text(json.dumps(line) + "\n")
        write_parquet(tmp_path / name, columns, tmp_path / f"{name}.parquet")
    both = Table("T", (tmp_path / "a.parquet", tmp_path / "b.parquet"))
    assert run("T | sort by x asc", both) == [(1, "one", None, None), (2, "", [1], timedelta(hours=1))]
    narrowed = Table("T", both.paths, columns=(Column("x", "string"), Column("s", "string")))
    assert run("T | sort by x asc", narrowed) == [("1", "one"), ("2", "")]


def test_an_empty_table_has_its_columns() -> None:
    empty = Table("T", (), columns=(Column("a", "long"), Column("d", "dynamic")))
    assert types("T", empty) == ["long", "dynamic"]
    assert run("T | where a > 1", empty) == []
    assert one("T | count", empty) == (0,)


def test_parquet_of_others_is_read_by_its_own_types(tmp_path: Path) -> None:
    path = tmp_path / "foreign.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 1::TINYINT AS i, NULL::VARCHAR AS s, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS t,"
            f" [1, 2] AS l, {{'a': 1}} AS o, 1.5::FLOAT AS r, DATE '2024-01-02' AS d) TO '{path}' (FORMAT parquet)"
        )
    foreign = Table("T", (path,))
    assert types("T", foreign) == ["int", "string", "datetime", "dynamic", "dynamic", "real", "datetime"]
    assert one("T", foreign) == (1, "", at(1), [1, 2], {"a": 1}, 1.5, at(2))
    assert one("T | where s == '' and o.a == 1 | count", foreign) == (1,)


def test_lying_metadata_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "liar.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'x' AS a) TO '{path}' (FORMAT parquet, KV_METADATA {{'kql.columns': '[[1]]'}})"
        )
    assert read_columns(path) == (Column("a", "string"),)


def test_ndjson_is_a_table_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "rows.ndjson"
    row = {"t": "2024-01-01T00:00:00Z", "n": 1, "f": 1.5, "b": True, "s": "x", "d": {"a": [1]}, "z": None}
    path.write_text(json.dumps(row) + "\nbroken\n" + json.dumps({"n": 2, "s": ""}) + "\n")
    rows = Table("T", (path,), "ndjson")
    assert types("T", rows) == ["datetime", "long", "real", "bool", "string", "dynamic", "string"]
    assert run("T | sort by n asc", rows)[0] == (at(1), 1, 1.5, True, "x", {"a": [1]}, "")
    typed = Table("T", (path,), "ndjson", (Column("n", "string"), Column("t", "datetime")))
    assert run("T | sort by n asc", typed) == [("1", at(1)), ("2", None)]


def test_the_record_alone_rebuilds_the_table(tmp_path: Path) -> None:
    columns = [Column("t", "datetime"), Column("d", "dynamic")]
    record = json.dumps(encode_row(columns, (datetime(2024, 1, 1, tzinfo=UTC), {"a": 1})))
    assert decode_row(columns, json.loads(record)) == (at(1), {"a": 1})
    stored, _ = write(tmp_path, [record], columns)
    assert run("T", stored) == [(at(1), {"a": 1})]
