"""Workbooks: every sheet a table, values in their own types, and what hostile ones cost."""

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter

from artifacts import Limits, LoadReport, load
from artifacts.choices import Choice, ColumnChoice, Dialect
from artifacts.sniff import kind_of

HEADER = ("When", "Host", "Count", "Share", "Fine")
ROW = (datetime(2026, 7, 15, 12, 0), "ws-1", 5, 0.5, True)


def workbook(path: Path, **sheets: list[tuple[Any, ...]]) -> Path:
    book = xlsxwriter.Workbook(path)
    when = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for name, lines in sheets.items():
        sheet = book.add_worksheet(name)
        for row, cells in enumerate(lines):
            for column, cell in enumerate(cells):
                if isinstance(cell, datetime):
                    sheet.write_datetime(row, column, cell, when)
                else:
                    sheet.write(row, column, cell)
    book.close()
    return path


def read(path: Path, **more: Any) -> LoadReport:
    return load([path], path.parent / "out", survey=True, **more)


def altered(path: Path, part: str, change: Any) -> Path:
    """The workbook with one part's bytes changed, or another part put beside."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        for name in names:
            content = old.read(name)
            new.writestr(name, change(content) if name == part else content)
        if part not in names:
            new.writestr(part, change(b""))
    path.write_bytes(out.getvalue())
    return path


def test_one_sheet_is_a_table_by_the_workbooks_name(tmp_path: Path) -> None:
    report = read(workbook(tmp_path / "Findings 7.xlsx", Sheet1=[HEADER, ROW]))
    (table,) = report.tables
    assert table.name == "Findings_7"
    assert [(c.name, c.type) for c in table.columns] == [
        ("When", "string"), ("Host", "string"), ("Count", "long"), ("Share", "real"), ("Fine", "bool"),
    ]  # fmt: skip
    assert duckdb.sql(f"SELECT * FROM '{table.path}'").fetchall() == [("2026-07-15T12:00:00", "ws-1", 5, 0.5, True)]
    (shape,) = report.shapes
    assert (shape.member, shape.kind, shape.dialect.header) == ("Findings 7.xlsx!Sheet1", "xlsx", True)
    assert [column.source for column in shape.columns if column.naive] == ["When"]


def test_each_of_several_sheets_is_a_table(tmp_path: Path) -> None:
    report = read(workbook(tmp_path / "ir.xlsx", Hosts=[("Host",), ("ws-1",)], Empty=[], Users=[("User",), ("eve",)]))
    assert [table.name for table in report.tables] == ["ir_Hosts", "ir_Users"]
    assert report.problems == ()


def test_a_person_says_zone_types_and_where_the_names_are(tmp_path: Path) -> None:
    path = workbook(tmp_path / "ir.xlsx", Log=[("Made by a tool",), HEADER, ROW])
    columns = (ColumnChoice("When", "When", "datetime"), ColumnChoice("Count", "Count", "string"))
    chosen = Choice(
        "ir.xlsx!Log", "Log", Dialect(header=True, skip=1), columns, zone="America/New_York", time_column="When"
    )
    report = read(path, choices=[chosen])
    found = duckdb.sql(
        f"""SELECT Timestamp::VARCHAR, "When"::VARCHAR, Count, Host FROM '{report.table("Log").path}'"""
    ).fetchall()
    assert found == [("2026-07-15 16:00:00", "2026-07-15 16:00:00", "5", "ws-1")]


def test_spans_of_time_and_dates_alone(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "t.xlsx")
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["Took", "Day"])
    sheet.write_datetime(1, 0, timedelta(days=1, hours=2), book.add_format({"num_format": "[hh]:mm:ss"}))
    sheet.write_datetime(1, 1, datetime(2026, 7, 15), book.add_format({"num_format": "yyyy-mm-dd"}))
    book.close()
    report = read(tmp_path / "t.xlsx")
    assert duckdb.sql(f"SELECT Took, Day FROM '{report.table('t').path}'").fetchall()[0][1].startswith("2026-07-15")
    assert {c.name: c.type for c in report.table("t").columns}["Took"] == "timespan"


def test_without_names_columns_are_numbered(tmp_path: Path) -> None:
    report = read(workbook(tmp_path / "n.xlsx", S=[(1, 2), (3, 4)]))
    assert [c.name for c in report.table("n").columns] == ["Column1", "Column2"]
    assert report.table("n").rows == 2


def test_a_cell_in_the_last_corner_costs_nothing(tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "far.xlsx")
    sheet = book.add_worksheet()
    sheet.write(0, 0, "Name")
    sheet.write(60_000, 0, "last")
    sheet.write(60_000, 16_383, "far")
    book.close()
    report = read(tmp_path / "far.xlsx")
    assert report.table("far").rows == 1
    assert {"Name", "ExtraCells"} >= {c.name for c in report.table("far").columns}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_part_that_defines_entities_is_refused(tmp_path: Path, encoding: str) -> None:
    laughs = '<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><sst>&b;</sst>'
    path = workbook(tmp_path / "e.xlsx", S=[HEADER, ROW])
    report = read(altered(path, "xl/sharedStrings.xml", lambda _: laughs.encode(encoding)))
    assert report.tables == ()
    assert [(p.code, p.member) for p in report.problems] == [("xlsx.refused", "e.xlsx")]


def test_a_part_that_unpacks_beyond_measure_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", S=[HEADER, ROW])
    report = read(altered(path, "xl/media/x.xml", lambda _: b" " * 20_000_000))
    assert [p.code for p in report.problems] == ["xlsx.refused"]


def test_the_caps_of_the_load_count_what_it_unpacks(tmp_path: Path) -> None:
    path = workbook(tmp_path / "c.xlsx", S=[HEADER, ROW])
    report = read(path, limits=Limits(total_bytes=500))
    assert not report.complete
    assert [p.code for p in report.problems] == ["limit.total_bytes"]


def test_a_broken_sheet_keeps_the_rows_before(tmp_path: Path) -> None:
    path = workbook(tmp_path / "k.xlsx", S=[("Host", "User"), *((f"h{n}", "u") for n in range(100))])

    def cut(content: bytes) -> bytes:
        return content[: content.index(b'<row r="50"')]

    report = read(altered(path, "xl/worksheets/sheet1.xml", cut))
    assert [(p.code, p.member) for p in report.problems] == [("xlsx.broken", "k.xlsx!S")]
    assert 0 < report.table("k").rows < 50


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("content", [b"", b"<", b"<a/>", b"\x00" * 100])
def test_broken_parts_are_named_and_break_nothing(tmp_path: Path, part: str, content: bytes) -> None:
    path = workbook(tmp_path / "x.xlsx", S=[HEADER, ROW])
    other = tmp_path / "fine.csv"
    other.write_text("a\n1\n")
    report = load([altered(path, part, lambda _: content), other], tmp_path / "out", survey=True)
    assert report.table("fine").rows == 1
    assert report.problems or any(table.name == "x" for table in report.tables)


def test_workbooks_are_known_in_zips_and_documents_are_not_workbooks(tmp_path: Path) -> None:
    path = workbook(tmp_path / "ir.xlsx", S=[("Host",), ("ws-1",)])
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.write(path, "case/ir.xlsx")
        packed.writestr("case/log.csv", "a\n1\n")
    report = read(tmp_path / "all.zip")
    assert {table.name for table in report.tables} == {"ir", "log"}
    assert {shape.member for shape in report.shapes} == {"all.zip!case/ir.xlsx!S", "all.zip!case/log.csv"}
    with zipfile.ZipFile(tmp_path / "letter.docx", "w") as letter:
        letter.writestr("[Content_Types].xml", "<Types/>")
        letter.writestr("word/document.xml", "<w/>")
    assert kind_of(tmp_path / "letter.docx", "letter.docx") == "document"
