"""Which of its own tables a case can answer a hunt from."""

from collections.abc import Iterable
from dataclasses import replace

from hunting.catalogue import Hunt
from hunting.models import Source
from hunting.services import pushes, schemas
from ircase.models import Case, CaseTable
from ircase.services.analysis import tables
from kql import Column, Table
from kql.catalogue import INFO, TABLES


def missing_tables(case: Case, hunt: Hunt, source: Source = Source.CASE) -> tuple[str, ...]:
    """The tables of the hunt that the source lacks, to be said before it runs: the case's own by its rows, a cluster's
    and a workspace's by their schema, Defender XDR's by our catalogue. Nothing where nobody knows."""
    if source == Source.DEFENDER:
        return tuple(name for name in hunt.tables if name not in INFO or INFO[name].family == "sentinel")
    if source == Source.KUSTO_CASE:
        return pushes.missing(case, hunt.tables)
    if source != Source.CASE:
        return schemas.missing(case.connection, source, hunt.tables)
    there = set(CaseTable.objects.filter(case=case, queryable=True).values_list("name", flat=True))
    return tuple(name for name in hunt.tables if name not in there)


def tables_for(case: Case, hunt: Hunt | None) -> tuple[tuple[Table, ...], tuple[str, ...]]:
    """What the local engine is given, and the hunt's tables that the case lacks.

    A table made from a log has the columns that the log filled; the rest of Microsoft's columns are added as empty, so
    that a hunt means the same here as in the tenant. Where the case has at least one of the hunt's tables, the others
    stand empty (and are named as missing in every outcome); with none of them there is nothing to ask.
    """
    own = {table.name: table for table in tables.tables_of(case)}
    if hunt is None:
        return tuple(_whole(table) for table in own.values()), ()
    there = tuple(_whole(own[name]) for name in hunt.tables if name in own)
    missing = tuple(name for name in hunt.tables if name not in own)
    empty = tuple(Table(name, (), columns=TABLES[name]) for name in missing if there and name in TABLES)
    return there + empty, missing


def _whole(table: Table) -> Table:
    columns = tuple(table.columns or ())
    return replace(table, columns=columns + tuple(_lacking(columns, TABLES.get(table.name, ()))))


def _lacking(columns: Iterable[Column], wanted: Iterable[Column]) -> Iterable[Column]:
    have = {column.name.casefold() for column in columns}
    return (column for column in wanted if column.name.casefold() not in have)


def names_of(case: Case) -> list[str]:
    """The tables of the case that KQL may read, by name."""
    rows = CaseTable.objects.filter(case=case, queryable=True).order_by("name")
    return list(rows.values_list("name", flat=True).distinct())
