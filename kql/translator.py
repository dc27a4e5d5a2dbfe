"""KQL text into one DuckDB SELECT, with errors that point into the text as the person wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb_kql
from duckdb_kql.control import is_control_command

from kql.dialect.install import install
from kql.dialect.statement import Statement, read, translating
from kql.errors import KqlError, KqlResourceError, KqlUnsupported
from kql.problems import from_translation

install()


@dataclass(frozen=True)
class Translation:
    """A query ready to run.

    ``sql``: one SELECT; ``parameters``: its values (the pinned clock); ``tables``: the tables it reads; ``render``:
    what a ``render`` at its end asks for, or None.
    """

    sql: str
    statement: Statement
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()
    render: Mapping[str, Any] | None = None


def parse(text: str) -> Statement:
    """The words of a query. Raises KqlUnsupported for control commands and for texts too long or too deep."""
    statement = read(text)
    if not statement.words:
        raise KqlUnsupported("The query is empty.", line=1, column=1, hint="Begin with the name of a table.")
    if is_control_command(text):
        word = statement.words[0]
        raise KqlUnsupported(
            "Control commands are not run here.", line=word.line, column=word.column, hint="Begin with a table."
        )
    return statement


def translate(statement: Statement, schema: Mapping[str, Sequence[str]], now: datetime | None = None) -> Translation:
    """Translate a query over tables with these columns. Raises KqlError with its place in the text."""
    statement.schema = schema
    with translating(statement):
        try:
            sql = duckdb_kql.to_sql(
                statement.text,
                schema={name: list(columns) for name, columns in schema.items()},
                allow_write=False,
                query_now=None if now is None else now.astimezone(UTC),
            )
        except KqlError:
            raise
        except RecursionError as error:
            raise KqlResourceError("The query is nested too deeply.", hint="Break it into let statements.") from error
        except Exception as error:
            raise from_translation(error, statement) from error
    if sql.unbound:
        raise KqlUnsupported(f"The parameter {sql.unbound[0]} has no value.", hint="Bind it with a let statement.")
    return Translation(str(sql), statement, dict(sql.parameters), frozenset(statement.tables), statement.render)
