"""Which tables and columns a query sees: ``Timestamp`` and ``TimeGenerated`` stand in for each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kql.parquet import TIME_COLUMNS
from kql.tables import Relation
from kql.translate.context import TableSource
from kql.types import Column

Schema = Mapping[str, Sequence[Column]]
"""Tables and their columns."""


def exposed(relation: Relation, words: Collection[str], *, listed: bool = True) -> TableSource:
    """A relation as a query sees it that uses these words.

    A table with only one of the two time columns: where the query speaks of the other alone, the column goes by that
    name (as the same table does in the other service); where it speaks of both, the other is added at the end.
    """
    names = [c.name for c in relation.columns]
    own, other = TIME_COLUMNS if TIME_COLUMNS[0] in names else TIME_COLUMNS[::-1]
    if own not in names or other in names or other not in words:
        return TableSource(relation.columns, relation.sql, relation.stored, listed)
    index = names.index(own)
    kind, stored = relation.columns[index].type, relation.stored[index]
    if own in words:
        return TableSource((*relation.columns, Column(other, kind)), relation.sql, (*relation.stored, stored), listed)
    columns = tuple(Column(other, c.type) if c.name == own else c for c in relation.columns)
    return TableSource(columns, relation.sql, relation.stored, listed)
