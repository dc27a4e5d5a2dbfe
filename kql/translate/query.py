"""A whole query into one SELECT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kql.errors import KqlResourceError, KqlSchemaError
from kql.syntax.parser import parse
from kql.syntax.tree import Pipeline, Query
from kql.translate import families
from kql.translate.context import PlaceBook, Scope, TableSource, Translation
from kql.translate.expressions import Compiler
from kql.translate.lets import with_lets
from kql.translate.pipeline import run
from kql.types import Column

families.load()


@dataclass(frozen=True)
class Given:
    """What a query may read beside its tables; see Translation."""

    feeds: Mapping[str, TableSource] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    profiles: TableSource | None = None
    want: Callable[[str, str, int], None] | None = None
    places: PlaceBook | None = None


@dataclass(frozen=True)
class Translated:
    """A query ready to run.

    ``sql``: one SELECT whose columns are ``columns`` in order, under names of their own; ``tables``: the tables it
    reads; ``render``: what a ``render`` asks for, or None; ``peeked``: the SQL was made from what the data is now.
    """

    sql: str
    columns: tuple[Column, ...]
    tables: frozenset[str] = frozenset()
    render: Mapping[str, Any] | None = field(default=None)
    peeked: bool = False


def translate(
    query: Query | str,
    tables: Mapping[str, TableSource],
    now: datetime | None = None,
    *,
    peek: Callable[[str], list[tuple[Any, ...]]] | None = None,
    given: Given | None = None,
) -> Translated:
    """Translate a query over these tables. Raises KqlError with its place in the text.

    ``peek``: runs a SELECT over the tables, for columns that are made from the data (without it such a query raises
    KqlShapeUnknown). ``given``: what is at hand beside the tables.
    """
    tree = parse(query) if isinstance(query, str) else query
    given = given or Given()
    translation = Translation(
        tables,
        (now or datetime.now(UTC)).astimezone(UTC),
        run,
        feeds=given.feeds,
        refused=given.refused,
        profiles=given.profiles,
        want=given.want,
        places=given.places,
        peek=peek,
    )
    try:
        return _translated(tree, translation)
    except RecursionError as error:
        raise KqlResourceError("The query is nested too deeply.", hint="Break it into let statements.") from error
    finally:
        translation.close()


def _translated(tree: Query, translation: Translation) -> Translated:
    scope = Scope(translation)
    scope = with_lets(tree.lets, scope, Compiler(scope))
    if not isinstance(tree.body, Pipeline):
        raise KqlSchemaError("The query does not begin with a table.", hint="Begin with a table, or with print.")
    rows = run(tree.body, scope)
    cells = ", ".join(each.sql for each in rows.fields)
    shared = ", ".join(f"{name} AS MATERIALIZED ({sql})" for name, sql in translation.shared)
    sql = f"{f'WITH {shared} ' if shared else ''}SELECT {cells} FROM ({rows.sql}){rows.order_by}"
    return Translated(sql, rows.columns, frozenset(translation.used), translation.render, translation.peeked)
