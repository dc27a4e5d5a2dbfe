"""Scalar functions that ``duckdb-kql`` lacks, as SQL. What each answers is held by tests/kql/test_functions.py.

References: https://learn.microsoft.com/en-us/kusto/query/scalar-functions
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from duckdb_kql import ir, translate, types

from kql.dialect.operators import place
from kql.errors import KqlUnsupported
from kql.sql import quote_name, quote_text

Expression = Any
"""A node of the library's expression tree."""

ROW_NUMBER = "_kql_row"
"""The hidden column that numbers rows where a function looks at neighbouring ones."""

ROW_FUNCTIONS = frozenset({"next", "prev", "row_number", "row_cumsum"})

_OVER = f"OVER (ORDER BY {quote_name(ROW_NUMBER)})"
_RUNNING = f"OVER (ORDER BY {quote_name(ROW_NUMBER)} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918: https://learn.microsoft.com/en-us/kusto/query/ipv4-is-private-function"""


def string_for_null(sql: str) -> str:
    """``sql``, with "" for null where it is a string: a KQL string is never null. Other types pass untouched."""
    return f"CASE WHEN typeof({sql}) = 'VARCHAR' AND {sql} IS NULL THEN '' ELSE {sql} END"


def _text(node: Expression) -> str:
    return str(translate.render_kql_tostring(node))


def _sql(node: Expression) -> str:
    return str(translate.render_expr(node))


def _arity(call: Expression, least: int, most: int) -> None:
    if not least <= len(call.args) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise KqlUnsupported(
            f"{call.name}() takes {count} arguments, not {len(call.args)}.", **place(call.name, call=True)
        )


def _integer(call: Expression, index: int, default: int) -> int:
    """A constant integer argument."""
    if index >= len(call.args):
        return default
    node = call.args[index]
    if isinstance(node, ir.UnaryOp) and node.op == "-" and isinstance(node.operand, ir.Literal):
        node = ir.Literal(-node.operand.value, node.operand.kind)
    if not isinstance(node, ir.Literal) or not isinstance(node.value, int) or isinstance(node.value, bool):
        raise KqlUnsupported(
            f"Argument {index + 1} of {call.name}() is not a constant number.",
            **place(call.name, call=True),
            hint="Write the number itself, or bind it with let.",
        )
    return node.value


def _neighbour(sql_function: str) -> Callable[[Expression], str]:
    def render(call: Expression) -> str:
        _arity(call, 1, 3)
        offset = _integer(call, 1, 1)
        if offset < 0:
            raise KqlUnsupported(
                f"{call.name}() with a negative offset.",
                **place(call.name, call=True),
                hint="Use prev() for earlier rows and next() for later ones.",
            )
        default = f", {_sql(call.args[2])}" if len(call.args) == 3 else ""
        return f"({string_for_null(f'{sql_function}({_sql(call.args[0])}, {offset}{default}) {_OVER}')})"

    return render


def _row_number(call: Expression) -> str:
    _refuse_restart(call, 1)
    return f"(row_number() {_OVER} + {_integer(call, 0, 1) - 1})"


def _row_cumsum(call: Expression) -> str:
    _refuse_restart(call, 1)
    _arity(call, 1, 1)
    return f"coalesce(sum({_sql(call.args[0])}) {_RUNNING}, 0)"


def _refuse_restart(call: Expression, most: int) -> None:
    if len(call.args) > most:
        raise KqlUnsupported(
            f"{call.name}() with a restart condition is not supported.",
            **place(call.name, call=True),
            hint="Run the query per group, or count with summarize.",
        )


def _split(call: Expression) -> str | None:
    """``split(text, delimiter, index)``: an array of the one part, empty where there is none."""
    if len(call.args) != 3:
        return None
    parts = f"CAST({_sql(ir.FunctionCall('split', call.args[:2]))} AS JSON)"
    index = _integer(call, 2, 0)
    if index < 0:
        raise KqlUnsupported("split() with a negative index.", **place(call.name, call=True), hint="Count from 0.")
    found = f"json_extract({parts}, '$[{index}]')"
    return f"CASE WHEN {found} IS NULL THEN '[]'::JSON ELSE to_json([{found}]) END"


