"""Scalar expressions over the columns of some rows.

https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/ and the pages of the operators
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
    Function,
    Let,
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
from kql.translate.beside import Window
from kql.translate.context import Scalar, Scope, Tabular, Translation, UserFunction
from kql.translate.functions import registry
from kql.translate.functions.registry import Invocation
from kql.translate.matching import equality, string_operation, terms_pattern, total
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
_WHOLE = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_LONG = 1 << 63
_OF_NO_ROW = re.compile(r"\(SELECT v FROM \(SELECT \* FROM shared\d+\)\)")
"""What ``toscalar`` is in SQL: the same for every row."""
_YEAR_ONE = 62135596800000000
"""Microseconds from KQL's first moment to 1970."""
_TRUTH = {"true": True, "false": False, "1": True, "0": False}
_CONVERT = "Convert it first, with tostring(), tolong(), todouble() or todatetime()."


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
                return self._among(node)
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
            raise KqlSchemaError(f"A {value.type} has no sign.", **place(operand.span), hint=_CONVERT)
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
                hint=_CONVERT,
            )
        return pair

    def _arithmetic(self, node: Binary, left: Sql, right: Sql) -> Sql:
        from_types = (left.type, right.type)
        result = arithmetic(node.operator, left, right)
        if result is not None:
            return result
        hint = "Join texts with strcat()." if "string" in from_types and node.operator == "+" else _CONVERT
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
                hint=_CONVERT,
            )
        inside = f"({lows[0].text} >= {lows[1].text} AND {highs[0].text} <= {highs[1].text})"
        if node.negated:
            inside = f"(NOT {inside})"
        return of_type(inside, "bool", value, low, high)

    # --- lists

    def _among(self, node: Among) -> Sql:
        if isinstance(node.value, Pattern):
            raise KqlSchemaError(f"* has no {node.operator} here.", **place(node.span), hint="Name a column.")
        value = self.value(node.value)
        table = self._one_column(node)
        if node.operator in ("has_any", "has_all"):
            return self._has_list(node, value, table)
        folded = node.operator.endswith("~")
        negated = node.operator.startswith("!")
        if folded:
            value = self._needed_text(value, node.value)
        inside = self._in_items(node, value, folded) if table is None else self._in_table(value, table, folded)
        return Sql(total(inside, value, negated=negated), "bool", False)

    def _needed_text(self, value: Sql, node: Expression) -> Sql:
        if value.type in ("string", "dynamic", "guid"):
            return conversions.to_string(value)
        raise KqlSchemaError(
            f"A text is needed here, and this is a {value.type}.", **place(node.span), hint="Use tostring()."
        )

    def _one_column(self, node: Among) -> Rows | None:
        """The table in the brackets of ``in``, of which the first column counts; None where values stand there."""
        if len(node.items) != 1:
            return None
        rows = self.table(node.items[0])
        if rows is not None and not rows.fields:
            raise KqlSchemaError("This table has no column.", **place(node.span), hint="Project one.")
        return rows

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

    def _in_table(self, value: Sql, rows: Rows, folded: bool) -> str:
        first = rows.fields[0].value
        if first.type == "dynamic":
            return _in_texts(value, texts_of(first, f" FROM ({rows.sql})"), folded)
        pair = compared(value, first) if not folded else (value, conversions.to_string(first))
        if pair is None:
            pair = conversions.to_string(value), conversions.to_string(first)
        left, right = (f"lower({side.text})" if folded else side.text for side in pair)
        return f"{left} IN (SELECT {right} FROM ({rows.sql}) WHERE {right} IS NOT NULL)"

    def _in_items(self, node: Among, value: Sql, folded: bool) -> str:
        tests: list[str] = []
        plain: list[str] = []
        for item in self._flat(node.items):
            if item.type == "dynamic":
                tests.append(self._in_dynamic(value, item, folded))
                continue
            wanted = conversions.to_string(item) if folded else item
            sides = compared(value, wanted) or as_written(value, wanted)
            if sides is None:
                raise KqlSchemaError(
                    f"{node.operator} does not take a {value.type} and a {wanted.type}.",
                    **place(node.span),
                    hint=_CONVERT,
                )
            elif sides[0].text == value.text:
                plain.append(f"lower({sides[1].text})" if folded else sides[1].text)
            else:
                tests.append(f"{sides[0].text} = {sides[1].text}")
        if plain:
            left = f"lower({value.text})" if folded else value.text
            tests.insert(0, f"{left} IN ({', '.join(plain)})")
        return f"({' OR '.join(tests)})" if tests else "false"

    def _flat(self, items: Sequence[Expression]) -> list[Sql]:
        """The values of a list; a constant array stands for its elements."""
        found: list[Sql] = []
        for item in items:
            value = self.value(item)
            if value.literal is not None and isinstance(value.literal.value, list):
                found.extend(json_literal(each) for each in value.literal.value)
            else:
                found.append(value)
        return found

    def _in_dynamic(self, value: Sql, array: Sql, folded: bool) -> str:
        if _OF_NO_ROW.fullmatch(array.text):
            return _in_texts(value, texts_of(array), folded)
        elements = needles_sql(array)
        left = conversions.to_string(value).text
        if folded:
            return f"list_contains(list_transform({elements}, lambda e: lower(e->>'$')), lower({left}))"
        return f"list_contains(list_transform({elements}, lambda e: e->>'$'), {left})"

    def _has_list(self, node: Among, value: Sql, table: Rows | None) -> Sql:
        text = self._needed_text(value, node.value)
        joined = " OR " if node.operator == "has_any" else " AND "
        if table is not None:
            return Sql(
                self._has_texts(node, text, texts_of(table.fields[0].value, f" FROM ({table.sql})")), "bool", False
            )
        tests = []
        items = self._flat(node.items)
        plain = [str(each.literal.value) for each in items if each.type == "string" and each.literal is not None]
        if node.operator == "has_any" and len(plain) == len(items) and all(map(str.isascii, plain)) and "" not in plain:
            return Sql(terms_pattern(text, plain, sensitive=False) if plain else "false", "bool", False)
        for item in items:
            if item.type == "dynamic" and _OF_NO_ROW.fullmatch(item.text):
                tests.append(self._has_texts(node, text, texts_of(item)))
            elif item.type == "dynamic":
                lists = f"list_transform({needles_sql(item)}, lambda e: e->>'$')"
                found = _has(text, "needle")
                fold = "list_bool_or" if node.operator == "has_any" else "list_bool_and"
                tests.append(f"coalesce({fold}(list_transform({lists}, lambda needle: {found})), false)")
            else:
                tests.append(string_operation("has", text, conversions.to_string(item)))
        return Sql(f"({joined.join(tests) or 'false'})", "bool", False)

    def _has_texts(self, node: Among, text: Sql, needles: str) -> str:
        """``has_any`` or ``has_all`` of what a SELECT gives."""
        test = _has(text, "n")
        if node.operator == "has_all":
            return f"(NOT EXISTS (SELECT 1 FROM ({needles}) WHERE NOT {test}))"
        return f"EXISTS (SELECT 1 FROM ({needles}) WHERE {test})"

    # --- calls

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
        inner = with_lets(body.lets, inner)
        if isinstance(body.body, Pipeline):
            raise KqlSchemaError(
                f"{node.name}() gives a table, and a value is needed.",
                **place(node.span),
                hint="toscalar(...) makes a value of a table.",
            )
        return replace(self, scope=inner, rows=None, grouped=False, over=None).value(body.body)


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
                    hint=_CONVERT,
                )
            scope = scope.bind(parameter.name, Scalar(wanted))
    if given:
        raise KqlSchemaError(
            f"{node.name}() takes {len(binding.function.parameters)} arguments.",
            **place(given[0].span),
            hint="Remove what is too much.",
        )
    return scope


