"""CSV, JSON and Parquet rows into tables."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from artifacts import Limits
from artifacts.csvfiles import CsvFile
from artifacts.text import dump_line, open_text
from kql import Column, write_parquet
from tests.artifacts.conftest import Loaded, codes, counts, ndjson, rows


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")],
)
def test_a_csv_in_any_marked_encoding(run: Loaded, encoding: str, mark: bytes) -> None:
    report = run({"hosts.csv": mark + 'Name,Città\r\n"a ""b""","Zürich\nlake"\r\n漢,'.encode(encoding)})
    assert rows(report, "hosts") == [{"Name": 'a "b"', "Città": "Zürich\nlake"}, {"Name": "漢"}]
    assert not report.problems


def test_utf16_without_a_mark_is_read_and_said(run: Loaded) -> None:
    report = run({"t.csv": "Alpha,Beta\r\none,two\r\n".encode("utf-16-le")})
    assert rows(report, "t") == [{"Alpha": "one", "Beta": "two"}]
    assert codes(report) == ["text.encoding"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("word", ["Сообщение", "警告消息", "Ειδοποίηση"])
def test_utf16_without_a_mark_in_another_script(run: Loaded, encoding: str, word: str) -> None:
    line = f"{word},{word * 3}\r\n"
    report = run({"t.csv": ("Name,Text\r\n" + line * 9).encode(encoding)})
    assert rows(report, "t") == [{"Name": word, "Text": word * 3}] * 9
    assert codes(report) == ["text.encoding"]


@pytest.mark.parametrize("text", ["Name,Kind\n\0a,b\n", "Name,Kinds\n\0a,b\n", "Name,Città\n\0à,b\n"])
def test_a_nul_after_a_line_is_not_taken_for_utf16(run: Loaded, text: str) -> None:
    report = run({"t.csv": text.encode()})
    assert codes(report) == ["text.nul"] and len(rows(report, "t")) == 1


def test_what_is_not_utf8_is_read_as_windows_1252_and_said(run: Loaded) -> None:
    report = run({"t.csv": b"Name,Price\ncaf\xe9,5\x80\n"})
    assert rows(report, "t") == [{"Name": "café", "Price": "5€"}]
    assert codes(report) == ["text.encoding"] and "cp1252" in report.problems[0].message


def test_nul_characters_are_dropped_and_counted(run: Loaded) -> None:
    report = run({"t.csv": b"Name,Kind\na\x00b,c\x00\n"})
    assert rows(report, "t") == [{"Name": "ab", "Kind": "c"}]
    assert [(p.code, p.message) for p in report.problems] == [("text.nul", "2 NUL characters were dropped")]


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_delimiters(run: Loaded, mark: str) -> None:
    assert rows(run({"t.csv": f"A{mark}B\n1,5{mark}2\n"}), "t") == [{"A": "1,5", "B": "2"}]


def test_a_separator_line_and_a_type_line_are_no_rows(run: Loaded) -> None:
    assert rows(run({"t.csv": "sep=;\nA;B\nx;y\n"}), "t") == [{"A": "x", "B": "y"}]
    assert rows(run({"u.csv": '#TYPE System.Object\n"A","B"\n"x","y"\n'}), "u") == [{"A": "x", "B": "y"}]


def test_a_csv_without_header_gets_numbered_columns(run: Loaded) -> None:
    report = run({"t.csv": "10.0.0.1,2020-01-01,x\n10.0.0.2,2020-01-02,y\n"})
    assert rows(report, "t")[1] == {"Column1": "10.0.0.2", "Column2": "2020-01-02", "Column3": "y"}
    assert codes(report) == ["csv.header"]


def test_surplus_cells_are_kept_and_said(run: Loaded) -> None:
    report = run({"t.csv": "A,B\n1,2,3,4\n"})
    assert rows(report, "t") == [{"A": "1", "B": "2", "ExtraCells": '["3","4"]'}]
    assert codes(report) == ["csv.ragged"]


def test_an_endless_quote_keeps_the_rows_before_it(run: Loaded) -> None:
    report = run({"t.csv": 'A,B\n1,2\n3,"' + "x" * (17 << 20)})
    assert rows(report, "t") == [{"A": "1", "B": "2"}]
    assert "csv.broken" in codes(report) or "text.long" in codes(report)


@pytest.mark.parametrize(("last", "line", "lines"), [('"5,6\n7,8\n', 3, 2), ('5,"6', 3, 1), ('5,6\n"', 4, 1)])
def test_a_quote_that_never_closes_is_said(run: Loaded, last: str, line: int, lines: int) -> None:
    report = run({"t.csv": "A,B\n1,2\n" + last, "good.csv": 'A,B\n1,"2"\n"a\nb","c"'})
    assert rows(report, "t")[0] == {"A": "1", "B": "2"} and rows(report, "good")[1] == {"A": "a\nb", "B": "c"}
    (problem,) = report.problems
    assert (problem.member, problem.code) == ("t.csv", "csv.broken")
    assert f"a quote in line {line} never closes: all {lines} lines from there" in problem.message


def test_an_empty_file_is_no_table(run: Loaded) -> None:
    report = run({"a.csv": b"\xef\xbb\xbf", "b.json": "", "c.csv": "\n\n"})
    assert report.tables == () and [file.kind for file in report.files] == ["empty"] * 3


def test_types_of_a_table_of_ones_own_are_guessed_from_all_values(run: Loaded) -> None:
    report = run(
        {
            "t.json": ndjson(
                {"N": 1, "F": 1, "When": "2020-01-01T00:00:00Z", "S": "2020-01-01T00:00:00Z", "B": True, "D": {"x": 1}},
                {"N": 2, "F": 2.5, "When": "2020-01-02T00:00:00.5Z", "S": "later", "B": None, "D": "text", "M": 3},
            )
        }
    )
    kinds = {column.name: column.type for column in report.table("t").columns}
    assert kinds == {
        "N": "long", "F": "real", "When": "datetime", "S": "string", "B": "bool", "D": "dynamic", "M": "long",
    }  # fmt: skip
    assert (report.table("t").first_time, report.table("t").last_time) == (
        "2020-01-01T00:00:00Z",
        "2020-01-02T00:00:00.500000Z",
    )


def test_no_value_of_names_that_differ_by_case_is_lost(run: Loaded) -> None:
    line = '{"Isp": "a", "isp": "b", "ISP": "c", "iSp": "a"}\n'
    assert rows(run({"t.json": line}), "t") == [{"Isp": "a", "Isp_2": "b", "Isp_3": "c"}]
    packed = rows(run({"t.json": '{"A": 1, "a": 2}\n'}, limits=Limits(columns=1)), "t")
    assert packed == [{"A": 1, "MoreColumns": '{"a":2}'}]


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-29T02:30:00,123Z", "2026-03-29 02:30:00.123 Z", "2026-03-29 04:30:00,123 +02:00",
        "2026-03-29 04:30:00.123 +0200", "2026-03-29 02:30:00.123 UTC",
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["t.csv", "t.json"])
def test_a_time_that_is_guessed_is_read(run: Loaded, file: str, written: str) -> None:
    text = f'When,What\n"{written}",x\n' if file == "t.csv" else json.dumps({"When": written, "What": "x"})
    report = run({file: text}, survey=True)
    (row,) = rows(report, "t")
    assert str(row["When"]) == "2026-03-29 02:30:00.123000" and report.problems == ()


