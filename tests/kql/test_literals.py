"""Parameters become literals and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kql import KqlType, TypedValue, list_literal, literal, prelude
from tests.kql.support import one

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
HOSTILE = [
    '"',
    "'",
    "\\",
    '\\"',
    '"; T | take 1 //',
    "\n",
    "\r\n",
    "\0",
    "\x1b",
    "\u2028",
    "é",
    "日本",
    "\U0001f469\u200d",
]


@settings(max_examples=20, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=8))
@example(HOSTILE)
def test_any_text_comes_back_as_itself(texts: list[str]) -> None:
    query = ", ".join(f"x{i} = {literal(text, 'string')}" for i, text in enumerate(texts))
    assert one(f"print {query}") == tuple(texts)


@settings(max_examples=12, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6))
@example(HOSTILE)
def test_a_list_finds_each_of_its_texts(texts: list[str]) -> None:
    lines = prelude({"Wanted": TypedValue(texts, "string", many=True)})
    tests = ", ".join(f"x{i} = {literal(text, 'string')} in (Wanted)" for i, text in enumerate(texts))
    assert one(f"{lines}print {tests}") == (True,) * len(texts)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bool", True),
        ("bool", False),
        ("int", -(2**31) + 1),
        ("long", 2**63 - 1),
        ("long", -5),
        ("real", 1.5),
        ("real", -1e300),
        ("real", float("inf")),
        ("datetime", datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)),
        ("timespan", timedelta(days=48, seconds=1, microseconds=5)),
        ("timespan", -timedelta(hours=3)),
        ("guid", "01234567-89ab-cdef-0123-456789abcdef"),
        ("dynamic", {"a": ['"', "\\", "é\n", 1, None]}),
    ],
)
def test_values_of_each_type_come_back(kind: KqlType, value: Any) -> None:
    assert one(f"print x = {literal(value, kind)}") == (value,)


def test_a_list_of_moments_is_refused() -> None:
    with pytest.raises(ValueError, match="list of datetime"):
        prelude({"Days": TypedValue([datetime(2024, 1, 1, tzinfo=UTC)], "datetime", many=True)})


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("string", 5),
        ("string", "\ud800"),
        ("bool", 1),
        ("int", 2**31),
        ("long", "1); drop"),
        ("long", True),
        ("real", "x"),
        ("guid", "not-a-guid"),
        ("datetime", "2024-01-01"),
        ("timespan", "1h"),
        ("decimal", Decimal("NaN")),
        ("dynamic", float("nan")),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(kind: KqlType, value: Any) -> None:
    with pytest.raises(ValueError):
        literal(value, kind)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a=1;b", "ä", "a\n"])
def test_a_parameter_needs_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        prelude({name: TypedValue("x", "string")})


def test_the_prelude_is_lines_of_let() -> None:
    lines = prelude({"DeviceName": TypedValue("ws01", "string"), "SearchWindow": TypedValue(timedelta(2), "timespan")})
    assert lines == 'let DeviceName = "ws01";\nlet SearchWindow = timespan(2.00:00:00);\n'
    assert list_literal(["a", '"'], "string") == 'dynamic(["a", "\\""])'
