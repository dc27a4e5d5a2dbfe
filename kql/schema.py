"""Which tables and columns a query sees.

``Timestamp`` and ``TimeGenerated`` stand in for each other, and what a pattern brings together is kept apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from kql.dialect.statement import Statement
from kql.parquet import TIME_COLUMNS
from kql.sql import quote_name
from kql.tables import Relation
from kql.types import Column

Schema = Mapping[str, Sequence[Column]]
"""Tables and their columns."""


def exposed(relation: Relation, mentions: Callable[[str], bool]) -> Relation:
    """A relation as a query sees that uses the names ``mentions`` is true for.

    A table with only one of the two time columns: where the query speaks of the other alone, the column goes by that
    name (as the same table does in the other service); where it speaks of both, the other is added at the end.
    """
    names = [c.name for c in relation.columns]
    own, other = TIME_COLUMNS if TIME_COLUMNS[0] in names else TIME_COLUMNS[::-1]
    taken = any(name.casefold() == other.casefold() for name in names)
    if own not in names or taken or not mentions(other):
        return relation
    kind = relation.columns[names.index(own)].type
    quoted, alias = quote_name(own), quote_name(other)
    if mentions(own):
        columns = (*relation.columns, Column(other, kind))
        return Relation(f"SELECT *, {quoted} AS {alias} FROM ({relation.sql})", columns)
    columns = tuple(Column(other, c.type) if c.name == own else c for c in relation.columns)
    return Relation(f"SELECT * RENAME ({quoted} AS {alias}) FROM ({relation.sql})", columns)


def second_views(wildcard: Mapping[str, bool], statement: Statement) -> frozenset[str]:
    """The tables that this query is not to see: those whose rows stand elsewhere too, unless it asks for them."""
    hidden = {name for name, listed in wildcard.items() if not listed and not statement.mentions(name)}
    for pattern in statement.patterns() if hidden else ():
        fitting = set(_fitting(wildcard, [pattern]))
        if fitting <= hidden:
            hidden -= fitting
    return frozenset(hidden)


def apart(relations: Mapping[str, Relation], statement: Statement) -> dict[str, Relation]:
    """The relations, renamed so that a union of those which a pattern fits can stand: tables that were never meant for
    each other have columns that differ only in case, or in type.

    A column of several types becomes ``<name>_<type>``, as in Kusto; of spellings that differ by case the one that the
    query uses (else the first) keeps its name and the others get a number. A table that the query names stays as it is.
    https://learn.microsoft.com/en-us/kusto/query/union-operator
    """
    reached = [n for n in _fitting(sorted(relations), statement.patterns()) if not statement.mentions(n)]
    by_type = _split_types([relations[name].columns for name in reached])
    typed = {name: tuple(by_type.get(c, c) for c in relations[name].columns) for name in reached}
    by_case = _split_spellings(typed.values(), statement.mentions)
    named = {name: tuple(by_case.get(c.name, c.name) for c in columns) for name, columns in typed.items()}
    return {name: _renamed(each, named.get(name)) for name, each in relations.items()}


def _fitting(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _split_types(tables: Iterable[Sequence[Column]]) -> dict[Column, Column]:
    kinds: dict[str, set[Column]] = defaultdict(set)
    for columns in tables:
        for column in columns:
            kinds[column.name].add(column)
    return {c: Column(f"{c.name}_{c.type}", c.type) for same in kinds.values() if len(same) > 1 for c in same}


def _split_spellings(tables: Iterable[Sequence[Column]], mentions: Callable[[str], bool]) -> dict[str, str]:
    spellings: dict[str, list[str]] = defaultdict(list)
    for columns in tables:
        for column in columns:
            if column.name not in spellings[column.name.casefold()]:
                spellings[column.name.casefold()].append(column.name)
    taken, new = set(spellings), {}
    for same in spellings.values():
        for name in sorted(same, key=lambda n: not mentions(n))[1:]:
            number = 2
            while f"{name}_{number}".casefold() in taken:
                number += 1
            new[name] = f"{name}_{number}"
            taken.add(new[name].casefold())
    return new


def _renamed(relation: Relation, names: Sequence[str] | None) -> Relation:
    pairs = list(zip(relation.columns, names or (), strict=names is not None))
    changed = [(column.name, name) for column, name in pairs if column.name != name]
    if not changed:
        return relation
    renames = ", ".join(f"{quote_name(old)} AS {quote_name(new)}" for old, new in changed)
    columns = tuple(Column(name, column.type) for column, name in pairs)
    return Relation(f"SELECT * RENAME ({renames}) FROM ({relation.sql})", columns)