def test_files_put_together_keep_every_row(run: Loaded) -> None:
    assert counts(run({"t.json": '\ufeff{"A": 1}\n\ufeff{"A": 2}\n'})) == {"t": 2}


def test_names_that_differ_only_by_case_stay_two_columns(run: Loaded) -> None:
    report = run({"t.json": ndjson({"Isp": "a", "ISP": "b"}, {"Isp": "c"}, {"ISP": "d"})})
    assert rows(report, "t") == [{"Isp": "a", "Isp_2": "b"}, {"Isp": "c"}, {"Isp": "d"}]


@pytest.mark.parametrize(
    "text",
    [
        '[{"A": 1}, {"A": 2}]',
        '[\n  {"A": 1},\n  {"A": 2}\n]',
        '{"A": 1}\n\n{"A": 2}\n',
        '{"schema": [], "results": [{"A": 1}, {"A": 2}]}',
        '{\n "value": [\n {"A": 1},\n {"A": 2}]}',
        '{\n "A": 1\n}\n{\n "A": 2\n}',
        "\ufeff" + '{"A": 1}\r\n{"A": 2}',
    ],
)
def test_objects_in_every_wrapping(run: Loaded, text: str) -> None:
    assert rows(run({"t.json": text}), "t") == [{"A": 1}, {"A": 2}]


def test_bad_lines_are_counted_and_the_rest_is_kept(run: Loaded) -> None:
    deep = "[" * 100_000
    report = run({"t.json": f'{{"A": 1}}\nnot json\n{deep}\n17\n{{"A": {"9" * 5_000}}}\n{{"A": 2}}\n'})
    assert rows(report, "t") == [{"A": 1}, {"A": 2}]
    assert report.problems[0].message == "4 lines are no JSON object, the first is 2"
    assert report.files[0].skipped == 4


