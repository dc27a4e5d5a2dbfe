"""``let`` statements, and the functions that a query defines by them.

https://learn.microsoft.com/en-us/kusto/query/let-statement
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import Call, Function, Let, Name, Pipeline
from kql.translate.arithmetic import CONVERT
from kql.translate.context import Scalar, Scope, Tabular, UserFunction
from kql.translate.rows import Rows
from kql.translate.values import literal

if TYPE_CHECKING:
    from kql.translate.expressions import Compiler


def returns_table(binding: UserFunction) -> bool:
    """Whether a function of the query's own gives rows."""
    body = binding.function.body.body
    if isinstance(body, Pipeline):
        return True
    scope = binding.scope
    if isinstance(body, Name | Call):
        name = body.text if isinstance(body, Name) else body.name
        own = next((let for let in reversed(binding.function.body.lets) if let.name == name), None)
        if own is not None:
            return returns_table(_own(own, binding))
    if isinstance(body, Name):
        parameter = next((each for each in binding.function.parameters if each.name == body.text), None)
        if parameter is not None:
            return parameter.type == "table"
        return isinstance(scope.find(body.text), Tabular) or (
            scope.find(body.text) is None and body.text in scope.translation.tables
        )
    if isinstance(body, Call):
        inner = scope.find(body.name)
        if isinstance(inner, UserFunction):
            return returns_table(inner)
        return body.name in ("materialize", "table", "view")
    return False


def _own(let: Let, binding: UserFunction) -> UserFunction:
    """A function whose body is what a ``let`` of this function's body stands for."""
    if isinstance(let.value, Function):
        return replace(binding, function=let.value)
    body = binding.function.body
    before = body.lets[: body.lets.index(let)]
    return replace(binding, function=replace(binding.function, body=replace(body, lets=before, body=let.value)))


def bound_parameters(compiler: Compiler, node: Call, binding: UserFunction, piped: Rows | None = None) -> Scope:
    """The scope of a function's body: where it was written, and its parameters. ``piped``: the rows of ``invoke``."""
    scope = binding.scope
    given = list(node.arguments)
    for parameter in binding.function.parameters:
        if parameter.type == "table" and piped is not None:
            if parameter.columns is not None:
                piped = piped.keep(piped.field(each.name, node.span) for each in parameter.columns)
            scope, piped = scope.bind(parameter.name, Tabular(piped)), None
            continue
        named = next((each for each in given if each.name == parameter.name), None)
        argument = named or next((each for each in given if each.name is None), None)
        if argument is None:
            if parameter.default is None:
                raise KqlSchemaError(
                    f"{node.name}() needs a value for {parameter.name}.", **place(node.span), hint="Add the argument."
                )
            scope = scope.bind(parameter.name, Scalar(literal(parameter.default.value, parameter.default.type)))
            continue
        given.remove(argument)
        if parameter.type == "table":
            rows = compiler.table(argument.value)
            if rows is None:
                raise KqlSchemaError(
                    f"{parameter.name} of {node.name}() is a table.", **place(argument.span), hint="Give it a table."
                )
            if parameter.columns is not None:
                rows = rows.keep(rows.field(each.name, argument.span) for each in parameter.columns)
            scope = scope.bind(parameter.name, Tabular(rows))
        else:
            value = compiler.value(argument.value)
            wanted = compiler.coerce(value, parameter.type)
            if wanted is None:
                raise KqlSchemaError(
                    f"{parameter.name} of {node.name}() is a {parameter.type}, and a {value.type} is given.",
                    **place(argument.span),
                    hint=CONVERT,
                )
            scope = scope.bind(parameter.name, Scalar(wanted))
    if given:
        raise KqlSchemaError(
            f"{node.name}() takes {len(binding.function.parameters)} arguments.",
            **place(given[0].span),
            hint="Remove what is too much.",
        )
    return scope


def with_lets(lets: Sequence[Let], scope: Scope, compiler: Compiler) -> Scope:
    """The scope after some ``let`` statements. ``compiler``: any; none of its columns is in sight."""
    for let in lets:
        scope = _with_let(let, replace(compiler, scope=scope, rows=None, grouped=False, over=None))
    return scope


def _with_let(let: Let, compiler: Compiler) -> Scope:
    value, scope = let.value, compiler.scope
    if isinstance(value, Function):
        return scope.bind(let.name, UserFunction(value, scope))
    if isinstance(value, Pipeline):
        return scope.bind(let.name, Tabular(scope.translation.pipelines(value, scope)))
    if isinstance(value, Name):
        known = scope.find(value.text)
        if known is not None:
            return scope.bind(let.name, known)
    rows = compiler.table(value)
    return scope.bind(let.name, Tabular(rows) if rows is not None else Scalar(compiler.value(value)))
