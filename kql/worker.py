"""The child process in which a query runs: ``python -m kql.worker``, one query, then it ends.

Protocol: one JSON line on stdin (the request, see ``kql.engine``), then JSON lines on stdout: ``{"header": …}`` once
the query runs, ``{"rows": [[…], …]}`` in batches, ``{"end": …}``; or ``{"error": …}`` at any time. A request
that says ``want`` is answered by ``{"wanted": …}`` alone. Datetimes and
timespans travel as microseconds, dynamic values and decimals as text. The end of stdin ends the process.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import duckdb

from kql.errors import KqlError, KqlInternalError, KqlResourceError, KqlSchemaError
from kql.places import Places
from kql.problems import from_duckdb
from kql.schema import exposed
from kql.sql import sandbox
from kql.syntax.parser import parse
from kql.syntax.tokens import names_in
from kql.tables import Relation, Table, relation
from kql.translate.context import TableSource
from kql.translate.query import Given, Translated, translate
from kql.types import Column, KqlType

_PR_SET_PDEATHSIG = 1
_BATCH_ROWS = 500
_BATCH_BYTES = 2**20
_MEGABYTE = 2**20
_PEEKED_ROWS = 10_000
"""How many rows the translator may look at: it asks for the names of columns, never for data."""

_WARM_COLUMNS: tuple[tuple[str, KqlType], ...] = (
    ("Timestamp", "datetime"),
    ("Device", "string"),
    ("Port", "int"),
    ("More", "dynamic"),
)
_WARM_TEXT = """let Window = 2d;
T | where Timestamp > ago(Window) and (isempty(Device) or Device =~ "x" or Device has_any ("a", "b"))
| extend Name = tostring(More.Name), Kind = iff(Port in (1, 2), "low", "high")
| project Timestamp, Device, Kind, Name | sort by Timestamp desc
"""

_EARLIEST, _LATEST = "TIMESTAMP '0001-01-01'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
_CELLS: dict[KqlType, str] = {
    "datetime": f"CASE WHEN {{0}} BETWEEN {_EARLIEST} AND {_LATEST} THEN epoch_us({{0}}::TIMESTAMP) END",
    "dynamic": "CAST({0} AS VARCHAR)",
    "decimal": "CAST({0} AS VARCHAR)",
    "guid": "CAST({0} AS VARCHAR)",
    "string": "coalesce(CAST({0} AS VARCHAR), '')",
}


_encode_cells = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def main() -> None:
    """Answer the one request on stdin."""
    _die_with_parent()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if not select.select([sys.stdin], [], [], 0)[0]:
        warm()
    request = json.loads(sys.stdin.buffer.readline() or b"null")
    if request is None:
        return
    _limit(request)
    threading.Thread(target=_die_with_stdin, daemon=True).start()
    try:
        answer(request, out)
    except KqlError as error:
        _send(out, {"error": _error(error)})
    except MemoryError as error:
        _send(
            out, {"error": _error(KqlResourceError("The query needs more memory than it may use.", detail=str(error)))}
        )
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"
        _send(out, {"error": _error(KqlInternalError("The query failed in the engine.", detail=detail))})


def warm() -> None:
    """Answer a query of common operators over nothing, while no request is there.

    The grammar's tables are built by what is parsed, and DuckDB's code is read from disk when it first runs.
    """
    limits = {"rows": 1, "bytes": _MEGABYTE, "memory_mb": 64, "threads": 1}
    tables = [{"name": "T", "paths": [], "format": "parquet", "columns": _WARM_COLUMNS, "wildcard": True}]
    answer({"text": _WARM_TEXT, "tables": tables, "limits": limits, "now": None}, io.BytesIO())


def _die_with_parent() -> None:
    """Ask Linux for SIGKILL when the parent's thread ends, even by ``kill -9``; elsewhere stdin's end must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _die_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


def _limit(request: Mapping[str, Any]) -> None:
    """What the process may use at most, should DuckDB's own limits fail: no files written, no core, bounded time."""
    limits = request["limits"]
    seconds = int(limits["seconds"] * limits["threads"]) + 30
    # DuckDB maps more than it uses: threads' stacks and arenas. This is a backstop, not the limit people set.
    memory = (limits["memory_mb"] + 4096) * _MEGABYTE
    for kind, value in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value, hard if hard == resource.RLIM_INFINITY else min(max(value, 0), hard)))


def answer(request: Mapping[str, Any], out: BinaryIO) -> None:
    """Run a request's query and write its messages; raises KqlError instead of the message about one."""
    limits = request["limits"]
    tables = [_table(each) for each in request["tables"]]
    beside = _beside(request.get("supplies") or {})
    paths = {path for table in (*tables, *beside.tables) for path in table.paths}
    connection = sandbox(memory_mb=limits["memory_mb"], threads=limits["threads"], paths=paths)
    tree, words = parse(request["text"]), names_in(request["text"])
    sources = {table.name: exposed(_opened(connection, table), words, listed=table.wildcard) for table in tables}
    now = datetime.fromisoformat(request["now"]) if request["now"] else None
    wanted: dict[str, list[Any]] | None = {} if request.get("want") else None
    given = _given(connection, beside, wanted)

    def peek(sql: str) -> list[tuple[Any, ...]]:
        return list(connection.execute(sql).fetchmany(_PEEKED_ROWS))

    try:
        translated = translate(tree, sources, now, peek=peek, given=given)
        if wanted is not None:
            _send(out, {"wanted": [[column, *found] for column, found in wanted.items()]})
            return
        _send_result(connection, _final(translated), translated, limits, out)
    except duckdb.Error as error:
        raise from_duckdb(error) from error