def test_an_array_that_breaks_off_keeps_what_stood_before(run: Loaded) -> None:
    report = run({"t.json": '[{"A": 1}, {"A": 2}, {"A": '})
    assert rows(report, "t") == [{"A": 1}, {"A": 2}]
    assert codes(report) == ["json.broken"]


def test_an_array_on_one_endless_line_is_read(run: Loaded) -> None:
    text = json.dumps([{"A": number, "B": "x" * 100} for number in range(160_000)])
    report = run({"t.json": text})
    assert len(text) > 16 << 20 and counts(report) == {"t": 160_000} and report.problems == ()


@pytest.mark.parametrize("key", ["value", "results", "records", "rows"])
@pytest.mark.parametrize("cell", ["[]", '[{"B": 1}]', "[1]"])
def test_rows_with_a_column_called_as_a_wrapping_stay_rows(run: Loaded, key: str, cell: str) -> None:
    report = run({"t.json": "".join(f'{{"A": {number}, "{key}": {cell}}}\n' for number in (1, 2, 3))})
    assert [row["A"] for row in rows(report, "t")] == [1, 2, 3] and report.problems == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"records": [{"A": 1}]}\n{"records": []}\n{"records": [{"A": 2}]}\n',
        '{"@odata.context": "x", "value": [{"A": 1}]}\n{"value": [{"A": 2}]}\n',
        '{"took": 3, "hits": {"total": 2, "hits": [{"A": 1}, {"A": 2}]}}',
        '{"name": "x", "results": [{"A": 1}, {"A": 2}]}',
    ],
)
def test_replies_one_a_line(run: Loaded, text: str) -> None:
    assert rows(run({"t.json": text}), "t") == [{"A": 1}, {"A": 2}]


def test_a_reply_without_rows_is_no_row(run: Loaded) -> None:
    assert counts(run({"t.json": '{"@odata.context": "x", "value": []}'})) == {}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (str(10**30), str(10**30)),
        (str(-(2**63) - 1), str(-(2**63) - 1)),
        ("1e999", "1e999"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
@pytest.mark.parametrize("form", ["[%s]", '{"value": [\n%s\n]}'])
def test_one_value_that_a_strict_parser_refuses_costs_no_row(run: Loaded, form: str, value: str, kept: str) -> None:
    told = '"NaN, 1e999 and \\"Infinity\\" \\\\"'
    items = f'{{"A": 1, "B": {told}}}, {{"A": {value}, "B": {told}}}, {{"A": 3, "B": {told}}}'
    report = run({"t.json": form % items})
    assert [str(row["A"]) for row in rows(report, "t")] == ["1", kept, "3"] and report.problems == ()
    assert {row["B"] for row in rows(report, "t")} == {'NaN, 1e999 and "Infinity" \\'}


def test_a_nul_in_an_array_is_dropped_and_counted(run: Loaded) -> None:
    report = run({"t.json": '[{"A": 1},\0{"A": 2}]'})
    assert counts(report) == {"t": 2} and codes(report) == ["text.nul"]


def test_strange_values_reach_the_table(run: Loaded) -> None:
    report = run({"t.json": '{"A": NaN, "B": "\\ud83d", "C": "\\ud83d\\ude00", "E": "a\\u0000b"}\n'})
    (row,) = rows(report, "t")
    assert row["A"] == "NaN" and row["B"] == "\ufffd" and row["C"] == "\U0001f600"
    assert row["E"].startswith("a")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=6))
def test_every_row_becomes_a_line_that_json_reads(row: dict[str, object]) -> None:
    line = dump_line(row)
    assert line.endswith("\n") and line.count("\n") == 1 and line.isascii()
    assert isinstance(json.loads(line), dict)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_as_csv_json_or_evtx_are_a_report(run: Loaded, content: bytes) -> None:
    report = run(
        {"a.csv": content, "b.json": content, "c.evtx": b"ElfFile\x00" + content, "d.zip": b"PK\x03\x04" + content}
    )
    assert report.complete and all(problem.message for problem in report.problems)
    assert "file.fault" not in codes(report)


def test_rows_without_a_value_are_said_and_the_rest_is_kept(run: Loaded) -> None:
    report = run({"a.json": "[{}, {}]", "b.json": ndjson({"x": 1})})
    assert counts(report) == {"b": 1}
    assert codes(report) == ["table.empty"]


def test_more_columns_than_the_cap_are_packed_and_said(run: Loaded) -> None:
    report = run({"t.json": ndjson({f"c{n}": n for n in range(8)})}, Limits(columns=5))
    (row,) = rows(report, "t")
    assert row["c4"] == 4 and json.loads(row["MoreColumns"]) == {"c5": 5, "c6": 6, "c7": 7}
    assert codes(report) == ["table.columns"]


