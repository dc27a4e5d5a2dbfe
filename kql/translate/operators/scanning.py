"""``scan``: rows in their order against the steps of a sequence.

One row after the other, by a recursive query whose state is that of Microsoft's page: each step holds the record that
each step up to it matched last. A row is tried against the last step first. A step is entered from the step before it,
whose state moves on; or it is matched again. Slow by its nature: a thousand rows a second or so.
https://learn.microsoft.com/en-us/kusto/query/scan-operator
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.sql import SQL_TYPES
from kql.syntax.cursor import place
from kql.syntax.tree import Expression, Member, Name, Node, Scan, ScanStep
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.operators.expanding import nodes, unique
from kql.translate.operators.registry import operator
from kql.translate.operators.windows import looks_beside
from kql.translate.rows import Field, OrderTerm, Rows
from kql.translate.values import Sql, null
from kql.types import KqlType


@dataclass(frozen=True)
class _Kept:
    """A column of a step's record that a step asks for: ``step`` from 0, its type, and what it is before a match."""

    step: int
    name: str
    type: KqlType
    empty: str

    def within(self, state: int) -> str:
        """Its name in the state of a step."""
        return f"st{state}_{self.step}_{self.name}"


@dataclass(frozen=True)
class _Plan:
    """A scan being put together. ``outs``: the SQL names of the declared columns in what is given out."""

    node: Scan
    rows: Rows
    scope: Scope
    declared: tuple[tuple[Field, Sql], ...]
    kept: tuple[_Kept, ...]
    columns: dict[tuple[int, str], str]
    """What a kept column is called, by step and KQL name: a word of SQL."""


@operator(Scan, "scan", note="output=last and optional steps are not run.")
def scan(node: Scan, rows: Rows, scope: Scope) -> Rows:
    """The rows that match a step, in order, with what the steps computed."""
    if scope.translation.correlated:
        raise KqlUnsupported(
            "scan is not run within mv-apply or a partition of a partition.",
            **place(node.span),
            hint="Use partition by Key (sort by ... | scan ...) alone.",
        )
    return scanned(node, rows, scope)


def scanned(node: Scan, rows: Rows, scope: Scope, by: Sequence[str] = ()) -> Rows:
    """The rows that match a step. ``by``: columns of the SELECT; the rows of each of their values are scanned alone."""
    _check(node, rows)
    number, name = scope.translation.fresh("n"), scope.translation.fresh("scan")
    parts = f"PARTITION BY {', '.join(by)}" if by else ""
    sql = f"SELECT *, row_number() OVER ({parts}{rows.order_by}) AS {number} FROM ({rows.sql})"
    rows = replace(rows, sql=sql, order=(*(OrderTerm(each) for each in by), OrderTerm(number)))
    source = scope.translation.share(rows.sql)
    plan = _planned(node, rows, scope)
    state = _state(plan)
    keys = [f"key{index}_" for index in range(len(by))]
    same = "".join(f" AND r.{own} IS NOT DISTINCT FROM z.{key}" for own, key in zip(by, keys, strict=True))
    layers = f"SELECT r.*, z.* EXCLUDE (at_) FROM {name} AS z JOIN ({source}) AS r ON r.{number} = z.at_ + 1{same}"
    # What was given out for the row before this one is forgotten.
    layers = f"SELECT * REPLACE ([] AS out_) FROM ({layers})"
    for index in reversed(range(len(node.steps))):
        layers = _step(index, plan, layers)
    names = ", ".join([*keys, "at_", *state])
    first = ", ".join(f"{text} AS {column}" for column, text in state.items())
    start = f"SELECT {''.join(f'{own}, ' for own in by)}0::BIGINT AS at_, {first}"
    start += f" FROM (SELECT DISTINCT {', '.join(by)} FROM ({source}))" if by else ""
    recursive = f"SELECT {', '.join([*keys, number, *state])} FROM ({layers})"
    found = f"WITH RECURSIVE {name}({names}) AS ({start} UNION ALL {recursive})"
    given = ", ".join([*keys, "at_", "unnest(out_) AS o_", "unnest(range(len(out_))) AS turn_"])
    match = "".join(f" AND r.{own} IS NOT DISTINCT FROM f.{key}" for own, key in zip(by, keys, strict=True))
    return _given_out(plan, f"SELECT * FROM ({found} SELECT {given} FROM {name})", source, f"r.{number} = f.at_{match}")


def _check(node: Scan, rows: Rows) -> None:
    if not rows.serialized:
        raise KqlUnsupported(
            "scan needs rows in a defined order.", **place(node.span), hint="Put | sort by or | serialize before it."
        )
    if node.partition or node.order:
        raise KqlUnsupported(
            "scan with partition by or order by is not run here.", **place(node.span), hint="Sort before it."
        )
    names = [step.name for step in node.steps]
    for step in node.steps:
        if names.count(step.name) > 1:
            raise KqlSchemaError(f"There are two steps {step.name}.", **place(step.span), hint="Give one another name.")
        if step.optional or step.output == "last":
            raise KqlUnsupported(
                f"{'An optional step' if step.optional else 'output=last'} is not run here.",
                **place(step.span),
                hint="Write the steps out, and pick the last row with arg_max() after it.",
            )
        if looks_beside([step.condition, *(each.value for each in step.assignments)]):
            raise KqlUnsupported(
                "Functions of neighbouring rows cannot stand in a step.",
                **place(step.span),
                hint="Compute them with extend before scan.",
            )


