"""The first rows of what is rows, as the loader would read it into tables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import duckdb

from artifacts.limits import ArtifactError, Limits
from artifacts.loader import ProgressNote, load
from artifacts.looks.shown import visible
from artifacts.looks.texts import Say
from artifacts.report import LoadedTable

MOST_TABLES: Final = 12
MOST_ROWS: Final = 200
MOST_COLUMNS: Final = 100
_LIMITS: Final = Limits(
    entries=2_000, member_bytes=64 << 20, total_bytes=256 << 20, rows=20_000, seconds=45, tables=100, columns=500
)


class NoTable(ArtifactError):
    code = "look.no_table"


def head(path: Path, name: str, out: Path, say: Say) -> dict[str, Any]:
    """``tables``: name, columns as [name, type], the first rows as text, and how many were read of it."""
    folder = out / "tables"

    def tell(note: ProgressNote) -> None:
        say({"stage": note.stage, "records": note.records})

    report = load([path], folder, limits=_LIMITS, names={path: name}, progress=tell)
    tables = [_head_of(table) for table in report.tables[:MOST_TABLES]]
    shutil.rmtree(folder, ignore_errors=True)
    problems = [visible(f"{p.member}: {p.message}", 300) for p in report.problems[:20]]
    if not tables:
        raise NoTable("No rows were found in it. " + " ".join(problems[:2]))
    more = len(report.tables) > len(tables) or not report.complete
    return {"tables": tables, "problems": problems, "cut": more, "whole": report.complete}


def _head_of(table: LoadedTable) -> dict[str, Any]:
    with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "512MB"}) as database:
        found = database.execute("SELECT * FROM read_parquet(?) LIMIT ?", [str(table.path), MOST_ROWS])
        lines = found.fetchall()
    return {
        "name": visible(table.name, 200),
        "columns": [[visible(column.name, 100), column.type] for column in table.columns[:MOST_COLUMNS]],
        "rows": [[_cell(value) for value in line[:MOST_COLUMNS]] for line in lines],
        "count": table.rows,
        "more_columns": max(0, len(table.columns) - MOST_COLUMNS),
    }


def _cell(value: Any) -> str:
    return "" if value is None else visible(str(value), 300)
