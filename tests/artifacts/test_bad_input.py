"""Input that is broken or meant to break: named to the person, the rest kept, memory bounded."""

import gzip
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artifacts import Limits
from artifacts.jsonfiles import JsonFile
from artifacts.process import load_in_child
from tests.artifacts.conftest import Loaded, codes, counts, rows, zipped

ROW = '{"A": 1}\n'
MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "deep",
    ["[" * 200_000, '{"a":' * 200_000, '{"a":' * 200_000 + "1" + "}" * 200_000, '{"rows": [' + "[" * 100_000],
    ids=["arrays", "objects", "closed", "wrapped"],
)
def test_json_nested_deep_is_named_and_the_rest_kept(run: Loaded, deep: str) -> None:
    report = run({"deep.json": deep, "lines.json": f"{ROW}{deep}\n{ROW}", "good.json": ROW})
    assert counts(report)["good"] == 1 and counts(report)["lines"] == 2
    assert {problem.member for problem in report.problems} >= {"lines.json"}


def test_a_csv_of_one_endless_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "line.csv"
    with path.open("w") as out:
        out.write("A,B\n1,2\n")
        for _ in range(100):
            out.write("x" * MEGABYTE)
        out.write("\n3,4\n")
    report = load_in_child([path], tmp_path / "out", memory_mb=1500)
    assert codes(report) == ["text.long"] and counts(report) == {"line": 2}


def test_a_script_that_printed_a_hundred_megabytes(tmp_path: Path) -> None:
    line = "2026-01-18T15:35:24.123Z " + "x" * 10_000 + "\n"
    path = tmp_path / "MPLog-1.log"
    with path.open("w") as out:
        for _ in range(100):
            out.write(line * 100)
    report = load_in_child([path], tmp_path / "out", memory_mb=1500)
    assert counts(report) == {"DefenderSupportLog": 10_000} and report.problems == ()


def test_a_row_of_over_sixteen_megabytes_is_left_out_and_said(run: Loaded) -> None:
    text = ROW + '{"A": "' + "x" * (20 * MEGABYTE) + '"}\n' + ROW
    report = run({"rows.json": text})
    assert codes(report) == ["text.long"] and counts(report) == {"rows": 2}


def test_times_without_a_zone_stay_text_and_ask(run: Loaded) -> None:
    report = run({"a.csv": "When,What\n2026-01-18 15:35:24,x\n"}, survey=True)
    assert {column.name: column.type for column in report.table("a").columns}["When"] == "string"
    assert report.shapes[0].asks_zone


def test_a_zip_whose_names_lie_about_their_encoding(run: Loaded) -> None:
    raw = bytearray(zipped({"m_ller.json": ROW, "good.json": ROW}))
    for mark, flag, size, at in ((b"PK\x03\x04", 6, 26, 30), (b"PK\x01\x02", 8, 28, 46)):
        start = raw.find(mark)
        assert bytes(raw[start + at : start + at + 11]) == b"m_ller.json"
        raw[start + at + 1] = 0x81  # ü in code page 437, and no UTF-8
        raw[start + flag : start + flag + 2] = struct.pack("<H", 0x800)
        assert raw[start + size] == 11
    report = run({"x.zip": bytes(raw)})
    assert report.problems == () and {file.name for file in report.files} >= {"x.zip!müller.json", "x.zip!good.json"}
    assert sum(counts(report).values()) == 2


def test_utf8_names_without_the_flag_are_read_as_they_are_meant(run: Loaded) -> None:
    raw = bytearray(zipped({"m__ller.json": ROW}))
    for mark, at in ((b"PK\x03\x04", 30), (b"PK\x01\x02", 46)):
        start = raw.find(mark)
        raw[start + at + 1 : start + at + 3] = "ü".encode()
    report = run({"x.zip": bytes(raw)})
    assert [file.name for file in report.files][0] == "x.zip!müller.json"


@pytest.mark.parametrize("name", ["CON", "aux.csv", "a/LPT1.json", "COM¹.txt", "nul\\x.json"])
def test_device_names_are_refused(run: Loaded, name: str) -> None:
    report = run({"x.zip": zipped({name: ROW, "good.json": ROW})})
    assert codes(report) == ["archive.name"] and counts(report) == {"good": 1}


def test_a_fault_of_one_parser_costs_that_file_alone(run: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows_of(source: JsonFile) -> Iterator[dict[str, Any]]:
        yield {"A": 1}
        if source.source.path.name == "bad.json":
            raise AttributeError("nobody thought of this")

    monkeypatch.setattr(JsonFile, "rows", rows_of)
    report = run({"bad.json": ROW, "good.json": ROW})
    assert counts(report) == {"bad": 1, "good": 1}
    assert [(problem.member, problem.code) for problem in report.problems] == [("bad.json", "file.fault")]
    assert "nobody thought of this" in report.problems[0].message


def test_everything_at_once(run: Loaded) -> None:
    inner = zipped({"a.csv": "A,B\n1,\0two\n", "b.json": ROW, "../up.json": ROW, "bomb.csv": b"0" * (8 * MEGABYTE)})
    report = run(
        {
            "x.zip": zipped({"inner.zip": inner, "c.json.gz": gzip.compress(ROW.encode() * 5_000)[:-6]}),
            "y.db": b"SQLite format 3\0" + b"\xff" * 2_000,
            "z.parquet": b"PAR1" + b"\0" * 100,
        }
    )  # fmt: skip
    assert report.complete and {"a", "b"} <= set(counts(report))
    assert set(codes(report)) >= {
        "text.nul", "archive.name", "archive.bomb", "archive.cut", "sqlite.broken", "parquet.broken",
    }  # fmt: skip
    assert rows(report, "a") == [{"A": "1", "B": "two"}]


def test_a_zip_of_a_hundred_thousand_entries_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100_000):
            archive.writestr(f"{number % 100:02}/{number}.bin", b"")
        archive.writestr("good.json", ROW)
    report = load_in_child([path], tmp_path / "out", Limits(seconds=600), memory_mb=1500)
    assert report.complete and counts(report) == {"good": 1} and report.problems == ()
