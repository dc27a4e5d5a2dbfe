"""Rows out of hunting answers: typed, in order, complete, or said to be broken."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msapi.errors import BadReply
from msapi.jsonwalk import values_at
from msapi.results import Column, HuntResult, hunting_result, kql_type


def result_of(document: object, limit: int = 100_000) -> HuntResult:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return hunting_result(io.BytesIO(content), limit=limit, request_id="r", service="Microsoft Graph")


def one(kind: str, value: object) -> object:
    return next(result_of({"schema": [{"name": "c", "type": kind}], "results": [{"c": value}]}).rows)[0]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("DateTime", "2026-03-26T09:39:50.7688641Z", "2026-03-26T09:39:50.7688641Z"),
        ("String", "a\x00b", "a\x00b"),
        ("String", None, None),
        ("String", 5, "5"),
        ("String", {"a": 1}, '{"a": 1}'),
        ("Int64", 12345678901234567890, 12345678901234567890),
        ("Int64", "42", 42),
        ("Int64", "n/a", "n/a"),
        ("Int32", 3.0, 3),
        ("SByte", 1, True),
        ("SByte", 0, False),
        ("SByte", "true", True),
        ("Boolean", False, False),
        ("Boolean", None, None),
        ("Double", 1, 1.0),
        ("Double", "1.5", 1.5),
        ("Double", "NaN", "NaN"),
        ("Double", "Infinity", "Infinity"),
        ("Decimal", "1.000000000000000000001", "1.000000000000000000001"),
        ("TimeSpan", "1.02:03:04.5000000", "1.02:03:04.5000000"),
        ("Guid", "B3C1", "B3C1"),
        ("Object", '{"a": [1, null]}', {"a": [1, None]}),
        ("Dynamic", "[1, 2]", [1, 2]),
        ("Dynamic", "plain words", "plain words"),
        ("Dynamic", '"quoted"', "quoted"),
        ("Dynamic", "7", 7),
        ("Dynamic", "007", "007"),
        ("Dynamic", "1.10", "1.10"),
        ("Dynamic", "123456789.123456789123", "123456789.123456789123"),
        ("Dynamic", "NaN", "NaN"),
        ("Dynamic", '{"a": NaN}', '{"a": NaN}'),
        ("Dynamic", "[1e999]", "[1e999]"),
        ("Dynamic", '["\\ud800"]', '["\\ud800"]'),
        ("Dynamic", '["\\ud83d\\ude00"]', ["😀"]),
        ("Dynamic", "", ""),
        ("Dynamic", {"already": "parsed"}, {"already": "parsed"}),
        ("Dynamic", "[" * 5000, "[" * 5000),
        ("Unheard", "kept", "kept"),
    ],
)
def test_values(kind: str, value: object, expected: object) -> None:
    found = one(kind, value)
    assert found == expected and type(found) is type(expected)


def test_types_in_every_spelling() -> None:
    assert [kql_type(name) for name in ("Int64", "System.Int64", "LONG", "Edm.String", "SqlDecimal", "??")] == [
        "long", "long", "long", "string", "decimal", "string",
    ]  # fmt: skip


def test_rows_follow_the_schema_and_annotations_go() -> None:
    document = {
        "@odata.context": "x",
        "schema": [{"Name": "B", "Type": "Int64"}, {"name": "A", "type": "String"}, {"name": "C", "type": "String"}],
        "results": [{"A": "x", "B@odata.type": "#Int64", "B": 1, "@odata.type": "y"}, {"C": "z", "A": "w", "D": 1}],
    }
    result = result_of(document)
    assert result.columns == (Column("B", "long"), Column("A", "string"), Column("C", "string"))
    assert list(result.rows) == [(1, "x", None), (None, "w", "z")]
    assert result.unlisted == {"D"}
    assert (result.row_count, result.truncated, result.request_id) == (2, False, "r")


def test_the_schema_may_come_last_and_a_mark_first() -> None:
    body = b'\xef\xbb\xbf{"results": [{"a": "1"}], "schema": [{"name": "a", "type": "String"}]}'
    assert list(result_of(body).rows) == [("1",)]


def test_truncation_is_told_before_and_after_reading() -> None:
    document = {"schema": [{"name": "a", "type": "Int64"}], "results": [{"a": n} for n in range(3)]}
    assert result_of(document, limit=3).truncated
    assert not result_of(document, limit=4).truncated
    read = result_of(document, limit=3)
    assert len(list(read.rows)) == 3 and read.truncated


def test_two_readings_at_once_do_not_disturb_each_other() -> None:
    rows = [{"a": f"{n}" * 50} for n in range(20_000)]
    result = result_of({"schema": [{"name": "a", "type": "String"}], "results": rows})
    reading = result.rows
    first = [next(reading) for _ in range(5)]
    assert result.row_count == 20_000
    assert first + list(reading) == [(row["a"],) for row in rows]


def test_a_closed_result_has_no_file() -> None:
    with result_of({"schema": [], "results": []}) as result:
        assert list(result.rows) == []
    with pytest.raises(ValueError):
        list(result.rows)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"<html>", b'{"results": []}', b'{"schema": 5}', b'{"schema": [5]}',
        b'{"schema": [{"name": ""}]}', b'{"schema": [{"name":"a"},{"name":"a"}]}', b'{"schema": [', b"\xff\xff",
        b'{"schema":' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_answers_without_a_schema(body: bytes) -> None:
    with pytest.raises(BadReply):
        result_of(body)


def test_rows_that_break_off_are_said_to() -> None:
    whole = json.dumps({"schema": [{"name": "a", "type": "Int64"}], "results": [{"a": n} for n in range(5)]})
    rows = result_of(whole[:-14].encode()).rows
    found = []
    with pytest.raises(BadReply, match="after 3 rows"):
        for row in rows:
            found.append(row)
    assert found == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    "rows", ["[5]", '["x"]', "[[1]]", '[{"a": ' + "[" * 5000 + "]" * 5000 + "}]", '[{"a": 1e999999999999999999999}]']
)
def test_rows_of_another_shape(rows: str) -> None:
    body = '{"schema": [{"name": "a", "type": "Int64"}], "results": ' + rows + "}"
    with pytest.raises(BadReply):
        list(result_of(body.encode()).rows)


@given(st.binary(max_size=300))
def test_any_bytes_give_rows_or_a_bad_reply(body: bytes) -> None:
    try:
        with result_of(body) as result:
            list(result.rows)
    except BadReply:
        pass


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20)


@given(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=10,
    )
)
def test_values_come_back_as_they_went_in(value: object) -> None:
    body = json.dumps({"other": [[{"v": 1}]], "v": value, "tail": {"v": 2}}).encode()
    assert list(values_at(io.BytesIO(body), ("v",))) == [json.loads(json.dumps(value))]


def test_reading_ends_where_it_is_told() -> None:
    body = json.dumps({"tables": [{"rows": [[1], [2]], "name": "a"}, {"rows": [[3]]}]}).encode()
    path = ("tables", None, "rows", None)
    assert list(values_at(io.BytesIO(body), path, until=("tables", None))) == [[1], [2]]
    assert list(values_at(io.BytesIO(body), path)) == [[1], [2], [3]]