def _planned(node: Scan, rows: Rows, scope: Scope) -> _Plan:
    declared: list[tuple[Field, Sql]] = []
    for column in node.declared:
        value = null(column.type)
        if column.default is not None:
            given = Compiler(scope).value(column.default)
            coerced = conversions.coerce(given, column.type)
            if coerced is None:
                raise KqlSchemaError(
                    f"{column.name} is a {column.type}, and its value is a {given.type}.",
                    **place(column.span),
                    hint="Write a value of that type.",
                )
            value = coerced
        name = unique(column.name, [*rows.fields, *(field for field, _ in declared)])
        if name != column.name:
            raise KqlSchemaError(
                f"There is a column {column.name} already.", **place(column.span), hint="Declare another name."
            )
        declared.append((Field(name, column.type, scope.translation.fresh(), column.type != "string"), value))
    for assignment in (each for step in node.steps for each in step.assignments):
        if all(assignment.name != field.name for field, _ in declared):
            raise KqlSchemaError(
                f"{assignment.name} is not declared.",
                **place(assignment.span),
                hint=f"Declare it: scan declare ({assignment.name}: long) with (...).",
            )
    steps = {step.name: index for index, step in enumerate(node.steps)}
    known = {field.name: (field.type, null(field.type).text) for field in rows.fields}
    known |= {field.name: (field.type, f"CAST({value.text} AS {SQL_TYPES[field.type]})") for field, value in declared}
    kept: list[_Kept] = []
    columns: dict[tuple[int, str], str] = {}
    for each in nodes(node.steps):
        if isinstance(each, Member) and isinstance(each.base, Name) and each.base.text in steps:
            key = (steps[each.base.text], each.key)
            if each.key not in known:
                rows.field(each.key, each.span)
            if key not in columns:
                columns[key] = f"m{len(columns)}"
                kept.append(_Kept(key[0], columns[key], *known[each.key]))
    return _Plan(node, rows, scope, tuple(declared), tuple(kept), columns)


def _state(plan: _Plan) -> dict[str, str]:
    """The state's columns, and what they are at first."""
    state = {"next_": "0::BIGINT", "out_": f"[]::{_out_type(plan)}[]"}
    for index in range(len(plan.node.steps)):
        state[f"active{index}"] = "false"
        state[f"match{index}"] = "NULL::BIGINT"
        state |= {each.within(index): each.empty for each in plan.kept if each.step <= index}
    return state


def _out_type(plan: _Plan) -> str:
    declared = [f"{field.sql} {SQL_TYPES[field.type]}" for field, _ in plan.declared]
    return f"STRUCT({', '.join(['match_ BIGINT', *declared])})"


def _step(index: int, plan: _Plan, sql: str) -> str:
    """The row against one step: first from the step before it, else as a repetition."""
    step = plan.node.steps[index]
    entered = "false"
    if index:
        condition = _compiled(step.condition, index - 1, plan)
        entered = f"(active{index - 1} AND coalesce({_truth(condition, step)}, false))"
    again = _truth(_compiled(step.condition, index, plan), step)
    repeated = f"coalesce({again}, false)" if index == 0 else f"(active{index} AND coalesce({again}, false))"
    sql = f"SELECT *, {entered} AS entered_, {repeated} AS repeated_ FROM ({sql})"
    sql = f"SELECT * REPLACE (repeated_ AND NOT entered_ AS repeated_) FROM ({sql})"
    values = {field.name: _assigned(field, default, step, index, plan) for field, default in plan.declared}
    cells = [f"{text} AS new_{field.sql}" for (field, _), text in zip(plan.declared, values.values(), strict=True)]
    if cells:
        sql = f"SELECT *, {', '.join(cells)} FROM ({sql})"
    changed = _changes(index, step, plan)
    dropped = ", ".join(["entered_", "repeated_", *(f"new_{field.sql}" for field, _ in plan.declared)])
    replaced = ", ".join(f"{text} AS {name}" for name, text in changed.items())
    return f"SELECT * EXCLUDE ({dropped}) FROM (SELECT * REPLACE ({replaced}) FROM ({sql}))"