def test_a_file_or_folder_called_like_a_table_goes_into_it(run: Loaded) -> None:
    report = run(
        {"DeviceFileEvents/part-1.csv": "FileName,FileSize,Own\nx.exe,17,y\n", "DeviceInfo.csv": "DeviceName\nws\n"}
    )
    assert counts(report) == {"DeviceFileEvents": 1, "DeviceInfo": 1}
    (row,) = rows(report, "DeviceFileEvents")
    assert (row["FileName"], row["FileSize"], row["Own"]) == ("x.exe", 17, "y")


def test_rows_of_a_microsoft_table_are_known_by_their_columns(run: Loaded) -> None:
    device = {
        "Timestamp": "2021-01-01T00:00:00Z",
        "DeviceId": "d",
        "DeviceName": "ws",
        "InitiatingProcessFileName": "a",
    }
    registry = {**device, "ActionType": "RegistryValueSet", "RegistryKey": "HKEY_LOCAL_MACHINE\\X", "FileName": ""}
    process = {**device, "ActionType": "ProcessCreated", "FileName": "b.exe", "ProcessId": "12", "RegistryKey": ""}
    other = {"Colour": "red", "Timestamp": "2021-01-01T00:00:00Z"}
    report = run({"mixed.json": ndjson(registry, process, other)})
    assert counts(report) == {"DeviceProcessEvents": 1, "DeviceRegistryEvents": 1, "mixed": 3}
    assert rows(report, "DeviceProcessEvents")[0]["ProcessId"] == 12
    assert report.table("mixed").wildcard
    second = run({"pure.json": ndjson(registry)})
    assert not second.table("pure").wildcard and second.table("DeviceRegistryEvents").wildcard


def test_a_row_keeps_microsofts_types_and_what_it_has_besides(run: Loaded) -> None:
    row = {
        "TimeGenerated": "2021-08-02T13:29:25.983Z", "OperationName": "x", "Category": "c", "Type": "AuditLogs",
        "TargetResources": '[{"id": "1"}]', "ReportId_string": "r", "DurationMs": "12", "Extra": 1,
    }  # fmt: skip
    report = run({"audit.json": ndjson(row)})
    (found,) = rows(report, "AuditLogs")
    assert json.loads(found["TargetResources"]) == [{"id": "1"}]
    assert found["DurationMs"] == 12 and found["Extra"] == 1 and found["SourceFile"] == "audit.json"


def test_a_file_called_like_a_table_of_events_does_not_mix_with_them(run: Loaded) -> None:
    event = {"EventID": 1, "Channel": "System", "Hostname": "h", "@timestamp": "2021-01-01T00:00:00Z"}
    report = run({"a.json": ndjson(event), "b/Other.csv": "X,Y\n1,2\n"})
    assert counts(report) == {"Event": 1, "WindowsEvent": 1, "Other": 1}


def test_parquet_comes_back_as_rows(run: Loaded, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("parquet")
    (folder / "x.ndjson").write_text(ndjson({"Name": "a", "When": "2021-01-01T00:00:00Z", "Bag": {"k": [1]}, "N": 3}))
    columns = (Column("Name", "string"), Column("When", "datetime"), Column("Bag", "dynamic"), Column("N", "long"))
    write_parquet(folder / "x.ndjson", columns, folder / "x.parquet")
    report = run({"stored.parquet": (folder / "x.parquet").read_bytes(), "bad.parquet": b"PAR1" + b"\0" * 50})
    (row,) = rows(report, "stored")
    assert row["Name"] == "a" and str(row["When"]) == "2021-01-01 00:00:00" and row["N"] == 3
    assert json.loads(row["Bag"]) == {"k": [1]}
    assert codes(report) == ["parquet.broken"]


def test_a_header_is_told_from_data(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("h") / "h.csv"
    for text, guessed in (("Name,Id\n", False), ("Name,5\n", True), ("a,a\n", True), ("C:\\x,.exe\n", True)):
        path.write_text(text)
        reader = CsvFile(open_text(path))
        list(reader.rows())
        assert reader.guessed is guessed, text


def test_only_the_tables_asked_for_are_made_and_the_others_named(run: Loaded) -> None:
    event = {"EventID": 1, "Channel": "System", "Hostname": "h", "@timestamp": "2021-01-01T00:00:00Z"}
    report = run({"e.json": ndjson(event), "Own.csv": "X,Y\n1,2\n", "More.csv": "X,Y\n1,2\n"}, only={"event", "own"})
    assert counts(report) == {"Event": 1, "Own": 1}
    assert report.not_made == ("More", "WindowsEvent")
