"""A whole query: statements, and the pipeline that answers.

https://learn.microsoft.com/en-us/kusto/query/statements
"""

from __future__ import annotations

from typing import Any, Literal, NoReturn

from kql.errors import KqlResourceError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.literals import string_value
from kql.syntax.operators import OPERATOR_NAMES, OperatorReader
from kql.syntax.tokens import Token
from kql.syntax.tree import (
    Constant,
    Datatable,
    Expression,
    ExternalData,
    Function,
    Let,
    Name,
    Operator,
    Parameter,
    Pipeline,
    Print,
    Query,
    Range,
    Source,
    Subquery,
)
from kql.types import KqlType

_OPTIONS = frozenset({
    "best_effort", "maxmemoryconsumptionperiterator", "norequesttimeout", "notruncation", "query_results_cache_max_age",
    "querytrace", "request_app_name", "request_description", "servertimeout", "truncation_max_records",
    "truncationmaxrecords", "truncationmaxsize",
})  # fmt: skip
_OTHER_STATEMENTS = frozenset({"alias", "restrict", "declare"})


def parse(text: str) -> Query:
    """The tree of a query.

    Raises KqlSyntaxError with the place where the text stops being KQL, KqlUnsupported for control commands, for
    statements that this engine does not run, and for texts too long or too deep.
    """
    parser = _Parser(text)
    try:
        return parser.query()
    except RecursionError as error:
        raise KqlResourceError("The query is nested too deeply.", hint="Break it into let statements.") from error


