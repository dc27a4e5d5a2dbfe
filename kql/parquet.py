"""Rows into Parquet with KQL's exact types, and the types back out of it.

Storage: bool, int, long, real, decimal(38,15), string and guid as DuckDB's own types; datetime as TIMESTAMP (whole
microseconds: a seventh digit is cut); timespan as a BIGINT of microseconds; dynamic as JSON. A string is never null,
as in KQL: what is missing is "". Names and KQL types stand in the file's key-value metadata under ``kql.columns``.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast, get_args

import duckdb

from kql.errors import KqlResourceError
from kql.sql import SQL_TYPES, kql_type, prepare, quote_name, quote_text, stored_names
from kql.types import Column, KqlType

TIME_COLUMNS = ("Timestamp", "TimeGenerated")
"""The event time of Defender's and of Log Analytics' tables."""

_METADATA = "kql.columns"
LINE_BYTES = 8 * 2**20
"""A line of this length is read; DuckDB keeps several buffers of twice the size, and refuses what is longer."""
_GROUP_CELLS = 1_500_000
_GROUP_BYTES = 32 * 2**20
_GROUP_ROWS = (2_048, 122_880)
_SAMPLE_BYTES = 2**20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = frozenset(get_args(KqlType))
# A line that is JSON is an object if it begins as one: asking json_type would parse every document once more.
_GOOD = r"coalesce(regexp_matches(j::VARCHAR, '^\s*\{'), false)"

_SPAN = r"^\s*-?(\d{1,8}\.)?\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,9})?\s*$"
_SPAN_PARTS = r"^\s*(-?)(?:(\d+)\.)?(\d+):(\d+):(\d+)(?:\.(\d+))?\s*$"


@dataclass(frozen=True)
class ParquetInfo:
    """What ``write_parquet`` wrote.

    ``misfits``: values that did not fit their column and became null. ``skipped``: lines that are no JSON object.
    ``first_time``/``last_time``: of the event time column, else of the first datetime column, else None.
    """

    rows: int
    columns: tuple[Column, ...]
    first_time: datetime | None
    last_time: datetime | None
    bytes: int
    misfits: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class StoredColumn:
    """A column of a Parquet file: what it is called and means, and the name under which the file holds it."""

    column: Column
    stored: str
    microseconds: bool = False
    """A timespan kept as a whole number of microseconds."""
    exact: bool = False
    """Written by ``write_parquet``: the physical type is the KQL type's, and a string is never null."""


def write_parquet(
    ndjson: Path | Sequence[Path],
    columns: Sequence[Column],
    out: Path,
    *,
    memory_mb: int = 512,
    filled: Collection[str] | None = None,
) -> ParquetInfo:
    """Turn newline-delimited JSON into one Parquet file with exactly these columns.

    Reads what ``encode_row`` writes and any JSON objects with the same keys (matched by exact case; other keys are
    left out). Nothing in the data aborts it: a value that does not fit becomes null, a line that is no object is
    skipped, and both are counted. ``out`` appears whole or not at all. ``filled`` names all columns that any line has a
    value for, where the caller knows: the others are not looked for in every line. Raises ValueError without columns or
    with two of one name, OSError where a file cannot be read or written, KqlResourceError where ``memory_mb`` does not
    do.
    """
    sources = [ndjson] if isinstance(ndjson, Path) else list(ndjson)
    _check_columns(columns)
    for source in sources:
        source.open("rb").close()
    with tempfile.TemporaryDirectory(prefix=".kql-", dir=out.parent) as folder:
        part = Path(folder) / "part.parquet"
        connection = duckdb.connect(":memory:", config={"memory_limit": f"{memory_mb}MB", "threads": 2})
        try:
            prepare(connection)
            connection.execute(f"SET temp_directory = {quote_text(str(Path(folder) / 'spill'))}")
            info = _copy_lines(connection, sources, tuple(columns), part, filled)
        except duckdb.OutOfMemoryException as error:
            raise KqlResourceError("The rows need more memory than they may use.", detail=str(error)) from error
        finally:
            connection.close()
        part.replace(out)
    return info


def read_columns(parquet: Path) -> tuple[Column, ...]:
    """The columns of a Parquet file with their KQL types; derived from the file's own types where it names none."""
    with duckdb.connect(":memory:") as connection:
        return tuple(stored.column for stored in stored_columns(connection, parquet))


def stored_columns(connection: duckdb.DuckDBPyConnection, parquet: Path) -> tuple[StoredColumn, ...]:
    """As ``read_columns``, with the name each column has in the file. Raises duckdb.Error for a file that is none."""
    path = quote_text(str(parquet))
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({path})").fetchall()
    types = {str(name): str(kind) for name, kind, *_ in described}
    row = connection.execute(
        f"SELECT decode(value) FROM parquet_kv_metadata({path}) WHERE decode(key) = {quote_text(_METADATA)}"
    ).fetchone()
    named = _named_columns(str(row[0]), types) if row else None
    return named or tuple(StoredColumn(Column(name, kql_type(kind)), name) for name, kind in types.items())


