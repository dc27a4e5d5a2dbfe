"""SQLite databases from outside, table by table, without running anything that stands in them.

The file is opened read-only and as one that nobody changes (``immutable``), so that no lock is asked for and nothing is
written beside it: https://www.sqlite.org/uri.html. Only plain tables are read; an authorizer refuses every function but
four, for a schema may hide calls in views and generated columns: https://www.sqlite.org/security.html.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from artifacts.limits import ArtifactError, Budget
from artifacts.naming import column_name
from kql.types import KqlType

MAGIC = b"SQLite format 3\0"
_WAL = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # https://www.sqlite.org/fileformat2.html#walformat
_BLOB_HEAD = 64
_TEXT = 1_000_000
_LENGTH = 256 << 20
_STEPS = 200_000
_BATCH = 200
_COLUMNS = 900
_FUNCTIONS = frozenset(("substr", "typeof", "length", "hex"))
_ALLOWED = frozenset((sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA))


class SqliteBroken(ArtifactError):
    """The database, or one table of it, cannot be read further; rows before this point were given."""

    code = "sqlite.broken"


def is_wal(head: bytes) -> bool:
    """Whether a file begins as the write-ahead log of a database does."""
    return head[:4] in _WAL


@dataclass
class SqliteTable:
    """One table: ``columns`` with the types that it declares. ``rows`` gives them once."""

    name: str
    columns: tuple[tuple[str, KqlType], ...]
    _connection: sqlite3.Connection = field(repr=False)
    _sources: tuple[tuple[str, str, bool], ...] = ()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Row by row. A BLOB is its first 64 bytes in hexadecimal digits and its length beside it, text over a million
        characters is cut. Raises SqliteBroken."""
        cells = ", ".join(_cells(source, with_length) for source, _, with_length in self._sources)
        try:
            cursor = self._connection.execute(f"SELECT {cells} FROM {_quoted(self.name)}")
            while batch := cursor.fetchmany(_BATCH):
                for values in batch:
                    yield self._row(values)
        except (sqlite3.Error, MemoryError, OverflowError) as error:
            raise SqliteBroken(f"table {self.name[:100]} breaks off: {error}; the rows before are kept") from error

    def _row(self, values: tuple[Any, ...]) -> dict[str, Any]:
        row: dict[str, Any] = {}
        at = 0
        for (_, name, with_length), (_, kind) in zip(self._sources, self.columns, strict=True):
            value = values[at]
            row[name] = bool(value) if kind == "bool" and value in (0, 1) else value
            at += 1
            if with_length:
                row[f"{name}_length"] = values[at]
                at += 1
        return row


@dataclass
class SqliteFile:
    """A database. ``problems`` are code and sentence of what is not read, known after ``open``."""

    path: Path
    budget: Budget
    problems: list[tuple[str, str]] = field(default_factory=list)

    @contextlib.contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """The connection. Raises SqliteBroken where there is no database."""
        try:
            connection = sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise SqliteBroken(f"not readable as SQLite: {error}") from error
        with contextlib.closing(connection):
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LENGTH)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            try:
                for setting in ("trusted_schema = OFF", "cell_size_check = ON"):
                    connection.execute(f"PRAGMA {setting}")
            except sqlite3.Error as error:
                raise SqliteBroken(f"not readable as SQLite: {error}") from error
            connection.set_authorizer(_authorize)
            connection.set_progress_handler(self._out_of_time, _STEPS)
            yield connection

    def tables(self, connection: sqlite3.Connection) -> Iterator[SqliteTable]:
        """The plain tables. Raises SqliteBroken where the schema cannot be read."""
        try:
            found = connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
            ).fetchmany(self.budget.limits.tables + 1)
        except sqlite3.Error as error:
            raise SqliteBroken(f"the schema cannot be read: {error}") from error
        for name, statement in found[: self.budget.limits.tables]:
            if not isinstance(name, str):
                continue
            if isinstance(statement, str) and statement.lstrip().upper().startswith("CREATE VIRTUAL"):
                self.problems.append(
                    ("sqlite.virtual", f"{name[:100]} is a virtual table, which needs its own program")
                )
                continue
            table = self._table(connection, name)
            if table is not None:
                yield table

    def _table(self, connection: sqlite3.Connection, name: str) -> SqliteTable | None:
        try:
            described = connection.execute(f"PRAGMA table_xinfo({_quoted(name)})").fetchall()
        except sqlite3.Error as error:
            self.problems.append(("sqlite.broken", f"table {name[:100]} cannot be read: {error}"))
            return None
        plain = [(str(column[1]), str(column[2] or "").upper()) for column in described if column[6] in (0, None)]
        if len(plain) < len(described):
            self.problems.append(("sqlite.generated", f"{name[:100]}: computed columns are not read"))
        if len(plain) > _COLUMNS:
            self.problems.append(("sqlite.columns", f"{name[:100]}: only the first {_COLUMNS} columns are read"))
        kept = plain[:_COLUMNS]
        columns = tuple((column_name(source, n), _declared(kind)) for n, (source, kind) in enumerate(kept, 1))
        sources = tuple(
            (source, column[0], "BLOB" in kind or not kind)
            for (source, kind), column in zip(kept, columns, strict=True)
        )
        return SqliteTable(name, columns, connection, sources) if columns else None

    def _out_of_time(self) -> int:
        try:
            self.budget.check_time()
        except ArtifactError:
            return 1
        return 0


def _authorize(action: int, first: str | None, second: str | None, _base: str | None, _by: str | None) -> int:
    if action in _ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and second in _FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _cells(source: str, with_length: bool) -> str:
    """One column as it is given: bytes as the hexadecimal digits of their beginning, long text cut."""
    column = _quoted(source)
    head = (
        f"CASE typeof({column}) WHEN 'blob' THEN hex(substr({column}, 1, {_BLOB_HEAD})) "
        f"WHEN 'text' THEN substr({column}, 1, {_TEXT}) ELSE {column} END"
    )
    return f"{head}, CASE typeof({column}) WHEN 'blob' THEN length({column}) END" if with_length else head


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _declared(kind: str) -> KqlType:
    """The KQL type of a declared type, by SQLite's rules of affinity: https://www.sqlite.org/datatype3.html"""
    if "BOOL" in kind:
        return "bool"
    if "INT" in kind:
        return "long"
    if any(word in kind for word in ("REAL", "FLOA", "DOUB")):
        return "real"
    return "string"