class _Parser(OperatorReader):
    def query(self) -> Query:
        """Statements up to the end of the text."""
        if self.next.kind == "end":
            raise KqlUnsupported("The query is empty.", line=1, column=1, hint="Begin with the name of a table.")
        if self.sees("."):
            self._refuse("Control commands are not run here.", "Begin with a table.")
        query = self._statements("end")
        if not isinstance(query.body, Pipeline):
            self.fail("The query does not begin with a table.", "Begin with a table, or with print.", self.tokens[0])
        return query

    def _statements(self, closing: str) -> Query:
        """``let``s and one body, up to the end or to a closing bracket (which is left)."""
        start = self.next
        lets: list[Let] = []
        body: Pipeline | Expression | None = None
        while not self._at_end(closing):
            if self.accept(";"):
                continue
            if body is not None:
                self.fail(hint="A query ends with one pipeline; what comes before it are let statements.")
            if self.sees("let") and self.ahead().text != "=":
                lets.append(self._let())
            elif self.sees("set") and self.ahead().kind == "name":
                self._set()
            elif self.next.text in _OTHER_STATEMENTS and self.ahead().kind == "name":
                lets.extend(self._other())
            else:
                body = self._body(closing)
                continue
            if not self._at_end(closing):
                self.expect(";", "End a statement with ;.")
        if body is None:
            self.fail("The query has statements and no pipeline.", "Name a table after the last semicolon.")
        return Query(tuple(lets), body, span=self.since(start))

    def _at_end(self, closing: str) -> bool:
        return self.next.kind == "end" if closing == "end" else self.sees(closing)

    def _body(self, closing: str) -> Pipeline | Expression:
        """The pipeline of a query; a function's body may be a scalar instead."""
        if closing == "end":
            return self.pipeline()
        value = self.value()
        return value.pipeline if isinstance(value, Subquery) else value

    def _let(self) -> Let:
        start = self.take()
        name = self.name()
        self.expect("=", "Write it as let Name = value;")
        if self.sees("view") and self.ahead().text == "(":
            self.take()
        if self._begins_function():
            return Let(name, self._function(), span=self.since(start))
        value = self.value()
        return Let(name, value.pipeline if isinstance(value, Subquery) else value, span=self.since(start))

    def _begins_function(self) -> bool:
        return self.sees("(") and self.tokens[min(self.closing() + 1, len(self.tokens) - 1)].text == "{"

    def _function(self) -> Function:
        start = self.next
        parameters: list[Parameter] = []
        self.expect("(")
        while not self.sees(")"):
            parameters.append(self._parameter())
            if not self.accept(","):
                break
        self.expect(")")
        self.expect("{")
        body = self._statements("}")
        self.expect("}")
        return Function(tuple(parameters), body, span=self.since(start))

    def _parameter(self) -> Parameter:
        start = self.next
        name = self.name()
        self.expect(":", "Write a parameter as Name: type.")
        if self.sees("("):
            if self.ahead().text == "*":
                self.take()
                self.take()
                self.expect(")")
                return Parameter(name, "table", None, span=self.since(start))
            return Parameter(name, "table", self.columns(), span=self.since(start))
        kind: KqlType | Literal["table"] = self.type()
        default: Constant | None = None
        if self.accept("="):
            value = self.expression()
            default = value if isinstance(value, Constant) else self._signed_constant(value)
        return Parameter(name, kind, None, default, span=self.since(start))

    def _signed_constant(self, value: Expression) -> Constant:
        operand = getattr(value, "operand", None)
        if not isinstance(operand, Constant):
            self.fail("A parameter's default is a literal.")
        return Constant(-operand.value, operand.type, span=value.span)

    def _set(self) -> None:
        """``set option [= value]``: the service's options that change no answer; others are refused."""
        self.take()
        option = self.expect_kind("name", "The name of an option")
        if option.text not in _OPTIONS:
            self._refuse(f"The option {option.text} is not known here.", "Write the query without it.", option)
        if self.accept("="):
            self.take()

    def _other(self) -> list[Let]:
        """``declare query_parameters (...)`` as lets of their defaults; other statements are refused."""
        word = self.take()
        if word.text != "declare" or not self.accept("query_parameters"):
            self._refuse(f"{word.text} statements are not run here.", "Write the query without it.", word)
        self.expect("(")
        found: list[Let] = []
        while not self.sees(")"):
            parameter = self._parameter()
            if parameter.default is None:
                self._refuse(f"The parameter {parameter.name} has no value.", "Bind it with a let statement.", word)
            found.append(Let(parameter.name, parameter.default, span=parameter.span))
            if not self.accept(","):
                break
        self.expect(")")
        return found

    def _refuse(self, message: str, hint: str, token: Token | None = None) -> NoReturn:
        raise KqlUnsupported(message, **place((token or self.next).span), hint=hint)

    # --- pipelines

    def pipeline(self) -> Pipeline:
        """A source and what is piped after it."""
        start = self.next
        return self._steps_after(self._source(), start)

    def piped(self, source: Expression, start: Token) -> Pipeline:
        """A pipeline whose source has been read as an expression."""
        return self._steps_after(self.source(source), start)

    def _steps_after(self, source: Source, start: Token) -> Pipeline:
        steps: list[Operator] = []
        while self.accept("|"):
            steps.append(self.operator())
        return Pipeline(source, tuple(steps), span=self.since(start))

    def _source(self) -> Source:
        start = self.next
        if start.kind != "name" or not self._begins_source():
            return self._plain_source(start)
        self.take()
        match start.text:
            case "print":
                return Print(self.named_list(), span=start.span)
            case "range":
                return self._range(start)
            case "datatable":
                return self._datatable(start)
            case "externaldata":
                return self._external(start)
            case "union":
                return self.union(start)  # type: ignore[return-value]
            case "search":
                return self.search(start)  # type: ignore[return-value]
            case "find":
                return self.find(start)  # type: ignore[return-value]
            case _:
                return self._evaluate(start)  # type: ignore[return-value]

    def _plain_source(self, start: Token) -> Source:
        if self.sees("("):
            self.take()
            inner = self.pipeline()
            self.expect(")")
            return Subquery(inner, span=self.since(start))
        if start.kind == "name" and start.text in OPERATOR_NAMES and self.ahead().kind in ("name", "string", "number"):
            self.fail(f"The query begins with the operator {start.text}.", "Begin with a table, then a pipe.", start)
        value = self._path()
        if isinstance(value, Name) and self.sees("*") and self.tokens[self.at - 1].end == self.next.span.offset:
            self.at -= 1
            return self.name_or_pattern()
        return self.source(value)

    def _range(self, start: Token) -> Range:
        name = self.name()
        self.expect("from")
        low = self.expression()
        self.expect("to", "Write it as range x from 1 to 10 step 1.")
        high = self.expression()
        self.expect("step", "Write it as range x from 1 to 10 step 1.")
        return Range(name, low, high, self.expression(), span=self.since(start))

    def _datatable(self, start: Token) -> Datatable:
        self.parameters()
        columns = self.columns()
        self.expect("[", "The values of a datatable stand in [ ].")
        values: list[Expression] = []
        while not self.sees("]"):
            values.append(self.expression())
            if not self.accept(","):
                break
        self.expect("]")
        if len(values) % max(len(columns), 1):
            self.fail(
                f"The datatable has {len(columns)} columns and {len(values)} values.",
                "Each row needs one value a column.", start,
            )  # fmt: skip
        return Datatable(columns, tuple(values), span=self.since(start))

    def _external(self, start: Token) -> ExternalData:
        columns = self.columns()
        self.expect("[", "The addresses of externaldata stand in [ ].")
        addresses: list[str] = []
        while self.next.kind == "string":
            addresses.append(string_value(self.take().text))
            self.accept(",")
        self.expect("]")
        properties: tuple[tuple[str, Any], ...] = self.properties()
        return ExternalData(columns, tuple(addresses), properties, span=self.since(start))
