"""Which columns a query sees: a table's own, with ``Timestamp`` and ``TimeGenerated`` standing in for each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
