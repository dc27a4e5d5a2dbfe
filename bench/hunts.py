"""Hunts over a table of process events, beside the SQL that a person would write for DuckDB."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from bench.figures import Absent, Figure, best, took
from kql import Column, Limits, Table, query, spawner, write_parquet

_COLUMNS = (
    Column("Timestamp", "datetime"),
    Column("DeviceName", "string"),
    Column("ActionType", "string"),
    Column("FileName", "string"),
    Column("ProcessCommandLine", "string"),
    Column("ProcessId", "long"),
    Column("AdditionalFields", "dynamic"),
)
_PROGRAMS = ("powershell.exe", "cmd.exe", "svchost.exe", "chrome.exe", "rundll32.exe", "teams.exe", "w3wp.exe")
_OUT = 100_000
_WARM_SECONDS = 10.0
# A term is bounded by whatever is no ASCII letter or digit.
_HAS = "regexp_matches(ProcessCommandLine, '(^|[^A-Za-z0-9])mimikatz($|[^A-Za-z0-9])', 'i')"


def figures(folder: Path, *, rows: int, rounds: int) -> Iterator[Figure | Absent]:
    """Figures over a table of so many rows, of which one in 5,000 is sought."""
    lines, parquet = folder / "events.ndjson", folder / "DeviceProcessEvents.parquet"
    _write_lines(lines, rows)
    written = took(lambda: write_parquet(lines, _COLUMNS, parquet))
    yield Figure("Rows into a table", "kql.write_parquet", rows, "rows", written)
    table = Table("DeviceProcessEvents", (parquet,))
    yield from _filter(table, rows, rounds)
    yield from _listing(table, min(rows, _OUT), rounds)


def _filter(table: Table, rows: int, rounds: int) -> Iterator[Figure]:
    group = "Hunt: has, over all rows"
    sql = f"SELECT count(*) FROM read_parquet(?) WHERE {_HAS}"
    kql = 'DeviceProcessEvents | where ProcessCommandLine has "mimikatz" | count'
    wanted = _sql(table, sql)
    if _kql(table, kql) != wanted:
        raise RuntimeError("the KQL and the SQL do not mean the same")
    yield Figure(group, "DuckDB, SQL by hand", rows, "rows", best(lambda: _sql(table, sql), rounds))
    yield from _both_starts(group, rows, rounds, lambda: _kql(table, kql))


def _listing(table: Table, rows: int, rounds: int) -> Iterator[Figure]:
    group = f"Hunt: {rows:,} rows out"
    sql = f"SELECT * FROM read_parquet(?) LIMIT {rows}"
    yield Figure(group, "DuckDB, fetchall", rows, "rows", best(lambda: _sql(table, sql), rounds))
    yield from _both_starts(group, rows, rounds, lambda: _kql(table, f"DeviceProcessEvents | take {rows}"))


def _both_starts(group: str, rows: int, rounds: int, hunt: Callable[[], object]) -> Iterator[Figure]:
    """A hunt whose child process waits for it, as from the third of a worker on, and one that starts its own."""
    ready, cold = [], []
    for _ in range(rounds):
        _wait_for_child()
        ready.append(took(hunt))
        spawner.drop()
        cold.append(took(hunt))
    yield Figure(group, "kql.query, child ready", rows, "rows", min(ready))
    yield Figure(group, "kql.query, child started", rows, "rows", min(cold))


def _wait_for_child() -> None:
    """Wait until the child kept ready is there, and has warmed up as far as can be told from outside."""
    end = time.monotonic() + _WARM_SECONDS
    while not spawner.idle() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.5)


def _sql(table: Table, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(":memory:", config={"threads": Limits().threads}) as connection:
        return list(connection.execute(sql, [str(table.paths[0])]).fetchall())


def _kql(table: Table, text: str) -> list[tuple[object, ...]]:
    with query(text, (table,)) as result:
        return list(result)


def _write_lines(path: Path, rows: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("w", encoding="utf-8") as out:
        for number in range(rows):
            program = _PROGRAMS[number % len(_PROGRAMS)]
            tail = (
                " privilege::debug mimikatz.log" if number % 5_000 == 17 else f" --session {number * 7919 % 1_000_003}"
            )
            row = {
                "Timestamp": (start + timedelta(seconds=number)).isoformat(),
                "DeviceName": f"ws{number % 500:03}.example.com",
                "ActionType": "ProcessCreated",
                "FileName": program,
                "ProcessCommandLine": f'"C:\\Windows\\System32\\{program}" -NoProfile{tail}',
                "ProcessId": number % 65_536,
                "AdditionalFields": {"Parent": number % 4_096, "Integrity": "Medium"},
            }
            out.write(json.dumps(row) + "\n")
