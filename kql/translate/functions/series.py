"""Arrays of numbers as series: arithmetic element by element, sums, gaps filled.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#series-element-wise-functions
"""

from __future__ import annotations

from kql.translate.conversions import to_dynamic
from kql.translate.functions.dynamics import JSON_NUMBERS, array, bound, element, made_of
from kql.translate.functions.registry import Invocation, scalar, several
from kql.translate.values import NUMBERS, Sql, maybe_null
from kql.types import KqlType

WHOLE_NUMBERS = "('BIGINT', 'UBIGINT')"
"""What ``json_type`` calls whole numbers."""


def _is_number(item: str) -> str:
    return f"json_type({item}) IN {JSON_NUMBERS}"


def _real(item: str) -> str:
    return f"CAST({item} AS DOUBLE)"


def as_json(number: str) -> str:
    """A real as JSON, which has a text for what is not finite."""
    return bound(to_dynamic(Sql("s.r", "real")).text, r=number)


def reals(call: Invocation, index: int) -> str:
    """An argument's elements as a LIST of reals: NULL for an element that is no number, and for what is no array."""
    return f"list_transform({array(call, index)}, lambda e: CASE WHEN {_is_number('e')} THEN {_real('e')} END)"


def numeric(name: str) -> str:
    """Whether a LIST of reals has elements, and all of them are numbers."""
    return f"len({name}) > 0 AND list_count({name}) = len({name})"


def series_of(numbers: str) -> str:
    """A LIST of reals as a LIST of JSON."""
    return f"list_transform({numbers}, lambda e: {as_json('e')})"


def _side(call: Invocation, index: int, other: int) -> str:
    """One of two series. A number stands for as many as the other has: the pages of series_fit_poly() and
    series_decompose_anomalies() write ``series_add(x, 0)`` and ``series_multiply(10, x)``."""
    value = call.values[index]
    if value.type in NUMBERS and call.values[other].type == "dynamic":
        return f"list_transform({array(call, other)}, lambda e: {to_dynamic(value).text})"
    return array(call, index)


def _pairs(call: Invocation, value: str) -> Sql:
    """An array of a value of each two elements ``s.x[i]`` and ``s.y[i]``; null where one is no number, or missing."""
    both = f"{_is_number('s.x[i + 1]')} AND {_is_number('s.y[i + 1]')}"
    each = f"CASE WHEN {both} THEN {value} END"
    body = (
        "CASE WHEN s.x IS NOT NULL AND s.y IS NOT NULL"
        f" THEN list_transform(range(greatest(len(s.x), len(s.y))), lambda i: {each}) END"
    )
    return made_of(bound(body, x=_side(call, 0, 1), y=_side(call, 1, 0)), *call.values)


_ARITHMETIC = {"series_add": "+", "series_subtract": "-", "series_multiply": "*"}


@scalar(" ".join(_ARITHMETIC), 2)
def series_arithmetic(call: Invocation) -> Sql:
    """Sum, difference or product of each two elements; whole numbers stay whole."""
    sign = _ARITHMETIC[call.name.lower()]
    whole = f"json_type(s.x[i + 1]) IN {WHOLE_NUMBERS} AND json_type(s.y[i + 1]) IN {WHOLE_NUMBERS}"
    longs = f"to_json(CAST(s.x[i + 1] AS BIGINT) {sign} CAST(s.y[i + 1] AS BIGINT))"
    reals = as_json(f"{_real('s.x[i + 1]')} {sign} {_real('s.y[i + 1]')}")
    return _pairs(call, f"CASE WHEN {whole} THEN {longs} ELSE {reals} END")


@scalar("series_divide", 2)
def series_divide(call: Invocation) -> Sql:
    """The quotient of each two elements as a real; by zero it is infinite, of two zeros NaN."""
    one, two = _real("s.x[i + 1]"), _real("s.y[i + 1]")
    endless = f"CASE WHEN {one} > 0 THEN 'inf'::DOUBLE WHEN {one} < 0 THEN '-inf'::DOUBLE ELSE 'nan'::DOUBLE END"
    return _pairs(call, as_json(f"CASE WHEN {two} = 0 THEN {endless} ELSE {one} / {two} END"))


@scalar("series_pow", 2)
def series_pow(call: Invocation) -> Sql:
    """Each element of the first to the power of the second's."""
    one, two = _real("s.x[i + 1]"), _real("s.y[i + 1]")
    return _pairs(call, as_json(f"pow({one}, {two})"))


