"""Aggregates that give one value a group.

Over no value at all ``sum`` is 0, ``avg`` not a number, ``stdev`` and ``variance`` 0, lists and sets empty, ``min``,
``max`` and percentiles null (measured on Microsoft's emulator by the authors of duckdb-kql).
"""

from __future__ import annotations

from collections.abc import Callable

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.translate import conversions
from kql.translate.functions.dynamics import bound
from kql.translate.functions.registry import Invocation, aggregate, refuse
from kql.translate.values import NUMBERS, Sql, maybe_null
from kql.types import KqlType

MOST_ELEMENTS = 1_048_576
"""How many elements make_list and make_set keep at most, unless told otherwise."""

_EXACT = "exact; Kusto estimates"


def _never(text: str, kind: KqlType) -> Sql:
    return Sql(text, kind, False)


def filtered(call: Invocation, index: int) -> str:
    """A FILTER clause of the predicate that stands at ``index``; empty where there is none."""
    if index >= call.count:
        return ""
    return f" FILTER (WHERE {call.compiler.condition(call.argument(index))})"


@aggregate("count", 0)
@aggregate("countif", 1)
def _count(call: Invocation) -> Sql:
    return _never(f"count(*){filtered(call, 0)}", "long")


@aggregate("dcount", 1, 2, note=_EXACT)
def _dcount(call: Invocation) -> Sql:
    return _never(f"count(DISTINCT {_countable(call)})", "long")


@aggregate("dcountif", 2, 3, note=_EXACT)
@aggregate("count_distinct", 1)
@aggregate("count_distinctif", 2)
def _count_distinct(call: Invocation) -> Sql:
    return _never(f"count(DISTINCT {_countable(call)}){filtered(call, 1)}", "long")


def _countable(call: Invocation) -> str:
    value = call.values[0]
    return f"CAST({value.text} AS VARCHAR)" if value.type == "dynamic" else value.text


@aggregate("sum", 1)
@aggregate("sumif", 2)
def _sum(call: Invocation) -> Sql:
    value, where = measured(call, ("timespan",)), filtered(call, 1)
    match value.type:
        case "int" | "long":
            return _never(f"coalesce(sum({value.text}){where}, 0)::BIGINT", "long")
        case "timespan":
            return _never(f"coalesce(sum({value.text}){where}, 0)::BIGINT", "timespan")
        case "decimal":
            return _never(f"coalesce(sum({value.text}){where}, 0)::DECIMAL(38,15)", "decimal")
        case _:
            return _never(f"coalesce(sum({value.text}){where}, 0)", "real")


@aggregate("avg", 1)
@aggregate("avgif", 2)
def _avg(call: Invocation) -> Sql:
    value, where = measured(call, ("timespan", "datetime")), filtered(call, 1)
    match value.type:
        case "datetime":
            whole = f"CAST(avg(epoch_us({value.text})){where} AS BIGINT)"
            return maybe_null(f"make_timestamp({whole})", "datetime")
        case "timespan":
            return maybe_null(f"CAST(trunc(avg({value.text}){where}) AS BIGINT)", "timespan")
        case "decimal":
            return maybe_null(f"CAST(avg({value.text}){where} AS DECIMAL(38,15))", "decimal")
        case _:
            return _never(f"coalesce(avg({value.text}){where}, 'nan'::DOUBLE)", "real")


def measured(call: Invocation, more: tuple[KqlType, ...] = (), index: int = 0) -> Sql:
    """An argument that can be added up; a dynamic is read as a real."""
    value = call.values[index]
    if value.type in NUMBERS or value.type in more:
        return value
    if value.type == "dynamic":
        return conversions.to_real(value)
    if value.type == "bool":
        return conversions.to_integer(value, "long")
    raise call.mismatch(index, "a number", "Convert it first, with tolong() or todouble().")


def _extreme(sql: str) -> Callable[[Invocation], Sql]:
    def build(call: Invocation) -> Sql:
        value = call.values[0]
        if value.type == "dynamic":
            raise call.mismatch(0, "a value with an order", "Convert it first, with tostring() or tolong().")
        return maybe_null(f"{sql}({value.text}){filtered(call, 1)}", value.type)

    return build


