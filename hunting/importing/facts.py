"""What the tree of a query says of it: the tables it reads, the sources that have them, the column that tells when."""

import dataclasses
import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from kql.catalogue import INFO
from kql.syntax import tree

DEFENDER: Final = "defender"
LOG_ANALYTICS: Final = "loganalytics"
_TIMES: Final = ("Timestamp", "TimeGenerated")
_KEEPS_TIME: Final = frozenset(
    {"bin", "floor", "startofday", "startofhour", "startofweek", "startofmonth", "todatetime"}
)
_TAKES_TIME: Final = frozenset({"min", "max", "arg_min", "arg_max", "any", "take_any", "minif", "maxif"})
_COMPARE: Final = frozenset({"==", "=~", "!=", "!~", "has", "contains", "startswith", "endswith"})
_FOLDED: Final = {name.casefold(): name for name in INFO}


@dataclass(frozen=True)
class Facts:
    """A query's tree, and what is read off it."""

    query: tree.Query

    @cached_property
    def nodes(self) -> tuple[tree.Node, ...]:
        """Every node, outer ones first."""
        return tuple(walk(self.query))

    @cached_property
    def lets(self) -> frozenset[str]:
        """Names that the text itself gives: lets, parameters of functions, `as`."""
        return frozenset(
            n.name for n in self.nodes if isinstance(n, tree.Let | tree.Parameter | tree.As)
        )  # fmt: skip

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """The tables that are read, in the order of the text; a known one in Microsoft's spelling."""
        found = [name for node in self.nodes for name in self._reads(node)]
        return tuple(dict.fromkeys(INFO[name].name if name in INFO else name for name in found))

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """Saved functions that stand where a table stands, such as Sentinel's parsers."""
        calls = [n.source for n in self.nodes if isinstance(n, tree.Pipeline) and isinstance(n.source, tree.Call)]
        names = (c.name for c in calls if c.name not in self.lets and c.name not in ("table", "materialize"))
        parsers = (t for t in self.tables if re.match(r"_?(im[A-Z_]|Im_|ASim)", t))
        return tuple(dict.fromkeys((*names, *parsers)))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every name in the text, case kept."""
        return frozenset(n.text for n in self.nodes if isinstance(n, tree.Name))

    @cached_property
    def columns(self) -> frozenset[str]:
        """Names, in lower case, that a parameter must not have: columns of the tables, and those the text makes."""
        return frozenset(name.casefold() for name in self.written_columns)

    @cached_property
    def written_columns(self) -> frozenset[str]:
        """The same names as they are written: KQL tells them apart by case."""
        known = {c.name for t in self.tables if t in INFO for c in INFO[t].columns}
        for node in self.nodes:
            if isinstance(node, tree.Named):
                known |= set(node.names)
            elif isinstance(node, tree.ColumnDeclaration | tree.ParseSegment | tree.ExpandItem) and node.name:
                known.add(node.name)
            elif isinstance(node, tree.ProjectRename):
                known |= {new for new, _ in node.items}
        return frozenset(known)

    @cached_property
    def is_word(self) -> bool:
        """Whether this is a bare name that no table known here has: a word, or the name of something elsewhere."""
        return self.is_bare and not any(name in INFO for name in self.tables)

    @cached_property
    def is_bare(self) -> bool:
        """Whether this is a name and nothing more."""
        body = self.query.body
        bare = isinstance(body, tree.Pipeline) and isinstance(body.source, tree.Name) and not body.operators
        return bare and not self.query.lets

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Which of Defender XDR and Log Analytics have these tables and speak of this time column."""
        families = {INFO[t].family for t in self.tables if t in INFO}
        stamps = [name for name in _TIMES if name in self.words]
        if "sentinel" in families or any(t.endswith("_CL") for t in self.tables) or self.functions:
            return (LOG_ANALYTICS,) if "defender" not in families else (DEFENDER, LOG_ANALYTICS)
        if len(stamps) == 1:
            return (DEFENDER,) if stamps == ["Timestamp"] else (LOG_ANALYTICS,)
        return (DEFENDER,) if families == {"defender"} else (DEFENDER, LOG_ANALYTICS)

    @cached_property
    def time_column(self) -> str:
        """The column of the result that says when, "" where none does."""
        body = self.query.body
        return next(iter(self._times(body, 0)), "") if isinstance(body, tree.Pipeline) else ""

    @cached_property
    def plausible(self) -> bool:
        """Whether this is meant as a query: prose and shell may read as a table's name."""
        if any(name in INFO for name in self.tables):
            return True
        body = self.query.body
        if not isinstance(body, tree.Pipeline) or isinstance(body.source, tree.Print | tree.Datatable | tree.Range):
            return isinstance(body, tree.Pipeline)
        if isinstance(body.source, tree.Union | tree.Search | tree.Find | tree.ExternalData | tree.Evaluate):
            return True
        named = any(t[:1].isupper() or t[:1] == "_" or t.endswith("_CL") for t in (*self.tables, *self.functions))
        return bool(body.operators) and (named or bool(self.query.lets))

    def _reads(self, node: tree.Node) -> Iterator[str]:
        found: Iterable[Any] = ()
        if isinstance(node, tree.Pipeline):
            found = (node.source,)
        elif isinstance(node, tree.Let) or (isinstance(node, tree.Argument) and not self._scalar(node.value)):
            found = (node.value,)
        elif isinstance(node, tree.Search):
            found = node.tables
        for item in found:
            if isinstance(item, tree.Name) and item.text not in self.lets:
                if not isinstance(node, tree.Let | tree.Argument) or item.text.casefold() in _FOLDED:
                    yield item.text
            elif isinstance(item, tree.Elsewhere):
                yield item.table
            elif isinstance(item, tree.Call) and item.name == "table" and item.arguments:
                value = item.arguments[0].value
                if isinstance(value, tree.Constant) and isinstance(value.value, str):
                    yield value.value

    def _scalar(self, value: Any) -> bool:
        return not (isinstance(value, tree.Name) and value.text in INFO)

    def _times(self, pipeline: tree.Pipeline, depth: int) -> list[str]:
        times = self._source_times(pipeline.source, depth)
        for step in pipeline.operators:
            times = _after(step, times)
        return times

    def _source_times(self, source: Any, depth: int) -> list[str]:
        if depth > 20:
            return []
        if isinstance(source, tree.Name):
            values = [n.value for n in self.query.lets if n.name == source.text]
            if values:
                return self._times(values[0], depth + 1) if isinstance(values[0], tree.Pipeline) else self._stamps()
            return self._stamps(source.text)
        if isinstance(source, tree.Union) and source.branches:
            return self._times(source.branches[0], depth + 1)
        if isinstance(source, tree.Subquery):
            return self._times(source.pipeline, depth + 1)
        if isinstance(source, tree.Call) and source.arguments and source.name == "materialize":
            inner = source.arguments[0].value
            return self._times(inner.pipeline, depth + 1) if isinstance(inner, tree.Subquery) else self._stamps()
        if isinstance(source, tree.Call) and source.name in self.lets:
            functions = [n.value for n in self.query.lets if n.name == source.name]
            bodies = [f.body.body for f in functions if isinstance(f, tree.Function)]
            return self._times(bodies[0], depth + 1) if bodies and isinstance(bodies[0], tree.Pipeline) else []
        if isinstance(source, tree.Datatable):
            return [c.name for c in source.columns if c.type == "datetime"]
        return self._stamps()

    def _stamps(self, table: str = "") -> list[str]:
        info = INFO.get(table)
        own = [info.time_column] if info and info.time_column else []
        if info:
            own = [c.name for c in info.columns if c.name in _TIMES and c.name in self.words] or own
        used: list[str] = [name for name in _TIMES if name in self.words]
        return own or used


