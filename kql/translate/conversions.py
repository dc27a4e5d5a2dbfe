"""From one type to another: what ``tostring`` and its kin do, and what KQL converts by itself.

https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/ and the pages of the ``to...()`` functions. What a text
that is no value becomes is null, everywhere. Which texts are values, what overflows and what a dynamic converts as was
measured on Microsoft's emulator by the authors of duckdb-kql.
"""

from __future__ import annotations

from kql.translate.values import Sql, dynamic_kind, dynamic_text, maybe_null, of_type, retyped
from kql.types import KqlType

_SPAN = r"^\s*(-?)(?:(\d{1,8})\.)?([01]?\d|2[0-3]):([0-5]?\d)(?::([0-5]?\d)(?:\.(\d+))?)?\s*$"
_UNIT = r"^\s*(-?\d+(?:\.\d+)?)\s*(d|h|m|s|ms)\s*$"
_WHOLE = r"^\s*[+-]?\d+\s*$"
_INTEGER = r"^\s*([+-]?\d+|0[xX][0-9a-fA-F]{1,16})\s*$"
_TICKS = 62135596800000000
"""Microseconds from 0001-01-01 to 1970-01-01."""
_LAST = 253402300800000000
"""The first microsecond after 9999-12-31."""
_NOT_JSON = "('nan', '-nan', 'inf', '-inf', 'infinity', '-infinity')"
_RANK: dict[KqlType, int] = {"int": 1, "long": 2, "decimal": 3, "real": 4}

_CLOCKS = (" %H:%M:%S", " %H:%M", "")
# A year of two digits is tried first: %Y would take it, and mean the first century.
_DAYS = ("%d %b %y", "%d %b %Y", "%d-%b-%y", "%d-%b-%Y")
_MOMENTS = [f"{day}{clock}" for day in ("%m-%d-%Y", "%m/%d/%Y", "%m.%d.%Y") for clock in _CLOCKS]
_MOMENTS += [f"{name}{day}{clock}" for name in ("", "%a, ", "%A, ") for day in _DAYS for clock in _CLOCKS]
_MOMENTS += ["%m/%d/%Y %I:%M:%S %p", "%b %d, %Y", "%Y%m%d", "%Y-%m"]


def to_string(value: Sql) -> Sql:
    """``tostring()``: never null."""
    text = value.text
    match value.type:
        case "string":
            return value
        case "dynamic":
            return maybe_null(dynamic_text(value), "string", value)
        case "bool":
            return of_type(f"CASE WHEN {text} THEN 'True' WHEN NOT {text} THEN 'False' ELSE '' END", "string", value)
        case "datetime":
            return of_type(moment_text(text), "string", value)
        case "timespan":
            return of_type(span_text(text), "string", value)
        case "real":
            return of_type(real_text(text), "string", value)
        case "decimal":
            trimmed = rf"regexp_replace(CAST({text} AS VARCHAR), '\.?0+$', '')"
            return of_type(trimmed, "string", value)
        case _:
            return of_type(f"CAST({text} AS VARCHAR)", "string", value)


def real_text(text: str) -> str:
    """A real as text: the shortest that is read back as the same number, whole ones with ``.0``."""
    plain = f"CAST({text} AS VARCHAR)"
    return (
        f"CASE {plain} WHEN 'nan' THEN 'NaN' WHEN '-nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity'"
        f" WHEN '-inf' THEN '-Infinity' ELSE {plain} END"
    )


def moment_text(text: str) -> str:
    """A datetime in Kusto's own form: ISO 8601 with seven digits and Z."""
    return f"strftime({text}, '%Y-%m-%dT%H:%M:%S.%f0Z')"


def span_text(text: str) -> str:
    """A timespan in Kusto's own form, ``[-][d.]hh:mm:ss[.fffffff]``."""
    size = f"abs({text})"
    days = f"CASE WHEN {size} >= 86400000000 THEN CAST({size} // 86400000000 AS VARCHAR) || '.' ELSE '' END"
    clock = f"printf('%02d:%02d:%02d', {size} // 3600000000 % 24, {size} // 60000000 % 60, {size} // 1000000 % 60)"
    rest = f"CASE WHEN {size} % 1000000 > 0 THEN printf('.%06d0', {size} % 1000000) ELSE '' END"
    return f"(CASE WHEN {text} < 0 THEN '-' ELSE '' END || {days} || {clock} || {rest})"


