"""Numbers and bits.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#mathematical-functions
"""

from __future__ import annotations

from collections.abc import Callable

from kql.translate import conversions
from kql.translate.functions.registry import Invocation, refuse, scalar, template
from kql.translate.values import INTEGERS, NUMBERS, Sql, maybe_null, of_type

_WORD = 1 << 64
_SIGN = 1 << 63


def real(call: Invocation, index: int = 0) -> Sql:
    """An argument that is a number, as a real."""
    return conversions.to_real(call.number(index))


def whole(call: Invocation, index: int = 0) -> Sql:
    """An argument that is a whole number, as a long."""
    value = call.values[index]
    if value.type not in INTEGERS | {"dynamic"}:
        raise call.mismatch(index, "a whole number", "tolong(...) makes one of it.")
    return conversions.to_integer(value, "long")


def _plain(names: str, sql: str, page: str = "") -> None:
    """A function of one real that has a value everywhere; infinite and NaN ones are values, too."""

    def build(call: Invocation) -> Sql:
        value = real(call)
        return of_type(sql.format(value.text), "real", value)

    scalar(names, 1, page=page)(build)


def _partial(names: str, sql: str, domain: str) -> None:
    """A function of one real that is null outside its domain; NaN gives NaN."""

    def build(call: Invocation) -> Sql:
        value = real(call)
        text = f"CASE WHEN {domain} OR isnan({{0}}) THEN {sql} END"
        return maybe_null(text.format(value.text), "real", value)

    scalar(names, 1)(build)


_plain("exp", "exp({0})")
_plain("exp2", "pow(2::DOUBLE, {0})")
_plain("exp10", "pow(10::DOUBLE, {0})")
_plain("sin", "sin({0})")
_plain("cos", "cos({0})")
_plain("tan", "tan({0})")
_plain("cot", "cot({0})")
_plain("atan", "atan({0})")
_plain("degrees", "degrees({0})")
_plain("radians", "radians({0})")
_plain("gamma", "gamma({0})")
_plain("loggamma", "lgamma({0})")
_partial("asin", "asin({0})", "{0} BETWEEN -1 AND 1")
_partial("acos", "acos({0})", "{0} BETWEEN -1 AND 1")
_partial("sqrt", "sqrt({0})", "{0} >= 0")
_partial("log", "ln({0})", "{0} >= 0")
_partial("log2", "log2({0})", "{0} >= 0")
_partial("log10", "log10({0})", "{0} >= 0")
template("isnan", ["real"], "bool", "isnan({0})")
template("isinf", ["real"], "bool", "isinf({0})")
template("isfinite", ["real"], "bool", "isfinite({0})")


@scalar("pi", 0)
def pi(call: Invocation) -> Sql:
    return Sql("pi()", "real", False, True)


@scalar("pow atan2", 2)
def two_reals(call: Invocation) -> Sql:
    one, two = real(call, 0), real(call, 1)
    return of_type(f"{call.name.lower()}({one.text}, {two.text})", "real", one, two)


@scalar("sign", 1)
def sign(call: Invocation) -> Sql:
    """0 for null and NaN, as Kusto has it."""
    value = real(call)
    return Sql(f"CAST(coalesce(sign({value.text}), 0) AS DOUBLE)", "real", False, value.constant)


@scalar("abs", 1)
def absolute(call: Invocation) -> Sql:
    value = call.values[0]
    if value.type == "int":
        value = conversions.to_integer(value, "long")
    if value.type not in NUMBERS | {"timespan"}:
        value = call.number(0)
    return of_type(f"abs({value.text})", value.type, value)


@scalar("ceiling", 1)
def ceiling(call: Invocation) -> Sql:
    value = call.number(0)
    if value.type in INTEGERS:
        return value
    text = f"ceil({value.text})"
    return of_type(f"CAST({text} AS DECIMAL(38,15))" if value.type == "decimal" else text, value.type, value)


@scalar("round", 1, 2)
def rounded(call: Invocation) -> Sql:
    """Half goes away from zero; the digits are those of the double. Whole numbers give reals, too, decimals stay."""
    if call.values[0].type == "decimal":
        value, places = call.values[0], call.integer(1)
        return of_type(f"CAST(round({value.text}, {places}) AS DECIMAL(38,15))", "decimal", value)
    value = real(call)
    if call.count == 1:
        return of_type(f"round({value.text})", "real", value)
    digits = whole(call, 1)
    return of_type(f"round({value.text}, CAST({digits.text} AS INTEGER))", "real", value, digits)


def _bitwise(sql: str) -> Callable[[Invocation], Sql]:
    def build(call: Invocation) -> Sql:
        one, two = whole(call, 0), whole(call, 1)
        return of_type(sql.format(one.text, two.text), "long", one, two)

    return build


scalar("binary_and", 2)(_bitwise("({0} & {1})"))
scalar("binary_or", 2)(_bitwise("({0} | {1})"))
scalar("binary_xor", 2)(_bitwise("xor({0}, {1})"))


@scalar("binary_not", 1)
def binary_not(call: Invocation) -> Sql:
    value = whole(call)
    return of_type(f"(~{value.text})", "long", value)


@scalar("binary_shift_left", 2)
def shift_left(call: Invocation) -> Sql:
    """By the shift modulo 64, bits that leave at the top are lost; null for a negative shift."""
    value, shift = whole(call, 0), whole(call, 1)
    wide = f"({value.text}::HUGEINT * (1::HUGEINT << ({shift.text} % 64))) & {_WORD - 1}::HUGEINT"
    text = f"CAST(xor({wide}, {_SIGN}::HUGEINT) - {_SIGN}::HUGEINT AS BIGINT)"
    return maybe_null(f"CASE WHEN {shift.text} >= 0 THEN {text} END", "long", value, shift)


@scalar("binary_shift_right", 2)
def shift_right(call: Invocation) -> Sql:
    value, shift = whole(call, 0), whole(call, 1)
    return maybe_null(f"CASE WHEN {shift.text} >= 0 THEN {value.text} >> ({shift.text} % 64) END", "long", value, shift)


@scalar("bitset_count_ones", 1)
def count_ones(call: Invocation) -> Sql:
    value = whole(call)
    return of_type(f"CAST(bit_count({value.text}) AS BIGINT)", "long", value)


refuse(
    "convert_angle convert_energy convert_force convert_length convert_mass convert_speed convert_temperature"
    " convert_volume",
    "Multiply by the factor between the units.",
)
refuse("beta_cdf beta_inv beta_pdf welch_test erf erfc", "Compute it outside the query, from the exported rows.")
