"""The walk over a query's tree that proves it row-wise, and collects what a slice changes in its text."""

import fnmatch
import re
from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NoReturn

from hunting.rowwise import orders
from hunting.rowwise.edits import Edit, Refusal, Refused, Rowwise, plain
from hunting.rowwise.functions import ROW_FUNCTIONS
from kql.syntax import tree
from kql.syntax.tokens import Token

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SHAPE = Literal["scalar", "rows", "constant"]
_WHOLE: Final = "looks at more than one row at a time"
_WHY: Final[Mapping[type[tree.Node], str]] = {
    tree.Take: "takes some of the rows: each slice would give as many",
    tree.Sample: "takes some of the rows: each slice would give as many",
    tree.Top: "takes the first of all rows: each slice would give as many",
    tree.Render: "draws the whole answer",
    tree.Sort: "orders the rows by something else than their time",
    tree.Join: "brings rows of two tables together, which may lie in different slices",
    tree.Serialize: "is there for functions that look at neighbouring rows",
    tree.Invoke: "runs a function that is not in the text",
    tree.Evaluate: "runs a plugin that may look at more than one row",
    tree.Search: "names no tables whose time column is known",
    tree.Find: "names no tables whose time column is known",
    tree.As: "gives the rows a name for other statements to read them as a whole",
    tree.ExternalData: "is fetched anew with every call",
    tree.Elsewhere: "reads another cluster or database, whose tables are not known here",
}


@dataclass(frozen=True)
class Shape:
    """What a name stands for. `order`: the time column's name in these rows, "" where it is gone."""

    shape: _SHAPE
    order: str = ""
    function: bool = False


_SCALAR: Final = Shape("scalar")
Scope = dict[str, Shape]


