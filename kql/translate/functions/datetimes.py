"""Datetimes and timespans: now, parts, periods, differences, zones.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#datetime-and-timespan-functions. Weeks begin on Sunday,
save for ``week_of_year`` (ISO 8601) and for ``bin`` by 7d.
"""

from __future__ import annotations

from datetime import timedelta

from kql.sql import quote_text
from kql.translate import conversions
from kql.translate.arithmetic import arithmetic
from kql.translate.functions.bins import ORIGIN
from kql.translate.functions.maths import real, whole
from kql.translate.functions.registry import Invocation, refuse, scalar, template
from kql.translate.values import INTEGERS, Sql, literal, maybe_null, of_type

_CUT = "Times are kept in whole microseconds."
_DAY = 86_400_000_000
_LAST = 253_402_300_800_000_000
"""The first microsecond after 9999-12-31."""
_FIXED = {
    "week": 7 * _DAY, "day": _DAY, "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000,
    "millisecond": 1_000, "microsecond": 1,
}  # fmt: skip
_MONTHS = {"year": 12, "quarter": 3, "month": 1}
_PARTS = {
    "year": "year({0})", "quarter": "quarter({0})", "month": "month({0})", "week_of_year": "weekofyear({0})",
    "day": "day({0})", "dayofyear": "dayofyear({0})", "hour": "hour({0})", "minute": "minute({0})",
    "second": "second({0})", "millisecond": "(microsecond({0}) % 1000000 // 1000)",
    "microsecond": "(microsecond({0}) % 1000000)",
}  # fmt: skip


@scalar("now", 0, 1)
def now(call: Invocation) -> Sql:
    moment = literal(call.compiler.translation.now, "datetime")
    return _moved(call, "+", moment) if call.count else moment


@scalar("ago", 1)
def ago(call: Invocation) -> Sql:
    return _moved(call, "-", literal(call.compiler.translation.now, "datetime"))


def _moved(call: Invocation, operator: str, moment: Sql) -> Sql:
    """The pinned clock moved by a timespan; a constant one gives a literal, which filters on files understand."""
    span = call.as_type(0, "timespan")
    start = call.compiler.translation.now
    if span.literal is not None and isinstance(span.literal.value, timedelta):
        try:
            return literal(start + span.literal.value if operator == "+" else start - span.literal.value, "datetime")
        except OverflowError as error:
            raise call.unsupported(
                f"{call.name}() leaves the years 1 to 9999.", "Give it a shorter timespan."
            ) from error
    return arithmetic(operator, moment, span) or literal(None, "datetime")


def _int_part(names: str, part: str, page: str = "") -> None:
    template(names, ["datetime"], "int", f"CAST({_PARTS[part]} AS INTEGER)", page=page)


_int_part("getyear", "year")
_int_part("getmonth monthofyear", "month", "monthofyear-function")
_int_part("dayofmonth", "day")
_int_part("dayofyear", "dayofyear")
_int_part("hourofday", "hour")
_int_part("week_of_year", "week_of_year")
refuse("weekofyear", "It does not count by ISO 8601, and how is not published: use week_of_year().")
template("dayofweek", ["datetime"], "timespan", f"(dayofweek({{0}}) * {_DAY})")


def _part(call: Invocation, known: dict[str, str] | dict[str, int]) -> str:
    part = call.constant_text(0).lower()
    if part == "nanosecond":
        raise call.unsupported(
            f"{call.name}() by nanosecond.", "Times are kept in whole microseconds: use microsecond."
        )
    if part not in known:
        raise call.unsupported(f"{call.name}() does not know {part}.", f"Write one of {', '.join(known)}.")
    return part


@scalar("datetime_part datepart", 2, page="datetime-part-function")
def datetime_part(call: Invocation) -> Sql:
    part = _part(call, _PARTS)
    value = call.as_type(1, "datetime")
    return of_type(f"CAST({_PARTS[part].format(value.text)} AS INTEGER)", "int", value)


@scalar("datetime_add", 3)
def datetime_add(call: Invocation) -> Sql:
    """A month that has no such day gives its last."""
    part = _part(call, {**_MONTHS, **_FIXED})
    count, value = whole(call, 1), call.as_type(2, "datetime")
    if part in _MONTHS:
        step = f"to_months(CAST({count.text} * {_MONTHS[part]} AS INTEGER))"
    else:
        step = f"to_microseconds({count.text} * {_FIXED[part]})"
    return of_type(f"({value.text} + {step})", "datetime", count, value)


@scalar("datetime_diff", 3)
def datetime_diff(call: Invocation) -> Sql:
    """How many borders of the period lie between: the first minus the second."""
    part = _part(call, {**_MONTHS, **_FIXED})
    one, two = call.as_type(1, "datetime"), call.as_type(2, "datetime")
    return of_type(f"CAST({_period(part, one.text)} - {_period(part, two.text)} AS BIGINT)", "long", one, two)


def _period(part: str, moment: str) -> str:
    """The number of the period that a moment lies in."""
    if part == "year":
        return f"year({moment})"
    if part == "quarter":
        return f"(year({moment}) * 4 + quarter({moment}))"
    if part == "month":
        return f"(year({moment}) * 12 + month({moment}))"
    # 0001-01-01 was a Monday, and a week begins on Sunday.
    start = ORIGIN + (_DAY if part == "week" else 0)
    return f"((epoch_us({moment}) + {start}) // {_FIXED[part]})"


