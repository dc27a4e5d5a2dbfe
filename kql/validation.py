"""Check a query without running it, and tell which tables it reads."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
from duckdb_kql import lower
from duckdb_kql import translate as sql_translate
from duckdb_kql.errors import KqlError as LibraryError

from kql.dialect.statement import Statement, translating
from kql.engine import join_prelude, shifted
from kql.errors import KqlError
from kql.problems import from_duckdb
from kql.schema import Schema, apart, exposed
from kql.sql import quote_name, sandbox
from kql.tables import Relation, Table, empty_relation, read_columns
from kql.translator import parse, translate
from kql.types import Column

_MEMORY_MB = 256


@dataclass(frozen=True)
class Diagnostic:
    """One finding in a query; ``line`` and ``column`` are 1-based, ``length`` in characters."""

    line: int
    column: int
    length: int
    severity: Literal["error", "warning"]
    code: str
    message: str
    hint: str


def validate(text: str, tables: Iterable[Table] | Schema, *, prelude: str = "") -> tuple[Diagnostic, ...]:
    """What stands in the way of running this query over these tables (or over tables of this schema); () is nothing.

    Nothing is run and no row is read: the query is translated and bound to empty tables. The first fault ends the
    check. That the branches of a union agree in their types is only seen when it runs.
    """
    try:
        _check(join_prelude(prelude, text), schema_of(tables))
    except KqlError as error:
        return (_diagnostic(shifted(error, prelude)),)
    return ()


def schema_of(tables: Iterable[Table] | Schema) -> dict[str, tuple[Column, ...]]:
    """Tables and their columns; of Parquet files that name their own columns, the first is read."""
    if isinstance(tables, Mapping):
        return {name: tuple(columns) for name, columns in tables.items()}
    return {table.name: table.columns or _columns_of(table) for table in tables}


def used_tables(text: str) -> set[str]:
    """The tables a query names, known or not; a pattern such as ``Device*`` names those of the catalogue it fits.

    For a text that cannot be translated: the catalogue's tables among its words. Never raises for a bad query.
    """
    try:
        statement = parse(text)
    except KqlError:
        return set()
    with translating(statement):
        try:
            query = lower.lower(statement.text)
        except (KqlError, LibraryError, RecursionError):
            known = _catalogue()
            return {word.text for word in statement.words if word.text in known}
    return {str(name) for name in sql_translate._free_table_names(query)} | _matching(statement)


def _matching(statement: Statement) -> set[str]:
    """The catalogue's tables that patterns after ``union`` fit."""
    patterns = statement.patterns() - {"*"}
    known = _catalogue() if patterns else ()
    return {name for name in known for pattern in patterns if fnmatch.fnmatchcase(name, pattern)}


def _catalogue() -> Collection[str]:
    # Reading it takes a fifth of a child process's start, and no child needs it.
    from kql.catalogue import TABLES

    return TABLES


def _columns_of(table: Table) -> tuple[Column, ...]:
    return read_columns(table.paths[0]) if table.paths and table.format == "parquet" else ()


def _check(text: str, schema: Mapping[str, Sequence[Column]]) -> None:
    statement = parse(text)
    relations: dict[str, Relation] = apart(
        {name: exposed(empty_relation(columns), statement.mentions) for name, columns in schema.items() if columns},
        statement,
    )
    translation = translate(statement, {name: [c.name for c in each.columns] for name, each in relations.items()})
    connection = sandbox(memory_mb=_MEMORY_MB, threads=1)
    try:
        for name in translation.tables & relations.keys():
            connection.execute(f"CREATE VIEW {quote_name(name)} AS {relations[name].sql}")
        connection.execute(f"CREATE VIEW {quote_name('kql result')} AS {translation.sql}")
    except duckdb.Error as error:
        raise from_duckdb(error, statement) from error
    finally:
        connection.close()


def _diagnostic(error: KqlError) -> Diagnostic:
    return Diagnostic(
        line=error.line or 1,
        column=error.column or 1,
        length=error.length,
        severity="error",
        code=error.code,
        message=error.message,
        hint=error.hint,
    )
