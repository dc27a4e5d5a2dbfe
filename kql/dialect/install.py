"""Where the additions meet ``duckdb-kql``: the functions of the library that are replaced or wrapped, all in one list.

The library translates by module-level functions that look each other up at every call, which is what makes this
possible; its per-statement state is its own. Nothing here changes an answer the library gives rightly, except that
it refuses what Kusto refuses (unknown and wrongly cased columns, unions of differing types).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from duckdb_kql import ir, lower, schema, translate

from kql.dialect import functions, operators
from kql.dialect.operators import OPERATORS, place, unknown_column, unknown_table
from kql.dialect.statement import Located, current
from kql.errors import KqlSchemaError, KqlUnsupported
from kql.sql import quote_name, quote_text

_lower_operator = lower._lower_operator
_lower_head = lower._lower_head
_lower_join_key = lower._lower_join_key
_lower_function_call = lower._lower_function_call
_name_text = lower._name_text
_operator_columns = schema._operator_columns_unchecked
_match_wildcard = schema.match_wildcard
_render_scoped = translate._render_scoped
_render_operator = translate.render_operator
_render_table_ref = translate.render_table_ref
_render_join = translate.render_join
_render_lookup = translate.render_lookup
_render_aggregate_call = translate._render_aggregate_call

_ORDERING = (ir.Sort, ir.Top, operators.Serialize)
_KEEPING_ORDER = (ir.Where, ir.Take, ir.Extend, ir.Project, ir.ProjectRename, ir.MvExpand, ir.Parse, operators.Arrange)
_ESCAPE = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_ORDERED: ContextVar[dict[str, bool]] = ContextVar("kql.ordered")
"""Whether the rows of each tabular ``let`` in scope come in a defined order."""


def name_text(node: Any) -> str | None:
    """A name with its place."""
    text = _name_text(node)
    return None if text is None else Located.at(text, node.start.line, node.start.column + 1)


def string_value(text: str) -> str:
    """A string literal's value, with all of KQL's escapes (the library drops the backslash of ``\\u00e9``).

    https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/string
    """
    body, quote = text.removeprefix("@"), text.removeprefix("@")[:1]
    if len(body) >= 2 and quote in "'\"" and body[-1] == quote:
        body = body[1:-1]
    return body.replace(quote * 2, quote) if text.startswith("@") else _ESCAPE.sub(_unescaped, body)


def _unescaped(match: re.Match[str]) -> str:
    high, low, short, long, byte, octal, letter = match.groups()
    if high is not None:
        return bytes.fromhex(high + low).decode("utf-16-be")
    if letter is not None:
        return _ESCAPED.get(letter, letter)
    number = int(octal, 8) if octal else int(short or long or byte, 16)
    if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        raise KqlUnsupported(f"The escape {match.group()} is no character.", hint="Write the character itself.")
    return chr(number)


def function_call(node: Any) -> Any:
    """A call whose name knows its place."""
    call = _lower_function_call(node)
    if not isinstance(call, ir.FunctionCall):
        return call
    return dataclasses.replace(call, name=Located.at(call.name, node.start.line, node.start.column + 1))


def head(node: Any, rest: list[Any]) -> Any:
    """A pipeline's source; one in brackets is the pipeline inside them, with the rest piped on."""
    inner = lower._collapse(node)
    if lower._cls(inner) != "ParenthesizedExpression":
        return _lower_head(node, rest)
    inner = lower._unparenthesize(inner)
    if lower._cls(inner) != "PipeExpression":
        return _lower_head(inner, rest)
    first, *piped = lower._rule_children(inner)
    return head(first, piped + rest)


def operator(node: Any) -> Any:
    """A piped operator, ours or the library's."""
    return operators.read_operator(node, _lower_operator)


def join_key(node: Any) -> Any:
    """One ``on`` entry."""
    return operators.read_join_key(node, _lower_join_key)


def operator_columns(op: Any, columns: list[str], known: Any) -> list[str]:
    """The columns an operator gives."""
    return list(op.columns(columns)) if isinstance(op, OPERATORS) else list(_operator_columns(op, columns, known))


def no_case_collision(columns: list[str], where: str) -> list[str]:
    """The columns, unless two differ only by case: DuckDB would take one for the other."""
    seen: dict[str, str] = {}
    for name in columns:
        first = seen.setdefault(name.casefold(), name)
        if first != name:
            raise KqlSchemaError(
                f"The columns {name} and {first} differ only in case.", **place(name), hint="Give one another name."
            )
    return columns


