"""Arrays of numbers as series: arithmetic element by element, sums, gaps filled.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#series-element-wise-functions
"""

from __future__ import annotations

from kql.translate.conversions import to_dynamic
from kql.translate.functions.dynamics import JSON_NUMBERS, array, bound, element, made_of
from kql.translate.functions.registry import Invocation, refuse, scalar
from kql.translate.values import Sql, maybe_null

_LONGS = "('BIGINT', 'UBIGINT')"


def _is_number(item: str) -> str:
    return f"json_type({item}) IN {JSON_NUMBERS}"


def _real(item: str) -> str:
    return f"CAST({item} AS DOUBLE)"


def _as_json(number: str) -> str:
    """A real as JSON, which has a text for what is not finite."""
    return bound(to_dynamic(Sql("s.r", "real")).text, r=number)


def _pairs(call: Invocation, value: str) -> Sql:
    """An array of a value of each two elements ``s.x[i]`` and ``s.y[i]``; null where one is no number, or missing."""
    both = f"{_is_number('s.x[i + 1]')} AND {_is_number('s.y[i + 1]')}"
    each = f"CASE WHEN {both} THEN {value} END"
    body = (
        "CASE WHEN s.x IS NOT NULL AND s.y IS NOT NULL"
        f" THEN list_transform(range(greatest(len(s.x), len(s.y))), lambda i: {each}) END"
    )
    return made_of(bound(body, x=array(call, 0), y=array(call, 1)), *call.values)


_ARITHMETIC = {"series_add": "+", "series_subtract": "-", "series_multiply": "*"}


@scalar(" ".join(_ARITHMETIC), 2)
def series_arithmetic(call: Invocation) -> Sql:
    """Sum, difference or product of each two elements; whole numbers stay whole."""
    sign = _ARITHMETIC[call.name.lower()]
    whole = f"json_type(s.x[i + 1]) IN {_LONGS} AND json_type(s.y[i + 1]) IN {_LONGS}"
    longs = f"to_json(CAST(s.x[i + 1] AS BIGINT) {sign} CAST(s.y[i + 1] AS BIGINT))"
    reals = _as_json(f"{_real('s.x[i + 1]')} {sign} {_real('s.y[i + 1]')}")
    return _pairs(call, f"CASE WHEN {whole} THEN {longs} ELSE {reals} END")


@scalar("series_divide", 2)
def series_divide(call: Invocation) -> Sql:
    """The quotient of each two elements as a real; by zero it is infinite, of two zeros NaN."""
    one, two = _real("s.x[i + 1]"), _real("s.y[i + 1]")
    endless = f"CASE WHEN {one} > 0 THEN 'inf'::DOUBLE WHEN {one} < 0 THEN '-inf'::DOUBLE ELSE 'nan'::DOUBLE END"
    return _pairs(call, _as_json(f"CASE WHEN {two} = 0 THEN {endless} ELSE {one} / {two} END"))


_COMPARISONS = {
    "series_equals": "=",
    "series_not_equals": "<>",
    "series_less": "<",
    "series_less_equals": "<=",
    "series_greater": ">",
    "series_greater_equals": ">=",
}


@scalar(" ".join(_COMPARISONS), 2)
def series_comparison(call: Invocation) -> Sql:
    """Whether each two elements compare so."""
    sign = _COMPARISONS[call.name.lower()]
    return _pairs(call, f"to_json({_real('s.x[i + 1]')} {sign} {_real('s.y[i + 1]')})")


@scalar("series_sum", 1)
def series_sum(call: Invocation) -> Sql:
    """The sum as a real; null where one element is no number."""
    return _folded(call, "coalesce(list_sum(s.n), 0.0)")


@scalar("series_product", 1)
def series_product(call: Invocation) -> Sql:
    """The product as a real; null where one element is no number."""
    return _folded(call, "list_reduce(s.n, lambda x, y: x * y, 1.0::DOUBLE)")