def lines_sql(sources: Sequence[Path]) -> str:
    """One row per line of the files; ``j`` is null where the line is no JSON."""
    paths = ", ".join(quote_text(str(path)) for path in sources)
    return (
        f"SELECT json AS j FROM read_ndjson_objects([{paths}],"
        f" ignore_errors = true, maximum_object_size = {LINE_BYTES})"
    )


def cells_sql(lines: str, columns: Sequence[Column], filled: Collection[str] | None = None) -> str:
    """The typed columns of JSON lines, under their stored names; only ``filled`` ones are looked for.

    All texts are pulled out of a line at once: one look at the document per row, not one per column.
    """
    sought = [c for c in columns if filled is None or c.name in filled]
    texts = [c for c in sought if c.type != "dynamic"]
    dynamics = [c for c in sought if c.type == "dynamic"]
    place = {c.name: f"t[{i}]" for i, c in enumerate(texts, 1)} | {c.name: f"d[{i}]" for i, c in enumerate(dynamics, 1)}
    select = ", ".join(
        f"{_cell(c.type, place[c.name]) if c.name in place else _nothing(c.type)} AS {quote_name(name)}"
        for c, name in zip(columns, stored_names(columns), strict=True)
    )
    return (
        f"SELECT {select} FROM (SELECT {_paths('json_extract_string', texts)} AS t,"
        f" {_paths('json_extract', dynamics)} AS d FROM ({lines}) WHERE {_GOOD})"
    )


def _nothing(kind: KqlType) -> str:
    """The cell of a column without values, in its own physical type."""
    return "''" if kind == "string" else f"NULL::{SQL_TYPES[kind]}"


def _paths(function: str, columns: Sequence[Column]) -> str:
    paths = ", ".join(quote_text(json_path(c.name)) for c in columns)
    return f"{function}(j, [{paths}]::VARCHAR[])" if columns else "NULL"


def json_path(name: str) -> str:
    """The JSON path of a top-level key, whatever characters it has."""
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _cell(kind: KqlType, text: str) -> str:
    """The SQL of one typed value out of its text (for dynamic: out of its JSON); null where it does not fit."""
    if kind == "timespan":
        return _span_microseconds(text)
    return _CELLS[kind].format(text)


def _span_microseconds(text: str) -> str:
    def part(number: int) -> str:
        return f"coalesce(TRY_CAST(regexp_extract(v, '{_SPAN_PARTS}', {number}) AS BIGINT), 0)"

    fraction = f"CAST(rpad(left(regexp_extract(v, '{_SPAN_PARTS}', 6), 6), 6, '0') AS BIGINT)"
    total = f"((({part(2)} * 24 + {part(3)}) * 60 + {part(4)}) * 60 + {part(5)}) * 1000000 + {fraction}"
    return (
        f"list_transform([{text}], lambda v: CASE WHEN regexp_matches(v, '{_SPAN}')"
        f" THEN CASE WHEN starts_with(ltrim(v), '-') THEN -1 ELSE 1 END * ({total}) END)[1]"
    )


_INTEGER = "CASE WHEN regexp_matches({{0}}, '^\\s*[+-]?\\d+(\\.0*)?\\s*$') THEN TRY_CAST({{0}} AS {type}) END"
_CELLS: dict[KqlType, str] = {
    "bool": "CASE lower({0}) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'false' THEN false WHEN '0' THEN false END",
    "int": _INTEGER.format(type="INTEGER"),
    "long": _INTEGER.format(type="BIGINT"),
    "real": "TRY_CAST({0} AS DOUBLE)",
    "decimal": "TRY_CAST({0} AS DECIMAL(38,15))",
    "string": "coalesce({0}, '')",
    # DuckDB takes neither a comma before the fraction nor a blank before the zone; both are written so.
    "datetime": (
        "CASE WHEN regexp_matches({0}, '^\\s*\\d{{4}}-\\d') THEN coalesce(TRY_CAST({0} AS TIMESTAMPTZ),"
        " TRY_CAST(regexp_replace(replace({0}, ',', '.'), '\\s+([Zz]|[+-]\\d\\d:?\\d\\d)\\s*$', '\\1')"
        " AS TIMESTAMPTZ)) AT TIME ZONE 'UTC' END"
    ),
    "guid": "TRY_CAST({0} AS UUID)",
    "dynamic": "CASE WHEN json_type({0}) <> 'NULL' THEN {0} END",
}


def _check_columns(columns: Sequence[Column]) -> None:
    names = [column.name for column in columns]
    if not names or len(set(names)) != len(names) or not all(names):
        raise ValueError("a table needs columns, each with a name of its own")


def _copy_lines(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Path],
    columns: tuple[Column, ...],
    part: Path,
    filled: Collection[str] | None,
) -> ParquetInfo:
    """``_copy``; where a line is too long for DuckDB's reader, again without such lines, which count as skipped."""
    try:
        return _copy(connection, sources, columns, part, filled)
    except duckdb.OutOfMemoryException:
        connection.execute("SET threads = 1")
    except duckdb.InvalidInputException as error:
        if "maximum_object_size" not in str(error):
            raise
    short = part.with_suffix(".ndjson")
    dropped = _drop_long_lines(sources, short)
    info = _copy(connection, [short], columns, part, filled)
    return replace(info, skipped=info.skipped + dropped)


