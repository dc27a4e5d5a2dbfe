"""The tables that hunts see: the story's, with real telemetry beside it where some was loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from artifacts import load
from kql.catalogue import INFO, TABLES
from kql.parquet import write_parquet
from kql.sql import quote_name, quote_text
from kql.tables import read_columns
from kql.types import Column
from simulator.clock import parse_iso
from simulator.story.telling import Story

TIME_COLUMNS = ("Timestamp", "TimeGenerated")
# Columns that exist only in the Log Analytics mirror of a Defender table.
_MIRROR_ONLY = frozenset({"TenantId", "TimeGenerated", "SourceSystem", "Type"})


@dataclass(frozen=True)
class Source:
    """The files of one table with its columns and the times of its first and last row (None without rows)."""

    name: str
    paths: tuple[Path, ...]
    columns: tuple[Column, ...]
    first: datetime | None
    last: datetime | None

    @property
    def time_column(self) -> str | None:
        """The column that a window applies to."""
        names = {column.name for column in self.columns if column.type == "datetime"}
        return next((name for name in TIME_COLUMNS if name in names), None)


@dataclass(frozen=True)
class Telemetry:
    """What advanced hunting and the Log Analytics workspace have, by table name."""

    hunting: dict[str, Source]
    workspace: dict[str, Source]

    def rows_outside(self, source: Source, start: datetime, end: datetime) -> bool:
        """Whether a window cuts anything off."""
        return source.first is not None and source.last is not None and (source.first < start or source.last > end)


def load_telemetry(
    story: Story, folder: Path, paths: Iterable[Path], shift_to: datetime | None, note: Callable[[str], None]
) -> Telemetry:
    """The story's tables plus those of real files; `shift_to` moves the real rows so that the last one is then."""
    files: dict[str, list[Path]] = {name: [path] for name, path in story.tables.items()}
    columns: dict[str, tuple[Column, ...]] = {name: TABLES[name] for name in files}
    for name, path, own in _load_real(folder, tuple(paths), shift_to, note):
        files.setdefault(name, []).append(path)
        columns.setdefault(name, own)
    with duckdb.connect(":memory:") as connection:
        sources = {
            name: Source(name, tuple(files[name]), columns[name], *_span(connection, files[name]))
            for name in sorted(files)
        }
    return Telemetry(
        hunting={name: _hunting(source) for name, source in sources.items() if _family(name) != "sentinel"},
        workspace={name: source for name, source in sources.items() if _family(name) != "defender"},
    )


def grown(telemetry: Telemetry, folder: Path, table: str, rows: list[dict[str, Any]]) -> Telemetry:
    """The telemetry with more rows of one of its tables, kept below `folder` until the simulator starts anew. Raises
    KeyError for a table that is not there, ValueError for a row that does not fit."""
    known = telemetry.workspace.get(table) or telemetry.hunting[table]
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.parquet")))
    text, out = folder / "rows.ndjson", folder / f"{number:06d}.parquet"
    text.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    info = write_parquet(text, known.columns, out)
    if info.misfits or info.skipped or info.rows != len(rows):
        out.unlink()
        raise ValueError("a row does not fit the table's columns")
    with duckdb.connect(":memory:") as connection:
        first, last = _span(connection, [out])

    def more(sources: dict[str, Source]) -> dict[str, Source]:
        return {key: _more(source, out, first, last) if key == table else source for key, source in sources.items()}

    return Telemetry(more(telemetry.hunting), more(telemetry.workspace))


def _more(source: Source, path: Path, first: datetime | None, last: datetime | None) -> Source:
    moments = [moment for moment in (source.first, source.last, first, last) if moment is not None]
    ends = (min(moments), max(moments)) if moments else (None, None)
    return Source(source.name, (*source.paths, path), source.columns, *ends)


def _family(name: str) -> str:
    return INFO[name].family if name in INFO else "both"


def _hunting(source: Source) -> Source:
    """Advanced hunting shows a mirrored table without the columns that its mirror adds."""
    if _family(source.name) != "both" or source.name not in INFO:
        return source
    kept = tuple(column for column in source.columns if column.name not in _MIRROR_ONLY)
    return Source(source.name, source.paths, kept, source.first, source.last)


def _names(connection: duckdb.DuckDBPyConnection, path: Path) -> set[str]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({quote_text(str(path))})").fetchall()
    return {row[0] for row in rows}


def _span(connection: duckdb.DuckDBPyConnection, paths: Iterable[Path]) -> tuple[datetime | None, datetime | None]:
    from_all: list[tuple[datetime, datetime]] = []
    for path in paths:
        names = _names(connection, path)
        column = next((name for name in TIME_COLUMNS if name in names), None)
        if column is None:
            continue
        what = f"epoch_us(min({quote_name(column)})), epoch_us(max({quote_name(column)}))"
        row = connection.execute(f"SELECT {what} FROM read_parquet({quote_text(str(path))})").fetchone()
        if row and row[0] is not None:
            from_all.append((_moment(row[0]), _moment(row[1])))
    if not from_all:
        return None, None
    return min(first for first, _ in from_all), max(last for _, last in from_all)


def _moment(microseconds: int) -> datetime:
    return datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(microseconds=microseconds)


def _fingerprint(paths: tuple[Path, ...], shift_to: datetime | None) -> str:
    files = sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    facts = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return json.dumps([facts, str(shift_to)])


def _load_real(
    folder: Path, paths: tuple[Path, ...], shift_to: datetime | None, note: Callable[[str], None]
) -> list[tuple[str, Path, tuple[Column, ...]]]:
    if not paths:
        return []
    mark, fingerprint = folder / "loaded.json", _fingerprint(paths, shift_to)
    if not mark.exists() or json.loads(mark.read_text(encoding="utf-8"))["fingerprint"] != fingerprint:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _read_files(folder, paths, shift_to, note)
        mark.write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")
    return [(path.stem, path, read_columns(path)) for path in sorted(folder.glob("*.parquet"))]


def _read_files(folder: Path, paths: tuple[Path, ...], shift_to: datetime | None, note: Callable[[str], None]) -> None:
    report = load(paths, folder)
    for problem in report.problems:
        note(f"telemetry: {problem.member}: {problem.message}")
    if shift_to is None:
        return
    last = max((parse_iso(table.last_time) for table in report.tables if table.last_time), default=None)
    if last is None:
        return
    by = shift_to - last
    for table in report.tables:
        shift_parquet(table.path, table.columns, by)


def shift_parquet(path: Path, columns: Iterable[Column], by: timedelta) -> None:
    """Move every datetime column of a Parquet file in place; its key-value metadata (the KQL types) is kept."""
    microseconds = round(by / timedelta(microseconds=1))
    moved = [quote_name(column.name) for column in columns if column.type == "datetime"]
    with duckdb.connect(":memory:", config={"threads": 2}) as connection:
        source = f"read_parquet({quote_text(str(path))})"
        replace = ", ".join(f"{name} + to_microseconds({microseconds}) AS {name}" for name in moved)
        select = f"SELECT * REPLACE ({replace}) FROM {source}" if moved else f"SELECT * FROM {source}"
        metadata = connection.execute(
            f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({quote_text(str(path))})"
        ).fetchall()
        pairs = ", ".join(f"{quote_text(key)}: {quote_text(value)}" for key, value in metadata)
        draft = path.with_suffix(".moving")
        options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{pairs}}}" if pairs else "FORMAT parquet"
        connection.execute(f"COPY ({select}) TO {quote_text(str(draft))} ({options})")
    draft.replace(path)