def to_bool(value: Sql) -> Sql:
    """``tobool()``: a number is what is not 0; a text is ``true``, ``false`` or a whole number."""
    match value.type:
        case "bool":
            return value
        case "int" | "long" | "real" | "decimal":
            return of_type(f"({value.text} <> 0)", "bool", value)
        case "string" | "dynamic":
            text = _plain(value)
            number = f"CASE WHEN regexp_matches({text}, '{_WHOLE}') THEN TRY_CAST({text} AS BIGINT) <> 0 END"
            if value.type == "dynamic":
                number = (
                    f"CASE {dynamic_kind(value)} WHEN 'DOUBLE' THEN TRY_CAST({text} AS DOUBLE) <> 0 ELSE {number} END"
                )
            word = rf"lower(regexp_replace({text}, '^\s+|\s+$', '', 'g'))"
            return maybe_null(
                f"CASE {word} WHEN 'true' THEN true WHEN 'false' THEN false ELSE {number} END", "bool", value
            )
        case _:
            return maybe_null("NULL::BOOLEAN", "bool", value)


def to_integer(value: Sql, kind: KqlType) -> Sql:
    """``tolong()`` and ``toint()``.

    A real is cut, and held at the type's bounds; a text is a whole number, decimal or hexadecimal; a datetime and a
    timespan are ticks of 100 ns. A long that is too large for an int loses its upper bits.
    """
    text = value.text
    match value.type:
        case "int" | "long":
            if value.type == kind:
                return value
            return of_type(f"CAST({text} AS BIGINT)" if kind == "long" else _wrapped(text), kind, value)
        case "bool":
            return of_type(f"CAST({text} AS {_SQL[kind]})", kind, value)
        case "real" | "decimal":
            return maybe_null(_cut(text, kind), kind, value)
        case "datetime" | "timespan":
            ticks = f"({text} * 10)" if value.type == "timespan" else f"((epoch_us({text}) + {_TICKS}) * 10)"
            return of_type(ticks if kind == "long" else _wrapped(ticks), kind, value)
        case "string":
            return maybe_null(_integer_of_text(text, kind), kind, value)
        case "dynamic":
            return maybe_null(_integer_of_dynamic(value, kind), kind, value)
        case _:
            return maybe_null(f"NULL::{_SQL[kind]}", kind, value)


_SQL: dict[KqlType, str] = {"int": "INTEGER", "long": "BIGINT"}
_BITS: dict[KqlType, int] = {"int": 31, "long": 63}


def _wrapped(text: str) -> str:
    """A long's lower 32 bits as an int."""
    return f"CAST(xor({text} & 4294967295, 2147483648) - 2147483648 AS INTEGER)"


def _cut(text: str, kind: KqlType) -> str:
    bound = 1 << _BITS[kind]
    held = f"CASE WHEN {text} > 0 THEN {bound - 1} ELSE -{bound - 1} - 1 END"
    real = f"CAST({text} AS DOUBLE)"
    return f"coalesce(TRY_CAST(trunc({text}) AS {_SQL[kind]}), CASE WHEN isfinite({real}) THEN {held} END)"


def _integer_of_text(plain: str, kind: KqlType) -> str:
    """Nearly all whole numbers are bare digits, for which a pattern without groups is twice as fast."""
    return f"coalesce({_digits(plain, kind)}, TRY_CAST(regexp_extract({plain}, '{_INTEGER}', 1) AS {_SQL[kind]}))"


def _digits(plain: str, kind: KqlType) -> str:
    return rf"TRY_CAST(regexp_extract({plain}, '^-?\d+$') AS {_SQL[kind]})"


def _integer_of_dynamic(value: Sql, kind: KqlType) -> str:
    """As what it holds; bare digits mean the same in a text and in a number."""
    plain = dynamic_text(value)
    real = f"TRY_CAST({plain} AS DOUBLE)"
    large = _wrapped(f"TRY_CAST({plain} AS BIGINT)") if kind == "int" else "NULL"
    other = (
        f"CASE {dynamic_kind(value)} WHEN 'DOUBLE' THEN {_cut(real, kind)} WHEN 'BOOLEAN' THEN"
        f" CASE {plain} WHEN 'true' THEN 1 ELSE 0 END WHEN 'VARCHAR' THEN {_integer_of_text(plain, kind)}"
        f" ELSE {large} END"
    )
    return f"coalesce({_digits(plain, kind)}, CASE WHEN {plain} IS NOT NULL THEN {other} END)"


