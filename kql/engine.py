"""Run a query over files, in a child process that can be killed, and stream its rows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from kql.errors import ERRORS, KqlError, KqlInternalError, KqlResourceError, KqlUnsupported
from kql.process import Child
from kql.supplies import NOTHING, Supplies, Wanted
from kql.syntax.tokens import MAX_TEXT
from kql.tables import Table
from kql.types import Column, KqlType, Value

Json = Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Limits:
    """What one query may use: rows and bytes of its result (as JSON), seconds, megabytes of memory, threads."""

    rows: int = 100_000
    bytes: int = 124 * 2**20
    seconds: float = 180.0
    memory_mb: int = 1024
    threads: int = 2


class Messages(Protocol):
    """Where a result's messages come from: the child process."""

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""

    def receive(self) -> dict[str, Any]:
        """The next message; raises KqlError where there is none."""

    def close(self) -> None:
        """Send no more."""


class QueryResult:
    """A running query: its columns at once, its rows as they come.

    Iterate once; ``row_count``, ``truncated``, ``truncated_by`` and ``elapsed`` (seconds since the start) are final
    when the iteration has ended. Iterating raises KqlError where the query fails, runs out of time or is cancelled.
    Leave the context, or call ``close``, to end the child process early.
    """

    def __init__(self, child: Messages, header: Mapping[str, Any]) -> None:
        self._child = child
        self.columns: tuple[Column, ...] = tuple(Column(name, kind) for name, kind in header["columns"])
        self.sql: str = header["sql"]
        self.render: dict[str, Any] | None = header["render"]
        self.row_count = 0
        self.truncated_by: Literal["rows", "bytes"] | None = None
        self.elapsed = child.elapsed
        self._rows = self._read()

    @property
    def truncated(self) -> bool:
        """Whether a limit cut the result off."""
        return self.truncated_by is not None

    def __iter__(self) -> Iterator[tuple[Value, ...]]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child process; does nothing where it has ended."""
        self._child.close()

    def _read(self) -> Iterator[tuple[Value, ...]]:
        convert = _row_converter(self.columns)
        try:
            while True:
                message = _checked(self._child.receive())
                if "end" in message:
                    self.truncated_by = message["end"]["truncated_by"]
                    return
                for row in message["rows"]:
                    self.row_count += 1
                    yield convert(row)
        finally:
            self.elapsed = self._child.elapsed
            self._child.close()


def query(
    text: str,
    tables: Iterable[Table],
    *,
    limits: Limits | None = None,
    now: datetime | None = None,
    cancel: threading.Event | None = None,
    prelude: str = "",
    supplies: Supplies = NOTHING,
) -> QueryResult:
    """Run a query and return when its first rows are there.

    ``now`` pins now() and ago(). Setting ``cancel`` ends the query, whatever it is doing. ``prelude`` is put before
    the text (see ``kql.literals``); the places in errors are those in ``text``. ``supplies``: what it may read beside
    the tables. Raises KqlError: syntax, schema, unsupported construct, time, memory, cancellation.
    """
    limits = limits or Limits()
    _check_text(prelude + text)
    request = request_json(join_prelude(prelude, text), tables, limits, now, supplies)
    child = Child(request, seconds=limits.seconds, cancel=cancel, longest=2 * limits.bytes + 64 * 2**20)
    return QueryResult(child, _first(child, prelude)["header"])


def wanted_profiles(
    text: str,
    tables: Iterable[Table],
    *,
    limits: Limits | None = None,
    now: datetime | None = None,
    cancel: threading.Event | None = None,
    prelude: str = "",
    supplies: Supplies = NOTHING,
) -> tuple[Wanted, ...]:
    """The files that a query's FileProfile() calls ask about, in a child process of its own; nothing else is answered.

    A call that stands after a filter on what an earlier one adds is asked by what ``supplies.profiles`` knows: ask
    again when more is known. Parameters and errors are those of ``query``.
    """
    limits = limits or Limits()
    _check_text(prelude + text)
    request = request_json(join_prelude(prelude, text), tables, limits, now, supplies) | {"want": True}
    child = Child(request, seconds=limits.seconds, cancel=cancel, longest=64 * 2**20)
    found = _first(child, prelude)["wanted"]
    child.close()
    return tuple(Wanted(column, tuple(hashes), total) for column, hashes, total in found)


def _first(child: Child, prelude: str) -> Mapping[str, Any]:
    """The first message; where it is an error, or none comes, the child is gone."""
    try:
        return _checked(child.receive())
    except KqlError as error:
        child.close()
        raise shifted(error, prelude) from error.__cause__
    except BaseException:
        child.close()
        raise


def join_prelude(prelude: str, text: str) -> str:
    """The prelude's lines, then the text."""
    return f"{prelude.rstrip()}\n{text}" if prelude.strip() else text


def shifted(error: KqlError, prelude: str) -> KqlError:
    """An error of the joined text as one of the person's own; one within the prelude loses its place."""
    if error.line is None or not prelude.strip():
        return error
    line = error.line - prelude.rstrip().count("\n") - 1
    error.line, error.column = (line, error.column) if line > 0 else (None, None)
    return error


def _check_text(text: str) -> None:
    if len(text) > MAX_TEXT:
        raise KqlUnsupported(f"The query has {len(text):,} characters.", hint=f"At most {MAX_TEXT:,} are read.")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def request_json(
    text: str, tables: Iterable[Table], limits: Limits, now: datetime | None, supplies: Supplies = NOTHING
) -> dict[str, Json]:
    """The request as the child reads it."""
    return {
        "text": text,
        "tables": [_table_json(table) for table in tables],
        "limits": asdict(limits),
        "now": None if now is None else _aware(now).isoformat(),
        "supplies": {
            "feeds": {key: _table_json(table) for key, table in supplies.feeds.items()},
            "refused": dict(supplies.refused),
            "profiles": None if supplies.profiles is None else _table_json(supplies.profiles),
            "places": None if supplies.places is None else str(supplies.places.resolve()),
        },
    }


def _table_json(table: Table) -> dict[str, Json]:
    return {
        "name": table.name,
        "paths": [str(path.resolve()) for path in table.paths],
        "format": table.format,
        "columns": None if table.columns is None else [[c.name, c.type] for c in table.columns],
        "wildcard": table.wildcard,
    }


def _checked(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """A message of the child's that is no error; an error is raised."""
    if "error" not in message:
        return message
    fault = dict(message["error"])
    cls = ERRORS.get(fault.pop("code"), KqlInternalError)
    raise cls(fault.pop("message"), **fault)


def _row_converter(columns: Sequence[Column]) -> Callable[[list[Json]], tuple[Value, ...]]:
    """A function from a row as it travels to a row of values."""
    converters = [(index, _CONVERTERS[c.type]) for index, c in enumerate(columns) if c.type in _CONVERTERS]

    def convert(row: list[Json]) -> tuple[Value, ...]:
        for index, converter in converters:
            value = row[index]
            if value is not None:
                row[index] = converter(value)
        return tuple(row)

    return convert


def _dynamic(text: str) -> Json:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise KqlResourceError("A dynamic value is nested too deeply.", hint="Read one property of it.") from error


_CONVERTERS: dict[KqlType, Callable[[Any], Value]] = {
    "datetime": lambda value: _EPOCH + timedelta(microseconds=value),
    "timespan": lambda value: timedelta(microseconds=value),
    "dynamic": _dynamic,
    "decimal": Decimal,
}