class Reader:
    """Walks a tree, collects the edits, raises Refused at what cannot be proved."""

    def __init__(self, text: str, time_column: str, words: list[Token], tables: Mapping[str, frozenset[str]]) -> None:
        self.text, self.time_column, self.tables = text, time_column, tables
        self.pipes = [word.span.offset for word in words if word.kind == "mark" and word.text == "|"]
        self.closings = _closings(words)
        self.edits: list[Edit] = []
        self.descending: bool | None = None
        self._no_options(words)

    def query(self, query: tree.Query) -> Rowwise:
        if not _NAME.match(self.time_column):
            raise ValueError(f"{self.time_column[:80]!r} is no plain name for a time column")
        scope = self._lets(query, {})
        body = query.body
        assert isinstance(body, tree.Pipeline), "the parser gives a pipeline, or fails"
        kind = self._pipeline(body, scope, main=True)
        if kind.shape != "rows":
            self._refuse(body.span, "The query reads no table whose time could be cut.")
        if self.descending is None and kind.order:
            name = kind.order if _NAME.match(kind.order) else f"['{_escaped(kind.order)}']"
            self.edits.append(Edit(self._end(body), 0, plain(f" | sort by {name} asc ")))
        edits = tuple(sorted(self.edits, key=lambda edit: edit.offset))
        return Rowwise(self.text, self.time_column, edits, kind.order, bool(self.descending))

    # --- statements

    def _no_options(self, words: list[Token]) -> None:
        for before, word, after in zip([None, *words], words, words[1:], strict=False):
            first = before is None or before.text == ";"
            if first and word.text == "set" and after.kind == "name":
                self._refuse(word.span, "A set statement may change how the service cuts its answers.")

    def _lets(self, query: tree.Query, outer: Scope) -> Scope:
        scope = dict(outer)
        for let in query.lets:
            scope[let.name] = self._let(let.value, scope)
        return scope

    def _let(self, value: tree.Pipeline | tree.Expression | tree.Function, scope: Scope) -> Shape:
        if isinstance(value, tree.Function):
            return self._function(value, scope)
        if isinstance(value, tree.Pipeline):
            return self._pipeline(value, scope)
        return self._value(value, scope)

    def _function(self, function: tree.Function, scope: Scope) -> Shape:
        inside = dict(scope)
        for parameter in function.parameters:
            if parameter.type == "table":
                self._refuse(parameter.span, "A function that takes a table may use it in any way.")
            inside[parameter.name] = _SCALAR
        body = function.body
        inside = self._lets(body, inside)
        kind = self._pipeline(body.body, inside) if isinstance(body.body, tree.Pipeline) else self._value(
            body.body, inside
        )  # fmt: skip
        return replace(kind, function=True)

    def _value(self, value: tree.Expression, scope: Scope) -> Shape:
        """A let's value that may be rows or a scalar: only the names in it tell."""
        rows = isinstance(value, tree.Subquery) or (isinstance(value, tree.Name) and self._is_rows(value.text, scope))
        if isinstance(value, tree.Call) and value.base is None:
            known = scope.get(value.name, _SCALAR)
            rows = value.name in ("materialize", "table") or (known.function and known.shape != "scalar")
        if rows:
            assert isinstance(value, tree.Subquery | tree.Name | tree.Call)
            return self._source(value, scope)
        self._expression(value, scope)
        return _SCALAR

    def _is_rows(self, name: str, scope: Scope) -> bool:
        return scope[name].shape != "scalar" if name in scope else name in self.tables

    # --- pipelines

    def _pipeline(self, pipeline: tree.Pipeline, scope: Scope, main: bool = False) -> Shape:
        if isinstance(pipeline.source, tree.Union):
            kind = self._union(pipeline.source, scope, pipeline)
        else:
            kind = self._source(pipeline.source, scope)
        for operator in pipeline.operators:
            kind = self._operator(operator, kind, scope, main and operator is pipeline.operators[-1], main)
        return kind

    def _source(self, source: tree.Source, scope: Scope) -> Shape:
        match source:
            case tree.Name(text=name):
                return self._named(source, name, scope)
            case tree.Subquery(pipeline=inner):
                return self._pipeline(inner, scope)
            case tree.Call():
                return self._called(source, scope)
            case tree.Datatable(values=values):
                self._expressions(values, scope)
                return Shape("constant")
            case tree.Print(items=items):
                self._expressions([item.value for item in items], scope)
                return Shape("constant")
            case tree.Range(low=low, high=high, step=step):
                self._expressions((low, high, step), scope)
                return Shape("constant")
            case tree.Pattern():
                self._refuse(source.span, f"{source.text} stands for tables that only the service knows. Name them.")
            case _:
                self._refuse(source.span, f"{self._word(source)} {_WHY.get(type(source), _WHOLE)}.")

    def _named(self, source: tree.Name, name: str, scope: Scope) -> Shape:
        if name in scope:
            if scope[name].shape == "scalar" or scope[name].function:
                self._refuse(source.span, f"{name} is no table here.")
            return scope[name]
        self._table(source.span, name)
        return Shape("rows", self.time_column)

    def _table(self, span: tree.Span, name: str) -> None:
        """Write the slice's filter behind a table's name."""
        self._check_table(span, name)
        end = self.closings.get(span.offset, span.offset + span.length)
        written = plain(self.text[span.offset : end])
        self.edits.append(Edit(span.offset, end - span.offset, f"({written} | where {self._filter})"))

    def _check_table(self, span: tree.Span, name: str) -> None:
        if name not in self.tables:
            self._refuse(span, f"{name} is not known as a table; it may be a saved function.")
        if self.time_column not in self.tables[name]:
            self._refuse(span, f"{name} has no time column {self.time_column}.")

    @property
    def _filter(self) -> str:
        return f"{self.time_column} >= {{start}} and {self.time_column} < {{end}}"

    def _called(self, call: tree.Call, scope: Scope) -> Shape:
        arguments = [argument.value for argument in call.arguments]
        known = scope.get(call.name)
        if call.base is not None:
            self._refuse(call.span, f"{call.name}() reads another cluster, database or workspace.")
        if known is not None and known.function and known.shape != "scalar":
            self._expressions(arguments, scope)
            return replace(known, function=False)
        if known is None and call.name == "materialize" and len(arguments) == 1:
            only = arguments[0]
            if isinstance(only, tree.Subquery | tree.Name | tree.Call):
                return self._source(only, scope)
        if known is None and call.name == "table" and len(arguments) == 1:
            only = arguments[0]
            if isinstance(only, tree.Constant) and isinstance(only.value, str) and only.value not in scope:
                self._table(call.span, only.value)
                return Shape("rows", self.time_column)
        self._refuse(call.span, f"{call.name}() is a function that is not in the text.")

    def _union(self, union: tree.Union, scope: Scope, at_head_of: tree.Pipeline | None = None) -> Shape:
        if union.with_source is not None:
            return self._marked_union(union, scope, at_head_of)
        kinds = [self._pipeline(branch, scope) for branch in union.branches]
        for branch, kind in zip(union.branches, kinds, strict=True):
            if kind.shape != "rows":
                self._refuse(branch.span, "This branch of the union has no time: every slice would repeat its rows.")
        orders = {kind.order for kind in kinds}
        return Shape("rows", orders.pop() if len(orders) == 1 else "")

    def _marked_union(self, union: tree.Union, scope: Scope, head: tree.Pipeline | None) -> Shape:
        """A branch in brackets loses its table's name, so the filter stands behind the whole union of plain tables."""
        if head is None:
            self._refuse(union.span, "withsource names its tables, which a filter inside would change.")
        for branch in union.branches:
            plain = isinstance(branch.source, tree.Name) and not branch.operators
            if not plain or (isinstance(branch.source, tree.Name) and branch.source.text in scope):
                self._refuse(branch.span, "withsource over anything but plain tables cannot be proved.")
            assert isinstance(branch.source, tree.Name)
            self._check_table(branch.span, branch.source.text)
        if union.with_source == self.time_column:
            self._refuse(union.span, "withsource takes the time column's name.")
        end = self._pipe_before(head.operators[0]) if head.operators else head.span.offset + head.span.length
        self.edits.append(Edit(end, 0, f" | where {self._filter} "))
        return Shape("rows", self.time_column)

    # --- operators

    def _operator(self, step: tree.Operator, kind: Shape, scope: Scope, last: bool, main: bool) -> Shape:
        match step:
            case tree.Where(predicate=predicate):
                self._expression(predicate, scope)
                return kind
            case tree.Extend(items=items) | tree.Project(items=items):
                self._expressions([item.value for item in items], scope)
                order = orders.after_extend if isinstance(step, tree.Extend) else orders.after_project
                return replace(kind, order=order(items, kind.order))
            case tree.ProjectPatterns(kind=which, items=chosen):
                hit = any(fnmatch.fnmatchcase(kind.order, one.text) for one in chosen)
                return replace(kind, order=kind.order if hit == (which == "keep") else "")
            case tree.ProjectReorder():
                return kind
            case tree.ProjectRename(items=pairs):
                return replace(kind, order=orders.after_rename(pairs, kind.order))
            case tree.Parse(value=value, segments=segments):
                self._expression(value, scope)
                return _without(kind, [segment.name for segment in segments])
            case tree.ParseKv(value=value, columns=columns):
                self._expression(value, scope)
                return _without(kind, [column.name for column in columns])
            case tree.MvExpand():
                return self._expanded(step, kind, scope)
            case tree.Union() if self.descending is None:
                return self._joined_by_union(step, kind, scope)
            case tree.Sort() if main and kind.order:
                return self._sorted(step, kind)
            case tree.Render(kind="table") if last:
                return kind
        self._refuse(step.span, f"{self._word(step)} {_WHY.get(type(step), _WHOLE)}.")

    def _expanded(self, step: tree.MvExpand, kind: Shape, scope: Scope) -> Shape:
        self._expressions([item.value for item in step.items], scope)
        if step.limit is not None:
            self._expression(step.limit, scope)
        names = [item.name or (item.value.text if isinstance(item.value, tree.Name) else "") for item in step.items]
        return _without(kind, [*names, step.index])

    def _joined_by_union(self, step: tree.Union, kind: Shape, scope: Scope) -> Shape:
        if kind.shape != "rows":
            self._refuse(step.span, "union adds a table to rows that have no time.")
        other = self._union(step, scope)
        return replace(kind, order=kind.order if other.order == kind.order else "")

    def _sorted(self, step: tree.Sort, kind: Shape) -> Shape:
        only = step.keys[0] if len(step.keys) == 1 else None
        if only is None or only.value != tree.Name(kind.order) or self.descending is not None:
            self._refuse(step.span, f"{self._word(step)} orders all rows by more than their time.")
        self.descending = only.descending
        return kind

    # --- expressions

    def _expressions(self, values: Collection[tree.Expression], scope: Scope) -> None:
        for value in values:
            self._expression(value, scope)

    def _expression(self, value: tree.Expression, scope: Scope) -> None:
        match value:
            case tree.Constant() | tree.Pattern():
                pass
            case tree.Name(text=name):
                if name in scope and scope[name].shape == "rows":
                    self._refuse(value.span, _subquery(name))
            case tree.Member(base=base):
                self._expression(base, scope)
            case tree.Element(base=base, index=index):
                self._expressions((base, index), scope)
            case tree.Sign(operand=operand):
                self._expression(operand, scope)
            case tree.Binary(left=left, right=right):
                self._expressions((left, right), scope)
            case tree.Between(value=inner, low=low, high=high):
                self._expressions((inner, low, high), scope)
            case tree.Among(value=inner, items=items):
                self._expression(inner, scope)
                self._constants(items, scope)
            case tree.Subquery(pipeline=pipeline):
                self._constant_rows(pipeline, scope)
            case tree.Call():
                self._call(value, scope)
            case _:
                self._refuse(value.span, "This expression cannot be proved to look at one row only.")

    def _constants(self, items: Collection[tree.Expression], scope: Scope) -> None:
        """Where a name may also be a table: a list's items, the arguments of toscalar."""
        for item in items:
            if isinstance(item, tree.Name) and item.text not in scope and item.text in self.tables:
                self._refuse(item.span, _subquery(item.text))
            self._expression(item, scope)

    def _constant_rows(self, pipeline: tree.Pipeline, scope: Scope) -> None:
        if self._pipeline(pipeline, scope).shape != "constant":
            self._refuse(pipeline.span, _subquery("A table"))

    def _call(self, call: tree.Call, scope: Scope) -> None:
        arguments = [argument.value for argument in call.arguments]
        known = scope.get(call.name)
        if call.name in ("now", "ago") and known is None and call.base is None:
            self._pin(call)
            self._expressions(arguments, scope)
        elif call.name in ("toscalar", "materialize") and known is None and call.base is None:
            self._constants(arguments, scope)
        elif call.base is None and _is_row_function(call.name, known):
            self._expressions(arguments, scope)
        else:
            self._refuse(call.span, f"{call.name}() cannot be proved to look at one row only.")

    def _pin(self, call: tree.Call) -> None:
        """`ago(x)` becomes `({now} - (x))`: only its name and its end change, so that x may hold another."""
        start, end = call.span.offset, self.closings.get(call.span.offset)
        if end is None or len(call.arguments) > 1 or (call.name == "ago" and not call.arguments):
            self._refuse(call.span, f"{call.name}() is not written as Kusto has it.")
        if not call.arguments:
            self.edits.append(Edit(start, end - start, "{now}"))
            return
        sign = "-" if call.name == "ago" else "+"
        self.edits += [Edit(start, 3, f"({{now}} {sign} "), Edit(end, 0, ")")]

    # --- places

    def _end(self, body: tree.Pipeline) -> int:
        """Where a last step is added: behind the text, or before a render."""
        last = body.operators[-1] if body.operators else None
        return self._pipe_before(last) if isinstance(last, tree.Render) else body.span.offset + body.span.length

    def _pipe_before(self, step: tree.Operator) -> int:
        return self.pipes[bisect_left(self.pipes, step.span.offset) - 1]

    def _word(self, node: tree.Node) -> str:
        span = node.span
        return " ".join(self.text[span.offset : span.offset + span.length].split())[:40] or "This"

    def _refuse(self, span: tree.Span, reason: str) -> NoReturn:
        raise Refused(Refusal(reason, max(span.line, 1), max(span.column, 1)))


def _without(kind: Shape, names: Collection[str | None]) -> Shape:
    """The rows after columns of these names were written."""
    return replace(kind, order="") if kind.order in names else kind


def _is_row_function(name: str, known: Shape | None) -> bool:
    return name in ROW_FUNCTIONS if known is None else known.function and known.shape != "rows"


def _closings(words: list[Token]) -> dict[int, int]:
    """Where a call that begins at an offset ends, its closing bracket included: the tree keeps the name's place."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for before, word in zip([None, *words], words, strict=False):
        if word.text == "(" and word.kind == "mark":
            opened.append(before.span.offset if before is not None and before.kind == "name" else -1)
        elif word.text == ")" and word.kind == "mark" and opened and (start := opened.pop()) >= 0:
            found[start] = word.end
    return found


def _subquery(name: str) -> str:
    return f"{name} is read as a whole for every row; rows that arrive between two slices would change what it says."


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