def _ipv4_number(sql: str) -> str:
    """The address (a suffix ``/n`` cut off and applied) as a number; null for any other text."""
    octet = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
    pattern = rf"^\s*{octet}\.{octet}\.{octet}\.{octet}(/(3[0-2]|[12]?\d))?\s*$"

    def group(number: int) -> str:
        return f"CAST(regexp_extract(v, '{pattern}', {number}) AS UBIGINT)"

    bits = f"coalesce(TRY_CAST(regexp_extract(v, '{pattern}', 6) AS BIGINT), 32)"
    whole = f"{group(1)} * 16777216 + {group(2)} * 65536 + {group(3)} * 256 + {group(4)}"
    masked = f"CAST(({whole}) AS BIGINT) // CAST(pow(2, 32 - {bits}) AS BIGINT) * CAST(pow(2, 32 - {bits}) AS BIGINT)"
    return f"list_transform([{sql}], lambda v: CASE WHEN regexp_matches(v, '{pattern}') THEN {masked} END)[1]"


def _within(address: str, network: str) -> str:
    """Whether an address (as a number) lies in a constant network; null where the address is null."""
    low, high = network_bounds(network)
    return f"({address} BETWEEN {low} AND {high})"


def network_bounds(network: str) -> tuple[int, int]:
    """First and last address of ``a.b.c.d/n`` (without ``/n`` one address) as numbers; raises ValueError."""
    address, _, bits = network.strip().partition("/")
    octets = [int(part) for part in address.split(".") if part.isdecimal() and len(part) <= 3]
    size = int(bits or 32)
    if len(octets) != 4 or max(octets) > 255 or address.count(".") != 3 or not 0 <= size <= 32:
        raise ValueError(f"no IPv4 network: {network}")
    number = int.from_bytes(bytes(octets), "big")
    low = number >> (32 - size) << (32 - size)
    return low, low + (1 << (32 - size)) - 1


def _ipv4_is_private(call: Expression) -> str:
    _arity(call, 1, 1)
    tests = " OR ".join(_within("n", network) for network in PRIVATE_NETWORKS)
    return f"list_transform([{_ipv4_number(_text(call.args[0]))}], lambda n: {tests})[1]"


def _ipv4_is_in_range(call: Expression) -> str:
    _arity(call, 2, 2)
    return _in_networks(call, call.args[:1], call.args[1:])


def _ipv4_is_in_any_range(call: Expression) -> str:
    _arity(call, 2, 64)
    return _in_networks(call, call.args[:1], call.args[1:])


def _in_networks(call: Expression, address: Sequence[Expression], networks: Sequence[Expression]) -> str:
    found: list[str] = []
    for node in networks:
        constants = _constant_texts(node)
        if constants is None:
            raise KqlUnsupported(
                f"{call.name}() with a range that is no constant.",
                **place(call.name, call=True),
                hint='Write the ranges as texts, as in ipv4_is_in_range(ip, "10.0.0.0/8").',
            )
        found.extend(constants)
    try:
        tests = " OR ".join(_within("n", network) for network in found) or "false"
    except ValueError as error:
        raise KqlUnsupported(str(error), **place(call.name, call=True), hint="Write it as a.b.c.d/n.") from error
    return f"list_transform([{_ipv4_number(_text(address[0]))}], lambda n: {tests})[1]"


def _constant_texts(node: Expression) -> list[str] | None:
    constant = translate.constant_string(node)
    if constant is not None:
        return [constant]
    texts = translate._literal_needles(node)
    return None if texts is None or any(t is None for t in texts) else [str(t) for t in texts]


def _bag_keys(call: Expression) -> str:
    _arity(call, 1, 1)
    value = f"TRY_CAST({_sql(call.args[0])} AS JSON)"
    return f"CASE WHEN json_type({value}) = 'OBJECT' THEN to_json(json_keys({value})) END"


def collected(call: Expression, original: Callable[[Expression], str]) -> str:
    """``make_list``, ``make_set``: the arrays of a dynamic are made one set, a text is a text even where it is JSON.

    The second argument is the most elements that are kept. The library parses texts and keeps all elements.
    https://learn.microsoft.com/en-us/kusto/query/make-set-aggregation-function
    """
    _arity(call, 1, 2)
    first = dataclasses.replace(call, args=call.args[:1])
    whole = original(first) if call.name.lower() == "make_list" else _set(_sql(call.args[0]))
    return whole if len(call.args) == 1 else _cut(whole, call)


def _set(value: str) -> str:
    elements = (
        f"CASE WHEN typeof({value}) <> 'VARCHAR' AND json_type(to_json({value})) = 'ARRAY'"
        f" THEN TRY_CAST(to_json({value}) AS JSON[]) ELSE [to_json({value})] END"
    )
    return f"to_json(coalesce(list_distinct(flatten(list({elements}) FILTER (WHERE {value} IS NOT NULL))), []))"


