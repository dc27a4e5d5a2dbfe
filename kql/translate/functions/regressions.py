"""Lines through series, what comes round in them, and filters.

Where Microsoft's pages give the algorithm, it is this one; where they do not, the function is refused, with what the
page leaves open. https://learn.microsoft.com/en-us/kusto/query/scalar-functions#series-processing-functions
"""

from __future__ import annotations

from kql.errors import KqlSchemaError
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.translate.functions.dynamics import array, bound, made_of
from kql.translate.functions.registry import Invocation, refuse, scalar, several
from kql.translate.functions.series import WHOLE_NUMBERS, as_json, numeric, reals, series_of
from kql.translate.membership import json_literal
from kql.translate.values import Sql, literal, maybe_null
from kql.types import KqlType

_LINE: tuple[tuple[str, KqlType], ...] = (
    ("rsquare", "real"), ("slope", "real"), ("variance", "real"), ("rvariance", "real"), ("interception", "real"),
    ("line_fit", "dynamic"),
)  # fmt: skip
_COMPONENTS: tuple[tuple[str, KqlType], ...] = (
    ("baseline", "dynamic"), ("seasonal", "dynamic"), ("trend", "dynamic"), ("residual", "dynamic"),
)  # fmt: skip
_FLAT = "Null where one element is no number; rsquare is null for a series that is constant: it is not defined then."
_PERIOD = (
    "How series_periods_detect() scores periods is not published: give the period in bins, as 24 for a day of hours,"
    " or 0 for none."
)


def _slope(numbers: str, mean: str) -> str:
    """The slope of the line of least squares through a LIST of reals at 0, 1, 2..."""
    middle = f"(len({numbers}) - 1) / 2.0"
    products = f"list_sum(list_transform({numbers}, lambda e, i: (i - 1 - {middle}) * (e - {mean})))"
    squares = f"(len({numbers})::DOUBLE * (len({numbers})::DOUBLE * len({numbers}) - 1) / 12.0)"
    return f"CASE WHEN len({numbers}) > 1 THEN {products} / {squares} END"


@several("series_fit_line", _LINE, 1, note=_FLAT)
@scalar("series_fit_line_dynamic", 1, note=_FLAT)
def series_fit_line(call: Invocation) -> Sql:
    """The line of least squares through a series at 1, 2, 3..., with a sample's variances: see the page's example."""
    squares = "list_sum(list_transform(s.n, lambda e: (e - s.g) * (e - s.g))) / (len(s.n) - 1)"
    left = "list_sum(list_transform(s.n, lambda e, i: (e - s.f[i]) * (e - s.f[i]))) / (len(s.n) - 1)"
    bag = bound(
        "json_object('rsquare', CASE WHEN list_min(s.n) < list_max(s.n) THEN 1 - s.r / s.v END, 'slope', s.a,"
        " 'variance', s.v, 'rvariance', s.r, 'interception', s.b, 'line_fit', s.f)",
        n="s.n", a="s.a", b="s.b", f="s.f", v=squares, r=left,
    )  # fmt: skip
    fit = bound(bag, n="s.n", g="s.g", a="s.a", b="s.b", f="list_transform(s.n, lambda e, i: s.a * i + s.b)")
    line = bound(fit, n="s.n", g="s.g", a="s.a", b="s.g - s.a * (len(s.n) + 1) / 2.0")
    slope = bound(line, n="s.n", g="s.g", a=_slope("s.n", "s.g"))
    mean = bound(slope, n="s.n", g="list_avg(s.n)")
    text = bound(f"CASE WHEN {numeric('s.n')} AND len(s.n) > 1 THEN {mean} END", n=reals(call, 0))
    return maybe_null(text, "dynamic", *call.values)


# --- what comes round


def _medians(period: str) -> str:
    """The median of each place in the period, over the first ``s.m`` points of ``s.n``."""
    return f"list_transform(range({period}), lambda j: list_median(list_slice(s.n, j + 1, s.m, {period})))"


@scalar("series_seasonal", 1, 2, note="With a period; to find one is refused: how it is scored is not published.")
def series_seasonal(call: Invocation) -> Sql:
    """The median of the points at the same place in the period; zeros for a period below 1."""
    period = call.integer(1, -1)
    if period == -1:
        raise call.unsupported("series_seasonal() without a period is not run here.", _PERIOD)
    each = f"s.q[(i - 1) % {period} + 1]" if period > 0 else "0.0::DOUBLE"
    around = bound(series_of(f"list_transform(s.n, lambda e, i: {each})"), n="s.n", q=_medians(str(max(period, 1))))
    inner = bound(around, n="s.n", m="len(s.n)")
    return made_of(bound(f"CASE WHEN {numeric('s.n')} THEN {inner} END", n=reals(call, 0)), *call.values)