def to_real(value: Sql) -> Sql:
    """``todouble()``."""
    match value.type:
        case "real":
            return value
        case "int" | "long" | "decimal" | "bool":
            return of_type(f"CAST({value.text} AS DOUBLE)", "real", value)
        case "datetime" | "timespan":
            return of_type(f"CAST({to_integer(value, 'long').text} AS DOUBLE)", "real", value)
        case "string" | "dynamic":
            text = _plain(value)
            # DuckDB reads 1_000 as a thousand.
            return maybe_null(f"CASE WHEN NOT contains({text}, '_') THEN TRY_CAST({text} AS DOUBLE) END", "real", value)
        case _:
            return maybe_null("NULL::DOUBLE", "real", value)


def to_decimal(value: Sql) -> Sql:
    """``todecimal()``."""
    match value.type:
        case "decimal":
            return value
        case "string" | "dynamic":
            text = _plain(value)
            cast = f"CASE WHEN NOT contains({text}, '_') THEN TRY_CAST({text} AS DECIMAL(38,15)) END"
            return maybe_null(cast, "decimal", value)
        case "int" | "long" | "real" | "bool":
            return maybe_null(f"TRY_CAST({value.text} AS DECIMAL(38,15))", "decimal", value)
        case "datetime" | "timespan":
            return maybe_null(f"CAST({to_integer(value, 'long').text} AS DECIMAL(38,15))", "decimal", value)
        case _:
            return maybe_null("NULL::DECIMAL(38,15)", "decimal", value)


def to_moment(value: Sql) -> Sql:
    """``todatetime()``: a text without a zone is UTC; a number counts ticks from year 1.

    https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/datetime#supported-formats
    """
    match value.type:
        case "datetime":
            return value
        case "int" | "long" | "real":
            return maybe_null(moment_of_micros(f"{to_integer(value, 'long').text} // 10 - {_TICKS}"), "datetime", value)
        case "string" | "dynamic":
            return maybe_null(_moment_of_text(_plain(value)), "datetime", value)
        case _:
            return maybe_null("NULL::TIMESTAMP", "datetime", value)


def moment_of_micros(micros: str) -> str:
    """The TIMESTAMP so many microseconds after 1970; NULL outside Kusto's years 1 to 9999."""
    return f"CASE WHEN {micros} >= -{_TICKS} AND {micros} < {_LAST} THEN make_timestamp({micros}) END"


def _moment_of_text(plain: str) -> str:
    iso = "TRY_CAST({} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
    forms = "[" + ", ".join(f"'{form}'" for form in _MOMENTS) + "]"
    cut = rf"regexp_replace({plain}, '^\s+|\s*(GMT|UTC)?\s*$', '', 'g')"
    return (
        rf"CASE WHEN regexp_matches({plain}, '^\d{{4}}-\d{{1,2}}-\d') THEN {iso.format(plain)}"
        rf" WHEN regexp_matches({plain}, '^\s+\d{{4}}-\d{{1,2}}-\d') THEN {iso.format(f'trim({plain})')}"
        rf" WHEN regexp_matches({plain}, '\d') THEN try_strptime({cut}, {forms}) END"
    )


def to_span(value: Sql) -> Sql:
    """``totimespan()``: a number counts ticks of 100 ns; what is finer than a microsecond is cut off."""
    match value.type:
        case "timespan":
            return value
        case "int" | "long" | "real" | "decimal" | "bool" | "datetime":
            return maybe_null(f"({to_integer(value, 'long').text} // 10)", "timespan", value)
        case "string":
            return maybe_null(_span_of_text(value.text), "timespan", value)
        case "dynamic":
            number = f"({to_integer(value, 'long').text} // 10)"
            text = (
                f"CASE {dynamic_kind(value)} WHEN 'VARCHAR' THEN {_span_of_text(dynamic_text(value))} ELSE {number} END"
            )
            return maybe_null(text, "timespan", value)
        case _:
            return maybe_null("NULL::BIGINT", "timespan", value)