for _name in ("min", "max"):
    aggregate(_name, 1)(_extreme(_name))
    aggregate(f"{_name}if", 2)(_extreme(_name))


def _spread(sql: str) -> Callable[[Invocation], Sql]:
    def build(call: Invocation) -> Sql:
        value = conversions.to_real(measured(call))
        return _never(f"coalesce({sql}({value.text}){filtered(call, 1)}, 0.0)", "real")

    return build


for _name, _function in (("stdev", "stddev_samp"), ("variance", "var_samp"), ("stdevp", "stddev_pop"),
                         ("variancep", "var_pop")):  # fmt: skip
    aggregate(_name, 1)(_spread(_function))
    if not _name.endswith("p"):
        aggregate(f"{_name}if", 2)(_spread(_function))


@aggregate("covariance covariancep", 2)
def _covariance(call: Invocation) -> Sql:
    function = "covar_pop" if call.name.endswith("p") else "covar_samp"
    one, two = (conversions.to_real(measured(call, index=index)).text for index in (0, 1))
    return _never(f"coalesce({function}({one}, {two}), 0.0)", "real")


@aggregate("percentile", 2, page="percentiles-aggregation-function", note=_EXACT)
def _percentile(call: Invocation) -> Sql:
    return percentile(call, call.constant(1))


def percentile(call: Invocation, share: object) -> Sql:
    """One percentile, by nearest rank."""
    value = measured(call, ("timespan", "datetime"))
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 100:
        raise KqlSchemaError(
            f"{call.name}() takes percentages from 0 to 100.", **place(call.span), hint="As in percentile(x, 95)."
        )
    return maybe_null(f"quantile_disc({value.text}, {share / 100!r})", value.type)


@aggregate("percentiles_array", 2, 99, page="percentiles-aggregation-function", note=_EXACT)
def _percentiles_array(call: Invocation) -> Sql:
    shares = call.constant(1)
    if not isinstance(shares, list):
        shares = [call.constant(index) for index in range(1, call.count)]
    cells = [conversions.to_dynamic(percentile(call, share)).text for share in shares]
    return _never(f"to_json([{', '.join(cells)}])", "dynamic")


def ordered(call: Invocation) -> str:
    """ORDER BY for an aggregate that keeps the order of the rows; empty where they are in none."""
    rows = call.compiler.rows
    return rows.order_by if rows is not None else ""


@aggregate("make_list", 1, 2)
def _make_list(call: Invocation) -> Sql:
    return _listed(call, _present(call.values[0], ""), 1)


@aggregate("makelist", 1, 2, page="make-list-aggregation-function", note="The old spelling: at most 128, unless said.")
def _makelist(call: Invocation) -> Sql:
    return _listed(call, _present(call.values[0], ""), 1, _LEGACY)


@aggregate("make_list_if", 2, 3)
def _make_list_if(call: Invocation) -> Sql:
    condition = call.compiler.condition(call.argument(1))
    return _listed(call, _present(call.values[0], condition), 2)


@aggregate("make_list_with_nulls", 1)
def _make_list_with_nulls(call: Invocation) -> Sql:
    return _listed(call, "", 1)


def _present(value: Sql, condition: str) -> str:
    """A FILTER clause: what is not null, where a condition holds."""
    tests = [condition] if condition else []
    if value.type == "dynamic":
        tests.append(f"{value.text} IS NOT NULL AND json_type({value.text}) <> 'NULL'")
    elif value.nullable:
        tests.append(f"{value.text} IS NOT NULL")
    return f" FILTER (WHERE {' AND '.join(tests)})" if tests else ""


_LEGACY = 128
"""How many elements the old spellings give where the query does not say."""


def _listed(call: Invocation, where: str, size: int, most: int = 0) -> Sql:
    element = conversions.to_dynamic(call.values[0]).text if call.values[0].type not in _PLAIN else call.values[0].text
    whole = f"list({element}{ordered(call)}){where}"
    return _never(f"to_json(coalesce({_cut(call, whole, size, most)}, []))", "dynamic")


_PLAIN = frozenset({"string", "int", "long", "bool", "dynamic"})
"""Types whose SQL form is their JSON form."""


