"""The `$filter` subset."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.odata import FilterError, order_by, parse_filter

FIELDS = ("name", "size", "when", "tags", "on")
ITEM: dict[str, Any] = {
    "name": "It's Here", "size": 12, "when": "2026-05-15T10:00:00.0000000Z", "tags": ["IR-1"], "on": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name eq 'it''s here'", True),
        ("name ne 'x'", True),
        ("size gt 11 and size le 12", True),
        ("size lt 12 or size ge 13", False),
        ("when ge 2026-05-15T12:00:00+02:00", True),
        ("when lt 2026-05-15T10:00:00Z", False),
        ("not (name eq 'x') and on eq true", True),
        ("name eq 'x' or name eq 'it''s here' and size eq 1", False),
        ("(name eq 'x' or name eq 'it''s here') and size eq 12", True),
        ("contains(name, 'HERE') and endswith(name,'here')", True),
        ("tags/any(t: t eq 'ir-1')", True),
        ("tags/any(t:t eq 'ir-2')", False),
        ("size in (1, 12)", True),
        ("name eq null", False),
        ("name ne null", True),
    ],
)
def test_filters(text: str, expected: bool) -> None:
    assert parse_filter(text, FIELDS)(ITEM) is expected


@pytest.mark.parametrize(
    "text", ["", "name", "name eq", "name is 'x'", "other eq 1", "name eq 'x", "(name eq 'x'", "a b c", "name eq x"]
)
def test_mistakes_are_named(text: str) -> None:
    with pytest.raises(FilterError):
        parse_filter(text, FIELDS)


@given(
    st.text(max_size=120)
    | st.from_regex(r"(\(|not |name |eq |'a'|size |gt |1 |and |or |\)|tags/any\(|,|:)*", fullmatch=True)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        test = parse_filter(text, FIELDS)
    except FilterError:
        return
    assert test(ITEM) in (True, False)


@given(st.text(max_size=40))
def test_any_quoted_text_is_compared_as_text(value: str) -> None:
    quoted = value.replace("'", "''")
    test = parse_filter(f"name eq '{quoted}'", FIELDS)
    assert test({"name": value}) is True
    assert test({"name": value + "x"}) is False


def test_order() -> None:
    items = [{"name": "b", "size": 1}, {"name": "a", "size": 1}, {"name": "c", "size": 0}]
    assert [item["name"] for item in order_by(items, "size desc, name", FIELDS)] == ["a", "b", "c"]
    with pytest.raises(FilterError):
        order_by(items, "name sideways", FIELDS)
