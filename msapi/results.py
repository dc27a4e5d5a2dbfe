"""The rows of a hunt, read from a file one at a time: columns with KQL types, values typed, nothing altered.

Datetimes, time spans, GUIDs and decimals stay the text that the service sent, with all their digits.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Self

from msapi.errors import BadReply
from msapi.jsonwalk import FAULTY, values_at
from msapi.reading import text

_COLUMNS: Final = 2000


Value = str | int | float | bool | None | list[Any] | dict[str, Any]
Row = tuple[Value, ...]

#: KQL's scalar types by the names that Graph, Log Analytics and .NET give them.
#: https://learn.microsoft.com/kusto/query/scalar-data-types/
_TYPES: Final[Mapping[str, str]] = {
    "string": "string",
    "datetime": "datetime",
    "date": "datetime",
    "datetimeoffset": "datetime",
    "int64": "long",
    "long": "long",
    "int32": "int",
    "int16": "int",
    "int": "int",
    "sbyte": "bool",
    "boolean": "bool",
    "bool": "bool",
    "double": "real",
    "single": "real",
    "float": "real",
    "real": "real",
    "sqldecimal": "decimal",
    "decimal": "decimal",
    "guid": "guid",
    "uuid": "guid",
    "object": "dynamic",
    "dynamic": "dynamic",
    "timespan": "timespan",
    "time": "timespan",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its KQL type: string, datetime, long, int, bool, real, decimal, guid, dynamic or timespan."""

    name: str
    type: str


def kql_type(name: str) -> str:
    """The KQL type that a service's type name means, in any casing; "string" where it is unknown."""
    return _TYPES.get(name.rsplit(".", 1)[-1].lower(), "string")