_WHOLE = f"json_type(e) IN {WHOLE_NUMBERS}"
_ABSOLUTE = as_json("abs(CAST(e AS DOUBLE))")
_EACH = {
    "series_abs": f"CASE WHEN {_WHOLE} THEN to_json(abs(CAST(e AS BIGINT))) ELSE {_ABSOLUTE} END",
    "series_sign": "to_json(CAST(sign(CAST(e AS DOUBLE)) AS BIGINT))",
    "series_ceiling": as_json("ceil(CAST(e AS DOUBLE))"),
    "series_floor": as_json("floor(CAST(e AS DOUBLE))"),
    "series_exp": as_json("exp(CAST(e AS DOUBLE))"),
    "series_sin": as_json("sin(CAST(e AS DOUBLE))"),
    "series_cos": as_json("cos(CAST(e AS DOUBLE))"),
    "series_tan": as_json("tan(CAST(e AS DOUBLE))"),
    "series_atan": as_json("atan(CAST(e AS DOUBLE))"),
    "series_log": f"CASE WHEN CAST(e AS DOUBLE) > 0 THEN {as_json('ln(CAST(e AS DOUBLE))')} END",
    "series_asin": f"CASE WHEN abs(CAST(e AS DOUBLE)) <= 1 THEN {as_json('asin(CAST(e AS DOUBLE))')} END",
    "series_acos": f"CASE WHEN abs(CAST(e AS DOUBLE)) <= 1 THEN {as_json('acos(CAST(e AS DOUBLE))')} END",
}


@scalar(" ".join(_EACH), 1, note="Null where an element is no number, or has no such value.")
def series_each(call: Invocation) -> Sql:
    """A function of each element."""
    body = f"CASE WHEN {_is_number('e')} THEN {_EACH[call.name.lower()]} END"
    return made_of(f"list_transform({array(call, 0)}, lambda e: {body})", *call.values)


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
    body = f"CASE WHEN list_count(s.n) = len(s.n) THEN {fold} END"
    return maybe_null(bound(body, n=reals(call, 0)), "real", *call.values)


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


@scalar("series_dot_product", 2, note="Null where one element is no number.")
def series_dot_product(call: Invocation) -> Sql:
    """The sum of the products of each two elements, as many as the shorter has."""
    return _over_two(call, "list_sum(list_transform(s.x, lambda e, i: e * s.y[i]))")


@scalar("series_cosine_similarity", 2, note="Null where one element is no number, and for a series of zeros.")
def series_cosine_similarity(call: Invocation) -> Sql:
    """The dot product by the product of the magnitudes."""
    dot = "list_sum(list_transform(s.x, lambda e, i: e * s.y[i]))"
    one, two = (f"sqrt(list_sum(list_transform(s.{name}, lambda e: e * e)))" for name in "xy")
    return _over_two(call, f"{dot} / nullif({one} * {two}, 0)")


def _over_two(call: Invocation, body: str) -> Sql:
    """A real of two series of numbers ``s.x`` and ``s.y``, cut to the length of the shorter."""
    least = "least(len(s.x), len(s.y))"
    cut = bound(
        f"CASE WHEN {numeric('s.x')} AND {numeric('s.y')} THEN {body} END", x=f"s.x[1:{least}]", y=f"s.y[1:{least}]"
    )
    x, y = (f"list_transform({_side(call, one, 1 - one)}, lambda e: {_number_or_null('e')})" for one in (0, 1))
    return maybe_null(bound(cut, x=x, y=y), "real", *call.values)


def _number_or_null(item: str) -> str:
    return f"CASE WHEN {_is_number(item)} THEN {_real(item)} END"


@scalar("series_magnitude", 1, note="Null where one element is no number.")
def series_magnitude(call: Invocation) -> Sql:
    """The square root of the sum of the squares."""
    body = f"CASE WHEN {numeric('s.n')} THEN sqrt(list_sum(list_transform(s.n, lambda e: e * e))) END"
    return maybe_null(bound(body, n=reals(call, 0)), "real", *call.values)


@scalar("series_pearson_correlation", 2, note="Null where one series is constant: it is not defined then.")
def series_pearson_correlation(call: Invocation) -> Sql:
    """Pearson's coefficient of two series of the same length."""
    x, y = "(e - s.a)", "(s.y[i] - s.b)"
    both = f"list_sum(list_transform(s.x, lambda e, i: {x} * {y}))"
    squares = f"list_sum(list_transform(s.x, lambda e: {x} * {x}))"
    others = "list_sum(list_transform(s.y, lambda e: (e - s.b) * (e - s.b)))"
    varied = "list_min(s.x) < list_max(s.x) AND list_min(s.y) < list_max(s.y)"
    same = f"{numeric('s.x')} AND {numeric('s.y')} AND len(s.x) = len(s.y) AND {varied}"
    body = f"CASE WHEN {same} THEN {both} / sqrt({squares} * {others}) END"
    means = bound(body, x="s.x", y="s.y", a="list_avg(s.x)", b="list_avg(s.y)")
    return maybe_null(bound(means, x=reals(call, 0), y=reals(call, 1)), "real", *call.values)


_STATISTICS: tuple[tuple[str, KqlType], ...] = (
    ("min", "real"), ("min_idx", "long"), ("max", "real"), ("max_idx", "long"), ("avg", "real"), ("stdev", "real"),
    ("variance", "real"),
)  # fmt: skip


@several("series_stats", _STATISTICS, 1, note="Without ignore_nonfinite; null where one element is no number.")
@scalar("series_stats_dynamic", 1, note="Without ignore_nonfinite; null where one element is no number.")
def series_stats_dynamic(call: Invocation) -> Sql:
    """A bag of least, greatest, mean, sample deviation and variance, sum and length."""
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
    return maybe_null(bound(f"CASE WHEN {numeric('s.n')} THEN {inner} END", n=reals(call, 0)), "dynamic", *call.values)