def with_lets(lets: Sequence[Let], scope: Scope) -> Scope:
    """The scope after some ``let`` statements."""
    for let in lets:
        scope = _with_let(let, scope)
    return scope


def _with_let(let: Let, scope: Scope) -> Scope:
    value = let.value
    if isinstance(value, Function):
        return scope.bind(let.name, UserFunction(value, scope))
    if isinstance(value, Pipeline):
        return scope.bind(let.name, Tabular(scope.translation.pipelines(value, scope)))
    if isinstance(value, Name):
        known = scope.find(value.text)
        if known is not None:
            return scope.bind(let.name, known)
    compiler = Compiler(scope)
    rows = compiler.table(value)
    return scope.bind(let.name, Tabular(rows) if rows is not None else Scalar(compiler.value(value)))


def compared(left: Sql, right: Sql) -> tuple[Sql, Sql] | None:
    """Two values brought to the type in which they are compared; None where there is none.

    A dynamic value is compared as what the other side is; two dynamics as their JSON. A text beside a datetime, a
    timespan or a guid is read as one only where it is a literal.
    """
    if left.type == right.type:
        return left, right
    for one, other, swap in ((left, right, False), (right, left, True)):
        if one.type == "dynamic":
            pair = conversions.convert(one, other.type), other
            return (pair[1], pair[0]) if swap else pair
        if one.type == "string" and one.literal is not None and other.type in ("datetime", "timespan", "guid"):
            pair = conversions.convert(one, other.type), other
            return (pair[1], pair[0]) if swap else pair
        if one.type == "bool" and other.type in NUMBERS:
            pair = conversions.convert(one, other.type), other
            return (pair[1], pair[0]) if swap else pair
    kind = conversions.common_type([left.type, right.type])
    if kind is None or kind == "dynamic":
        return None
    return conversions.convert(left, kind), conversions.convert(right, kind)


