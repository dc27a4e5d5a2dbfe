"""KQL's syntax tree.

Every node knows its place in the text as it was written. Names keep their case; operators are in lower case.
https://learn.microsoft.com/en-us/kusto/query/syntax-conventions
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from kql.types import KqlType

Json: TypeAlias = Any
"""What ``json.loads`` may return."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands: 0-based offset, length in characters, 1-based line and column."""

    offset: int
    length: int
    line: int
    column: int


NOWHERE = Span(0, 0, 0, 0)
"""The place of what no text says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Anything in the tree."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


# --- expressions


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A literal. ``value`` by type: bool, int, float, Decimal, str (string, guid), datetime (aware, UTC; microseconds),
    timedelta, parsed JSON for dynamic; None is the type's null."""

    value: Any
    type: KqlType


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A column, a ``let`` or a table."""

    text: str


@dataclass(frozen=True, slots=True)
class Pattern(Node):
    """A name with ``*`` in it, or ``*`` alone: several columns or tables."""

    text: str


@dataclass(frozen=True, slots=True)
class Side(Node):
    """``$left.Column`` or ``$right.Column`` in the condition of a join."""

    side: Literal["left", "right"]
    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """``base.key`` and ``base["key"]``: a property of a dynamic value."""

    base: Expression
    key: str


@dataclass(frozen=True, slots=True)
class Element(Node):
    """``base[index]``: an element of an array, or a property whose name is computed."""

    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """An argument of a call, and its name where it was written with one (``f(x = 1)``)."""

    value: Expression
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, an aggregate, a plugin, or a ``let`` with parameters. ``name`` keeps its case.

    ``base``: what stands before the dot in ``cluster("c").database("d")``.
    """

    name: str
    arguments: tuple[Argument, ...]
    base: Expression | None = None


@dataclass(frozen=True, slots=True)
class Sign(Node):
    """``-x`` or ``+x``."""

    operator: Literal["-", "+"]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Two operands; ``operator`` is one of tokens.BINARY, in lower case, ``<>`` as ``!=``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Among(Node):
    """``in``, ``!in``, ``in~``, ``!in~``, ``has_any``, ``has_all`` and a list in brackets; it may be one pipeline."""

    operator: str
    value: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Between(Node):
    """``value between (low .. high)``, both ends in; a timespan as ``high`` is added to ``low``."""

    value: Expression
    low: Expression
    high: Expression
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Subquery(Node):
    """A pipeline where an expression stands: in brackets, ``in (...)``, ``toscalar(...)``, ``materialize(...)``."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Named(Node):
    """An expression and the names it is to have: ``x = e``, ``(a, b) = e``; ``names`` is empty without any."""

    value: Expression
    names: tuple[str, ...] = ()


Expression: TypeAlias = (
    Constant | Name | Pattern | Side | Member | Element | Call | Sign | Binary | Among | Between | Subquery
)


# --- sources


@dataclass(frozen=True, slots=True)
class ColumnDeclaration(Node):
    """``Name: type`` in a schema."""

    name: str
    type: KqlType


@dataclass(frozen=True, slots=True)
class Datatable(Node):
    """``datatable (a: long, b: string) [1, "x", ...]``."""

    columns: tuple[ColumnDeclaration, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class ExternalData(Node):
    """``externaldata (a: string) [h@"https://..."] with (format="csv")``."""

    columns: tuple[ColumnDeclaration, ...]
    addresses: tuple[str, ...]
    properties: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Range(Node):
    """``range x from a to b step c`` at the head of a query."""

    name: str
    low: Expression
    high: Expression
    step: Expression


@dataclass(frozen=True, slots=True)
class Print(Node):
    """``print a = 1, ...``: one row."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere(Node):
    """``cluster("c").database("d").Table`` and its shorter forms."""

    cluster: str | None
    database: str | None
    table: str


Source: TypeAlias = (
    "Name | Pattern | Call | Subquery | Datatable | ExternalData | Range | Print | Elsewhere | Union | Search | Find"
    " | Evaluate"
)


# --- operators


@dataclass(frozen=True, slots=True)
class Operator(Node):
    """One step of a pipeline; ``span`` is its first word."""


Hints: TypeAlias = tuple[tuple[str, Json], ...]
"""``hint.x = y`` and other named parameters of an operator: a text for a name, a value for a literal."""


@dataclass(frozen=True, slots=True)
class OrderKey(Node):
    """One key of a sort; ``nulls_first`` None where the text does not say."""

    value: Expression
    descending: bool = True
    nulls_first: bool | None = None