def _decomposed(call: Invocation, first: int, points: int) -> str:
    """A bag of the components of a series. ``first``: the argument that is the period, the trend after it;
    ``points``: so many at the end are not learned from."""
    period = call.integer(first, -1)
    if period < 0:
        raise call.unsupported(f"{call.name}() that looks for the period itself is not run here.", _PERIOD)
    trend = call.constant_text(first + 1, "avg")
    trends = {
        "avg": "list_transform(s.n, lambda e: s.g)",
        "linefit": "list_transform(s.n, lambda e, i: s.g + s.a * (i - 1 - (len(s.l) - 1) / 2.0))",
        "none": "list_transform(s.n, lambda e: 0.0::DOUBLE)",
    }
    if trend not in trends or points < 0:
        raise KqlSchemaError(
            f"{call.name}() takes the trends avg, linefit and none, and no negative number of points.",
            **place(call.span),
            hint=f"As in {call.name}(Series, {f'{points}, ' if first == 2 else ''}24, 'linefit').",
        )
    seasonal = f"s.q[(i - 1) % {period} + 1]" if period > 0 else "0.0::DOUBLE"
    parts = {
        "baseline": "list_transform(s.n, lambda e, i: s.o[i] + s.t[i])",
        "seasonal": "s.o",
        "trend": "s.t",
        "residual": "list_transform(s.n, lambda e, i: e - s.o[i] - s.t[i])",
    }
    cells = ", ".join(f"'{name}', {series_of(text)}" for name, text in parts.items())
    bag = bound(f"json_object({cells})", n="s.n", o="s.o", t=trends[trend])
    sloped = bound(bag, n="s.n", o="s.o", l="s.l", g="s.g", a=_slope("s.l", "s.g"))
    level = bound(sloped, n="s.n", o="s.o", l="s.l", g="list_avg(s.l)")
    learned = bound(level, n="s.n", o="s.o", l="list_transform(s.n[1:s.m], lambda e, i: e - s.o[i])")
    rounds = bound(learned, n="s.n", m="s.m", o=f"list_transform(s.n, lambda e, i: {seasonal})")
    medians = bound(rounds, n="s.n", m="s.m", q=_medians(str(max(period, 1))))
    counted = bound(f"CASE WHEN s.m > 0 THEN {medians} END", n="s.n", m=f"len(s.n) - {points}")
    return bound(f"CASE WHEN {numeric('s.n')} THEN {counted} END", n=reals(call, 0))


_GIVEN = "With a period, or 0; to find one is refused: how it is scored is not published."


@several("series_decompose", _COMPONENTS, 1, 5, note=_GIVEN)
def series_decompose(call: Invocation) -> Sql:
    """Seasonal component (medians), then trend of the rest, baseline and residual, in the page's order."""
    return maybe_null(_decomposed(call, 1, call.integer(3)), "dynamic", *call.values)


@scalar("series_decompose_forecast", 2, 5, note=_GIVEN)
def series_decompose_forecast(call: Invocation) -> Sql:
    """The baseline, learned without the last points."""
    bag = bound("s.d->'$.baseline'", d=_decomposed(call, 2, call.integer(1)))
    return maybe_null(bag, "dynamic", *call.values)


# --- filters


def _coefficients(call: Invocation, index: int) -> list[float]:
    found = call.constant(index)
    numbers = found if isinstance(found, list) else []
    if not numbers or not all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers):
        raise call.mismatch(index, "an array of numbers", "Write it as dynamic([1, 1, 1]).")
    return [float(each) for each in numbers]


def _weighted(weights: list[float], shift: int = 0) -> str:
    """The sum of a point of ``s.n`` and those before it by their weights; what is outside the series counts as 0."""
    terms = []
    for back, weight in enumerate(weights):
        at = f"i - {back - shift}"
        terms.append(
            f"CASE WHEN {at} BETWEEN 1 AND len(s.n) THEN {literal(weight, 'real').text} * s.n[{at}] ELSE 0 END"
        )
    return f"({' + '.join(terms)})"


@scalar("series_fir", 2, 4, note="Null where one element is no number. A centred filter has an odd number of weights.")
def series_fir(call: Invocation) -> Sql:
    """A weighted sum of each point and the ones before it (or on both sides)."""
    weights = _coefficients(call, 1)
    negative = min(weights) < 0
    normalize, center = call.constant(2, not negative), call.constant(3, False)
    if center and len(weights) % 2 == 0:
        raise call.unsupported(
            "Where the middle of a filter of an even length is, the page does not say.", "Use an odd number of weights."
        )
    if normalize and (negative or not sum(weights)):
        return Sql("NULL::JSON", "dynamic", True, True)
    scale = f" / {literal(sum(weights), 'real').text}" if normalize else ""
    each = f"{_weighted(weights, len(weights) // 2 if center else 0)}{scale}"
    body = f"CASE WHEN {numeric('s.n')} THEN {series_of(f'list_transform(s.n, lambda e, i: {each})')} END"
    return made_of(bound(body, n=reals(call, 0)), *call.values)