def walk(node: Any) -> Iterator[tree.Node]:
    """A node and all beneath it, without recursion: a tree may be deep."""
    open_: list[Any] = [node]
    while open_:
        item = open_.pop()
        if isinstance(item, tuple):
            open_.extend(reversed(item))
        elif isinstance(item, tree.Node):
            yield item
            values = [getattr(item, f.name) for f in dataclasses.fields(item) if f.name != "span"]
            open_.extend(v for v in reversed(values) if isinstance(v, tuple | tree.Node))


def _after(step: tree.Operator, times: list[str]) -> list[str]:
    """The time columns that are left after a step."""
    match step:
        case tree.Project():
            return _named(step.items, times)
        case tree.Extend():
            return [*times, *(name for name in _named(step.items, times) if name not in times)]
        case tree.Summarize():
            return [*_named(step.by, times), *_named(step.aggregates, times)]
        case tree.Distinct():
            return (
                times if any(isinstance(item.value, tree.Pattern) for item in step.items) else _named(step.items, times)
            )
        case tree.ProjectPatterns():
            fits = [t for t in times if any(fnmatch.fnmatchcase(t, item.text) for item in step.items)]
            return fits if step.kind == "keep" else [t for t in times if t not in fits]
        case tree.ProjectRename():
            new = {old.text: name for name, old in step.items}
            return [new.get(t, t) for t in times]
        case tree.Count() | tree.MakeSeries() | tree.TopNested() | tree.TopHitters() | tree.GetSchema():
            return []
    return times


def _named(items: Iterable[tree.Named], times: list[str]) -> list[str]:
    return [name for item in items if (name := _time_name(item, times))]


def _time_name(item: tree.Named, times: list[str]) -> str:
    value: Any = item.value
    prefix = ""
    if isinstance(value, tree.Call) and value.arguments:
        call = value.name
        value = value.arguments[0].value
        if call in _TAKES_TIME:
            prefix = f"{call}_" if call in ("min", "max", "any") else ""
        elif call not in _KEEPS_TIME:
            return ""
    if not isinstance(value, tree.Name) or value.text not in times:
        return ""
    return item.names[0] if item.names else f"{prefix}{value.text}"


def compared(facts: Facts) -> dict[str, str]:
    """The column with which a name is compared, by name: it tells what the name holds."""
    found: dict[str, str] = {}
    for node in facts.nodes:
        if (
            isinstance(node, tree.Binary)
            and node.operator in _COMPARE
            and isinstance(node.left, tree.Name)
            and isinstance(node.right, tree.Name)
        ):
            found.setdefault(node.right.text, node.left.text)
            found.setdefault(node.left.text, node.right.text)
        elif isinstance(node, tree.Among) and isinstance(node.value, tree.Name):
            for item in node.items:
                if isinstance(item, tree.Name):
                    found.setdefault(item.text, node.value.text)
    return found