_SUNDAY = "(date_trunc('week', {0} + INTERVAL 1 DAY) - INTERVAL 1 DAY)"
_STARTS = {
    "day": ("date_trunc('day', {0})", "to_days", "INTERVAL 1 DAY"),
    "week": (_SUNDAY, "to_weeks", "INTERVAL 7 DAY"),
    "month": ("date_trunc('month', {0})", "to_months", "INTERVAL 1 MONTH"),
    "year": ("date_trunc('year', {0})", "to_years", "INTERVAL 1 YEAR"),
}


def _bounds(period: str) -> None:
    start, step, whole_period = _STARTS[period]

    def begin(call: Invocation) -> Sql:
        value = call.as_type(0, "datetime")
        text = f"CAST({start.format(value.text)} AS TIMESTAMP)"
        if call.count == 1:
            return of_type(text, "datetime", value)
        offset = call.as_type(1, "long")
        return of_type(f"({text} + {step}(CAST({offset.text} AS INTEGER)))", "datetime", value, offset)

    def end(call: Invocation) -> Sql:
        first = begin(call)
        return of_type(f"({first.text} + {whole_period} - INTERVAL 1 MICROSECOND)", "datetime", first)

    scalar(f"startof{period}", 1, 2)(begin)
    scalar(f"endof{period}", 1, 2, note=f"{_CUT} The last one of the period is given.")(end)


for _each in _STARTS:
    _bounds(_each)


@scalar("make_datetime", 1, 6)
def make_datetime(call: Invocation) -> Sql:
    """Null where there is no such day or time."""
    if call.count == 1:
        return conversions.to_moment(call.values[0])
    if call.count == 2:
        raise call.unsupported("make_datetime() of a year and a month.", "Give it the day, too.")
    parts = [conversions.to_integer(call.number(index), "long") for index in range(min(call.count, 5))]
    texts = [part.text for part in parts] + ["0::BIGINT"] * (5 - len(parts))
    seconds = real(call, 5) if call.count == 6 else literal(0.0, "real")
    # Kusto cuts what is finer than it keeps; make_timestamp would round it.
    fine = f"floor({seconds.text} * 1000000) / 1000000"
    made = f"TRY(make_timestamp({', '.join(texts)}, {fine}))"
    whole_parts = f"{texts[0]} BETWEEN 1 AND 9999 AND {seconds.text} >= 0 AND {seconds.text} < 60"
    return maybe_null(f"CASE WHEN {whole_parts} THEN {made} END", "datetime", *parts, seconds)


@scalar("make_timespan", 1, 4)
def make_timespan(call: Invocation) -> Sql:
    """Null where hours are more than 23, minutes or seconds more than 59."""
    if call.count == 1:
        return conversions.to_span(call.values[0])
    days = whole(call, 0) if call.count == 4 else literal(0, "long")
    first = 1 if call.count == 4 else 0
    hours, minutes = whole(call, first), whole(call, first + 1)
    seconds = real(call, first + 2) if call.count > 2 else literal(0.0, "real")
    total = f"(({days.text} * 24 + {hours.text}) * 60 + {minutes.text}) * 60000000"
    fine = f"CAST(floor({seconds.text} * 1000000) AS BIGINT)"
    fits = f"{hours.text} BETWEEN 0 AND 23 AND {minutes.text} BETWEEN 0 AND 59"
    fits += f" AND {seconds.text} >= 0 AND {seconds.text} < 60"
    return maybe_null(f"CASE WHEN {fits} THEN {total} + {fine} END", "timespan", days, hours, minutes, seconds)


def _unixtime(unit: str, factor: int) -> None:
    def build(call: Invocation) -> Sql:
        value = call.values[0]
        if value.type in INTEGERS or factor < 1_000:
            value = conversions.to_integer(value if value.type == "dynamic" else call.number(0), "long")
            # Held at a bound that is no moment any more, so that the product cannot overflow.
            bound = _LAST // (factor or 1)
            held = f"greatest(least({value.text}, {bound}), -{bound})"
            count = f"({held} * {factor})" if factor else f"({value.text} // 1000)"
        else:
            value = real(call)
            count = f"TRY_CAST(floor({value.text} * {factor}) AS BIGINT)"
        return maybe_null(conversions.moment_of_micros(count), "datetime", value)

    scalar(f"unixtime_{unit}_todatetime", 1, note=_CUT if factor == 0 else "")(build)


_unixtime("seconds", 1_000_000)
_unixtime("milliseconds", 1_000)
_unixtime("microseconds", 1)
_unixtime("nanoseconds", 0)


@scalar("datetime_utc_to_local", 2)
def utc_to_local(call: Invocation) -> Sql:
    value, zone = call.as_type(0, "datetime"), _zone(call)
    return of_type(f"timezone({zone}, timezone('UTC', {value.text}))", "datetime", value)


@scalar(
    "datetime_local_to_utc", 2, note="A local time that comes twice, or never, on the day clocks are changed is ICU's."
)
def local_to_utc(call: Invocation) -> Sql:
    value, zone = call.as_type(0, "datetime"), _zone(call)
    return of_type(f"timezone('UTC', timezone({zone}, {value.text}))", "datetime", value)


def _zone(call: Invocation) -> str:
    """The zone's name, one that ICU knows."""
    zone = quote_text(call.constant_text(1))
    known = Sql(f"(SELECT count(*) FROM pg_timezone_names() WHERE name = {zone})", "long", False, True)
    if not call.compiler.translation.compute(known, call.span):
        raise call.unsupported(
            f"There is no time zone {zone}.", "Write a name such as 'Europe/Berlin' or 'US/Pacific'."
        )
    return zone


refuse("datetime_list_timezones", "The names are those of the IANA time zone database.")
refuse("datetime_to_locale_string", "Use format_datetime().")