def _drop_long_lines(sources: Sequence[Path], out: Path) -> int:
    """Copy the lines of the files that are not too long; returns how many are."""
    dropped = 0
    with out.open("wb") as target:
        for source in sources:
            with source.open("rb") as stream:
                while line := stream.readline(LINE_BYTES):
                    if len(line) < LINE_BYTES or line.endswith(b"\n"):
                        target.write(line.rstrip(b"\n") + b"\n")
                        continue
                    dropped += 1
                    while len(line) == LINE_BYTES and not line.endswith(b"\n"):
                        line = stream.readline(LINE_BYTES)
    return dropped


def _copy(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Path],
    columns: tuple[Column, ...],
    part: Path,
    filled: Collection[str] | None,
) -> ParquetInfo:
    lines = lines_sql(sources) if sources else "SELECT NULL::JSON AS j WHERE false"
    metadata = json.dumps([[c.name, c.type, n] for c, n in zip(columns, stored_names(columns), strict=True)])
    connection.execute(
        f"COPY ({cells_sql(lines, columns, filled)}) TO {quote_text(str(part))}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_group_rows(sources, len(columns))},"
        f" KV_METADATA {{{quote_text(_METADATA)}: {quote_text(metadata)}}})"
    )
    rows, first, last, kept = _stored_facts(connection, part, columns)
    offered, read = _source_facts(connection, lines, [c for c in columns if filled is None or c.name in filled])
    return ParquetInfo(rows, columns, first, last, part.stat().st_size, offered - kept, read - rows)


def _group_rows(sources: Sequence[Path], columns: int) -> int:
    """Rows of a Parquet row group, by the number of columns and the length of the first lines.

    DuckDB holds whole groups in memory until they are written. With its own 122,880 rows a wide table outgrows the
    memory limit and is swapped to disk over and over: 100,000 SecurityEvents of 182 columns took 300 s, now 15 s.
    """
    longest = 1.0
    for source in sources:
        with source.open("rb") as stream:
            sample = stream.read(_SAMPLE_BYTES)
        longest = max(longest, len(sample) / max(1, sample.count(b"\n")))
    least, most = _GROUP_ROWS
    return max(least, min(most, _GROUP_CELLS // columns, int(_GROUP_BYTES / longest)))


def _stored_facts(
    connection: duckdb.DuckDBPyConnection, part: Path, columns: tuple[Column, ...]
) -> tuple[int, datetime | None, datetime | None, int]:
    """Rows, span of the event time, and how many values there are of the types that a value may not fit."""
    names = dict(zip((c.name for c in columns), stored_names(columns), strict=True))
    kept = " + ".join(f"count({quote_name(names[c.name])})" for c in _strict(columns)) or "0"
    time = _time_column(columns)
    span = (
        f"epoch_us(min({quote_name(names[time])})), epoch_us(max({quote_name(names[time])}))" if time else "NULL, NULL"
    )
    row = connection.execute(f"SELECT count(*), {span}, {kept} FROM read_parquet({quote_text(str(part))})").fetchone()
    assert row is not None
    return int(row[0]), _moment(row[1]), _moment(row[2]), int(row[3])


def _source_facts(connection: duckdb.DuckDBPyConnection, lines: str, columns: Sequence[Column]) -> tuple[int, int]:
    """How many values of these types the source offers, and how many lines it has; blank ones are none."""
    strict = _strict(columns)
    counted = f"len(list_filter({_paths('json_extract_string', strict)}, lambda v: v IS NOT NULL))" if strict else "0"
    row = connection.execute(f"SELECT coalesce(sum({counted}), 0), count(*) FROM ({lines})").fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _strict(columns: Sequence[Column]) -> list[Column]:
    """The columns that a value may not fit: anything is a string or a dynamic."""
    return [c for c in columns if c.type not in ("string", "dynamic")]


def _time_column(columns: Sequence[Column]) -> str | None:
    datetimes = [c.name for c in columns if c.type == "datetime"]
    return next(iter([name for name in TIME_COLUMNS if name in datetimes] + datetimes), None)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _named_columns(metadata: str, types: dict[str, str]) -> tuple[StoredColumn, ...] | None:
    """The columns a file's metadata names, or None where it does not describe this file (metadata is outside input)."""
    try:
        named = [(str(name), str(kind), str(stored)) for name, kind, stored in json.loads(metadata)]
    except (TypeError, ValueError):
        return None
    if not named or any(kind not in _TYPES or stored not in types for _, kind, stored in named):
        return None
    return tuple(
        StoredColumn(
            Column(name, cast(KqlType, kind)), stored, kind == "timespan" and types[stored] == "BIGINT", exact=True
        )
        for name, kind, stored in named
    )
