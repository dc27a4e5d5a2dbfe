"""Scalar expressions over the columns of some rows.

https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/ and the pages of the operators
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kql.errors import KqlError, KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import (
    Among,
    Between,
    Binary,
    Call,
    Constant,
    Element,
    Expression,
    Member,
    Name,
    Node,
    Pattern,
    Pipeline,
    Side,
    Sign,
    Subquery,
)
from kql.translate import conversions, patterns
from kql.translate.arithmetic import CONVERT, arithmetic, as_written, compared
from kql.translate.beside import Window
from kql.translate.context import Scalar, Scope, Tabular, Translation, UserFunction
from kql.translate.functions import registry
from kql.translate.functions.registry import Invocation
from kql.translate.lets import bound_parameters, returns_table, with_lets
from kql.translate.matching import equality, string_operation
from kql.translate.membership import among
from kql.translate.rows import Rows, unknown_column
from kql.translate.values import (
    INTEGERS,
    NUMBERS,
    Sql,
    json_step,
    literal,
    maybe_null,
    member,
    of_type,
)
from kql.types import KqlType

_SWAPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True)
class Compiler:
    """Translates expressions.

    ``rows``: whose columns names mean (None: no columns are in sight, as in a function's body). ``grouped``: the rows
    are being summarized, so aggregates may stand here and columns only inside them. ``over``: for functions that look
    at neighbouring rows; None where the rows are in no order. ``sides``: the two tables of a join.
    """

    scope: Scope
    rows: Rows | None = None
    grouped: bool = False
    over: Window | None = None
    sides: Mapping[str, Rows] | None = None

    @property
    def translation(self) -> Translation:
        """The translation at work."""
        return self.scope.translation

    def value(self, node: Expression) -> Sql:
        """An expression's value. Raises KqlError with the place."""
        match node:
            case Constant(value=value, type=kind):
                return literal(value, kind)
            case Name():
                return self._name(node)
            case Member(base=base, key=key):
                return self._member(node, self.value(base), key)
            case Element():
                return self._element(node)
            case Call():
                return self._call(node)
            case Sign(operator=sign, operand=operand):
                return self._sign(sign, operand)
            case Binary():
                return self._binary(node)
            case Among():
                return among(self, node)
            case Between():
                return self._between(node)
            case Side(side=side, name=name):
                if self.sides is None:
                    raise KqlSchemaError(
                        f"${side} has a meaning only in a join.", **place(node.span), hint="Write the column's name."
                    )
                return self.sides[side].field(name, node.span).value
            case Subquery():
                raise KqlSchemaError(
                    "A table cannot stand here.", **place(node.span), hint="toscalar(...) makes a value of it."
                )
            case _:
                raise KqlSchemaError("* cannot stand here.", **place(node.span), hint="Name a column.")

    def condition(self, node: Expression) -> str:
        """A predicate for WHERE, where null and false are the same: plain comparisons, which DuckDB can push down."""
        if isinstance(node, Binary) and node.operator in ("and", "or"):
            return f"({self.condition(node.left)} {node.operator.upper()} {self.condition(node.right)})"
        if isinstance(node, Binary) and node.operator in ("==", "!=") and not isinstance(node.left, Pattern):
            left, right = self._same_type(node)
            return equality(left, right, negated=node.operator == "!=", filtering=True)
        value = self.value(node)
        if value.type == "dynamic":
            return conversions.to_bool(value).text
        if value.type != "bool":
            raise KqlSchemaError(
                f"A condition is needed here, and this is a {value.type}.", **place(node.span), hint="Compare it."
            )
        return value.text

    def coerce(self, value: Sql, kind: KqlType) -> Sql | None:
        """What KQL makes of a value where another type is needed; None where it makes nothing."""
        return conversions.coerce(value, kind)

    # --- names and paths

    def _name(self, node: Name) -> Sql:
        found = self.rows.find(node.text) if self.rows is not None else None
        if found is not None:
            if self.grouped:
                raise KqlSchemaError(
                    f"The column {node.text} stands outside any aggregate.",
                    **place(node.span),
                    hint=f"Write take_any({node.text}), or group by it.",
                )
            return found.value
        binding = self.scope.find(node.text)
        if isinstance(binding, Scalar):
            return binding.value
        if binding is not None:
            raise KqlSchemaError(
                f"{node.text} is a {'table' if isinstance(binding, Tabular) else 'function'}, and a value is needed.",
                **place(node.span),
                hint="toscalar(...) makes a value of a table; a function needs its brackets.",
            )
        columns = [field.name for field in self.rows.fields] if self.rows is not None else []
        raise unknown_column(node.text, columns, node.span)

    def _member(self, node: Node, base: Sql, key: str) -> Sql:
        if base.type == "string" and base.literal is None:
            raise KqlSchemaError(
                f"A string has no property {key}.",
                **place(node.span),
                hint=f"Read it as JSON first: parse_json(Column).{key}.",
            )
        if base.type != "dynamic":
            raise KqlSchemaError(
                f"A {base.type} has no property {key}.", **place(node.span), hint="Only a dynamic value has properties."
            )
        return member(base, json_step(key))

    def _element(self, node: Element) -> Sql:
        base, index = self.value(node.base), self.value(node.index)
        if base.type == "string":
            raise KqlSchemaError(
                "A string has no elements.", **place(node.span), hint="Cut it with substring(), or split() it first."
            )
        if base.type != "dynamic":
            raise KqlSchemaError(f"A {base.type} has no elements.", **place(node.span), hint="Use a dynamic value.")
        if index.constant and index.type in INTEGERS:
            number = self.translation.compute(index, node.span)
            if number is None:
                return literal(None, "dynamic")
            return member(base, f"[{number}]" if number >= 0 else f"[#{number}]")
        if index.type in INTEGERS:
            step = f"CASE WHEN {index.text} < 0 THEN '$[#' || {index.text} || ']' ELSE '$[' || {index.text} || ']' END"
            return maybe_null(f"json_extract({base.text}, {step})", "dynamic", base, index)
        key = conversions.to_string(index)
        escaped = f"""replace(replace({key.text}, '\\', '\\\\'), '"', '\\"')"""
        return maybe_null(f"""json_extract({base.text}, '$."' || {escaped} || '"')""", "dynamic", base, key)

    # --- operators

    def _sign(self, sign: str, operand: Expression) -> Sql:
        if isinstance(operand, Constant) and operand.type in NUMBERS | {"timespan"} and operand.value is not None:
            return literal(-operand.value if sign == "-" else operand.value, operand.type)
        value = self.value(operand)
        if value.type not in NUMBERS | {"timespan"}:
            raise KqlSchemaError(f"A {value.type} has no sign.", **place(operand.span), hint=CONVERT)
        return of_type(f"({sign}{value.text})", value.type, value)

    def _binary(self, node: Binary) -> Sql:
        operator = node.operator
        if isinstance(node.left, Pattern) or isinstance(node.right, Pattern):
            return self._any_column(node)
        if operator in ("and", "or"):
            left, right = self._bool(node.left), self._bool(node.right)
            return of_type(f"({left.text} {operator.upper()} {right.text})", "bool", left, right)
        if operator in ("==", "!="):
            left, right = self._same_type(node)
            text = equality(left, right, negated=operator == "!=")
            return Sql(text, "bool", left.nullable and right.nullable, left.constant and right.constant)
        if operator in _SWAPPED:
            left, right = self._same_type(node, ordered=True)
            return of_type(f"({left.text} {operator} {right.text})", "bool", left, right)
        if operator in ("+", "-", "*", "/", "%"):
            return self._arithmetic(node, self.value(node.left), self.value(node.right))
        return self._match(node, self.value(node.left), self.value(node.right))

    def _bool(self, node: Expression) -> Sql:
        value = self.value(node)
        if value.type in ("bool", "dynamic"):
            return conversions.to_bool(value)
        raise KqlSchemaError(
            f"A condition is needed here, and this is a {value.type}.", **place(node.span), hint="Compare it."
        )

    def _match(self, node: Binary, left: Sql, right: Sql) -> Sql:
        texts = []
        for side, value in ((node.left, left), (node.right, right)):
            if value.type not in ("string", "dynamic", "guid"):
                raise KqlSchemaError(
                    f"{node.operator} does not take a {value.type}.",
                    **place(side.span if side.span.line else node.span),
                    hint="Make a text of it first, with tostring().",
                )
            texts.append(conversions.to_string(value))
        if node.operator == "matches regex":
            texts[1] = self.pattern(texts[1], node.right)
        elif texts[1].constant and texts[1].literal is None:
            texts[1] = literal(self.translation.compute(texts[1], node.right.span), "string")
        return Sql(string_operation(node.operator, *texts), "bool", False, left.constant and right.constant)

    def pattern(self, value: Sql, node: Expression) -> Sql:
        """A regular expression as DuckDB reads it: constant, checked, named groups in its spelling."""
        if not value.constant:
            return value
        text = self.translation.compute(value, node.span)
        return literal(self.checked_pattern(str(text), node), "string")

    def checked_pattern(self, text: str, node: Expression) -> str:
        """A pattern after a look for what RE2 does not have; Kusto, which uses RE2 too, refuses the same."""
        return patterns.checked(text, node.span).text

    def _any_column(self, node: Binary) -> Sql:
        """``* has "x"``: one of the columns; a column that is no text is looked at as one."""
        other = node.right if isinstance(node.left, Pattern) else node.left
        fields = self.rows.fields if self.rows is not None else ()
        wanted = self.value(other)
        tests = []
        for field in fields:
            if node.operator in ("==", "!="):
                if field.type == wanted.type:
                    tests.append(equality(field.value, wanted))
            else:
                texts = conversions.to_string(field.value), conversions.to_string(wanted)
                tests.append(string_operation(node.operator.lstrip("!"), *texts))
        found = " OR ".join(tests) or "false"
        return Sql(f"(NOT ({found}))" if node.operator.startswith("!") else f"({found})", "bool", False)

    def _same_type(self, node: Binary, *, ordered: bool = False) -> tuple[Sql, Sql]:
        """The two sides of a comparison, brought to one type."""
        left, right = self.value(node.left), self.value(node.right)
        if left.type == right.type == "dynamic":
            raise KqlSchemaError(
                "Dynamic values are compared as what they are taken for.",
                **place(node.span),
                hint="Convert one, with tostring(), tolong(), todouble() or todatetime().",
            )
        pair = compared(left, right) or (None if ordered else as_written(left, right))
        if pair is None or (ordered and pair[0].type in ("string", "dynamic", "guid", "bool")):
            if pair is not None and pair[0].type in ("string", "guid", "bool"):
                return pair
            raise KqlSchemaError(
                f"{node.operator} does not take a {left.type} and a {right.type}.",
                **place(node.span),
                hint=CONVERT,
            )
        return pair

    def _arithmetic(self, node: Binary, left: Sql, right: Sql) -> Sql:
        from_types = (left.type, right.type)
        result = arithmetic(node.operator, left, right)
        if result is not None:
            return result
        hint = "Join texts with strcat()." if "string" in from_types and node.operator == "+" else CONVERT
        raise KqlSchemaError(
            f"{node.operator} does not take a {left.type} and a {right.type}.", **place(node.span), hint=hint
        )

    def _between(self, node: Between) -> Sql:
        value, low, high = self.value(node.value), self.value(node.low), self.value(node.high)
        if high.type == "timespan" and value.type == "datetime":
            high = arithmetic("+", low, high) or high
        lows, highs = compared(value, low), compared(value, high)
        if lows is None or highs is None:
            raise KqlSchemaError(
                f"between does not take a {value.type}, a {low.type} and a {high.type}.",
                **place(node.span),
                hint=CONVERT,
            )
        inside = f"({lows[0].text} >= {lows[1].text} AND {highs[0].text} <= {highs[1].text})"
        if node.negated:
            inside = f"(NOT {inside})"
        return of_type(inside, "bool", value, low, high)

    # --- tables and calls

    def table(self, node: Expression) -> Rows | None:
        """The rows that an expression stands for; None where it is a value."""
        if isinstance(node, Subquery):
            return self.translation.pipelines(node.pipeline, self.scope)
        if isinstance(node, Name):
            if self.rows is not None and self.rows.find(node.text) is not None:
                return None
            binding = self.scope.find(node.text)
            if isinstance(binding, Tabular) or (binding is None and node.text in self.translation.tables):
                return self.translation.pipelines(Pipeline(node, span=node.span), self.scope)
            return None
        if isinstance(node, Call) and self._is_tabular(node):
            return self.translation.pipelines(Pipeline(node, span=node.span), self.scope)
        return None

    def _is_tabular(self, node: Call) -> bool:
        binding = self.scope.find(node.name)
        if isinstance(binding, UserFunction):
            return returns_table(binding)
        return node.name in ("materialize", "table", "view") and binding is None

    def _call(self, node: Call) -> Sql:
        if node.base is not None:
            raise KqlUnsupported(
                f"{node.name}() of another place is not run here.", **place(node.span), hint="Use this source's tables."
            )
        binding = self.scope.find(node.name)
        if isinstance(binding, UserFunction):
            return self._user_function(node, binding)
        if node.name == "toscalar":
            return self._toscalar(node)
        if self.grouped:
            declared = registry.find("aggregate", node.name)
            if declared is not None:
                return self._aggregate(node, declared)
        declared = registry.find("scalar", node.name)
        if declared is not None:
            return self._scalar(node, declared)
        declared = registry.find("window", node.name)
        if declared is not None:
            return self._window(node, declared)
        raise self._unknown_function(node)

    def bag_of(self, node: Call, declared: registry.Declaration) -> Sql:
        """The bag of all that a function of several columns gives."""
        return self._scalar(node, declared)

    def _unknown_function(self, node: Call) -> KqlError:
        if registry.find("aggregate", node.name) is not None:
            return KqlSchemaError(
                f"{node.name}() is an aggregate.", **place(node.span), hint="It stands in summarize or make-series."
            )
        return KqlUnsupported(
            f"{node.name}() is not supported here.",
            **place(node.span),
            hint=registry.way_round(node.name),
        )

    def _scalar(self, node: Call, declared: registry.Declaration) -> Sql:
        self._check_count(node, declared)
        values = tuple(self._argument(argument.value) for argument in node.arguments)
        return self._built(declared, Invocation(node, self, values))

    def _argument(self, node: Expression) -> Sql:
        """An argument's value; ``*`` and ``typeof(...)``, which builders read from the tree, have none."""
        if isinstance(node, Pattern) or (isinstance(node, Call) and node.name == "typeof"):
            return literal(None, "dynamic")
        return self.value(node)

    def _aggregate(self, node: Call, declared: registry.Declaration) -> Sql:
        self._check_count(node, declared)
        inside = replace(self, grouped=False)
        values = tuple(
            literal(None, "dynamic") if isinstance(argument.value, Pattern) else inside.value(argument.value)
            for argument in node.arguments
        )
        return self._built(declared, Invocation(node, inside, values))

    def _window(self, node: Call, declared: registry.Declaration) -> Sql:
        self._check_count(node, declared)
        if not self.over:
            raise KqlUnsupported(
                f"{node.name}() needs rows in a defined order.",
                **place(node.span),
                hint="Put | sort by or | serialize before it.",
            )
        values = tuple(self.value(argument.value) for argument in node.arguments)
        return self._built(declared, Invocation(node, self, values, self.over))

    def _built(self, declared: registry.Declaration, call: Invocation) -> Sql:
        built: Sql = declared.build(call)
        return built

    def _check_count(self, node: Call, declared: registry.Declaration) -> None:
        count = len(node.arguments)
        if declared.least <= count <= declared.most:
            return
        if declared.least == declared.most:
            wanted = f"{declared.least} argument{'' if declared.least == 1 else 's'}"
        else:
            wanted = f"{declared.least} to {declared.most} arguments"
        raise KqlSchemaError(
            f"{node.name}() takes {wanted}, not {count}.",
            **place(node.span),
            hint=f"See {registry.PAGES}{declared.page}.",
        )

    def _toscalar(self, node: Call) -> Sql:
        if len(node.arguments) != 1:
            raise KqlSchemaError("toscalar() takes one table.", **place(node.span), hint="Write toscalar(T | ...).")
        rows = self.table(node.arguments[0].value)
        if rows is None:
            return replace(self, rows=None).value(node.arguments[0].value)
        if not rows.fields:
            raise KqlSchemaError("This table has no column.", **place(node.span), hint="Project one.")
        first = rows.fields[0]
        shared = self.translation.share(f"SELECT {first.sql} AS v FROM ({rows.sql}){rows.order_by} LIMIT 1")
        return maybe_null(f"(SELECT v FROM ({shared}))", first.type)

    def _user_function(self, node: Call, binding: UserFunction) -> Sql:
        inner = bound_parameters(self, node, binding)
        body = binding.function.body
        inner = with_lets(body.lets, inner, self)
        if isinstance(body.body, Pipeline):
            raise KqlSchemaError(
                f"{node.name}() gives a table, and a value is needed.",
                **place(node.span),
                hint="toscalar(...) makes a value of a table.",
            )
        return replace(self, scope=inner, rows=None, grouped=False, over=None).value(body.body)
