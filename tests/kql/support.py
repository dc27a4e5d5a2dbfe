"""Small tables by hand, and a query over them as a list of rows.

``run`` answers in this process, by the worker's own code: the language is tested in thousands of queries, and each
child process takes a third of a second to start. Processes, limits and the sandbox are tested through ``kql.query``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kql import Column, KqlType, Limits, QueryResult, Supplies, Table, encode_row, write_parquet
from kql.engine import join_prelude, request_json
from kql.worker import answer

NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """A moment of January 2024."""
    return datetime(2024, 1, day, hour, minute, second, tzinfo=UTC)


def table(folder: Path, name: str, columns: dict[str, KqlType], rows: Sequence[Sequence[Any]]) -> Table:
    """A Parquet table of these rows."""
    typed = [Column(n, k) for n, k in columns.items()]
    lines = folder / f"{name}.ndjson"
    lines.write_text("".join(json.dumps(encode_row(typed, row)) + "\n" for row in rows), encoding="utf-8")
    path = folder / f"{name}.parquet"
    write_parquet(lines, typed, path)
    return Table(name, (path,))


class Written:
    """Messages that are already there."""

    elapsed = 0.0

    def __init__(self, lines: bytes) -> None:
        self._lines = iter(lines.splitlines())

    def receive(self) -> dict[str, Any]:
        return dict(json.loads(next(self._lines)))

    def close(self) -> None:
        self._lines = iter(())


def result(
    text: str, *tables: Table, limits: Limits | None = None, prelude: str = "", supplies: Supplies | None = None
) -> QueryResult:
    """A query's result; raises what ``kql.query`` raises, save for places within a prelude."""
    out = io.BytesIO()
    answer(request_json(join_prelude(prelude, text), tables, limits or Limits(), NOW, supplies or Supplies()), out)
    messages = Written(out.getvalue())
    return QueryResult(messages, messages.receive()["header"])


def run(text: str, *tables: Table) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return list(result(text, *tables))


def one(text: str, *tables: Table) -> tuple[Any, ...]:
    """The only row of a query."""
    (row,) = run(text, *tables)
    return row


def names(text: str, *tables: Table) -> list[str]:
    """The result's column names."""
    return [c.name for c in result(text, *tables).columns]


def types(text: str, *tables: Table) -> list[str]:
    """The result's KQL types."""
    return [c.type for c in result(text, *tables).columns]
