"""``make-series``: aggregates in bins of equal width, as arrays.

Rows are put into bins; the bins between the first and the last that have none are added with the default; each group's
bins become arrays. ``to`` is not part of the axis. Without ``from`` or ``to`` a series begins or ends with its own
first or last bin. https://learn.microsoft.com/en-us/kusto/query/make-series-operator
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import Expression, MakeSeries, Named, SeriesItem
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.functions import registry
from kql.translate.naming import Namer, expression_name
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows
from kql.translate.values import INTEGERS, NUMBERS, Sql, literal, micros
from kql.types import KqlType

MOST = 2**20
"""The longest series, by Microsoft's page."""

_EPOCH = 62135596800000000
"""Microseconds from the year 1, where Kusto's bins begin, to 1970."""


@dataclass(frozen=True)
class _Axis:
    """The axis as a number that bins are counted in: microseconds for times.

    ``low`` and ``high`` None: each series has its own. ``high`` is beyond the last bin.
    """

    kind: KqlType
    value: str
    step: str
    low: str | None
    high: str | None

    @property
    def bin(self) -> str:
        """The number of a row's bin: from ``low``, else from zero."""
        return (
            f"CAST(floor(({self.value} - ({self.low or 0})) / {self.step}) AS BIGINT)"
            if self.kind == "real"
            else (_floor(f"({self.value} - ({self.low or 0}))", self.step))
        )

    @property
    def count(self) -> str:
        """How many bins there are from ``low`` to ``high``."""
        width = f"(({self.high}) - ({self.low}))"
        if self.kind == "real":
            return f"CAST(ceil({width} / {self.step}) AS BIGINT)"
        return f"(-{_floor(f'(-{width})', self.step)})"

    def point(self, number: str) -> str:
        """Where a bin begins, as an element of a dynamic array."""
        place_ = f"(({self.low or 0}) + {number} * {self.step})"
        if self.kind == "datetime":
            place_ = f"make_timestamp(CAST({place_} - {_EPOCH} AS BIGINT))"
        elif self.kind in INTEGERS:
            place_ = f"CAST({place_} AS BIGINT)"
        return conversions.to_dynamic(Sql(place_, "long" if self.kind == "int" else self.kind)).text


def _floor(value: str, step: str) -> str:
    """Whole division that goes down: DuckDB's goes to zero."""
    return f"({value} // {step} - CASE WHEN {value} % {step} < 0 THEN 1 ELSE 0 END)"


@operator(MakeSeries, "make-series")
def make_series(node: MakeSeries, rows: Rows, scope: Scope) -> Rows:
    """Arrays of aggregates along an axis, one row for each combination of keys."""
    axis = _axis(node, rows, scope)
    namer = Namer([name for item in (*node.by, node.axis) for name in item.names], [f.name for f in rows.fields])
    keys = [_key(item, namer, rows, scope) for item in node.by]
    items = [_aggregate(item, namer, rows, scope) for item in node.items]
    axis_name = namer.take(node.axis.names[0] if node.axis.names else expression_name(node.axis.value))
    fresh = scope.translation.fresh
    number, there = fresh("b"), fresh("h")
    names = [field.sql for field, _ in keys]
    within = [f"{axis.value} IS NOT NULL"]
    within += [f"{axis.value} >= {axis.low}"] if axis.low is not None else []
    within += [f"{axis.value} < {axis.high}"] if axis.high is not None else []
    cells = [f"{value.text} AS {field.sql}" for field, value in keys]
    cells += [f"{axis.bin} AS {number}", *(f"{value.text} AS {field.sql}" for field, value, _ in items)]
    group = ", ".join(str(index + 1) for index in range(len(keys) + 1))
    binned = scope.translation.share(
        f"SELECT {', '.join(cells)} FROM ({rows.sql}) WHERE {' AND '.join(within)} GROUP BY {group}"
    )
    grid = _grid(node, axis, names, number, binned)
    values = [field.sql for field, _, _ in items]
    both = (
        f"SELECT {', '.join([*names, number, *values])}, true AS {there} FROM ({binned}) UNION ALL"
        f" SELECT {', '.join([*names, number, *('NULL' for _ in values)])}, false FROM ({grid})"
    )
    filled = f"SELECT {', '.join([*names, number])}, bool_or({there}) AS {there}, "
    filled += ", ".join(f"any_value({value}) AS {value}" for value in values)
    filled += f" FROM ({both}) GROUP BY {', '.join([*names, number])}"
    return _arrays(axis_name, axis, keys, items, filled, (number, there), scope)


def _arrays(
    axis_name: str,
    axis: _Axis,
    keys: Sequence[tuple[Field, Sql]],
    items: Sequence[tuple[Field, Sql, Sql]],
    filled: str,
    marks: tuple[str, str],
    scope: Scope,
) -> Rows:
    number, there = marks
    fields = [field for field, _ in keys]
    cells = [field.sql for field in fields]
    for field, value, default in items:
        own = conversions.to_dynamic(Sql(field.sql, value.type)).text
        element = f"CASE WHEN {there} THEN {own} ELSE {conversions.to_dynamic(default).text} END"
        fields.append(Field(field.name, "dynamic", scope.translation.fresh()))
        cells.append(f"to_json(list({element} ORDER BY {number})) AS {fields[-1].sql}")
    fields.append(Field(axis_name, "dynamic", scope.translation.fresh()))
    cells.append(f"to_json(list({axis.point(number)} ORDER BY {number})) AS {fields[-1].sql}")
    by = ", ".join(field.sql for field, _ in keys)
    ending = f" GROUP BY {by}" if by else " HAVING count(*) > 0"
    return Rows(f"SELECT {', '.join(cells)} FROM ({filled}){ending}", tuple(fields))


