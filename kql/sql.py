"""DuckDB beneath KQL: types, names and texts as SQL, and the locked-down connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from kql.types import Column, KqlType

SQL_TYPES: dict[KqlType, str] = {
    "bool": "BOOLEAN",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "decimal": "DECIMAL(38,15)",
    "string": "VARCHAR",
    "datetime": "TIMESTAMP",
    "timespan": "BIGINT",
    "guid": "UUID",
    "dynamic": "JSON",
}
"""The DuckDB type in which a query sees a KQL type; ``kql.translate.values`` says what the values mean."""

_KQL_TYPES: dict[str, KqlType] = {
    **dict.fromkeys(("TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER"), "int"),
    **dict.fromkeys(("UINTEGER", "BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT"), "long"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "real"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"), "datetime"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "datetime"),
    **dict.fromkeys(("TIME", "INTERVAL"), "timespan"),
    "BOOLEAN": "bool",
    "UUID": "guid",
    "JSON": "dynamic",
}


def kql_type(sql_type: str) -> KqlType:
    """The KQL type of a DuckDB type; nested ones are dynamic, an unknown one is a string."""
    name = sql_type.upper()
    if name.startswith("DECIMAL"):
        return "decimal"
    if name.endswith("]") or name.startswith(("STRUCT", "MAP", "UNION", "LIST")):
        return "dynamic"
    return _KQL_TYPES.get(name, "string")


def quote_name(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """A text as a SQL literal. NUL, which SQL text cannot hold, is spliced in by ``chr(0)``."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split("\0")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(0) || ".join(parts) + ")"


def stored_names(columns: Sequence[Column]) -> tuple[str, ...]:
    """The names under which columns are stored and queried.

    DuckDB folds case where KQL does not: of names that differ only by case the first stays, each later one gets
    ``_2``, ``_3``...
    """
    taken: set[str] = set()
    names = []
    for column in columns:
        name, number = column.name, 2
        while name.casefold() in taken:
            name, number = f"{column.name}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """What every connection of ours needs: UTC, and no progress bar (DuckDB would print it among the output)."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")


def sandbox(
    *, memory_mb: int, threads: int, temp: Path | None = None, paths: Iterable[Path] = ()
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that opens exactly ``paths``, in UTC, and whose settings cannot change any more.

    ``temp`` is a folder it may spill to (None: it never writes). ``allowed_paths`` must come before external access
    is closed: https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "threads": threads,
        "temp_directory": str(temp) if temp else "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
    }
    connection = duckdb.connect(":memory:", config=config)
    prepare(connection)
    allowed = ", ".join(quote_text(str(path)) for path in paths)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