@dataclass(frozen=True)
class _Beside:
    """What a request gives beside its tables."""

    feeds: Mapping[str, Table]
    refused: Mapping[str, str]
    profiles: Table | None
    places: Path | None

    @property
    def tables(self) -> tuple[Table, ...]:
        return (*self.feeds.values(), *([self.profiles] if self.profiles else []))


def _beside(request: Mapping[str, Any]) -> _Beside:
    profiles, places = request.get("profiles"), request.get("places")
    return _Beside(
        {key: _table(each) for key, each in request.get("feeds", {}).items()},
        request.get("refused", {}),
        _table(profiles) if profiles else None,
        Path(places) if places else None,
    )


def _given(connection: duckdb.DuckDBPyConnection, beside: _Beside, wanted: dict[str, list[Any]] | None) -> Given:
    """What the translator is given. ``wanted`` takes, by SHA1 and SHA256, hashes and how many there are."""

    def want(column: str, sql: str, limit: int) -> None:
        assert wanted is not None
        hashes = {row[0] for row in connection.execute(f"{sql} ORDER BY h LIMIT {limit}").fetchall()}
        row = connection.execute(f"SELECT count(*) FROM ({sql})").fetchone()
        known = wanted.setdefault(column, [[], 0])
        known[0] = sorted(hashes | set(known[0]))
        known[1] = max(known[1], int(row[0]) if row else 0, len(known[0]))

    return Given(
        feeds={key: _source(_opened(connection, table)) for key, table in beside.feeds.items()},
        refused=beside.refused,
        profiles=_source(_opened(connection, beside.profiles)) if beside.profiles else None,
        want=want if wanted is not None else None,
        places=Places(beside.places, connection) if beside.places else None,
    )


def _source(relation: Relation) -> TableSource:
    return TableSource(relation.columns, relation.sql, relation.stored)


def _table(request: Mapping[str, Any]) -> Table:
    columns = request["columns"]
    return Table(
        request["name"],
        tuple(Path(path) for path in request["paths"]),
        request["format"],
        None if columns is None else tuple(Column(name, cast(KqlType, kind)) for name, kind in columns),
        request["wildcard"],
    )


def _opened(connection: duckdb.DuckDBPyConnection, table: Table) -> Relation:
    try:
        return relation(connection, table)
    except (duckdb.Error, ValueError) as error:
        raise KqlSchemaError(
            f"The table {table.name} cannot be read.", hint="Rebuild it from its evidence.", detail=str(error)
        ) from error


def _final(translated: Translated) -> str:
    """The query with each cell in the form in which it travels; exactly one SELECT."""
    statements = duckdb.extract_statements(translated.sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise KqlInternalError("The query did not become one SELECT.", detail=translated.sql)
    names = [f"c{index}" for index in range(len(translated.columns))]
    cells = ", ".join(
        _CELLS.get(c.type, "{0}").format(f"q.{n}") for c, n in zip(translated.columns, names, strict=True)
    )
    return f"SELECT {cells} FROM ({translated.sql}) AS q({', '.join(names)})"


def _send_result(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    translated: Translated,
    limits: Mapping[str, Any],
    out: BinaryIO,
) -> None:
    connection.execute(sql)
    header = {
        "columns": [[c.name, c.type] for c in translated.columns],
        "sql": translated.sql,
        "render": translated.render,
    }
    _send(out, {"header": header})
    cut = None
    for line, truncated_by in _batches(connection, limits):
        out.write(line)
        cut = truncated_by
    _send(out, {"end": {"truncated_by": cut}})


def _batches(connection: duckdb.DuckDBPyConnection, limits: Mapping[str, Any]) -> Iterator[tuple[bytes, str | None]]:
    """Lines of rows and, with the last one, which limit cut the result off."""
    left_rows, left_bytes = limits["rows"], limits["bytes"]
    while True:
        rows = connection.fetchmany(_BATCH_ROWS)
        if not rows:
            return
        cells = [_encode_cells(row).encode("utf-8", "replace") for row in rows]
        kept, size = _fitting(cells, left_rows, left_bytes)
        left_rows, left_bytes = left_rows - kept, left_bytes - size
        truncated = None if kept == len(cells) else "rows" if left_rows == 0 else "bytes"
        yield b'{"rows":[' + b",".join(cells[:kept]) + b"]}\n", truncated
        if truncated:
            return


def _fitting(cells: Sequence[bytes], rows: int, size: int) -> tuple[int, int]:
    """How many of the rows fit into what is left, and their bytes."""
    used = 0
    for index, cell in enumerate(cells):
        if index >= rows or used + len(cell) > size:
            return index, used
        used += len(cell)
    return len(cells), used


def _send(out: BinaryIO, message: Mapping[str, Any]) -> None:
    out.write(json.dumps(message, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")
    out.flush()


def _error(error: KqlError) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.message,
        "line": error.line,
        "column": error.column,
        "length": error.length,
        "hint": error.hint,
        "detail": error.detail[:4000],
        "subject": error.subject,
    }


if __name__ == "__main__":
    main()