def _grid(node: MakeSeries, axis: _Axis, names: Sequence[str], number: str, binned: str) -> str:
    """All bins of every group."""
    low = "0" if axis.low is not None else f"min({number})"
    end = axis.count if axis.low is not None and axis.high is not None else f"max({number}) + 1"
    length = (
        f"CASE WHEN ({end}) - ({low}) > {MOST} THEN error('make-series is longer than {MOST} bins.') ELSE {end} END"
    )
    if node.nonempty:
        if names or axis.low is None or axis.high is None:
            raise KqlUnsupported(
                "kind=nonempty is only run with from and to, and without by.",
                **place(node.span),
                hint="Leave kind=nonempty out.",
            )
        return f"SELECT unnest(range({low}, {length})) AS {number}"
    by = f" GROUP BY {', '.join(names)}" if names else " HAVING count(*) > 0"
    return f"SELECT {', '.join([*names, f'unnest(range({low}, {length})) AS {number}'])} FROM ({binned}){by}"


def _key(item: Named, namer: Namer, rows: Rows, scope: Scope) -> tuple[Field, Sql]:
    value = Compiler(scope, rows).value(item.value)
    if value.type == "dynamic":
        raise KqlSchemaError(
            "A dynamic value cannot be a key of groups.", **place(item.span), hint="Convert it, as in tostring(Column)."
        )
    name = namer.take(item.names[0] if item.names else expression_name(item.value))
    return Field(name, value.type, scope.translation.fresh(), value.nullable), value


def _aggregate(item: SeriesItem, namer: Namer, rows: Rows, scope: Scope) -> tuple[Field, Sql, Sql]:
    """An aggregate: its column, its value, and what stands where there is none."""
    value = Compiler(scope, rows, grouped=True).value(item.value)
    if value.type not in NUMBERS:
        raise KqlSchemaError(
            f"make-series takes aggregates that are numbers, and this is a {value.type}.",
            **place(item.span),
            hint="Use count(), sum(), avg() or another that counts.",
        )
    default = literal(0, "long") if item.default is None else Compiler(scope).value(item.default)
    number = conversions.coerce(default, value.type) if default.type != value.type else default
    if number is None and default.type == "real" and default.literal is not None:
        number, value = default, conversions.to_real(value)
    if number is None or not default.constant:
        raise KqlSchemaError(
            f"The default is a {default.type}, and the series is of {value.type}.",
            **place(item.span),
            hint=f"Write it as {value.type}(...).",
        )
    name = namer.take(item.name or expression_name(item.value, registry.names("aggregate")))
    return Field(name, value.type, scope.translation.fresh()), value, number


def _axis(node: MakeSeries, rows: Rows, scope: Scope) -> _Axis:
    value = Compiler(scope, rows).value(node.axis.value)
    kind: KqlType = "real" if value.type == "decimal" else value.type
    if kind not in ("datetime", "timespan", "int", "long", "real"):
        raise KqlSchemaError(
            f"An axis of {kind} has no bins.", **place(node.axis.span), hint="Use a datetime, a timespan or a number."
        )
    step = _bound(node.step, "timespan" if kind == "datetime" else kind, kind, scope)
    width = scope.translation.compute(step, node.step.span)
    width = micros(width) if isinstance(width, timedelta) else width
    if width is None or width <= 0:
        raise KqlSchemaError("A step is more than nothing.", **place(node.step.span), hint="As in step 1h.")
    low = _position(node.low, kind, scope)
    high = _position(node.high, kind, scope)
    if node.inclusive and low is not None and high is not None:
        high = f"({high} + 1)" if kind != "real" else high
        _check_range(node, kind, low, str(width), scope)
    return _Axis(kind, _number(value, kind), step.text, low, high)


def _check_range(node: MakeSeries, kind: KqlType, low: str, width: str, scope: Scope) -> None:
    """``in range(low, high, step)`` counts bins from zero: the same only where ``low`` is a bin's beginning."""
    assert node.low is not None
    offset = None
    if kind != "real":
        compiled = Compiler(scope).value(node.low)
        offset = scope.translation.compute(Sql(f"{low} % {width}", "long", constant=compiled.constant), node.low.span)
    if offset != 0:
        raise KqlUnsupported(
            "in range(...) is only run from a whole number of steps.",
            **place(node.span),
            hint="The page says that the start may not be included then, not what is: round the start with bin() or"
            " startofday(), or write from ... to ... step ....",
        )


def _bound(node: Expression, kind: KqlType, axis: KqlType, scope: Scope) -> Sql:
    value = Compiler(scope).value(node)
    converted = conversions.convert(value, "real") if kind == "real" and value.type in NUMBERS else None
    converted = converted or (value if value.type == kind or {value.type, kind} <= INTEGERS else None)
    if converted is None:
        raise KqlSchemaError(
            f"A {value.type} does not fit an axis of {axis}.", **place(node.span), hint=f"Write a {kind}."
        )
    return converted


def _position(node: Expression | None, kind: KqlType, scope: Scope) -> str | None:
    return None if node is None else _number(_bound(node, kind, kind, scope), kind)


def _number(value: Sql, kind: KqlType) -> str:
    if kind == "datetime":
        return f"(epoch_us({value.text}) + {_EPOCH})"
    return conversions.to_real(value).text if kind == "real" else value.text
