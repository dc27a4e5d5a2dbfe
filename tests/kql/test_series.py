"""Series: Microsoft's own examples, and answers computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from kql import KqlUnsupported
from tests.kql.support import one, run

GAPS = "dynamic([null, null, 36, 41, null, null, 16, 61, 33, null, null])"
NUMBERS = "dynamic([23, 46, 23, 87, 4, 8, 3, 75, 2, 56, 13, 75, 32, 16, 29])"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("series_add(dynamic([1, 2, 4]), dynamic([4, 2.5, 1]))", [5, 4.5, 5]),
        ("series_subtract(dynamic([1, 2]), dynamic([4]))", [-3, None]),
        ("series_multiply(dynamic([1, 'x', 3]), dynamic([4, 5, 6]))", [4, None, 18]),
        ("series_divide(dynamic([1, 2, 4]), dynamic([4, 2, 1]))", [0.25, 1.0, 4.0]),
        ("series_divide(dynamic([1, -1]), dynamic([0, 0]))", ["Infinity", "-Infinity"]),
        ("series_add(dynamic(1), dynamic([1]))", None),
        ("series_equals(dynamic([1, 2]), dynamic([1.0, 3]))", [True, False]),
        ("series_greater_equals(dynamic([1, 2, null]), dynamic([1, 3, 1]))", [True, False, None]),
        ("series_less(dynamic([1]), dynamic([2]))", [True]),
        ("series_sum(dynamic([1, 2, 3.5]))", 6.5),
        ("series_sum(dynamic([1, null]))", None),
        ("series_product(dynamic([1, 2, 3.5]))", 7.0),
        (f"series_fill_const({GAPS}, 0)", [0, 0, 36, 41, 0, 0, 16, 61, 33, 0, 0]),
        ("series_fill_const(dynamic([1, -1, null]), 5, -1)", [1, 5, None]),
        (f"series_fill_forward({GAPS})", [None, None, 36, 41, 41, 41, 16, 61, 33, 33, 33]),
        (f"series_fill_backward({GAPS})", [36, 36, 36, 41, 16, 16, 16, 61, 33, None, None]),
        ("series_fill_forward(dynamic([0, 2, 0, null]), 0)", [0, 2, 2, None]),
        ("series_stats_dynamic(dynamic([1, null]))", None),
    ],
)
def test_series(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_statistics() -> None:
    (found,) = one(f"print series_stats_dynamic({NUMBERS})")
    assert {key: found.pop(key) for key in ("stdev", "variance")} == {
        "stdev": pytest.approx(28.503633853548269),
        "variance": pytest.approx(812.45714285714291),
    }
    assert found == {"min": 2, "min_idx": 8, "max": 87, "max_idx": 3, "avg": 32.8, "sum": 492, "len": 15}


@pytest.mark.parametrize("name", ["series_decompose_anomalies", "series_fill_linear", "series_stats"])
def test_what_is_refused(name: str) -> None:
    with pytest.raises(KqlUnsupported, match=name) as caught:
        run(f"print {name}({NUMBERS})")
    assert caught.value.hint
