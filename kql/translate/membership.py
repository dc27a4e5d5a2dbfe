"""``in`` and its kin, ``has_any`` and ``has_all``: a value and a list of values, constants, arrays or a table.

https://learn.microsoft.com/en-us/kusto/query/in-operator and has-any-operator beside it
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import Among, Expression, Pattern
from kql.translate import conversions
from kql.translate.arithmetic import CONVERT, as_written, compared
from kql.translate.matching import string_operation, terms_pattern, total
from kql.translate.rows import Rows
from kql.translate.values import Sql, literal

if TYPE_CHECKING:
    from kql.translate.expressions import Compiler

_OF_NO_ROW = re.compile(r"\(SELECT v FROM \(SELECT \* FROM shared\d+\)\)")
"""What ``toscalar`` is in SQL: the same for every row."""
_MOST, _LONGEST = 1_000, 20_000
"""How many texts, of how many characters together, are put into one pattern."""


def among(compiler: Compiler, node: Among) -> Sql:
    if isinstance(node.value, Pattern):
        raise KqlSchemaError(f"* has no {node.operator} here.", **place(node.span), hint="Name a column.")
    value = compiler.value(node.value)
    table = _one_column(compiler, node)
    if node.operator in ("has_any", "has_all"):
        return _has_list(compiler, node, value, table)
    folded = node.operator.endswith("~")
    negated = node.operator.startswith("!")
    if folded:
        value = _needed_text(compiler, value, node.value)
    inside = _in_items(compiler, node, value, folded) if table is None else _in_table(compiler, value, table, folded)
    return Sql(total(inside, value, negated=negated), "bool", False)


def _needed_text(compiler: Compiler, value: Sql, node: Expression) -> Sql:
    if value.type in ("string", "dynamic", "guid"):
        return conversions.to_string(value)
    raise KqlSchemaError(
        f"A text is needed here, and this is a {value.type}.", **place(node.span), hint="Use tostring()."
    )


def _one_column(compiler: Compiler, node: Among) -> Rows | None:
    """The table in the brackets of ``in``, of which the first column counts; None where values stand there."""
    if len(node.items) != 1:
        return None
    rows = compiler.table(node.items[0])
    if rows is not None and not rows.fields:
        raise KqlSchemaError("This table has no column.", **place(node.span), hint="Project one.")
    return rows


def _in_table(compiler: Compiler, value: Sql, rows: Rows, folded: bool) -> str:
    first = rows.fields[0].value
    if first.type == "dynamic":
        return _in_texts(value, texts_of(first, f" FROM ({rows.sql})"), folded)
    pair = compared(value, first) if not folded else (value, conversions.to_string(first))
    if pair is None:
        pair = conversions.to_string(value), conversions.to_string(first)
    left, right = (f"lower({side.text})" if folded else side.text for side in pair)
    return f"{left} IN (SELECT {right} FROM ({rows.sql}) WHERE {right} IS NOT NULL)"


def _in_items(compiler: Compiler, node: Among, value: Sql, folded: bool) -> str:
    tests: list[str] = []
    plain: list[str] = []
    for item in _flat(compiler, node.items):
        if item.type == "dynamic":
            tests.append(_in_dynamic(compiler, value, item, folded))
            continue
        wanted = conversions.to_string(item) if folded else item
        sides = compared(value, wanted) or as_written(value, wanted)
        if sides is None:
            raise KqlSchemaError(
                f"{node.operator} does not take a {value.type} and a {wanted.type}.",
                **place(node.span),
                hint=CONVERT,
            )
        elif sides[0].text == value.text:
            plain.append(f"lower({sides[1].text})" if folded else sides[1].text)
        else:
            tests.append(f"{sides[0].text} = {sides[1].text}")
    if plain:
        left = f"lower({value.text})" if folded else value.text
        tests.insert(0, f"{left} IN ({', '.join(plain)})")
    return f"({' OR '.join(tests)})" if tests else "false"


def _flat(compiler: Compiler, items: Sequence[Expression]) -> list[Sql]:
    """The values of a list; a constant array stands for its elements."""
    found: list[Sql] = []
    for item in items:
        value = compiler.value(item)
        if value.literal is not None and isinstance(value.literal.value, list):
            found.extend(json_literal(each) for each in value.literal.value)
        else:
            found.append(value)
    return found


def _in_dynamic(compiler: Compiler, value: Sql, array: Sql, folded: bool) -> str:
    if _OF_NO_ROW.fullmatch(array.text):
        return _in_texts(value, texts_of(array), folded)
    elements = needles_sql(array)
    left = conversions.to_string(value).text
    if folded:
        return f"list_contains(list_transform({elements}, lambda e: lower(e->>'$')), lower({left}))"
    return f"list_contains(list_transform({elements}, lambda e: e->>'$'), {left})"


def _has_list(compiler: Compiler, node: Among, value: Sql, table: Rows | None) -> Sql:
    text = _needed_text(compiler, value, node.value)
    joined = " OR " if node.operator == "has_any" else " AND "
    if table is not None:
        return Sql(
            _has_texts(compiler, node, text, texts_of(table.fields[0].value, f" FROM ({table.sql})")), "bool", False
        )
    tests = []
    items = _flat(compiler, node.items)
    plain = [str(each.literal.value) for each in items if each.type == "string" and each.literal is not None]
    if node.operator == "has_any" and len(plain) == len(items) and all(map(str.isascii, plain)) and "" not in plain:
        return Sql(terms_pattern(text, plain, sensitive=False) if plain else "false", "bool", False)
    for item in items:
        if item.type == "dynamic" and _OF_NO_ROW.fullmatch(item.text):
            tests.append(_has_texts(compiler, node, text, texts_of(item)))
        elif item.type == "dynamic":
            lists = f"list_transform({needles_sql(item)}, lambda e: e->>'$')"
            found = _has(text, "needle")
            fold = "list_bool_or" if node.operator == "has_any" else "list_bool_and"
            tests.append(f"coalesce({fold}(list_transform({lists}, lambda needle: {found})), false)")
        else:
            tests.append(string_operation("has", text, conversions.to_string(item)))
    return Sql(f"({joined.join(tests) or 'false'})", "bool", False)


def _has_texts(compiler: Compiler, node: Among, text: Sql, needles: str) -> str:
    """``has_any`` or ``has_all`` of what a SELECT gives: looked at first, where there is data, to make one pattern."""
    known = _looked_at(compiler, node, needles)
    if known is not None:
        if node.operator == "has_any":
            return terms_pattern(text, known, sensitive=False) if known else "false"
        return f"({' AND '.join(terms_pattern(text, [each], sensitive=False) for each in known) or 'true'})"
    test = _has(text, "n")
    if node.operator == "has_all":
        return f"(NOT EXISTS (SELECT 1 FROM ({needles}) WHERE NOT {test}))"
    return f"EXISTS (SELECT 1 FROM ({needles}) WHERE {test})"


def _looked_at(compiler: Compiler, node: Among, needles: str) -> list[str] | None:
    """The texts that a SELECT gives now; None where they cannot be known yet, are too many for a pattern, or have
    letters that only the engine can tell from marks."""
    translation = compiler.translation
    if translation.peek is None or any(outer in needles for outer in translation.correlated):
        return None
    found = [str(row[0]) for row in translation.look(f"SELECT n FROM ({needles}) LIMIT {_MOST + 1}", node.operator)]
    fits = len(found) <= _MOST and sum(map(len, found)) <= _LONGEST and all(map(str.isascii, found))
    return found if fits and "" not in found else None


def json_literal(value: object) -> Sql:
    """An element of a constant array as a value of its own type."""
    match value:
        case bool():
            return literal(value, "bool")
        case int():
            return literal(value, "long")
        case float():
            return literal(value, "real")
        case str():
            return literal(value, "string")
        case _:
            return literal(value, "dynamic")


def elements_sql(array: Sql) -> str:
    """A dynamic array's elements as a LIST of JSON; of anything that is no array, an empty one."""
    return f"coalesce(TRY_CAST({array.text} AS JSON[]), [])"