def as_written(left: Sql, right: Sql) -> tuple[Sql, Sql] | None:
    """Two values where one is a literal that says the same in the other's type: for ``==``, ``!=`` and ``in`` alone.

    Microsoft's own hunts write ``EventID == "4688"`` over an int, ``ResultType == 0`` over a string; the language
    takes any two scalars here. A literal that the other type would spell otherwise (``"04688"``) has no one reading.
    """
    if left.literal is not None and right.literal is None:
        literal_ = _as_written(left.literal, right.type)
        return None if literal_ is None else (literal_, right)
    if right.literal is not None and left.literal is None:
        literal_ = _as_written(right.literal, left.type)
        return None if literal_ is None else (left, literal_)
    return None


def _as_written(constant: Constant, kind: KqlType) -> Sql | None:
    value = constant.value
    if constant.type in INTEGERS and kind == "string" and value is not None:
        return literal(str(value), "string")
    if constant.type != "string":
        return None
    if kind in INTEGERS and _WHOLE.fullmatch(value):
        return literal(int(value), "long") if abs(int(value)) < _LONG else None
    return literal(_TRUTH[value.lower()], "bool") if kind == "bool" and value.lower() in _TRUTH else None


def arithmetic(operator: str, left: Sql, right: Sql) -> Sql | None:
    """``+ - * / %`` of two values; None where Kusto does not have it either.

    https://learn.microsoft.com/en-us/kusto/query/numerical-operators and datetime-timespan-arithmetic beside it
    """
    if left.type in NUMBERS and right.type in NUMBERS:
        return _numbers(operator, left, right)
    return _moments(operator, left, right)


def _numbers(operator: str, left: Sql, right: Sql) -> Sql:
    kind = conversions.common_type([left.type, right.type, "long"]) or "long"
    one, two = conversions.convert(left, kind), conversions.convert(right, kind)
    if operator == "/":
        if kind == "long":
            return maybe_null(f"({one.text} // nullif({two.text}, 0))", kind, left, right)
        return of_type(f"({one.text} / {two.text})", kind, left, right)
    if operator == "%":
        size = f"abs(nullif({two.text}, 0))"
        return maybe_null(f"((({one.text} % {size}) + {size}) % {size})", kind, left, right)
    return of_type(f"({one.text} {operator} {two.text})", kind, left, right)


def _moments(operator: str, left: Sql, right: Sql) -> Sql | None:
    kinds = (left.type, operator, right.type)
    match kinds:
        case ("datetime", "-", "datetime"):
            return of_type(f"(epoch_us({left.text}) - epoch_us({right.text}))", "timespan", left, right)
        case ("datetime", "+" | "-", "timespan"):
            text = f"({left.text} {operator} to_microseconds({right.text}))"
            return of_type(text, "datetime", left, right)
        case ("timespan", "+", "datetime"):
            return of_type(f"({right.text} + to_microseconds({left.text}))", "datetime", left, right)
        case ("timespan", "+" | "-", "timespan"):
            return of_type(f"({left.text} {operator} {right.text})", "timespan", left, right)
        case ("timespan", "%", "timespan"):
            return maybe_null(f"({left.text} % nullif({right.text}, 0))", "timespan", left, right)
        case ("timespan", "/", "timespan"):
            return maybe_null(f"(CAST({left.text} AS DOUBLE) / nullif({right.text}, 0))", "real", left, right)
        case ("timespan", "*", "int" | "long" | "real" | "decimal"):
            return of_type(f"CAST({left.text} * {right.text} AS BIGINT)", "timespan", left, right)
        case ("int" | "long" | "real" | "decimal", "*", "timespan"):
            return of_type(f"CAST({left.text} * {right.text} AS BIGINT)", "timespan", left, right)
        case ("timespan", "/", "int" | "long" | "real" | "decimal"):
            return maybe_null(f"CAST(trunc({left.text} / nullif({right.text}, 0)) AS BIGINT)", "timespan", left, right)
        case ("datetime", "/", "datetime" | "timespan"):
            divisor = right.text if right.type == "timespan" else f"(epoch_us({right.text}) + {_YEAR_ONE})"
            ticks = f"(epoch_us({left.text}) + {_YEAR_ONE})"
            return maybe_null(f"(CAST({ticks} AS DOUBLE) / nullif({divisor}, 0))", "real", left, right)
        case ("datetime", "%", "timespan"):
            ticks = f"(epoch_us({left.text}) + {_YEAR_ONE})"
            return maybe_null(f"({ticks} % nullif({right.text}, 0))", "timespan", left, right)
    return None


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
