"""One hunt over many devices, accounts or indicators in few queries, and which row belongs to whom.

A hunt can be packed when its parameter is compared with one column and nothing else, every row of the answer still has
that column, and no later step mixes rows of different values of it. Then `Column =~ Target` may become `Column in~
(Targets)`: the answer is the answers for each, put together. What cannot be proved is refused, with its place; such a
hunt is queued once for each entity.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from hunting.rowwise.edits import Edit, Refusal, Refused, plain
from hunting.rowwise.reader import Reader, Scope, Shape
from kql.errors import KqlError
from kql.literals import TypedValue, prelude
from kql.syntax import tree
from kql.syntax.parser import parse
from kql.syntax.tokens import tokens
from kql.types import KqlType

BATCH_VALUES: Final = 1000
BATCH_CHARACTERS: Final = 60_000
"""Of a whole query. The services' own limit is not documented; ours on a person's query is 100,000."""

Match = Literal["exact", "same", "host"]
"""How a value of the column is the entity's: letter by letter, whatever the case, or as a host name that may go on with
a domain."""


@dataclass(frozen=True)
class Packed:
    """A hunt that takes a list where it took one value. `column`: where each row of the answer says whose it is."""

    kql: str
    parameter: str
    kind: KqlType
    column: str
    match: Match
    edits: tuple[Edit, ...] = ()

    def text(self, entities: Sequence[str]) -> str:
        """The hunt's text for a batch, to be used with its `bind`."""
        lengths = sorted(_by_labels(entities)) if self.match == "host" else []
        parts, at = [], 0
        for edit in self.edits:
            parts += [self.kql[at : edit.offset], self._condition(edit, lengths)]
            at = edit.offset + edit.length
        return "".join([*parts, self.kql[at:]])

    def _condition(self, edit: Edit, lengths: Sequence[int]) -> str:
        if self.match != "host":
            return edit.text.format()
        either = [_labels(edit.text.format(), n, f"{self.parameter}Labels{n}") for n in lengths]
        return f"({' or '.join(either)})"

    def bind(self, entities: Sequence[str]) -> str:
        """The let statements with the entities' list or, for hosts, one list for each number of labels."""
        if self.match != "host":
            return prelude({self.parameter: TypedValue(list(entities), self.kind, many=True)})
        lists = {f"{self.parameter}Labels{n}": found for n, found in sorted(_by_labels(entities).items())}
        return prelude({name: TypedValue(found, self.kind, many=True) for name, found in lists.items()})

    def batches(self, entities: Sequence[str], around: int) -> Iterator[list[str]]:
        """The entities in batches that keep the query short enough; `around` is the length of all else in it."""
        room = BATCH_CHARACTERS - around - len(self.kql) - 500
        batch: list[str] = []
        used = 0
        for entity in entities:
            size = 2 * len(entity) + 4  # quotes, a comma, and escapes
            if batch and (len(batch) >= BATCH_VALUES or used + size > room):
                yield batch
                batch, used = [], 0
            batch.append(entity)
            used += size
        if batch:
            yield batch

    def share(self, entities: Sequence[str], counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """For each entity its values of the column, with their rows, of `counts` of the whole answer."""
        found: dict[str, dict[str, int]] = {entity: {} for entity in entities}
        keys = _keys(entities, self.match)
        for value, rows in counts.items():
            for prefix in _prefixes(value, self.match):
                for entity in keys.get(prefix, ()):
                    found[entity][value] = rows
        return found


def _by_labels(entities: Sequence[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for entity in entities:
        found.setdefault(entity.count(".") + 1, []).append(entity)
    return found


def _labels(column: str, number: int, name: str) -> str:
    """That the first labels of a host name are one of a list: the name itself, or with a domain behind it."""
    if number == 1:
        return f'tostring(split({column}, ".")[0]) in~ ({name})'
    parts = ", ".join(f'tostring(split({column}, ".")[{n}])' for n in range(number))
    return f'strcat_delim(".", {parts}) in~ ({name})'


def _keys(entities: Sequence[str], match: Match) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for entity in entities:
        keys.setdefault(entity if match == "exact" else entity.casefold(), []).append(entity)
    return keys


def _prefixes(value: str, match: Match) -> list[str]:
    if match == "exact":
        return [value]
    labels = value.casefold().split(".")
    return [".".join(labels[:n]) for n in range(1, len(labels) + 1)] if match == "host" else [value.casefold()]


def packed(kql: str, parameter: str, kind: KqlType, many: bool) -> Packed | Refusal:
    """Prove that a hunt's text can take a list for `parameter` (which takes one already where `many`), or say why not.
    Never raises on any text."""
    try:
        return _Packing(kql, parameter, kind, many).packed()
    except Refused as refused:
        return refused.refusal
    except KqlError as error:
        return Refusal(f"This text could not be read: {error.message}", error.line or 1, error.column or 1)
    except RecursionError:
        return Refusal("The query is nested too deeply to be proved.", 1, 1)


class _Packing(Reader):
    """The same walk as for slices; `order` here is the column that says whose a row is, "" before it is looked at."""

    def __init__(self, kql: str, parameter: str, kind: KqlType, many: bool) -> None:
        super().__init__(kql, "", tokens(kql), {})
        self.parameter, self.kind, self.many = parameter, kind, many
        self.match: Match | None = None
        self._mixed = f"Not every branch of the union looks for {parameter} in the same column."

    def packed(self) -> Packed:
        query = parse(self.text)
        scope = self._lets(query, {})
        body = query.body
        assert isinstance(body, tree.Pipeline), "the parser gives a pipeline, or fails"
        kind = self._pipeline(body, scope, main=True)
        if not kind.order or self.match is None:
            self._refuse(body.span, f"No column of the answer is compared with {self.parameter} to say whose a row is.")
        edits = tuple(sorted(self.edits, key=lambda edit: edit.offset))
        return Packed(self.text, self.parameter, self.kind, kind.order, self.match, edits)

    # --- what differs from slices

    def _is_rows(self, name: str, scope: Scope) -> bool:
        return name in scope and scope[name].shape != "scalar"

    def _table(self, span: tree.Span, name: str) -> None:
        if name == self.parameter:
            self._refuse(span, f"{name} is read as a table.")

    def _pin(self, call: tree.Call) -> None:
        """Nothing is pinned: a packed hunt is asked once."""

    def _union(self, union: tree.Union, scope: Scope, at_head_of: tree.Pipeline | None = None) -> Shape:
        kinds = [self._pipeline(branch, scope) for branch in union.branches]
        for branch, kind in zip(union.branches, kinds, strict=True):
            if kind.shape != "rows" or kind.order != kinds[0].order:
                self._refuse(branch.span, self._mixed)
        return kinds[0]

    def _joined_by_union(self, step: tree.Union, kind: Shape, scope: Scope) -> Shape:
        if self._union(step, scope).order != kind.order:
            self._refuse(step.span, self._mixed)
        return kind

    def _operator(self, step: tree.Operator, kind: Shape, scope: Scope, last: bool, main: bool) -> Shape:
        match step:
            case tree.Where(predicate=predicate):
                return self._where(predicate, kind, scope)
            case tree.Summarize(aggregates=aggregates, by=by) if kind.order:
                self._without_parameter((*aggregates, *by))
                kept = [one.names[0] if one.names else kind.order for one in by if one.value == tree.Name(kind.order)]
                if not kept:
                    why = f"summarize does not group by {kind.order}: rows of several would be counted as one."
                    self._refuse(step.span, why)
                return replace(kind, order=kept[0])
            case tree.Distinct(items=items) if kind.order:
                kept = [
                    one.names[0] if one.names else kind.order for one in items if one.value == tree.Name(kind.order)
                ]
                if kept:
                    self._without_parameter(items)
                    return replace(kind, order=kept[0])
            case tree.Sort(keys=keys):
                self._expressions([key.value for key in keys], scope)
                return kind
        changed = super()._operator(step, kind, scope, last, main)
        if kind.order and not changed.order:
            self._refuse(step.span, f"{self._word(step)} takes {kind.order} away, which says whose a row is.")
        return changed

    def _where(self, predicate: tree.Expression, kind: Shape, scope: Scope) -> Shape:
        for part in _flat(predicate, "and"):
            found = self._comparison(part)
            if found is None:
                self._expression(part, scope)
                continue
            column, how, text = found
            if kind.order or (self.match is not None and self.match != how):
                self._refuse(part.span, f"{self.parameter} is compared twice, in different ways.")
            self.match = how
            kind = replace(kind, order=column)
            if text:
                self.edits.append(Edit(part.span.offset, part.span.length, plain(text)))
        return kind

    def _comparison(self, part: tree.Expression) -> tuple[str, Match, str] | None:
        """The column, the way and the new text of a condition on the parameter alone."""
        terms = [term for term in _flat(part, "or") if not self._is_emptiness(term)]
        equal = self._equality(terms[0]) if terms else None
        if equal is None or len(terms) > 2:
            return None
        column, how = equal
        written = self.text[column.span.offset : column.span.offset + column.span.length]
        if self.many:
            return (column.text, how, "") if len(terms) == 1 else None
        if len(terms) == 1:
            return column.text, how, f"{written} {'in' if how == 'exact' else 'in~'} ({self.parameter})"
        return (column.text, "host", written) if how == "same" and self._goes_on(terms[1], column.text) else None

    def _equality(self, term: tree.Expression) -> tuple[tree.Name, Match] | None:
        wanted = tree.Name(self.parameter)
        match term:
            case tree.Among(operator="in" | "in~" as word, value=tree.Name() as column, items=(only,)) if self.many:
                return (column, "exact" if word == "in" else "same") if only == wanted else None
            case tree.Binary(operator="==" | "=~" as word, left=left, right=right) if not self.many:
                other = left if right == wanted else right if left == wanted else None
                if isinstance(other, tree.Name) and other != wanted:
                    return other, "exact" if word == "==" else "same"
        return None

    def _goes_on(self, term: tree.Expression, column: str) -> bool:
        """`Column startswith strcat(Target, ".")`."""
        match term:
            case tree.Binary(operator="startswith", left=tree.Name(text=name), right=tree.Call(name="strcat") as call):
                values = [argument.value for argument in call.arguments]
                dot = len(values) == 2 and isinstance(values[1], tree.Constant) and values[1].value == "."
                return name == column and dot and values[0] == tree.Name(self.parameter)
        return False

    def _is_emptiness(self, term: tree.Expression) -> bool:
        """`isempty(Target)`: never so in a sweep."""
        match term:
            case tree.Call(name="isempty", arguments=(only,)):
                return only.value == tree.Name(self.parameter)
        return False

    def _expression(self, value: tree.Expression, scope: Scope) -> None:
        if value == tree.Name(self.parameter):
            self._refuse(value.span, f"{self.parameter} is used here for more than to choose the rows.")
        super()._expression(value, scope)

    def _without_parameter(self, nodes: Sequence[Any]) -> None:
        """An aggregate may be any; what stands in it reads no other rows and not the parameter."""
        for node in nodes:
            if node == tree.Name(self.parameter) or isinstance(node, tree.Subquery):
                self._refuse(node.span, "This aggregate looks at more than the rows of one entity.")
            if isinstance(node, tree.Node):
                self._without_parameter([getattr(node, one.name) for one in fields(node) if one.name != "span"])
            elif isinstance(node, tuple):
                self._without_parameter(node)


def _flat(value: tree.Expression, operator: str) -> list[tree.Expression]:
    """The terms of `a and b and c`."""
    if isinstance(value, tree.Binary) and value.operator == operator:
        return [*_flat(value.left, operator), *_flat(value.right, operator)]
    return [value]
