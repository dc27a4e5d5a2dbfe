"""Choosing between values, and asking whether there is one.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#conditional-functions
"""

from __future__ import annotations

from collections.abc import Sequence

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import Name
from kql.translate import conversions
from kql.translate.arithmetic import arithmetic
from kql.translate.functions.registry import Invocation, refuse, scalar
from kql.translate.values import INTEGERS, NUMBERS, Sql, is_null, literal, maybe_null, of_type
from kql.types import KqlType

_MOST = 64
_INGESTED = ("$IngestionTime", "_TimeReceived")


def condition(call: Invocation, index: int) -> str:
    """An argument as a condition."""
    value = call.values[index]
    if value.type not in ("bool", "dynamic"):
        raise call.mismatch(index, "a condition", "Compare it.")
    return conversions.to_bool(value).text


def branches(call: Invocation, indexes: Sequence[int], *, widen: bool = False) -> list[Sql]:
    """The values that a function chooses from, brought to the type they have together.

    A dynamic takes the type of the others; an int that of a long. ``widen``: any number that of the widest. Raises
    KqlSchemaError for other mixtures, as Kusto does.
    """
    kinds: list[KqlType] = [call.values[index].type for index in indexes]
    plain: list[KqlType] = [kind for kind in kinds if kind != "dynamic"] or kinds
    numbers = NUMBERS if widen else INTEGERS
    kind = conversions.common_type(plain) if len(set(plain)) == 1 or set(plain) <= numbers else None
    if kind is None:
        odd = next(index for index in indexes if call.values[index].type not in ("dynamic", plain[0]))
        raise call.mismatch(odd, f"a {plain[0]}, as before,", f"Convert one of them, with to{plain[0]}() for example.")
    return [conversions.convert(call.values[index], kind) for index in indexes]


def _chosen(text: str, values: Sequence[Sql], *tests: Sql) -> Sql:
    nullable = any(value.nullable for value in values)
    return Sql(text, values[0].type, nullable, all(value.constant for value in (*values, *tests)))


@scalar("iff iif", 3, page="iff-function")
def iff(call: Invocation) -> Sql:
    yes, no = branches(call, [1, 2])
    return _chosen(f"CASE WHEN {condition(call, 0)} THEN {yes.text} ELSE {no.text} END", [yes, no], call.values[0])


@scalar("case", 3, 999)
def case(call: Invocation) -> Sql:
    if call.count % 2 == 0:
        raise KqlSchemaError(
            "case() takes pairs of a condition and a value, and a last value for the rest.",
            **place(call.span),
            hint="Add the value for the rest.",
        )
    last = call.count - 1
    *values, other = branches(call, [*range(1, last, 2), last])
    tests = [condition(call, index) for index in range(0, last, 2)]
    arms = " ".join(f"WHEN {test} THEN {value.text}" for test, value in zip(tests, values, strict=True))
    return _chosen(f"CASE {arms} ELSE {other.text} END", [*values, other], *call.values[0:last:2])


@scalar("coalesce", 2, _MOST)
def coalesce(call: Invocation) -> Sql:
    """The first that is not null; of strings, the first that is not empty."""
    values = branches(call, range(call.count))
    constant = all(value.constant for value in values)
    if values[0].type == "string":
        parts = ", ".join(f"nullif({value.text}, '')" for value in values)
        return Sql(f"coalesce({parts}, '')", "string", False, constant)
    nullable = all(value.nullable for value in values)
    texts = [
        f"CASE WHEN NOT {is_null(value)} THEN {value.text} END" if value.type == "dynamic" else value.text
        for value in values
    ]
    return Sql(f"coalesce({', '.join(texts)})", values[0].type, nullable, constant)


@scalar("max_of", 2, _MOST)
def max_of(call: Invocation) -> Sql:
    return _extreme(call, "greatest")


@scalar("min_of", 2, _MOST)
def min_of(call: Invocation) -> Sql:
    return _extreme(call, "least")