def _cut(whole: str, call: Expression) -> str:
    most = _integer(call, 1, 0)
    if most < 1:
        raise KqlUnsupported(
            f"{call.name}() of at most {most} elements.", **place(call.name, call=True), hint="Write 1 or more."
        )
    array = f"CAST(to_json({whole}) AS JSON[])"
    return f"to_json({array}[1:{most}])"


def _url_decode(call: Expression) -> str:
    _arity(call, 1, 1)
    return f"url_decode({_text(call.args[0])})"


def _isascii(call: Expression) -> str:
    _arity(call, 1, 1)
    return f"regexp_full_match({_text(call.args[0])}, '[\\x00-\\x7F]*')"


def _tohex(call: Expression) -> str:
    _arity(call, 1, 1)
    return f"lower(to_hex(CAST({_sql(call.args[0])} AS BIGINT)))"


def join_type_check(left: Sequence[str], right: Sequence[str], left_sql: str, right_sql: str) -> str:
    """A SQL condition that is true, or an error where a key's types differ or it is dynamic.

    Kusto refuses both; DuckDB would cast one side, or compare the JSON as text.
    """

    def side(names: Sequence[str], source: str) -> str:
        keys = ", ".join(f"{quote_name(name)} AS {quote_name(mine)}" for name, mine in zip(names, left, strict=True))
        kind = types.kusto_type_sql("column_type")
        described = f"(DESCRIBE SELECT {keys} FROM {source})"
        return f"SELECT column_name, replace({kind}, 'int', 'long') AS kind FROM {described}"

    clash = (
        f"SELECT column_name, string_agg(DISTINCT kind, ' and ' ORDER BY kind) AS kinds"
        f" FROM ({side(left, left_sql)} UNION ALL {side(right, f'({right_sql})')}) GROUP BY column_name"
        f" HAVING count(DISTINCT kind) > 1 OR bool_or(kind = 'dynamic')"
    )
    return _error_if_any("kql-join-types", clash)


def _error_if_any(code: str, clash: str) -> str:
    return (
        f"(SELECT CASE WHEN count(*) = 0 THEN true ELSE"
        f" error('{code}: ' || string_agg(column_name || ' is ' || kinds, ', ')) END FROM ({clash}))"
    )


def _parse_json(call: Expression) -> str:
    """A dynamic as it is; a text as the JSON it holds, and as itself where it holds none; an empty text is null.

    https://learn.microsoft.com/en-us/kusto/query/parse-json-function
    """
    _arity(call, 1, 1)
    value = _sql(call.args[0])
    text = f"CAST({value} AS VARCHAR)"
    parsed = f"coalesce(TRY_CAST({text} AS JSON), to_json({text}))"
    return f"CASE WHEN typeof({value}) = 'JSON' THEN to_json({value}) WHEN {text} <> '' THEN {parsed} END"


def union_type_check(arms: Sequence[str], columns: Sequence[str]) -> str:
    """A SQL condition that is true, or an error naming the columns whose types differ between a union's branches.

    Kusto splits such a column into ``x_long`` and ``x_string``; DuckDB would quietly cast one to the other.
    """
    kinds = " UNION ALL ".join(
        f"SELECT column_name, {types.kusto_type_sql('column_type')} AS kind FROM (DESCRIBE {arm})" for arm in arms
    )
    listed = ", ".join(map(quote_text, columns))
    clash = (
        f"SELECT column_name, string_agg(DISTINCT kind, ' and ' ORDER BY kind) AS kinds FROM ({kinds})"
        f" WHERE column_name IN ({listed}) GROUP BY column_name HAVING count(DISTINCT kind) > 1"
    )
    return _error_if_any("kql-union-types", clash)


FUNCTIONS: dict[str, Callable[[Expression], str | None]] = {
    "next": _neighbour("lead"),
    "prev": _neighbour("lag"),
    "row_number": _row_number,
    "row_cumsum": _row_cumsum,
    "split": _split,
    "ipv4_is_private": _ipv4_is_private,
    "ipv4_is_in_range": _ipv4_is_in_range,
    "ipv4_is_in_any_range": _ipv4_is_in_any_range,
    "bag_keys": _bag_keys,
    "parse_json": _parse_json,
    "todynamic": _parse_json,
    "url_decode": _url_decode,
    "isascii": _isascii,
    "tohex": _tohex,
}
"""Name -> its SQL, or None to leave the call to the library."""