@dataclass(frozen=True, slots=True)
class Where(Operator):
    """``where`` and ``filter``."""

    predicate: Expression


@dataclass(frozen=True, slots=True)
class Extend(Operator):
    """``extend``."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Project(Operator):
    """``project``."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class ProjectPatterns(Operator):
    """``project-away`` and ``project-keep``: names and patterns."""

    kind: Literal["away", "keep"]
    items: tuple[Name | Pattern, ...]


@dataclass(frozen=True, slots=True)
class ReorderItem(Node):
    """A name or pattern of ``project-reorder``; ``order`` is "", asc, desc, granny-asc or granny-desc."""

    column: Name | Pattern
    order: str = ""


@dataclass(frozen=True, slots=True)
class ProjectReorder(Operator):
    """``project-reorder``."""

    items: tuple[ReorderItem, ...]


@dataclass(frozen=True, slots=True)
class ProjectRename(Operator):
    """``project-rename New = Old, ...``: pairs of new and old."""

    items: tuple[tuple[str, Name], ...]


@dataclass(frozen=True, slots=True)
class Distinct(Operator):
    """``distinct a, x = b``; ``*`` is one Pattern."""

    items: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Take(Operator):
    """``take`` and ``limit``."""

    count: Expression


@dataclass(frozen=True, slots=True)
class Sort(Operator):
    """``sort by`` and ``order by``."""

    keys: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class Top(Operator):
    """``top n by key``."""

    count: Expression
    keys: tuple[OrderKey, ...]


@dataclass(frozen=True, slots=True)
class Count(Operator):
    """``count``, ``count as Name``."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Summarize(Operator):
    """``summarize aggregates by keys``."""

    aggregates: tuple[Named, ...]
    by: tuple[Named, ...]
    hints: Hints = ()


@dataclass(frozen=True, slots=True)
class Join(Operator):
    """``join`` and ``lookup``; ``kind`` None is the operator's own default."""

    operator: Literal["join", "lookup"]
    kind: str | None
    right: Pipeline
    on: tuple[Expression, ...]
    hints: Hints = ()


@dataclass(frozen=True, slots=True)
class Union(Operator):
    """``union``, at the head of a query or after a pipe. ``with_source``: the column that names the branch."""

    branches: tuple[Pipeline, ...]
    kind: Literal["outer", "inner"] = "outer"
    with_source: str | None = None
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class ExpandItem(Node):
    """One array of ``mv-expand`` or ``mv-apply``: ``name = expression to typeof(type)``."""

    value: Expression
    name: str | None = None
    type: KqlType | None = None


@dataclass(frozen=True, slots=True)
class MvExpand(Operator):
    """``mv-expand``. ``bag``: "array" or "bag", how an object is taken apart; ``index``: the column that counts."""

    items: tuple[ExpandItem, ...]
    bag: Literal["array", "bag"] = "bag"
    index: str | None = None
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class MvApply(Operator):
    """``mv-apply items limit n on (subquery)``."""

    items: tuple[ExpandItem, ...]
    steps: tuple[Operator, ...]
    index: str | None = None
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class SeriesItem(Node):
    """One aggregate of ``make-series``."""

    value: Expression
    name: str | None = None
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class MakeSeries(Operator):
    """``make-series aggregates on axis from low to high step width by keys``. ``inclusive``: it was written as
    ``in range(low, high, step)``; ``nonempty``: as ``kind=nonempty``."""

    items: tuple[SeriesItem, ...]
    axis: Named
    low: Expression | None
    high: Expression | None
    step: Expression
    by: tuple[Named, ...]
    inclusive: bool = False
    nonempty: bool = False


@dataclass(frozen=True, slots=True)
class ParseSegment(Node):
    """A piece of ``parse``'s pattern: a text to find (``text``), a column (``name``, ``type``), or ``*`` (neither)."""

    text: str | None = None
    name: str | None = None
    type: KqlType = "string"


@dataclass(frozen=True, slots=True)
class Parse(Operator):
    """``parse`` and ``parse-where`` (``keep`` False: rows that do not match go)."""

    value: Expression
    segments: tuple[ParseSegment, ...]
    kind: Literal["simple", "regex", "relaxed"] = "simple"
    flags: str = ""
    keep: bool = True


@dataclass(frozen=True, slots=True)
class ParseKv(Operator):
    """``parse-kv value as (a: string, ...) with (...)``."""

    value: Expression
    columns: tuple[ColumnDeclaration, ...]
    properties: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluate(Operator):
    """``evaluate plugin(...)``, with the schema written after it, if any."""

    call: Call
    columns: tuple[ColumnDeclaration, ...] = ()
    star: bool = False
    """The schema began with ``*``: the input's columns come first."""


