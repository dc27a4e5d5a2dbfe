"""The plain operators of a pipeline, and the table by which all of them are found.

https://learn.microsoft.com/en-us/kusto/query/tabular-operators
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Literal, cast

from kql.syntax.finding import FindingReader
from kql.syntax.tokens import Token
from kql.syntax.tree import (
    As,
    Call,
    Consume,
    Count,
    Distinct,
    Evaluate,
    Expression,
    Extend,
    GetSchema,
    Invoke,
    Name,
    Named,
    Operator,
    Pattern,
    Project,
    ProjectPatterns,
    ProjectRename,
    ProjectReorder,
    Render,
    ReorderItem,
    Sample,
    Serialize,
    Sort,
    Summarize,
    Take,
    Top,
    TopHitters,
    Unrun,
    Where,
)

_UNRUN = frozenset({
    "assert-schema", "execute-and-cache", "facet", "fork", "graph-mark-components", "graph-match",
    "graph-shortest-paths", "graph-to-table", "graph-where-edges", "graph-where-nodes", "macro-expand", "make-graph",
    "reduce",
})  # fmt: skip
_ORDERS = ("asc", "desc", "granny-asc", "granny-desc")
_ENDS = frozenset({"|", ")", ";", "}"})


class OperatorReader(FindingReader):
    """Reads operators."""

    def operator(self) -> Operator:
        """The operator after a pipe."""
        start = self.next
        if start.kind != "name":
            self.fail()
        word = self.operator_word()
        if word.text in _UNRUN:
            return self._skipped(word)
        read = _OPERATORS.get(word.text)
        if read is None:
            near = difflib.get_close_matches(word.text.lower(), OPERATOR_NAMES, 1)
            hint = (
                f"Did you mean {near[0]}?" if near else "After a pipe stands an operator, such as where or summarize."
            )
            self.fail(f"{word.text} is no operator.", hint, word)
        if self.next.kind == "end" and word.text not in ("count", "serialize", "getschema", "consume"):
            self.fail(f"The operator {word.text} is not complete.", "Check what follows it.", word)
        return read(self, word)

    def _skipped(self, word: Token) -> Unrun:
        depth = 0
        while self.next.kind != "end":
            if self.next.kind == "mark":
                if depth == 0 and self.next.text in _ENDS:
                    break
                depth += (self.next.text in "([{") - (self.next.text in ")]}")
            self.take()
        return Unrun(word.text, span=word.span)

    def _where(self, word: Token) -> Operator:
        self.parameters()
        return Where(self.expression(), span=word.span)

    def _extend(self, word: Token) -> Operator:
        return Extend(self.named_list(), span=word.span)

    def _project(self, word: Token) -> Operator:
        return Project(self.named_list(), span=word.span)

    def _project_patterns(self, word: Token) -> Operator:
        kind = cast(Literal["away", "keep"], word.text.removeprefix("project-"))
        return ProjectPatterns(kind, self.patterns(), span=word.span)

    def _project_reorder(self, word: Token) -> Operator:
        items = [self._reorder_item()]
        while self.accept(","):
            items.append(self._reorder_item())
        return ProjectReorder(tuple(items), span=word.span)

    def _reorder_item(self) -> ReorderItem:
        start = self.next
        column = self.name_or_pattern()
        order = ""
        if self.sees("asc", "desc", "granny"):
            order = self.operator_word().text
            if order not in _ORDERS:
                self.fail(f"{order} is no order.", f"It is one of {', '.join(_ORDERS)}.")
        return ReorderItem(column, order, span=self.since(start))

    def _project_rename(self, word: Token) -> Operator:
        pairs: list[tuple[str, Name]] = []
        while True:
            new = self.name()
            self.expect("=", "Write it as project-rename New = Old.")
            start = self.next
            pairs.append((new, Name(self.name(), span=self.since(start))))
            if not self.accept(","):
                return ProjectRename(tuple(pairs), span=word.span)

    def _distinct(self, word: Token) -> Operator:
        self.parameters()
        if self.sees("*"):
            star = self.take()
            return Distinct((Named(Pattern("*", span=star.span), span=star.span),), span=word.span)
        return Distinct(self.named_list(), span=word.span)

    def _take(self, word: Token) -> Operator:
        return Take(self.expression(), span=word.span)

    def _sort(self, word: Token) -> Operator:
        self.parameters()
        self.expect("by", f"Write it as {word.text} by Column desc.")
        return Sort(self.order_keys(), span=word.span)

    def _top(self, word: Token) -> Operator:
        self.parameters()
        count = self.expression()
        self.expect("by", "Write it as top 10 by Column desc.")
        return Top(count, self.order_keys(), span=word.span)

    def _count(self, word: Token) -> Operator:
        return Count(self.name() if self.accept("as") else None, span=word.span)

    def _summarize(self, word: Token) -> Operator:
        hints = self.parameters()
        aggregates = () if self.sees("by") else self.named_list()
        return Summarize(aggregates, self.by(), hints, span=word.span)

    def _evaluate(self, word: Token) -> Operator:
        self.parameters()
        call = self._whole_call("evaluate")
        if not self.accept(":"):
            return Evaluate(call, span=word.span)
        star, columns = self.columns_after_star()
        return Evaluate(call, columns, star, span=word.span)

    def _invoke(self, word: Token) -> Operator:
        return Invoke(self._whole_call("invoke"), span=word.span)

    def _whole_call(self, operator: str) -> Call:
        call = self._path()
        if not isinstance(call, Call):
            self.fail(f"{operator} needs a function and its brackets.", f"Write it as {operator} name(...).")
        return call

    def _render(self, word: Token) -> Operator:
        kind = self.expect_kind("name", "The kind of a chart").text
        if self.sees("with") or self.next.kind != "name":
            return Render(kind, self.properties(), span=word.span)
        found = []
        while self.next.kind == "name":
            name = self.take().text
            if self.accept("="):
                found.append((name, self._property_value()))
        return Render(kind, tuple(found), span=word.span)

    def _serialize(self, word: Token) -> Operator:
        items = () if self.next.kind == "end" or self.sees(*_ENDS) else self.named_list()
        return Serialize(items, span=word.span)

    def _sample(self, word: Token) -> Operator:
        return Sample(self.expression(), span=word.span)

    def _sample_distinct(self, word: Token) -> Operator:
        self.parameters()
        count = self.expression()
        self.expect("of", "Write it as sample-distinct 10 of Column.")
        return Sample(count, self.expression(), span=word.span)

    def _top_hitters(self, word: Token) -> Operator:
        count = self.expression()
        self.expect("of", "Write it as top-hitters 10 of Column by Weight.")
        of = self.expression()
        by: Expression | None = self.expression() if self.accept("by") else None
        return TopHitters(count, of, by, span=word.span)

    def _as(self, word: Token) -> Operator:
        self.parameters()
        return As(self.name(), span=word.span)

    def _getschema(self, word: Token) -> Operator:
        return GetSchema(span=word.span)

    def _consume(self, word: Token) -> Operator:
        self.parameters(("decodeblocks",))
        return Consume(span=word.span)


_OPERATORS: dict[str, Callable[[OperatorReader, Token], Operator]] = {
    "as": OperatorReader._as,
    "consume": OperatorReader._consume,
    "count": OperatorReader._count,
    "distinct": OperatorReader._distinct,
    "evaluate": OperatorReader._evaluate,
    "extend": OperatorReader._extend,
    "filter": OperatorReader._where,
    "find": OperatorReader.find,
    "getschema": OperatorReader._getschema,
    "invoke": OperatorReader._invoke,
    "join": OperatorReader.join,
    "limit": OperatorReader._take,
    "lookup": OperatorReader.lookup,
    "make-series": OperatorReader.make_series,
    "mv-apply": OperatorReader.mv_apply,
    "mvapply": OperatorReader.mv_apply,
    "mv-expand": OperatorReader.mv_expand,
    "mvexpand": OperatorReader.mv_expand,
    "order": OperatorReader._sort,
    "parse": OperatorReader.parse,
    "parse-kv": OperatorReader.parse_kv,
    "parse-where": OperatorReader.parse,
    "partition": OperatorReader.partition,
    "project": OperatorReader._project,
    "project-away": OperatorReader._project_patterns,
    "project-keep": OperatorReader._project_patterns,
    "project-rename": OperatorReader._project_rename,
    "project-reorder": OperatorReader._project_reorder,
    "render": OperatorReader._render,
    "sample": OperatorReader._sample,
    "sample-distinct": OperatorReader._sample_distinct,
    "scan": OperatorReader.scan,
    "search": OperatorReader.search,
    "serialize": OperatorReader._serialize,
    "sort": OperatorReader._sort,
    "summarize": OperatorReader._summarize,
    "take": OperatorReader._take,
    "top": OperatorReader._top,
    "top-hitters": OperatorReader._top_hitters,
    "top-nested": OperatorReader.top_nested,
    "union": OperatorReader.union,
    "where": OperatorReader._where,
}

OPERATOR_NAMES = frozenset(_OPERATORS) | _UNRUN
"""All operators of the language that are read, the ones that are never run included."""
