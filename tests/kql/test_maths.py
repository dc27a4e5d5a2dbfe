"""Numbers, bits and bins, by answers computed by hand or shown on Microsoft's pages."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import at, one, run, types


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("abs(-5)", 5),
        ("abs(-2.5)", 2.5),
        ("abs(-1d)", timedelta(days=1)),
        ("ceiling(1.2)", 2.0),
        ("ceiling(-1.2)", -1.0),
        ("ceiling(3)", 3),
        ("round(2.15, 1)", 2.2),
        ("round(2.5)", 3.0),
        ("round(-2.5)", -3.0),
        ("round(1.005, 2)", 1.0),
        ("round(-50.55, -2)", -100.0),
        ("round(12345, -2)", 12300.0),
        ("tostring(round(decimal(2.345), 2))", "2.35"),
        ("sqrt(9)", 3.0),
        ("sqrt(-1)", None),
        ("pow(2, 3)", 8.0),
        ("log(5)", 1.6094379124341003),
        ("log(-1)", None),
        ("log10(1000)", 3.0),
        ("log2(8)", 3.0),
        ("exp(0)", 1.0),
        ("exp2(3)", 8.0),
        ("exp10(3)", 1000.0),
        ("sign(-2.5)", -1.0),
        ("sign(real(null))", 0.0),
        ("asin(2)", None),
        ("acos(1)", 0.0),
        ("atan2(0, -1)", math.pi),
        ("degrees(pi())", 180.0),
        ("radians(180)", math.pi),
        ("gamma(5)", 24.0),
        ("isnan(0.0 / 0.0)", True),
        ("isinf(1.0 / 0.0)", True),
        ("isfinite(1)", True),
        ("binary_and(12, 10)", 8),
        ("binary_or(12, 10)", 14),
        ("binary_xor(12, 10)", 6),
        ("binary_not(100)", -101),
        ("binary_shift_left(1, 2)", 4),
        ("binary_shift_left(int(5), 40)", 5497558138880),
        ("binary_shift_left(1, 63)", -(2**63)),
        ("binary_shift_left(1, 64)", 1),
        ("binary_shift_left(-5, 2)", -20),
        ("binary_shift_left(1, -1)", None),
        ("binary_shift_right(-8, 1)", -4),
        ("bitset_count_ones(42)", 3),
        ("bitset_count_ones(-1)", 64),
        ("max_of(10, 1, -3, 17)", 17),
        ("min_of(10, 1, -3, 17)", -3),
        ("max_of(int(null), 2)", 2),
        ("max_of(int(null), int(null))", None),
        ("min_of('b', 'a')", "a"),
        ("max_of(1, 2.5)", 2.5),
        # bin goes down, whatever the sign.
        ("bin(7, 5)", 5),
        ("bin(-7, 5)", -10),
        ("bin(4.5, 1)", 4.0),
        ("bin(-0.5, 1)", -1.0),
        ("bin(0.3, 0.1)", 0.2),
        ("bin(9007199254740993, 1)", 9007199254740993),
        ("bin(7, 0)", None),
        ("bin(long(null), 5)", None),
        ("floor(-7, 5)", -10),
        ("bin(1h + 59m, 1h)", timedelta(hours=1)),
        ("bin(-90m, 1h)", timedelta(hours=-2)),
        ("bin(datetime(2024-01-10 12:34:56.789), 1h)", at(10, 12)),
        ("bin(datetime(2024-01-10 12:34:56.789), 1d)", at(10)),
        # 0001-01-01 was a Monday, as 2024-01-08.
        ("bin(datetime(2024-01-10), 7d)", at(8)),
        ("bin(datetime(1969-12-31 23:30), 1h) == datetime(1969-12-31 23:00)", True),
        ("bin(datetime(null), 1h)", None),
        ("bin_at(6.5, 2.5, 7)", 4.5),
        ("bin_at(time(1h), 1d, 12h)", timedelta(hours=-12)),
        ("bin_at(datetime(2024-01-15 10:20), 1d, datetime(1970-01-01 12:00))", at(14, 12)),
        ("bin_at(datetime(2024-01-17 10:20), 7d, datetime(2024-02-04))", at(14)),
        ("bin_at(10, 4, 1)", 9),
        ("around(5, 4, 1)", True),
        ("around(datetime(2024-01-01), datetime(2024-01-02), 1h)", False),
    ],
)
def test_numbers(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_over_rows() -> None:
    rows = "datatable(i: int, r: real, t: datetime, w: timespan, n: long)["
    rows += "int(-7), -2.5, datetime(2024-01-03 05:00), 2h, 5, "
    rows += "int(null), real(null), datetime(null), timespan(null), long(null)]"
    query = (
        rows + "| project abs(i), bin(i, 5), bin(i, n), bin(r, 1), bin(t, w), bin_at(t, w, t), round(r), max_of(i, n)"
    )
    assert run(query) == [
        (7, -10, -10, -3.0, at(3, 4), at(3, 5), -3.0, 5),
        (None,) * 8,
    ]
    assert types(query) == ["long", "long", "long", "real", "datetime", "datetime", "real", "long"]


@settings(max_examples=30, deadline=None)
@given(st.integers(-(2**40), 2**40), st.integers(1, 2**20))
def test_a_bin_is_the_greatest_multiple_below(value: int, size: int) -> None:
    query = (
        f"datatable(v: long, s: long)[{value}, {size}] | project bin(v, {size}), bin(v, s), bin(1us * v, 1us * s) / 1us"
    )
    query = query.replace("1us", "1microsecond")
    assert one(query) == (value // size * size,) * 2 + (float(value // size * size),)


def test_random_numbers() -> None:
    rows = run("range x from 1 to 50 step 1 | project rand(), rand(10), new_guid()")
    assert all(0 <= a < 1 and b in range(10) for a, b, _ in rows)
    assert len({a for a, _, _ in rows}) == len({g for _, _, g in rows}) == 50


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("bin(datetime(2024-01-01), 5)", KqlSchemaError),
        ("bin(datetime(2024-01-01), 0s)", KqlUnsupported),
        ("binary_and(1.5, 1)", KqlSchemaError),
        ("sqrt('x')", KqlSchemaError),
        ("max_of('a', 1)", KqlSchemaError),
        ("welch_test(1, 2, 3, 4, 5, 6)", KqlUnsupported),
        ("beta_cdf(0.5, 1, 2)", KqlUnsupported),
        ("floor(7.9)", KqlSchemaError),
    ],
)
def test_what_is_refused(expression: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(f"print {expression}")