@dataclass(frozen=True, slots=True)
class Invoke(Operator):
    """``invoke Function(...)``."""

    call: Call


@dataclass(frozen=True, slots=True)
class Render(Operator):
    """``render kind with (...)``."""

    kind: str
    properties: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Serialize(Operator):
    """``serialize``, which may extend."""

    items: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample(Operator):
    """``sample n``; with ``of``, ``sample-distinct n of x``."""

    count: Expression
    of: Expression | None = None


@dataclass(frozen=True, slots=True)
class Partition(Operator):
    """``partition by Key (steps)``; ``whole``: the braces form, a query of its own whose source is written."""

    key: Name
    steps: tuple[Operator, ...]
    whole: Pipeline | None = None


@dataclass(frozen=True, slots=True)
class NestedLevel(Node):
    """One level of ``top-nested``: ``n of key with others = "text" by aggregate asc``."""

    count: Expression | None
    key: Named
    others: Expression | None
    aggregate: Named
    descending: bool = True


@dataclass(frozen=True, slots=True)
class TopNested(Operator):
    """``top-nested``."""

    levels: tuple[NestedLevel, ...]


@dataclass(frozen=True, slots=True)
class TopHitters(Operator):
    """``top-hitters n of key by weight``."""

    count: Expression
    of: Expression
    by: Expression | None = None


@dataclass(frozen=True, slots=True)
class Search(Operator):
    """``search kind=... in (T1, T2) predicate``, at the head or after a pipe. In the predicate a text stands for
    ``* has text``."""

    predicate: Expression
    tables: tuple[Name | Pattern, ...] = ()
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class FindColumn(Node):
    """A column of ``find ... project``; ``pack`` True is ``pack_all()`` or ``pack(*)``."""

    name: str
    type: KqlType | None = None
    pack: bool = False


@dataclass(frozen=True, slots=True)
class Find(Operator):
    """``find in (T1, T2) where predicate project a, b``; ``columns`` None is project-smart."""

    predicate: Expression
    tables: tuple[Pipeline, ...] = ()
    with_source: str | None = None
    columns: tuple[FindColumn, ...] | None = None
    away: tuple[Name | Pattern, ...] = ()
    fuzzy: bool = False


@dataclass(frozen=True, slots=True)
class As(Operator):
    """``as Name``: the rows so far under a name that later statements and branches may use."""

    name: str


@dataclass(frozen=True, slots=True)
class GetSchema(Operator):
    """``getschema``."""


@dataclass(frozen=True, slots=True)
class Consume(Operator):
    """``consume``: reads all rows and gives none."""


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """``name = value`` or, in ``scan``, ``step.name = value``."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class ScanStep(Node):
    """``step name output=all|last|none: condition => assignments``."""

    name: str
    condition: Expression
    assignments: tuple[Assignment, ...] = ()
    output: Literal["all", "last", "none"] = "all"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ScanColumn(Node):
    """A declared column of ``scan`` and its first value."""

    name: str
    type: KqlType
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Scan(Operator):
    """``scan with_match_id=Id declare (...) with (steps)``."""

    steps: tuple[ScanStep, ...]
    declared: tuple[ScanColumn, ...] = ()
    match_id: str | None = None
    partition: tuple[Expression, ...] = ()
    order: tuple[OrderKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Unrun(Operator):
    """An operator of KQL's that this engine never runs (``fork``, ``facet``, graphs): read as far as its name."""

    name: str


# --- queries


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """A source and the operators after it."""

    source: Source
    operators: tuple[Operator, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a function. A table has ``columns``; None there means any table, ``(*)``."""

    name: str
    type: KqlType | Literal["table"]
    columns: tuple[ColumnDeclaration, ...] | None = None
    default: Constant | None = None


@dataclass(frozen=True, slots=True)
class Function(Node):
    """``(a: string, T: (*)) { let ...; body }``."""

    parameters: tuple[Parameter, ...]
    body: Query


@dataclass(frozen=True, slots=True)
class Let(Node):
    """``let name = value``; the value is a scalar, a pipeline or a function, and which of the first two is only known
    once the names in it are."""

    name: str
    value: Pipeline | Expression | Function


@dataclass(frozen=True, slots=True)
class Query(Node):
    """Statements and the pipeline at their end; a function's body may end in a scalar expression instead."""

    lets: tuple[Let, ...]
    body: Pipeline | Expression