@scalar("series_iir", 3, note="Null where one element is no number.")
def series_iir(call: Invocation) -> Sql:
    """The filter of the page's recursive formula; what is outside the series counts as 0."""
    numerators, denominators = _coefficients(call, 1), _coefficients(call, 2)
    if denominators[0] == 0:
        raise KqlSchemaError(
            "The first denominator must not be 0.", **place(call.argument(2).span), hint="As in dynamic([1, -1])."
        )
    back = "".join(
        f" - {literal(weight, 'real').text} * CASE WHEN len(y) >= {age} THEN y[len(y) + 1 - {age}] ELSE 0 END"
        for age, weight in enumerate(denominators[1:], start=1)
    )
    first = literal(denominators[0], "real").text
    inputs = f"list_transform(s.n, lambda e, i: [{_weighted(numerators)}])"
    steps = f"list_reduce({inputs}, lambda y, u: list_append(y, (u[1]{back}) / {first}), []::DOUBLE[])"
    body = f"CASE WHEN {numeric('s.n')} THEN {series_of(steps)} END"
    return made_of(bound(body, n=reals(call, 0)), *call.values)


# --- gaps

_NOT_WHOLE = (
    "series_fill_linear() comes to a value that is not whole in a series of whole numbers, which the reference page"
    " rounds in two ways: make a series of reals, as with default=real(null)."
)


@scalar(
    "series_fill_linear", 1, 4, note="Nothing is rounded: a value that is not whole, between whole ones, is an error."
)
def series_fill_linear(call: Invocation) -> Sql:
    """A series with straight lines in the gaps, and the nearest value before the first and after the last."""
    missing, edges, constant = call.constant(1), call.constant(2, True), call.constant(3, 0)
    known = "e" if missing is None else f"nullif(e, {literal(float(missing), 'real').text})"
    low, high = ("list_max(list_filter(s.k, lambda j: j < s.i))", "list_min(list_filter(s.k, lambda j: j > s.i))")
    whole = f"CASE WHEN s.v = trunc(s.v) THEN to_json(CAST(s.v AS BIGINT)) ELSE error({quote_text(_NOT_WHOLE)}) END"
    value = bound(f"CASE WHEN s.w THEN {whole} ELSE {as_json('s.v')} END", v="s.v", w="s.w")
    line = bound(value, w="s.w", v="s.n[s.a] + (s.n[s.b] - s.n[s.a]) * (s.i - s.a) / (s.b - s.a)")
    edge = "s.e[coalesce(s.a, s.b)]" if edges else "s.e[s.i]"
    between = bound(
        f"CASE WHEN s.a IS NULL OR s.b IS NULL THEN {edge} ELSE {line} END",
        e="s.e", n="s.n", w="s.w", i="s.i", a=low, b=high,
    )  # fmt: skip
    each = bound(
        f"CASE WHEN s.n[s.i] IS NULL THEN {between} ELSE s.e[s.i] END", e="s.e", n="s.n", k="s.k", w="s.w", i="i"
    )
    lines = f"list_transform(s.e, lambda x, i: {each})"
    nothing = f"list_transform(s.e, lambda x: {json_literal(constant).text if constant is not None else 'x'})"
    places = "list_filter(range(1, len(s.n) + 1), lambda j: s.n[j] IS NOT NULL)"
    whole_ones = f"len(list_filter(s.k, lambda j: json_type(s.e[j]) NOT IN {WHOLE_NUMBERS})) = 0"
    body = bound(f"CASE WHEN len(s.k) = 0 THEN {nothing} ELSE {lines} END", e="s.e", n="s.n", k="s.k", w=whole_ones)
    found = bound(body, e="s.e", n="s.n", k=places)
    return made_of(
        bound(found, e=array(call, 0), n=f"list_transform({reals(call, 0)}, lambda e: {known})"), *call.values
    )


_OUTLIERS = "The page calls its score Tukey's test and gives no formula for it"
refuse(
    "series_outliers",
    f"{_OUTLIERS}: compare with percentiles instead, by mv-expand and summarize percentiles(x, 10, 90).",
)
refuse(
    "series_decompose_anomalies",
    f"It scores by series_outliers(). {_OUTLIERS}: take the residual of series_decompose(Series, Period) and compare it"
    " with its own percentiles.",
)
refuse(
    "series_periods_detect series_periods_validate",
    "The page says that periods get a score between 0 and 1, not how: give the period to series_decompose() yourself.",
)
refuse(
    "series_fit_2lines series_fit_2lines_dynamic",
    "The page does not say to which part the breaking point belongs, nor how short a part may be: fit a line to each"
    " part, with series_fit_line(array_slice(...)).",
)
refuse(
    "series_fit_poly",
    "How it solves for the coefficients, which decides their digits, is not published: series_fit_line() fits a line.",
)
refuse(
    "series_fft series_ifft",
    "The page does not say which of the two divides by the length: compute it outside the query.",
)