def table_ref(source: Any) -> str:
    """A table in FROM: one that is there, by exact name."""
    if translate._let_cte(source.name) is None or source.database is not None:
        known = current().schema
        if source.qualified not in known:
            raise unknown_table(source.name if source.database is None else source.qualified, sorted(known))
        current().tables.add(str(source.name))
    return str(_render_table_ref(source))


def match_wildcard(source: Any, known: Any) -> list[str]:
    """The tables a pattern fits."""
    found = [str(name) for name in _match_wildcard(source, known)]
    current().tables.update(found)
    return found


def scoped(query: Any, known: Any, scope: Any) -> Any:
    """A query, after checking that functions which look at neighbouring rows find them in a defined order."""
    with _ordered_scope() as ordered:
        for name, bound in query.lets:
            if isinstance(bound, ir.Query):
                ordered[str(name)] = _check_order(bound, ordered)
        _check_order(query, ordered)
        return _render_scoped(query, known, scope)


@contextmanager
def _ordered_scope() -> Iterator[dict[str, bool]]:
    ordered = dict(_ORDERED.get({}))
    token = _ORDERED.set(ordered)
    try:
        yield ordered
    finally:
        _ORDERED.reset(token)


def _check_order(query: Any, ordered: dict[str, bool]) -> bool:
    """Whether a pipeline's rows end in a defined order; raises where a row function meets rows without one."""
    state = isinstance(query.source, ir.RangeSource)
    if isinstance(query.source, ir.TableRef):
        state = ordered.get(str(query.source.name), False)
    for op in query.operators:
        call = row_function(op)
        if call is not None and not state:
            raise KqlUnsupported(
                f"{call.name}() needs rows in a defined order.",
                **place(call.name, call=True),
                hint="Put | sort by or | serialize before it.",
            )
        state = isinstance(op, _ORDERING) or (state and isinstance(op, _KEEPING_ORDER))
    return state


def row_function(node: object) -> Any:
    """The first call of a function that looks at neighbouring rows, outside any nested query; None without one."""
    stack: list[object] = [node]
    seen: set[int] = set()
    while stack:
        item = stack.pop()
        if isinstance(item, ir.FunctionCall) and item.name.lower() in functions.ROW_FUNCTIONS:
            return item
        if isinstance(item, list | tuple):
            stack.extend(item)
        elif dataclasses.is_dataclass(item) and not isinstance(item, ir.Query) and id(item) not in seen:
            seen.add(id(item))
            stack.extend(getattr(item, f.name) for f in dataclasses.fields(item))
    return None


def render_operator(op: Any, source: str, columns: list[str] | None = None) -> str:
    """An operator over ``source``, after checking that each column it reads is there by exact name."""
    if columns is not None:
        _check_columns(op, columns)
    if isinstance(op, OPERATORS):
        return op.render(source, columns or [])
    if row_function(op) is None:
        return str(_render_operator(op, source, columns))
    return _render_rows(op, source, columns or [])


def _check_columns(op: Any, columns: list[str]) -> None:
    known = set(columns)
    used = set(translate._referenced_columns(op))
    used.update(old for old, _ in getattr(op, "renames", ()))
    if isinstance(op, ir.MvExpand):
        used.update(target.column for target in op.targets)
    for name in sorted(used - known):
        raise unknown_column(name, columns)


def _render_rows(op: Any, source: str, columns: list[str]) -> str:
    """An operator that looks at neighbouring rows: they are numbered first and leave in the same order."""
    row = quote_name(functions.ROW_NUMBER)
    numbered = f"(SELECT *, row_number() OVER () AS {row} FROM {source}) AS _kql_rows"
    if isinstance(op, ir.Extend | ir.Project):
        _check_named(op)
        return f"{_render_operator(op, numbered, columns)} ORDER BY {row}"
    if isinstance(op, ir.Where):
        kept = ", ".join(map(quote_name, columns))
        inner = f"SELECT *, {translate.render_expr(op.predicate)} AS _kql_kept FROM {numbered}"
        return f"SELECT {kept} FROM ({inner}) WHERE _kql_kept ORDER BY {row}"
    call = row_function(op)
    raise KqlUnsupported(
        f"{call.name}() is not supported here.",
        **place(call.name, call=True),
        hint="Compute it with extend first, then use its column.",
    )


def _check_named(op: Any) -> None:
    for named in op.expressions:
        call = row_function(named)
        if call is not None and named.name is None:
            raise KqlUnsupported(
                f"The column made by {call.name}() has no name.",
                **place(call.name, call=True),
                hint=f"Name it, as in x = {call.name}(...).",
            )


