"""The canonical JSON form of a row: Kusto's texts, and back again."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kql import Column, KqlType, decode_row, encode_row
from kql.types import decode_value, encode_value, parse_timespan, timespan_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
VALUES: dict[KqlType, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "real": st.floats(),
    "decimal": st.decimals(-(10**20), 10**20, allow_nan=False, allow_infinity=False, places=10),
    "string": st.text(),
    "datetime": st.datetimes(timezones=st.just(UTC)),
    "timespan": st.timedeltas(timedelta(days=-10675199), timedelta(days=10675199)),
    "guid": st.uuids().map(str),
    "dynamic": JSON,
}


def same(left: Any, right: Any) -> bool:
    return left == right or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


@given(st.data())
def test_what_encode_row_writes_decode_row_reads(data: st.DataObject) -> None:
    columns = [Column(kind, kind) for kind in get_args(KqlType)]
    row = tuple(data.draw(st.none() | VALUES[c.type]) for c in columns)
    line = json.dumps(encode_row(columns, row), allow_nan=False)
    assert all(same(a, b) for a, b in zip(row, decode_row(columns, json.loads(line)), strict=True))


def test_datetimes_have_seven_digits_in_utc() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    assert encode_value("datetime", moment) == "2024-01-02T01:04:05.6789010Z"
    assert decode_value("datetime", "2024-01-02T01:04:05.6789019Z") == moment


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "00:00:00"),
        (timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=500000), "1.02:03:04.5000000"),
        (-timedelta(hours=2), "-02:00:00"),
        (-timedelta(days=1, hours=12), "-1.12:00:00"),
        (timedelta(microseconds=1), "00:00:00.0000010"),
    ],
)
def test_timespans_as_kusto_prints_them(span: timedelta, text: str) -> None:
    assert timespan_text(span) == text
    assert parse_timespan(text) == span


@pytest.mark.parametrize("text", ["", "5", "1 day", "1.2.3", "00:00", "٣:00:00", "00:00:00 "])
def test_other_texts_are_no_timespan(text: str) -> None:
    with pytest.raises(ValueError, match="no"):
        decode_value("timespan", text)


def test_reals_that_json_lacks() -> None:
    assert [encode_value("real", v) for v in (math.nan, math.inf, -math.inf)] == ["NaN", "Infinity", "-Infinity"]
    assert decode_value("real", "-Infinity") == -math.inf


@pytest.mark.parametrize(
    ("kind", "value"), [("long", 1.5), ("long", True), ("bool", "x"), ("datetime", "soon"), ("decimal", "x")]
)
def test_a_value_of_another_type_is_refused(kind: KqlType, value: Any) -> None:
    with pytest.raises(ValueError, match=f"is no {kind}"):
        decode_value(kind, value)


def test_a_decimal_keeps_its_digits() -> None:
    assert decode_value("decimal", encode_value("decimal", Decimal("1.10"))) == Decimal("1.10")
