"""Functions that give several columns, as ``extend (Min, Max) = series_stats(Series)``.

What such a function gives is computed once, as a bag beside the rows; each column is a property of it. How columns
without a name of their own are called is on the page of series_fit_2lines:
https://learn.microsoft.com/en-us/kusto/query/series-fit-2lines-function
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import Call, Named
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.functions import registry
from kql.translate.functions.registry import Declaration
from kql.translate.naming import expression_name
from kql.translate.rows import Rows
from kql.translate.values import Sql, json_step, member


def unpacked(
    items: Sequence[Named], rows: Rows, scope: Scope, *, rest: bool
) -> tuple[Rows, Mapping[int, list[tuple[str, Sql]]]]:
    """The rows with the bags beside them, and the columns of each item that has several, by its place in the list.

    ``rest``: columns that are given no name come too, when others are (in ``project``; not in ``extend``).
    """
    found: dict[int, list[tuple[str, Sql]]] = {}
    cells: list[str] = []
    for index, item in enumerate(items):
        declared = _declared(item, scope)
        if declared is None:
            continue
        assert isinstance(item.value, Call)
        bag = scope.translation.fresh("s")
        value = Compiler(scope, rows).bag_of(item.value, declared)
        cells.append(f"{value.text} AS {bag}")
        whole = Sql(bag, "dynamic")
        values = [conversions.convert(member(whole, json_step(name)), kind) for name, kind in declared.parts]
        found[index] = list(zip(_names(item, declared, rest=rest), values, strict=False))
    if not found:
        return rows, found
    return replace(rows, sql=f"SELECT *, {', '.join(cells)} FROM ({rows.sql})"), found


def _declared(item: Named, scope: Scope) -> Declaration | None:
    call = item.value
    declared = None
    if isinstance(call, Call) and call.base is None and scope.find(call.name) is None:
        declared = registry.find("several", call.name)
        if declared is None and registry.find("scalar", call.name) is None:
            return None
    most = len(declared.parts) if declared is not None else 1
    if len(item.names) > most:
        raise KqlSchemaError(
            f"{len(item.names)} names stand before what gives {most} column{'s' if most > 1 else ''}.",
            **place(item.span),
            hint="Give it as many names as it has columns, or fewer.",
        )
    return declared


def _names(item: Named, declared: Declaration, *, rest: bool) -> list[str]:
    if item.names and not rest:
        return list(item.names)
    assert isinstance(item.value, Call)
    base = expression_name(item.value.arguments[0].value)
    if base is None and not item.names:
        raise KqlSchemaError(
            f"The columns of {declared.name}() have no names.",
            **place(item.span),
            hint=f"Name them: ({', '.join(name.title() for name, _ in declared.parts[:2])}) = {declared.name}(...).",
        )
    others = [f"{declared.name}_{base}_{name}" for name, _ in declared.parts[len(item.names) :]] if base else []
    return [*item.names, *others]