def join(op: Any, source: str, left: list[str], right_sql: str, right: list[str]) -> str:
    """A join; keys must be columns of their sides, and an unmatched row's strings are empty."""
    _check_keys(op, left, right)
    sql = _checked_join(str(_render_join(op, source, left, right_sql, right)), op, source, right_sql)
    if op.kind not in ("leftouter", "rightouter", "fullouter"):
        return sql
    return _filled(sql, schema.join_output_columns(left, right, op.kind), lambda name: True)


def lookup(op: Any, source: str, left: list[str], right_sql: str, right: list[str]) -> str:
    """A lookup, by the same rules as a join."""
    _check_keys(op, left, right)
    sql = _checked_join(str(_render_lookup(op, source, left, right_sql, right)), op, source, right_sql)
    names = schema.lookup_output_columns(left, right, [key.right for key in op.keys])
    return _filled(sql, names, lambda name: name not in left)


def _checked_join(sql: str, op: Any, source: str, right_sql: str) -> str:
    left, right = [key.left for key in op.keys], [key.right for key in op.keys]
    return f"SELECT * FROM ({sql}) WHERE {functions.join_type_check(left, right, source, right_sql)}"


def _check_keys(op: Any, left: list[str], right: list[str]) -> None:
    for key in op.keys:
        if key.left not in left:
            raise unknown_column(key.left, left)
        if key.right not in right:
            raise unknown_column(key.right, right)


def _filled(sql: str, columns: list[str], missing: Callable[[str], bool]) -> str:
    """``sql`` with "" for null in the string columns that ``missing`` names."""
    cells = (
        f"{functions.string_for_null(quote_name(c))} AS {quote_name(c)}" if missing(c) else quote_name(c)
        for c in columns
    )
    return f"SELECT {', '.join(cells)} FROM ({sql})"


def union(op: Any, source: str, left: list[str], query: Any, known: Any, leading: bool) -> str:
    """A union: columns matched by name and type, what a branch lacks null (a string empty)."""
    lets = frozenset(name for name, _ in query.lets)
    qualify = translate._union_qualifies(query, op, leading)
    arms = translate._left_arms(op, source, query, known, leading, lets, qualify)
    branches = schema.surviving_branches(op, known)
    for index, branch in enumerate(branches, start=1):
        arms += translate._branch_arms(branch, index, known, lets, qualify)
    sources = [query] if leading else []
    wild = any(isinstance(b.source, ir.WildcardTableRef) and not b.operators for b in (*branches, *sources))
    lists = [left, *(schema.output_columns(branch, known) for branch in branches)]
    shared = sorted({c for i, a in enumerate(lists) for b in lists[i + 1 :] for c in a if c in b})
    _check_source_name(op.with_source, lists)
    label = quote_name(op.with_source) if op.with_source else ""
    selects = [f"SELECT {f'{quote_text(text)} AS {label}, ' if label else ''}* FROM ({sql})" for sql, text in arms]
    body = " UNION ALL BY NAME ".join(selects)
    columns = schema.union_output_columns(op, left, known)
    whole = _filled(body, columns, lambda c: wild or (c != op.with_source and any(c not in each for each in lists)))
    checked = columns if wild else shared
    if len(arms) < 2 or not checked:
        return whole
    return f"{whole} WHERE {functions.union_type_check([sql for sql, _ in arms], checked)}"


def _check_source_name(name: str | None, lists: list[list[str]]) -> None:
    if name and any(name.casefold() == column.casefold() for columns in lists for column in columns):
        raise KqlSchemaError(
            f"A table of this union has a column {name} already.", **place(name), hint="Write another withsource= name."
        )


def aggregate_call(call: Any) -> str:
    """An aggregate, ours or the library's."""
    if call.name.lower() in ("make_list", "make_set") and not any(map(translate._nested_aggregate, call.args)):
        return functions.collected(call, _render_aggregate_call)
    return str(_render_aggregate_call(call))


def install() -> None:
    """Put the additions in their places."""
    lower._name_text = name_text
    lower._string_value = string_value
    lower._lower_function_call = function_call
    lower._lower_head = head
    lower._lower_operator = operator
    lower._lower_sort_key = operators.read_sort_key
    lower._lower_join_key = join_key
    schema._operator_columns_unchecked = operator_columns
    schema._no_case_collision = no_case_collision
    schema.match_wildcard = match_wildcard
    translate.render_table_ref = table_ref
    translate._render_scoped = scoped
    translate.render_operator = render_operator
    translate.render_join = join
    translate.render_lookup = lookup
    translate.render_union = union
    translate._render_aggregate_call = aggregate_call
    for name, render in functions.FUNCTIONS.items():
        translate._SPECIAL_FORMS[name] = render
