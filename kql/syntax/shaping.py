"""Operators with a little language of their own: ``parse``, ``mv-expand``, ``make-series``, ``scan`` and others."""

from __future__ import annotations

from typing import Literal, cast

from kql.syntax.clauses import ClauseReader
from kql.syntax.literals import string_value
from kql.syntax.tokens import Token
from kql.syntax.tree import (
    Assignment,
    Constant,
    ExpandItem,
    Expression,
    MakeSeries,
    MvApply,
    MvExpand,
    Name,
    Named,
    NestedLevel,
    Operator,
    OrderKey,
    Parse,
    ParseKv,
    ParseSegment,
    Partition,
    Pipeline,
    Scan,
    ScanColumn,
    ScanStep,
    SeriesItem,
    TopNested,
)
from kql.types import KqlType

_LEGACY_LIMIT = 128
"""How many rows ``mvexpand``, the old spelling, makes of one."""

_EXPAND_PARAMETERS = ("bagexpansion", "kind", "with_itemindex")


class ShapingReader(ClauseReader):
    """Reads such operators; each method is called after its operator's name was taken."""

    def parse(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/parse-operator"""
        given = dict(self.parameters(("kind", "flags")))
        value = self.expression()
        self.expect("with", 'Write it as parse Column with "text" Name ...')
        segments = tuple(self._parse_segments())
        if not segments:
            self.fail("parse has nothing to look for.", 'Write it as parse Column with "text" Name ...')
        kind = str(given.get("kind", "simple"))
        if kind not in ("simple", "regex", "relaxed"):
            self.fail(f"{kind} is no kind of {word.text}.", "It is one of simple, regex, relaxed.", word)
        kinds = cast(Literal["simple", "regex", "relaxed"], kind)
        return Parse(value, segments, kinds, str(given.get("flags", "")), word.text == "parse", span=word.span)

    def _parse_segments(self) -> list[ParseSegment]:
        found: list[ParseSegment] = []
        while True:
            start = self.next
            if self.accept("*"):
                found.append(ParseSegment(span=start.span))
            elif start.kind == "string":
                found.append(ParseSegment(text=string_value(self.take().text), span=start.span))
            elif start.kind == "name" or self.sees("["):
                name = self.name()
                kind: KqlType = self.type() if self.accept(":") else "string"
                found.append(ParseSegment(name=name, type=kind, span=self.since(start)))
            else:
                return found

    def parse_kv(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/parse-kv-operator"""
        value = self.expression()
        self.expect("as", "Write it as parse-kv Column as (Name: string) with (...).")
        return ParseKv(value, self.columns(), self.properties(), span=word.span)

    def mv_expand(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/mv-expand-operator"""
        given = dict(self.parameters(_EXPAND_PARAMETERS))
        items = self._expand_items()
        limit = self.expression() if self.accept("limit") else None
        if limit is None and word.text == "mvexpand":
            limit = Constant(_LEGACY_LIMIT, "long", span=word.span)
        bag = str(given.get("bagexpansion", given.get("kind", "bag")))
        if bag not in ("bag", "array"):
            self.fail(f"{bag} is no way to expand.", "It is bag or array.", word)
        return MvExpand(items, cast(Literal["array", "bag"], bag), given.get("with_itemindex"), limit, span=word.span)

    def mv_apply(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/mv-apply-operator"""
        given = dict(self.parameters(_EXPAND_PARAMETERS))
        items = self._expand_items()
        limit = self.expression() if self.accept("limit") else None
        self.expect("on", "Write it as mv-apply x = Column on (subquery).")
        self.expect("(")
        steps = self.steps()
        self.expect(")")
        return MvApply(items, steps, given.get("with_itemindex"), limit, span=word.span)

    def _expand_items(self) -> tuple[ExpandItem, ...]:
        found: list[ExpandItem] = []
        while True:
            start = self.next
            named = self.named()
            kind: KqlType | None = None
            if self.accept("to"):
                self.expect("typeof", "Write it as to typeof(string).")
                self.expect("(")
                kind = self.type()
                self.expect(")")
            found.append(ExpandItem(named.value, named.names[0] if named.names else None, kind, span=self.since(start)))
            if not self.accept(","):
                return tuple(found)

    def make_series(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/make-series-operator"""
        nonempty = dict(self.parameters(("kind",))).get("kind") == "nonempty"
        items = [self._series_item()]
        while self.accept(","):
            items.append(self._series_item())
        self.expect("on", "Write it as make-series count() on Timestamp from a to b step 1h.")
        axis = self._axis()
        low = high = None
        inclusive = self.accept("in") is not None
        if inclusive:
            self.expect("range")
            self.expect("(")
            low = self.expression()
            self.expect(",")
            high = self.expression()
            self.expect(",")
            step = self.expression()
            self.expect(")")
        else:
            low = self.expression() if self.accept("from") else None
            high = self.expression() if self.accept("to") else None
            self.expect("step", "make-series needs the width of its bins, as in step 1h.")
            step = self.expression()
        by = self.by()
        return MakeSeries(tuple(items), axis, low, high, step, by, inclusive, nonempty, span=word.span)

    def _axis(self) -> Named:
        """``on t = Timestamp``; an ``in`` after it is no operator, it begins the old spelling of the range."""
        start = self.next
        names: tuple[str, ...] = ()
        if self.ahead().text == "=":
            names = (self.name(),)
            self.expect("=")
        at, value = self.at, self._path()
        if not self.sees("in", "from", "to", "step"):
            self.at = at
            value = self.expression()
        return Named(value, names, span=self.since(start))

    def _series_item(self) -> SeriesItem:
        start = self.next
        named = self.named()
        default = None
        if self.accept("default"):
            self.expect("=")
            default = self.expression()
        name = named.names[0] if named.names else None
        return SeriesItem(named.value, name, default, span=self.since(start))

    def partition(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/partition-operator"""
        self.parameters()
        self.expect("by", "Write it as partition by Column (subquery).")
        start = self.next
        key = Name(self.name(), span=self.since(start))
        if self.accept("{"):
            whole: Pipeline = self.pipeline()
            self.expect("}")
            return Partition(key, (), whole, span=word.span)
        self.expect("(", "Write it as partition by Column (subquery).")
        steps = self.steps()
        self.expect(")")
        return Partition(key, steps, span=word.span)

    def top_nested(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/top-nested-operator"""
        levels = [self._nested_level()]
        while self.accept(","):
            again = self.operator_word()
            if again.text != "top-nested":
                self.fail(f"{again.text} is not expected here.", "Each level begins with top-nested.", again)
            levels.append(self._nested_level())
        return TopNested(tuple(levels), span=word.span)

    def _nested_level(self) -> NestedLevel:
        start = self.next
        count = None if self.sees("of") else self.expression()
        self.expect("of", "Write it as top-nested 3 of Column by count().")
        key = self.named()
        others: Expression | None = None
        if self.accept("with"):
            self.expect("others")
            self.expect("=")
            others = self.expression()
        self.expect("by", "Write it as top-nested 3 of Column by count().")
        aggregate = self.named()
        direction = self.accept("asc", "desc")
        descending = direction is None or direction.text == "desc"
        return NestedLevel(count, key, others, aggregate, descending, span=self.since(start))

    def scan(self, word: Token) -> Operator:
        """https://learn.microsoft.com/en-us/kusto/query/scan-operator"""
        match_id = dict(self.parameters(("with_match_id",))).get("with_match_id")
        partition: tuple[Expression, ...] = ()
        order: tuple[OrderKey, ...] = ()
        declared: tuple[ScanColumn, ...] = ()
        while self.sees("partition", "order"):
            clause = self.take().text
            self.expect("by")
            if clause == "partition":
                partition = self.expressions()
            else:
                order = self.order_keys()
        if self.accept("declare"):
            declared = self._scan_columns()
        self.expect("with", "Write it as scan with (step s1: condition; ...).")
        self.expect("(")
        steps: list[ScanStep] = []
        while self.sees("step"):
            steps.append(self._scan_step())
            if not self.accept(";"):
                break
        self.expect(")")
        return Scan(tuple(steps), declared, match_id, partition, order, span=word.span)

    def _scan_columns(self) -> tuple[ScanColumn, ...]:
        self.expect("(")
        found: list[ScanColumn] = []
        while not self.sees(")"):
            start = self.next
            name = self.name()
            self.expect(":")
            kind = self.type()
            default = self.expression() if self.accept("=") else None
            found.append(ScanColumn(name, kind, default, span=self.since(start)))
            if not self.accept(","):
                break
        self.expect(")")
        return tuple(found)

    def _scan_step(self) -> ScanStep:
        start = self.expect("step")
        name = self.name()
        optional = self.accept("optional") is not None
        given = dict(self.parameters(("output",)))
        self.expect(":")
        condition = self.expression()
        assignments: list[Assignment] = []
        if self.accept("=>"):
            assignments.append(self._assignment())
            while self.accept(","):
                assignments.append(self._assignment())
        output = str(given.get("output", "all"))
        if output not in ("all", "last", "none"):
            self.fail(f"{output} is no output of a step.", "It is one of all, last, none.", start)
        return ScanStep(
            name, condition, tuple(assignments), cast(Literal["all", "last", "none"], output), optional,
            span=self.since(start),
        )  # fmt: skip

    def _assignment(self) -> Assignment:
        start = self.next
        name = self.name()
        self.expect("=")
        return Assignment(name, self.expression(), span=self.since(start))