class HuntResult:
    """What a query gave. Use it as a context manager: leaving it deletes the file behind it.

    `rows` starts from the first row each time it is asked for. `row_count` and `truncated` read the file through once
    if nobody has. `notice` says in the service's words why a result is partial. `unlisted` names keys that rows carry
    and the schema does not; it is complete once the rows have been read. `reader` gives each row of the file: an object
    by column name, or, where `positional`, a list.
    """

    def __init__(
        self,
        source: IO[bytes],
        columns: tuple[Column, ...],
        reader: Callable[[IO[bytes]], Iterator[Any]],
        *,
        limit: int,
        positional: bool = False,
        request_id: str = "",
        notice: str = "",
        service: str = "",
    ) -> None:
        self._source = source
        self._reader = reader
        self._limit = limit
        self._positional = positional
        self._count: int | None = None
        self.columns = columns
        self.request_id = request_id
        self.notice = notice
        self.service = service
        self.unlisted: set[str] = set()

    @property
    def rows(self) -> Iterator[Row]:
        """Each row as a tuple in the order of `columns`. Raises BadReply where the answer breaks off."""
        if self._source.closed:
            raise ValueError("The result was closed; its rows are gone.")
        chosen = [_CONVERTERS[column.type] for column in self.columns]
        converters = tuple((convert, convert is _to_text) for convert in chosen)
        count = 0
        try:
            for values in self._values():
                count += 1
                yield tuple(
                    [
                        # Most values are texts that stay as they are; a call for each would double the time.
                        value if textual and value.__class__ is str else convert(value)
                        for (convert, textual), value in zip(converters, values, strict=True)
                    ]
                )
        except FAULTY as error:
            raise self._broken(count, error) from None
        self._count = count

    @property
    def row_count(self) -> int:
        """How many rows came."""
        if self._count is None:
            for _ in self.rows:
                pass
        assert self._count is not None
        return self._count

    @property
    def truncated(self) -> bool:
        """Whether the service may hold more rows than it sent: a cap was reached, or it called the result partial."""
        return bool(self.notice) or self.row_count >= self._limit

    def close(self) -> None:
        """Delete the file behind the rows."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def _values(self) -> Iterator[list[Any]]:
        names = [column.name for column in self.columns]
        listed = frozenset(names)
        for item in self._reader(self._source):
            if self._positional and isinstance(item, list) and len(item) == len(names):
                yield item
            elif not self._positional and isinstance(item, dict):
                self._note_unlisted(item.keys() - listed)
                yield [item.get(name) for name in names]
            else:
                raise BadReply(f"{self.service} sent a row that does not fit its schema.", service=self.service)

    def _note_unlisted(self, keys: set[str]) -> None:
        if keys and len(self.unlisted) < _COLUMNS:
            self.unlisted.update(key for key in keys if "@odata" not in key)

    def _broken(self, count: int, error: Exception) -> BadReply:
        reason = " ".join(str(error).split())[:120]
        return BadReply(
            f"The answer of {self.service} breaks off after {count} rows ({reason}). Run the query again.",
            request_id=self.request_id,
            service=self.service,
        )


def read_columns(listed: Any, service: str) -> tuple[Column, ...]:
    """Columns from a schema list of `{name, type}` in either casing. Raises BadReply where it is not one."""
    if not isinstance(listed, list) or len(listed) > _COLUMNS:
        raise BadReply(f"{service} sent a result without a readable schema.", service=service)
    columns = tuple(
        Column(text(item, "name", "Name", "ColumnName"), kql_type(text(item, "type", "Type"))) for item in listed
    )
    names = {column.name for column in columns}
    if "" in names or len(names) != len(columns):
        raise BadReply(f"{service} sent a schema with a nameless or doubled column.", service=service)
    return columns


def hunting_result(source: IO[bytes], *, limit: int, request_id: str, service: str) -> HuntResult:
    """The result of a hunting answer `{"schema": [...], "results": [...]}` in `source`, which it then owns."""
    try:
        schema = next(iter(values_at(source, ("schema",), ("Schema",))), None)
    except FAULTY:
        raise BadReply(
            f"{service} sent an answer that is not JSON, or that breaks off.", request_id=request_id, service=service
        ) from None
    columns = read_columns(schema, service)

    def reader(file: IO[bytes]) -> Iterator[Any]:
        return values_at(file, ("results", None), ("Results", None))

    return HuntResult(source, columns, reader, limit=limit, request_id=request_id, service=service)


_INTEGER: Final = re.compile(r"-?\d{1,30}")
_NUMBER: Final = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


def _to_text(value: Any) -> Value:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else str(value)


def _to_integer(value: Any) -> Value:
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _kept(value)


def _to_real(value: Any) -> Value:
    if isinstance(value, str):
        return _finite(value) if _NUMBER.fullmatch(value) else value
    return float(value) if isinstance(value, int) and abs(value) < 2**53 else _kept(value)


def _finite(value: str) -> float | str:
    as_float = float(value)
    return as_float if abs(as_float) != float("inf") else value


def _to_bool(value: Any) -> Value:
    if isinstance(value, str):
        return _TRUTHS.get(value.lower(), value)
    return bool(value) if value in (0, 1) and value is not None else _kept(value)


def _to_dynamic(value: Any) -> Value:
    """JSON text parsed where writing it again loses nothing; a number that a float would round stays text."""
    if not isinstance(value, str) or not value:
        return _kept(value)
    try:
        parsed = _STRICT.decode(value)
    except (ValueError, RecursionError):
        return value
    if isinstance(parsed, int | float) and not isinstance(parsed, bool) and json.dumps(parsed) != value.strip():
        return value
    return _kept(value if _holds_half_characters(value, parsed) else parsed)


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite_float(digits: str) -> float:
    value = float(digits)
    return value if abs(value) != float("inf") else _refused(digits)


# Python reads NaN and Infinity, which JSON forbids; they could not be written again.
_STRICT: Final = json.JSONDecoder(parse_constant=_refused, parse_float=_finite_float)


def _holds_half_characters(written: str, parsed: Any) -> bool:
    """Whether escapes made lone surrogates, which no file or database takes."""
    if "\\ud" not in written.lower():
        return False
    try:
        json.dumps(parsed, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return True
    return False


def _kept(value: Any) -> Value:
    kept: Value = value
    return kept


_CONVERTERS: Final[Mapping[str, Callable[[Any], Value]]] = {
    "string": _to_text,
    "datetime": _to_text,
    "timespan": _to_text,
    "guid": _to_text,
    "decimal": _to_text,
    "long": _to_integer,
    "int": _to_integer,
    "real": _to_real,
    "bool": _to_bool,
    "dynamic": _to_dynamic,
}
