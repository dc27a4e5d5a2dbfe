"""Series: Microsoft's own examples, and answers computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from kql import KqlDataError, KqlSchemaError, KqlUnsupported
from tests.kql.support import names, one, run, types

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
        ("series_multiply(10, dynamic([1, 2]))", [10, 20]),
        ("series_subtract(dynamic([1, 2]), 1.5)", [-0.5, 0.5]),
        ("series_greater(dynamic([1, 5]), 3)", [False, True]),
        ("series_abs(dynamic([-6.5, 0, 8.2, -3, 'x']))", [6.5, 0, 8.2, 3, None]),
        ("series_sign(dynamic([-6, 0, 8]))", [-1, 0, 1]),
        ("series_floor(dynamic([-1.5, 1, 2.5]))", [-2.0, 1.0, 2.0]),
        ("series_ceiling(dynamic([-1.5, 1, 2.5]))", [-1.0, 1.0, 3.0]),
        ("series_pow(dynamic([1, 2, 3, 4]), dynamic([1, 2, 3, 0.5]))", [1.0, 4.0, 27.0, 2.0]),
        ("series_log(dynamic([1, 0, -1]))", [0.0, None, None]),
        ("series_exp(dynamic([0, null]))", [1.0, None]),
        ("series_asin(dynamic([0, 2]))", [0.0, None]),
        ("series_cos(dynamic([0]))", [1.0]),
        ("series_dot_product(dynamic([1, 2, 4]), dynamic([4, 2, 1]))", 12.0),
        ("series_dot_product(dynamic([3, 6, 12]), 3)", 63.0),
        ("series_dot_product(dynamic([1, 2]), dynamic([3]))", 3.0),
        ("series_dot_product(dynamic([]), dynamic([3]))", None),
        ("series_magnitude(dynamic([3, 4]))", 5.0),
        ("series_magnitude(dynamic([3, 'x']))", None),
        ("series_cosine_similarity(dynamic([3, 4]), dynamic([4, 3]))", 0.96),
        ("series_cosine_similarity(dynamic([0, 0]), dynamic([4, 3]))", None),
        ("series_pearson_correlation(dynamic([1, 2, 3, 4, 5]), dynamic([2, 4, 6, 8, 10]))", 1.0),
        ("series_pearson_correlation(dynamic([1, 2]), dynamic([1, 2, 3]))", None),
        ("series_pearson_correlation(dynamic([1, 1]), dynamic([1, 2]))", None),
        ("series_fir(dynamic([3, 3, 3, 3, 12]), dynamic([1, 1, 1]))", [1.0, 2.0, 3.0, 3.0, 6.0]),
        ("series_fir(dynamic([0, 0, 2, 2, 3]), dynamic([1, -1]), false, false)", [0.0, 0.0, 2.0, 0.0, 1.0]),
        ("series_fir(dynamic([0, 0, 9, 0, 0]), dynamic([1, 1, 1]), true, true)", [0.0, 3.0, 3.0, 3.0, 0.0]),
        ("series_fir(dynamic([1]), dynamic([1, -1]), true)", None),
        ("series_fir(dynamic(['x']), dynamic([1]))", None),
        ("series_iir(dynamic([1.0, 2, 3, 4]), dynamic([1]), dynamic([1, -1]))", [1.0, 3.0, 6.0, 10.0]),
        ("series_iir(dynamic([1, 2, 3]), dynamic([1, 1]), dynamic([2]))", [0.5, 1.5, 2.5]),
        ("series_iir(dynamic([8, 0, 0]), dynamic([1]), dynamic([1, -0.5, -0.25]))", [8.0, 4.0, 4.0]),
        ("series_seasonal(dynamic([1, 3, 5, 2, 4, 6, 1, 3, 5, 2, 4, 6]), 3)", [1.5, 3.5, 5.5] * 4),
        ("series_seasonal(dynamic([1, 3]), 0)", [0.0, 0.0]),
        ("series_decompose_forecast(dynamic([1, 2, 3, 4, 0, 0]), 2, 0, 'linefit')", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ("series_decompose_forecast(dynamic([1, 3, 1, 3, 0, 0]), 2, 2)", [1.0, 3.0, 1.0, 3.0, 1.0, 3.0]),
        ("series_fill_linear(dynamic([null, 111.0, null, 36.0, null]))", [111.0, 111.0, 73.5, 36.0, 36.0]),
        ("series_fill_linear(dynamic([null, 1.5, null, 2.5, null]), real(null), false)", [None, 1.5, 2.0, 2.5, None]),
        ("series_fill_linear(dynamic([null, null]), real(null), true, 3.5)", [3.5, 3.5]),
        ("series_fill_linear(dynamic([null, null]))", [0, 0]),
        ("series_fill_linear(dynamic([1, null, 3]))", [1, 2, 3]),
        ("series_fill_linear(dynamic([1, -1, 3.5]), -1)", [1, 2.25, 3.5]),
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


def test_a_line_fitted() -> None:
    text = "print y = dynamic([2, 5, 6, 8, 11, 15, 17, 18, 25, 26, 30, 30])"
    (_, rsquare, slope, variance, rvariance, interception, fit) = one(f"{text} | extend series_fit_line(y)")
    figures = [rsquare, slope, variance, rvariance, interception]
    assert figures == pytest.approx([0.9829, 2.73077, 98.62879, 1.68648, -1.66667], abs=1e-5)
    assert fit[:2] == pytest.approx([1.0641, 3.79487], abs=1e-5)
    assert names(f"{text} | extend series_fit_line(y)")[1:] == [
        f"series_fit_line_y_{part}"
        for part in ("rsquare", "slope", "variance", "rvariance", "interception", "line_fit")
    ]
    assert one("print series_fit_line_dynamic(dynamic([1, 3])).slope") == (2.0,)


def test_a_line_through_a_constant_has_no_rsquare() -> None:
    assert one("print y = dynamic([5, 5, 5]) | project (r, s) = series_fit_line(y) | project r, s") == (None, 0.0)
    assert one("print y = dynamic([5]) | extend (r, s) = series_fit_line(y) | project r, s") == (None, None)


def test_components_of_a_series() -> None:
    text = "print y = dynamic([1, 2, 11, 12]) | extend (b, s, t, r) = series_decompose(y, 2)"
    assert one(text) == ([1, 2, 11, 12], [6.0, 7.0, 6.0, 7.0], [6.0, 7.0, 6.0, 7.0], [0.0] * 4, [-5.0, -5.0, 5.0, 5.0])
    text = "print y = dynamic([1, 2, 11, 12]) | project (b) = series_decompose(y, 0, 'none')"
    assert names(text) == ["b"] + [f"series_decompose_y_{part}" for part in ("seasonal", "trend", "residual")]
    assert one(text) == ([0.0] * 4, [0.0] * 4, [0.0] * 4, [1.0, 2.0, 11.0, 12.0])


def test_several_columns_take_the_place_of_their_names() -> None:
    text = "print x = dynamic([23, 46, 2]), a = 'old' | extend (a, b) = series_stats(x)"
    assert (names(text), one(text)) == (["x", "a", "b"], ([23, 46, 2], 2.0, 2))
    assert types(text) == ["dynamic", "real", "long"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("print x = 1 | extend (a, b) = x", "2 names"),
        ("print x = dynamic([1]) | extend (a, b, c, d, e) = series_decompose(x, 0)", "5 names"),
        ("print x = 1 | extend series_stats(range(1, 2))", "have no names"),
        ("print x = dynamic([1]) | extend (a) = series_decompose(x, 0, 'up')", "trends"),
        ("print series_iir(dynamic([1]), dynamic([1]), dynamic([0, 1]))", "denominator"),
        ("print series_fir(dynamic([1]), dynamic(['x']))", "array of numbers"),
    ],
)
def test_what_does_not_fit(text: str, match: str) -> None:
    with pytest.raises(KqlSchemaError, match=match) as caught:
        run(text)
    assert caught.value.hint


def test_nothing_is_rounded_between_whole_numbers() -> None:
    with pytest.raises(KqlDataError, match="not whole"):
        run("print series_fill_linear(dynamic([1, null, 2]))")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (f"extend (a, b) = series_decompose_anomalies({NUMBERS})", "series_decompose_anomalies"),
        (f"extend series_outliers({NUMBERS})", "series_outliers"),
        (f"extend (a, b) = series_decompose({NUMBERS})", "period itself"),
        (f"extend series_decompose_forecast({NUMBERS}, 3, -1)", "period itself"),
        (f"extend series_seasonal({NUMBERS})", "without a period"),
        (f"extend (p, s) = series_periods_detect({NUMBERS}, 0, 5, 1)", "series_periods_detect"),
        (f"extend (a) = series_fit_2lines({NUMBERS})", "series_fit_2lines"),
        (f"extend series_fir({NUMBERS}, dynamic([1, 1]), true, true)", "even length"),
        (f"where series_stats({NUMBERS}) > 1", "series_stats"),
    ],
)
def test_what_is_refused(call: str, match: str) -> None:
    with pytest.raises(KqlUnsupported, match=match) as caught:
        run(f"print x = 1 | {call}")
    assert caught.value.hint