def _span_of_text(plain: str) -> str:
    def part(number: int) -> str:
        return f"coalesce(TRY_CAST(regexp_extract(v, '{_SPAN}', {number}) AS BIGINT), 0)"

    fraction = f"CAST(rpad(left(regexp_extract(v, '{_SPAN}', 6), 6), 6, '0') AS BIGINT)"
    total = f"((({part(2)} * 24 + {part(3)}) * 60 + {part(4)}) * 60 + {part(5)}) * 1000000 + {fraction}"
    units = "WHEN 'd' THEN 86400000000 WHEN 'h' THEN 3600000000 WHEN 'm' THEN 60000000 WHEN 's' THEN 1000000"
    other = (
        f"WHEN regexp_matches(v, '{_UNIT}') THEN CAST(CAST(regexp_extract(v, '{_UNIT}', 1) AS DOUBLE)"
        f" * CASE regexp_extract(v, '{_UNIT}', 2) {units} WHEN 'ms' THEN 1000 END AS BIGINT)"
        f" WHEN regexp_matches(v, '^\\s*-?\\d{{1,8}}\\s*$') THEN TRY_CAST(v AS BIGINT) * 86400000000"
    )
    return (
        f"list_transform([{plain}], lambda v: CASE WHEN regexp_matches(v, '{_SPAN}')"
        f" THEN CASE WHEN regexp_extract(v, '{_SPAN}', 1) = '-' THEN -1 ELSE 1 END * ({total}) {other} END)[1]"
    )


def to_guid(value: Sql) -> Sql:
    """``toguid()``."""
    if value.type == "guid":
        return value
    if value.type in ("string", "dynamic"):
        return maybe_null(f"TRY_CAST(trim({_plain(value)}, ' {{}}') AS UUID)", "guid", value)
    return maybe_null("NULL::UUID", "guid", value)


def to_dynamic(value: Sql) -> Sql:
    """``todynamic()`` of a value that is no text, and what a value becomes in an array or a bag."""
    match value.type:
        case "dynamic":
            return value
        case "datetime":
            return of_type(f"to_json({moment_text(value.text)})", "dynamic", value)
        case "timespan":
            return of_type(f"to_json({span_text(value.text)})", "dynamic", value)
        case "guid":
            return of_type(f"to_json(CAST({value.text} AS VARCHAR))", "dynamic", value)
        case "decimal":
            return of_type(f"to_json(CAST({value.text} AS DOUBLE))", "dynamic", value)
        case "real":
            finite = f"isfinite({value.text})"
            text = f"CASE WHEN {finite} THEN to_json({value.text}) ELSE to_json({real_text(value.text)}) END"
            return of_type(text, "dynamic", value)
        case _:
            return of_type(f"to_json({value.text})", "dynamic", value)


def _plain(value: Sql) -> str:
    """A string's or a dynamic's text."""
    return value.text if value.type == "string" else dynamic_text(value)


def coerce(value: Sql, kind: KqlType) -> Sql | None:
    """What KQL makes of a value by itself where another type is needed; None where it makes nothing."""
    if value.type == kind:
        return value
    if value.literal is not None and value.literal.value is None and value.type != "string":
        return retyped(Sql("NULL", kind, True, True), kind)
    if value.type == "dynamic":
        return convert(value, kind)
    if value.type in _RANK and kind in _RANK:
        if _RANK[value.type] < _RANK[kind]:
            return convert(value, kind)
        if value.literal is not None and kind in ("int", "long") and value.type in ("int", "long"):
            return to_integer(value, kind)
        return None
    if kind == "dynamic":
        return to_dynamic(value)
    return None


def convert(value: Sql, kind: KqlType) -> Sql:
    """The explicit conversion to a type: what ``to<type>()`` answers."""
    match kind:
        case "string":
            return to_string(value)
        case "bool":
            return to_bool(value)
        case "int" | "long":
            return to_integer(value, kind)
        case "real":
            return to_real(value)
        case "decimal":
            return to_decimal(value)
        case "datetime":
            return to_moment(value)
        case "timespan":
            return to_span(value)
        case "guid":
            return to_guid(value)
        case _:
            return to_dynamic(value)


def json_of_text(value: Sql) -> Sql:
    """What ``parse_json()`` makes of a string: the JSON it holds, itself where it holds none; null for an empty one."""
    parsed = f"TRY_CAST({value.text} AS JSON)"
    # DuckDB reads NaN and Infinity as JSON, which has no such numbers: to Kusto they are texts.
    text = (
        f"CASE WHEN {value.text} = '' THEN NULL"
        f" WHEN lower(trim({value.text})) IN {_NOT_JSON} THEN to_json({value.text})"
        f" ELSE coalesce({parsed}, to_json({value.text})) END"
    )
    return Sql(text, "dynamic", True, value.constant, None, (parsed, "$"))


def common_type(kinds: list[KqlType]) -> KqlType | None:
    """The type that values of these types have together, None where they have none."""
    distinct = set(kinds)
    if len(distinct) == 1:
        return kinds[0]
    if distinct <= _RANK.keys():
        return max(distinct, key=lambda kind: _RANK[kind])
    if "dynamic" in distinct:
        return "dynamic"
    return None