def _cut(call: Invocation, whole: str, index: int, otherwise: int) -> str:
    """A list of at most as many elements as the argument at ``index`` says, or ``otherwise``; 0 is all of them."""
    if index >= call.count:
        return f"({whole})[1:{otherwise}]" if otherwise else whole
    most = call.integer(index)
    if most < 1:
        raise call.unsupported(f"{call.name}() of at most {most} elements.", "Write 1 or more.")
    return f"({whole})[1:{most}]"


@aggregate("make_set", 1, 2)
def _make_set(call: Invocation) -> Sql:
    return _set(call, "", 1)


@aggregate("makeset", 1, 2, page="make-set-aggregation-function", note="The old spelling: at most 128, unless said.")
def _makeset(call: Invocation) -> Sql:
    return _set(call, "", 1, _LEGACY)


@aggregate("make_set_if", 2, 3)
def _make_set_if(call: Invocation) -> Sql:
    return _set(call, call.compiler.condition(call.argument(1)), 2)


def _set(call: Invocation, condition: str, size: int, most: int = 0) -> Sql:
    """The distinct values, in the order in which they first come; of arrays, their elements."""
    value = call.values[0]
    where = _present(value, condition)
    if value.type == "dynamic":
        one = f"CASE WHEN json_type({value.text}) = 'ARRAY' THEN {value.text}::JSON[] ELSE [{value.text}] END"
        whole = f"list_distinct(flatten(list({one}{ordered(call)}){where}))"
    else:
        element = value.text if value.type in _PLAIN else conversions.to_dynamic(value).text
        whole = f"list(DISTINCT {element}){where}"
    return _never(f"to_json(coalesce({_cut(call, whole, size, most)}, []))", "dynamic")


@aggregate("make_bag", 1, 2)
def _make_bag(call: Invocation) -> Sql:
    return _bag(call, "")


@aggregate("make_bag_if", 2, 3)
def _make_bag_if(call: Invocation) -> Sql:
    return _bag(call, call.compiler.condition(call.argument(1)))


def _bag(call: Invocation, condition: str) -> Sql:
    """All properties of the bags; of a name that comes twice, the first value. Anything that is no bag is left out."""
    value = call.dynamic(0)
    tests = [f"json_type({value.text}) = 'OBJECT'", *([condition] if condition else [])]
    properties = f"TRY_CAST({value.text} AS MAP(VARCHAR, JSON))"
    entries, keys = (
        f"flatten(list({look}({properties}){ordered(call)}) FILTER (WHERE {' AND '.join(tests)}))"
        for look in ("map_entries", "map_keys")
    )
    # The place of each key's first entry: to look at every entry instead costs the square of their number.
    places = "list_sort(list_transform(list_distinct(s.k), lambda k: list_position(s.k, k)))"
    bag = bound(f"to_json(map_from_entries(list_transform({places}, lambda i: s.e[i])))", e=entries, k=keys)
    return _never(f"coalesce({bag}, '{{}}'::JSON)", "dynamic")


@aggregate("take_any any takeany", 1, page="take-any-aggregation-function")
def _take_any(call: Invocation) -> Sql:
    value = call.values[0]
    return maybe_null(f"any_value({value.text})", value.type)


@aggregate("take_anyif anyif", 2, page="take-anyif-aggregation-function")
def _take_anyif(call: Invocation) -> Sql:
    value = call.values[0]
    return maybe_null(f"any_value({value.text}){filtered(call, 1)}", value.type)


def _bits(sql: str) -> Callable[[Invocation], Sql]:
    def build(call: Invocation) -> Sql:
        value = call.as_type(0, "long")
        return maybe_null(f"{sql}({value.text})", "long")

    return build


for _name in ("and", "or", "xor"):
    aggregate(f"binary_all_{_name}", 1)(_bits(f"bit_{_name}"))

refuse(
    "hll hll_if hll_merge dcount_hll tdigest tdigest_merge percentile_tdigest merge_tdigest",
    "It is a sketch of Kusto's own; count with dcount() or percentile(), which are exact here.",
)
refuse("buildschema", "Use summarize make_set(bag_keys(Column)).")
refuse("percentilew percentilesw", "Expand the weights with mv-expand range(1, Weight), then use percentile().")