def _extreme(call: Invocation, function: str) -> Sql:
    """Nulls are passed over; null only where all are."""
    values = branches(call, range(call.count), widen=True)
    kind = values[0].type
    if kind in ("dynamic", "guid"):
        raise call.mismatch(0, "a number, a string or a time", "Convert it first.")
    text = f"{function}({', '.join(value.text for value in values)})"
    return Sql(text, kind, all(value.nullable for value in values), all(value.constant for value in values))


@scalar("not", 1)
def negation(call: Invocation) -> Sql:
    value = call.values[0]
    if value.type not in NUMBERS | {"bool", "dynamic"}:
        raise call.mismatch(0, "a condition", "Compare it.")
    truth = conversions.to_bool(value)
    return of_type(f"(NOT {truth.text})", "bool", truth)


@scalar("isnull", 1)
def isnull(call: Invocation) -> Sql:
    return Sql(is_null(call.values[0]), "bool", False, call.values[0].constant)


@scalar("isnotnull notnull", 1, page="isnotnull-function")
def isnotnull(call: Invocation) -> Sql:
    return Sql(f"(NOT {is_null(call.values[0])})", "bool", False, call.values[0].constant)


def _empty(value: Sql) -> str:
    if value.type in ("string", "dynamic"):
        return f"({conversions.to_string(value).text} = '')"
    return is_null(value)


@scalar("isempty", 1)
def isempty(call: Invocation) -> Sql:
    return Sql(_empty(call.values[0]), "bool", False, call.values[0].constant)


@scalar("isnotempty notempty", 1, page="isnotempty-function")
def isnotempty(call: Invocation) -> Sql:
    return Sql(f"(NOT {_empty(call.values[0])})", "bool", False, call.values[0].constant)


@scalar("around", 3)
def around(call: Invocation) -> Sql:
    value, center, delta = call.values
    low, high = arithmetic("-", center, delta), arithmetic("+", center, delta)
    if low is None or high is None or low.type != value.type and not {low.type, value.type} <= NUMBERS:
        raise call.mismatch(0, f"a {center.type}", "Use numbers, or two datetimes and a timespan.")
    return of_type(f"({value.text} >= {low.text} AND {value.text} <= {high.text})", "bool", value, low, high)


@scalar("column_ifexists columnifexists", 2, page="column-ifexists-function")
def column_ifexists(call: Invocation) -> Sql:
    name = call.constant_text(0)
    rows = call.compiler.rows
    if rows is not None and rows.find(name) is not None:
        return call.compiler.value(Name(name, span=call.span))
    return call.values[1]


@scalar("iscolumnexists", 1, page="column-ifexists-function")
def is_column(call: Invocation) -> Sql:
    rows = call.compiler.rows
    return literal(rows is not None and rows.find(call.constant_text(0)) is not None, "bool")


@scalar("rand", 0, 1, note="Random, as in Kusto: every row and every run gives another number.")
def rand(call: Invocation) -> Sql:
    if not call.count:
        return Sql("random()", "real", False)
    count = call.as_type(0, "long")
    return maybe_null(f"floor(random() * nullif({count.text}, 0))", "real", count)


@scalar("new_guid", 0, note="Random, as in Kusto.")
def new_guid(call: Invocation) -> Sql:
    return Sql("uuid()", "guid", False)


@scalar("ingestion_time", 0, note="A table's column $IngestionTime or _TimeReceived; refused where it has neither.")
def ingestion_time(call: Invocation) -> Sql:
    """What the tenant exported of it. Where nothing is known Kusto gives null, by which a hunt would find nothing."""
    rows = call.compiler.rows
    for name in _INGESTED if rows is not None else ():
        if rows is not None and rows.find(name) is not None:
            return call.compiler.value(Name(name, span=call.span))
    raise call.unsupported(
        "ingestion_time() is not known of these rows.", "Use Timestamp or TimeGenerated, or import $IngestionTime, too."
    )


refuse(
    "current_principal current_principal_details current_principal_is_member_of current_database current_node_id"
    " current_cluster_endpoint cursor_current current_cursor cursor_after cursor_before_or_at extent_id extentid"
    " extent_tags rowstore_ordinal_range estimate_data_size",
    "It asks about the cluster, and there is none here: write the value itself, or run the query in the tenant.",
)
refuse("assert", "Leave it out: it changes no row.")
