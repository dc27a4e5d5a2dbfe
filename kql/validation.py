"""Check a query without running it, and tell which tables it reads."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import duckdb

from kql.engine import join_prelude, shifted
from kql.errors import KqlError, KqlShapeUnknown
from kql.places import Unlooked
from kql.problems import from_duckdb
from kql.schema import Schema, exposed
from kql.sql import sandbox
from kql.supplies import NOTHING, Supplies
from kql.syntax.names import nodes_in, tables_in
from kql.syntax.parser import parse
from kql.syntax.tokens import names_in
from kql.syntax.tree import Call, Constant, Elsewhere, Name, Query
from kql.tables import Table, empty_relation, read_columns
from kql.translate.context import TableSource
from kql.translate.query import Given, translate
from kql.types import Column

_MEMORY_MB = 256
_LONG = 200_000
"""Characters of SQL from which on fewer columns are bound."""
_KEPT = 1


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
    subject: str = ""
    """The address that ``externaldata`` may not read, where that is it."""


def validate(
    text: str, tables: Iterable[Table] | Schema, *, prelude: str = "", supplies: Supplies = NOTHING
) -> tuple[Diagnostic, ...]:
    """What stands in the way of running this query over these tables (or over tables of this schema); () is nothing.

    Nothing is run and no row is read: the query is translated and bound to empty tables. The first fault ends the
    check; where columns are made from the data, a warning says that no more can be known. That the branches of a union
    agree in their types is only seen when it runs. Of ``supplies`` too, only the columns count.
    """
    try:
        _check(join_prelude(prelude, text), schema_of(tables), supplies)
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

    For a text that cannot be read: the catalogue's tables among its words. Never raises for a bad query.
    """
    try:
        tree = parse(text)
    except KqlError:
        return set(re.findall(r"\w+", text)) & set(_catalogue())
    names, patterns = tables_in(tree)
    known = _catalogue() if patterns - {"*"} else ()
    return names | {name for name in known for p in patterns - {"*"} if fnmatch.fnmatchcase(name, p)}


@dataclass(frozen=True)
class Reach:
    """What a query can touch of the database that it is sent to, taken widely: every word that could be a table's name,
    a string too. ``open_ended``: it names some by a pattern, by none at all, or by a name that it works out.
    ``elsewhere``: it leaves that database."""

    words: frozenset[str]
    open_ended: bool
    elsewhere: bool


_BY_NAME = frozenset({"table", "external_table", "materialized_view", "stored_query_result", "graph"})


def reach_of(text: str) -> Reach:
    """Raises KqlError for a text that cannot be read: of that nobody can say where it reaches."""
    tree = parse(text)
    words: set[str] = set()
    computed = away = False
    for node in nodes_in(tree):
        match node:
            case Elsewhere():
                away = True
            case Call(name=name, arguments=arguments):
                words.add(name)
                away |= name in ("database", "cluster")
                computed |= name in _BY_NAME and not all(isinstance(one.value, Constant) for one in arguments)
            case Name(text=word):
                words.add(word)
            case Constant(value=str(word)):
                words.add(word)
    names, patterns = tables_in(tree)
    return Reach(frozenset(words | names), computed or bool(patterns), away)


def _catalogue() -> Collection[str]:
    # Reading it takes a fifth of a child process's start, and no child needs it.
    from kql.catalogue import TABLES

    return TABLES


def _columns_of(table: Table) -> tuple[Column, ...]:
    return read_columns(table.paths[0]) if table.paths and table.format == "parquet" else ()


def _check(text: str, schema: Mapping[str, Sequence[Column]], supplies: Supplies) -> None:
    tree, words = parse(text), names_in(text)
    sources = {name: exposed(empty_relation(columns), words) for name, columns in schema.items() if columns}
    given = _without_rows(supplies)
    sql = translate(tree, sources, given=given).sql
    if len(sql) > _LONG:
        sql = _narrower(tree, sources, words, given) or sql
    connection = sandbox(memory_mb=_MEMORY_MB, threads=1)
    try:
        connection.execute(f"EXPLAIN {sql}")
    except duckdb.Error as error:
        raise from_duckdb(error) from error
    finally:
        connection.close()


def _narrower(tree: Query, sources: Mapping[str, TableSource], words: frozenset[str], given: Given) -> str | None:
    """The same query over tables of few columns: those it names, and the first of each; None where it needs more.

    A pattern over a whole catalogue is a megabyte of SQL, and takes DuckDB seconds to bind. What is wrong with the
    query was found by translating it; binding finds what is wrong with an expression, which names its columns.
    """
    narrow = {}
    for name, source in sources.items():
        pairs = list(zip(source.columns, source.stored, strict=True))
        kept = [pair for index, pair in enumerate(pairs) if index < _KEPT or pair[0].name in words]
        narrow[name] = replace(source, columns=tuple(c for c, _ in kept), stored=tuple(s for _, s in kept))
    try:
        return translate(tree, narrow, given=given).sql
    except KqlError:
        return None


def _without_rows(supplies: Supplies) -> Given:
    return Given(
        feeds={key: _empty(table) for key, table in supplies.feeds.items()},
        refused=supplies.refused,
        profiles=_empty(supplies.profiles) if supplies.profiles is not None else None,
        places=Unlooked() if supplies.places is not None else None,
    )


def _empty(table: Table) -> TableSource:
    relation = empty_relation(table.columns or _columns_of(table))
    return TableSource(relation.columns, relation.sql, relation.stored)


def _diagnostic(error: KqlError) -> Diagnostic:
    return Diagnostic(
        line=error.line or 1,
        column=error.column or 1,
        length=error.length,
        severity="warning" if isinstance(error, KqlShapeUnknown) else "error",
        code=error.code,
        message=error.message,
        hint=error.hint,
        subject=error.subject,
    )
