"""The tables that a query on a source sees: as they were read there, else as Microsoft's schema has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import kql
from hunting.models import Source
from hunting.services import pushes, schemas, sources
from ircase.models import Case
from kql.catalogue import INFO
from kql.parquet import TIME_COLUMNS

_FAMILIES: Final = {Source.DEFENDER: ("defender", "both"), Source.LOG_ANALYTICS: ("sentinel", "both")}


@dataclass(frozen=True)
class SourceTable:
    """A table by name, with what it is about and its columns as name and type."""

    name: str
    about: str
    columns: list[tuple[str, str]]


@dataclass(frozen=True)
class Seen:
    """`complete`: these are all there are; else they are Microsoft's, and the tenant may have more."""

    complete: bool
    tables: list[SourceTable]

    def named(self, part: str) -> list[SourceTable]:
        """Those whose names hold `part`, whatever its case."""
        wanted = part.strip().casefold()
        return [one for one in self.tables if wanted in one.name.casefold()]


def seen(case: Case | None, source: Source, named: Sequence[kql.Table] = ()) -> Seen:
    """Without a case, its own tables are all that the catalogue has. `named` are results that go by a name in a
    notebook."""
    if case is not None and source == Source.CASE:
        return Seen(True, list(_own_tables(case, named)))
    read = list(_read_tables(case, source)) if case is not None else []
    return Seen(bool(read), read or list(_known_tables(source)))


def _read_tables(case: Case, source: Source) -> Iterator[SourceTable]:
    if source == Source.KUSTO_CASE:
        for table in pushes.as_schema(case):
            yield SourceTable(table["name"], table["about"], [(column, kind) for column, kind in table["columns"]])
        return
    for name, table in sorted(schemas.tables(case.connection, source).items()):
        about = table["about"] or (INFO[name].meaning if name in INFO else "")
        yield SourceTable(name, about, [(column, kind) for column, kind in table["columns"]])


def _known_tables(source: Source) -> Iterator[SourceTable]:
    for name, info in INFO.items():
        if source == Source.CASE or info.family in _FAMILIES.get(source, ()):
            yield SourceTable(name, info.meaning, [(c.name, c.type) for c in info.columns])


def _own_tables(case: Case, named: Sequence[kql.Table]) -> Iterator[SourceTable]:
    given, _ = sources.tables_for(case, None)
    for table in named:
        yield SourceTable(table.name, "The result of a cell above", [(c.name, c.type) for c in table.columns or ()])
    for table in sorted(given, key=lambda each: each.name):
        columns: list[tuple[str, str]] = [(c.name, c.type) for c in table.columns or ()]
        about = INFO[table.name].meaning if table.name in INFO else "A table read from this case's evidence"
        yield SourceTable(table.name, about, columns + list(_twin(columns)))


def _twin(columns: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """`Timestamp` and `TimeGenerated` stand in for each other on a case's tables (kql.schema)."""
    kinds = dict(columns)
    have = [name for name in TIME_COLUMNS if name in kinds]
    if len(have) == 1:
        yield next(name for name in TIME_COLUMNS if name not in kinds), kinds[have[0]]
