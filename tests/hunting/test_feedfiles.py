"""What a feed's file becomes: by format, packed or not, broken or hostile."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kql
from hunting.feedfiles import (
    FeedBroken,
    FeedFile,
    format_of,
    header_of,
    make_table,
    named_cells,
    records,
    unpacked_bytes,
)
from kql import Supplies


def use_of(columns: str, properties: str = "", addresses: int = 1) -> kql.FeedUse:
    listed = ", ".join(f"'https://f.example/{number}'" for number in range(addresses))
    return kql.needs(f"externaldata ({columns}) [{listed}]{f' with ({properties})' if properties else ''}").feeds[0]


def feed_file(folder: Path, content: bytes, name: str = "list.csv", cap: int = 1_000_000) -> FeedFile:
    path = folder / f"{len(list(folder.iterdir()))}.feed"
    path.write_bytes(content)
    return FeedFile(path, f"https://f.example/{name}", "", cap)


def answered(folder: Path, use: kql.FeedUse, text: str, *files: FeedFile) -> list[tuple[Any, ...]]:
    """The rows that the engine gives of these files."""
    table, _ = make_table(use, files, folder, "feed")
    with kql.query(text, [], supplies=Supplies(feeds={use.key: table})) as rows:
        return list(rows)


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("a.csv", "", "csv"), ("a.tsv", "", "tsv"), ("a.txt", "", "txt"), ("a.json", "", "json"), ("a", "", "csv"),
        ("a.csv.gz", "", "csv"), ("a.json.zip", "", "json"), ("a.exe", "", "csv"), ("a.csv?x=.json", "", "csv"),
        ("a.csv", "format='TSV'", "tsv"), ("a.json", "format=multijson", "multijson"),
    ],
)  # fmt: skip
def test_the_format_is_what_the_query_says_or_the_name(
    tmp_path: Path, name: str, properties: str, expected: str
) -> None:
    assert format_of(use_of("a:string", properties), feed_file(tmp_path, b"", name)) == expected


def test_the_feeds_own_format_stands_before_the_name(tmp_path: Path) -> None:
    file = FeedFile(tmp_path, "https://f.example/a.csv", "txt", 1)
    assert format_of(use_of("a:string"), file) == "txt"
    assert format_of(use_of("a:string", "format=csv"), file) == "csv"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b'x,"a, ""b""\nc",3\r\n\r\ny,z\r\n', [("x", 'a, "b"\nc', 3), ("y", "z", None)]),
        ("a.csv", b"\xef\xbb\xbfx,y,3,more\n", [("x", "y", 3)]),
        ("a.csv", "é,ß,1\n".encode("utf-16"), [("é", "ß", 1)]),
        ("a.csv", b"a\xff,b,0x10\n", [("a\ufffd", "b", 16)]),
        ("a.tsv", b'x\t"y\t7\n', [("x", '"y', 7)]),
        ("a.psv", b"x|y|7\n", [("x", "y", 7)]),
        ("a.scsv", b"x;y;7\n", [("x", "y", 7)]),
        ("a.txt", b"one line, with comma\n\nsecond\n", [("one line, with comma", "", None), ("second", "", None)]),
        ("a.raw", b"one\ntwo\n", [("one\ntwo\n", "", None)]),
        ("a.json", b'{"a":"x","c":3,"z":1}\n\n{"a":true,"b":{"k":[1]}}\n',
         [("x", "", 3), ("true", '{"k": [1]}', None)]),
        ("a.multijson", b'[{"a":"x","c":"4"},\n {"b":null}] {"a":"y"}\n',
         [("x", "", 4), ("", "", None), ("y", "", None)]),
    ],
)  # fmt: skip
def test_each_format_is_read(tmp_path: Path, name: str, content: bytes, expected: list[Any]) -> None:
    use = use_of("a:string, b:string, c:long")
    text = "externaldata (a:string, b:string, c:long) ['https://f.example/0']"
    assert answered(tmp_path, use, text, feed_file(tmp_path, content, name)) == expected


def test_types_are_those_declared(tmp_path: Path) -> None:
    columns = "t:datetime, d:dynamic, b:bool, r:real, s:timespan"
    content = b'2026-11-20T10:00:00Z,"{""k"": [1, 2]}",true,1.5,01:30:00\nno,plain,maybe,x,y\n'
    text = (
        f"externaldata ({columns}) ['https://f.example/0'] | project year = datetime_part('year', t), d.k[1], b, r, s"
    )
    rows = answered(tmp_path, use_of(columns), text, feed_file(tmp_path, content))
    assert [row[:4] for row in rows] == [(2026, 2, True, 1.5), (None, None, None, None)]
    assert rows[0][4].total_seconds() == 5400 and rows[1][4] is None


def test_in_json_a_dynamic_text_stays_a_text(tmp_path: Path) -> None:
    text = "externaldata (d:dynamic) ['https://f.example/0'] | project gettype(d)"
    file = feed_file(tmp_path, b'{"d":"5"}\n{"d":5}\n{"d":[5]}\n', "a.json")
    assert answered(tmp_path, use_of("d:dynamic"), text, file) == [("string",), ("long",), ("array",)]


def test_several_files_are_one_table_and_each_loses_its_first_record(tmp_path: Path) -> None:
    use = use_of("a:string", "ignoreFirstRecord=true", addresses=2)
    text = "externaldata (a:string) ['https://f.example/0', 'https://f.example/1'] with (ignoreFirstRecord=true)"
    files = [feed_file(tmp_path, b"head\n1\n2\n"), feed_file(tmp_path, b"head\n3\n")]
    assert answered(tmp_path, use, text, *files) == [("1",), ("2",), ("3",)]


def packed_zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    text = "externaldata (a:string) ['https://f.example/0']"
    for content in (gzip.compress(b"x\ny\n"), packed_zip(a=b"x\ny\n")):
        assert answered(tmp_path, use_of("a:string"), text, feed_file(tmp_path, content)) == [("x",), ("y",)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"x" * 20_000_000), "unpacks to more than"),
        (packed_zip(a=b"x" * 20_000_000), "unpacks to more than"),
        (packed_zip(a=b"x", b=b"y"), "holds 2 files"),
        (gzip.compress(b"x" * 1000)[:15], "cannot be unpacked"),
        (b"PK\x03\x04 and then nothing", "cannot be unpacked"),
    ],
)
def test_hostile_archives_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FeedBroken, match=said):
        unpacked_bytes(feed_file(tmp_path, content).path, 1_000_000)


def test_an_archive_may_unpack_to_200_times_its_size_at_most(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(FeedBroken, match="unpacks to more than"):
        unpacked_bytes(feed_file(tmp_path, bomb).path, 100_000_000)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b'{"a": nope}\n', "cannot be read as json"),
        ("a.multijson", b"[" * 100_000, "cannot be read as multijson"),
        ("a.csv", b'"' + b"x" * 5_000_000, "line of more than|cannot be read as csv"),
        ("a.txt", b"x" * 5_000_000, "line of more than"),
        ("a.raw", b"x" * 2_000_000, "value of more than"),
    ],
)
def test_broken_files_say_what_is_wrong(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(FeedBroken, match=said):
        make_table(use_of("a:string"), [feed_file(tmp_path, content, name, 10_000_000)], tmp_path, "feed")


@given(content=st.binary(max_size=400), kind=st.sampled_from(["csv", "tsv", "txt", "raw", "json", "multijson"]))
@settings(max_examples=150)
def test_any_bytes_are_rows_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes, kind: str) -> None:
    file = feed_file(tmp_path_factory.mktemp("any"), content)
    use = use_of("a:string, b:dynamic", f"format={kind}")
    try:
        for record in records(use, file, use.columns):
            assert set(record) <= {"a", "b"}
            json.dumps(record)
    except FeedBroken as error:
        assert str(error).endswith(".")


def test_a_table_with_names_in_its_first_line(tmp_path: Path) -> None:
    path = feed_file(tmp_path, b"SHA1, Signer\nab,Contoso\n").path
    assert header_of(path, 1000) == ["SHA1", "Signer"]
    assert list(named_cells(path, 1000)) == [{"SHA1": "ab", "Signer": "Contoso"}]