def _folded(call: Invocation, fold: str) -> Sql:
    numbers = f"list_transform({array(call, 0)}, lambda e: CASE WHEN {_is_number('e')} THEN {_real('e')} END)"
    return maybe_null(bound(f"CASE WHEN list_count(s.n) = len(s.n) THEN {fold} END", n=numbers), "real", *call.values)


def _missing(call: Invocation, index: int) -> str:
    """What stands for a missing value: null, if the call does not say."""
    return element(call.values[index]) if index < call.count else "NULL::JSON"


@scalar("series_fill_const", 2, 3)
def series_fill_const(call: Invocation) -> Sql:
    """A series with one value in the place of what is missing."""
    body = "list_transform(s.a, lambda e: CASE WHEN e IS NOT DISTINCT FROM s.m THEN s.v ELSE e END)"
    return made_of(bound(body, a=array(call, 0), v=element(call.values[1]), m=_missing(call, 2)), *call.values)


@scalar("series_fill_forward series_fill_backward", 1, 2)
def series_fill_nearest(call: Invocation) -> Sql:
    """A series with the nearest value before (or after) in the place of what is missing."""
    backward = call.name.lower().endswith("backward")
    source = f"list_reverse({array(call, 0)})" if backward else array(call, 0)
    last = "list_filter(list_slice(s.a, 1, i), lambda x: x IS DISTINCT FROM s.m)[-1]"
    filled = f"list_transform(s.a, lambda e, i: CASE WHEN e IS DISTINCT FROM s.m THEN e ELSE coalesce({last}, s.m) END)"
    body = f"list_reverse({filled})" if backward else filled
    return made_of(bound(body, a=source, m=_missing(call, 1)), *call.values)


@scalar("series_stats_dynamic", 1, note="Without ignore_nonfinite; null where one element is no number.")
def series_stats_dynamic(call: Invocation) -> Sql:
    """A bag of least, greatest, mean, sample deviation and variance, sum and length."""
    lists = f"list_transform({array(call, 0)}, lambda e: CASE WHEN {_is_number('e')} THEN {_real('e')} END)"
    squares = "list_sum(list_transform(s.n, lambda x: (x - s.g) * (x - s.g)))"
    variance = f"CASE WHEN len(s.n) > 1 THEN {squares} / (len(s.n) - 1) ELSE 0.0 END"
    bag = bound(
        "json_object('min', list_min(s.n), 'min_idx', list_position(s.n, list_min(s.n)) - 1,"
        " 'max', list_max(s.n), 'max_idx', list_position(s.n, list_max(s.n)) - 1, 'avg', s.g, 'stdev', sqrt(s.v),"
        " 'variance', s.v, 'sum', list_sum(s.n), 'len', len(s.n))",
        n="s.n",
        g="s.g",
        v=variance,
    )
    inner = bound(bag, n="s.n", g="list_avg(s.n)")
    return maybe_null(
        bound(f"CASE WHEN len(s.n) > 0 AND list_count(s.n) = len(s.n) THEN {inner} END", n=lists),
        "dynamic",
        *call.values,
    )


_ELSEWHERE = "Take the series apart with mv-expand and compute it with summarize, or run the query in the tenant."

refuse("series_stats", "series_stats_dynamic() gives the same as a bag.")
refuse("series_fill_linear", "The page's examples round in two ways; use series_fill_forward() or series_fill_const().")
refuse(
    "series_decompose series_decompose_anomalies series_decompose_forecast series_outliers series_periods_detect"
    " series_periods_validate series_seasonal series_fit_line series_fit_line_dynamic series_fit_2lines"
    " series_fit_2lines_dynamic series_fit_poly series_fir series_iir series_fft series_ifft series_pearson_correlation"
    " series_cosine_similarity series_dot_product series_magnitude series_pow series_abs series_ceiling series_floor"
    " series_sign series_exp series_log series_sin series_cos series_tan series_asin series_acos series_atan",
    _ELSEWHERE,
)