def needles_sql(value: Sql) -> str:
    """What a dynamic value in a list stands for: an array for its elements, those of arrays in it included; anything
    else for itself."""
    outer = f"coalesce(TRY_CAST({value.text} AS JSON[]), [{value.text}])"
    return f"flatten(list_transform({outer}, lambda o: coalesce(TRY_CAST(o AS JSON[]), [o])))"


def texts_of(value: Sql, source: str = "") -> str:
    """A SELECT of the texts that a value stands for in a list, each once, in the column ``n``. ``source``: a FROM."""
    if value.type != "dynamic":
        return f"SELECT DISTINCT {conversions.to_string(value).text} AS n{source}"
    elements = f"SELECT unnest({needles_sql(value)}) AS e{source}"
    return f"SELECT DISTINCT e->>'$' AS n FROM ({elements}) WHERE (e->>'$') IS NOT NULL"


def _in_texts(value: Sql, texts: str, folded: bool) -> str:
    left = conversions.to_string(value).text
    return f"lower({left}) IN (SELECT lower(n) FROM ({texts}))" if folded else f"{left} IN (SELECT n FROM ({texts}))"


def _has(text: Sql, needle: str) -> str:
    """``has`` of a text that is only known when it runs: most are not there at all, which is told without a pattern."""
    found = string_operation("has", text, Sql(needle, "string", False))
    return f"CASE WHEN contains(lower({text.text}), lower({needle})) THEN {found} ELSE false END"