def _changes(index: int, step: ScanStep, plan: _Plan) -> dict[str, str]:
    """The state's columns that a match changes."""
    begun = f"CASE WHEN repeated_ AND NOT active{index} THEN next_ ELSE match{index} END"
    match = f"CASE WHEN entered_ THEN match{index - 1} ELSE match{index} END" if index else begun
    changed = {f"active{index}": f"(active{index} OR entered_ OR repeated_)", f"match{index}": match}
    if index == 0:
        changed["next_"] = "CASE WHEN repeated_ AND NOT active0 THEN next_ + 1 ELSE next_ END"
    own = {f"m{number}": name for number, (_, name) in enumerate(plan.columns)}
    for each in plan.kept:
        name = each.within(index)
        if each.step < index:
            changed[name] = f"CASE WHEN entered_ THEN {each.within(index - 1)} ELSE {name} END"
        elif each.step == index:
            changed[name] = f"CASE WHEN entered_ OR repeated_ THEN {_current(own[each.name], plan)} ELSE {name} END"
    if index:
        changed[f"active{index - 1}"] = f"(active{index - 1} AND NOT entered_)"
        for each in plan.kept:
            if each.step < index:
                before = each.within(index - 1)
                changed[before] = f"CASE WHEN entered_ THEN {each.empty} ELSE {before} END"
    if step.output == "all":
        pairs = [f"match_ := {match}", *(f"{field.sql} := new_{field.sql}" for field, _ in plan.declared)]
        record = f"CAST(struct_pack({', '.join(pairs)}) AS {_out_type(plan)})"
        changed["out_"] = f"CASE WHEN entered_ OR repeated_ THEN list_append(out_, {record}) ELSE out_ END"
    return changed


def _current(name: str, plan: _Plan) -> str:
    """A column of the row as it matches now."""
    declared = next((field for field, _ in plan.declared if field.name == name), None)
    return f"new_{declared.sql}" if declared is not None else plan.rows.field(name).sql


def _assigned(field: Field, default: Sql, step: ScanStep, index: int, plan: _Plan) -> str:
    """A declared column's value where the step matches."""
    kind = SQL_TYPES[field.type]
    assignment = next((each for each in step.assignments if each.name == field.name), None)
    if assignment is None:
        return f"CAST({default.text} AS {kind})"
    texts = []
    for state in ([index - 1] if index else []) + [index]:
        value = _compiled(assignment.value, state, plan)
        coerced = conversions.coerce(value, field.type)
        if coerced is None:
            raise KqlSchemaError(
                f"{field.name} is a {field.type}, and a {value.type} is assigned.",
                **place(assignment.span),
                hint="Convert it.",
            )
        texts.append(f"CAST({coerced.text} AS {kind})")
    return texts[0] if len(texts) == 1 else f"CASE WHEN entered_ THEN {texts[0]} ELSE {texts[1]} END"


def _truth(value: Sql, step: ScanStep) -> str:
    if value.type == "bool":
        return value.text
    if value.type == "dynamic":
        return conversions.to_bool(value).text
    raise KqlSchemaError(
        f"A condition is needed here, and this is a {value.type}.", **place(step.span), hint="Compare it."
    )


def _compiled(node: Expression, state: int, plan: _Plan) -> Sql:
    """An expression over the row and the state of a step."""
    steps = {step.name: index for index, step in enumerate(plan.node.steps)}
    seen = [*plan.rows.fields]
    seen += [replace(field, sql=f"CAST({value.text} AS {SQL_TYPES[field.type]})") for field, value in plan.declared]
    names = {f"m{number}": key for number, key in enumerate(plan.columns)}
    for each in plan.kept:
        step, name = names[each.name]
        sql = each.within(state) if step <= state else each.empty
        seen.append(Field(f"{plan.node.steps[step].name}.{name}", each.type, sql))
    rows = replace(plan.rows, fields=tuple(seen))
    return Compiler(plan.scope, rows).value(_named(node, steps))


def _named(node: Any, steps: dict[str, int]) -> Any:
    """An expression in which ``step.Column`` is one name."""
    if isinstance(node, Member) and isinstance(node.base, Name) and node.base.text in steps:
        return Name(f"{node.base.text}.{node.key}", span=node.span)
    if isinstance(node, tuple):
        return tuple(_named(each, steps) for each in node)
    if isinstance(node, Node) and is_dataclass(node):
        changed = {f.name: _named(getattr(node, f.name), steps) for f in fields(node) if f.init and f.name != "span"}
        return replace(node, **changed)
    return node


def _given_out(plan: _Plan, found: str, source: str, on: str) -> Rows:
    """The rows that matched, in order, with the columns declared."""
    fresh = plan.scope.translation.fresh
    turn = fresh("turn")
    columns: list[Field] = [*plan.rows.fields, *(field for field, _ in plan.declared)]
    cells: Sequence[str] = [
        "r.*",
        f"f.turn_ AS {turn}",
        *(f"f.o_.{field.sql} AS {field.sql}" for field, _ in plan.declared),
    ]
    if plan.node.match_id:
        columns.append(Field(unique(plan.node.match_id, columns), "long", fresh(), False))
        cells = [*cells, f"f.o_.match_ AS {columns[-1].sql}"]
    sql = f"SELECT {', '.join(cells)} FROM ({found}) AS f JOIN ({source}) AS r ON {on}"
    return Rows(sql, tuple(columns), (*plan.rows.order, OrderTerm(turn)), serialized=True)
