"""The frames of a query's answer, read from a file one piece at a time: columns, rows, and what went wrong.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response-v2
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

import ijson

from msapi.errors import ApiError, BadReply
from msapi.faults import Context, error_from, fault_of
from msapi.jsonwalk import FAULTY, Cursor, built
from msapi.kusto.cluster import SERVICE
from msapi.kusto.transport import preferred
from msapi.results import Column, read_columns

_BUFFER: Final = 256 * 1024
_PRIMARY: Final = "PrimaryResult"
_CONTAINERS: Final = ("start_map", "start_array")
_ENDS: Final = ("end_map", "end_array")

Events = Iterator[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Head:
    """The columns of the first result table; they come before its rows. `progressive`: rows may be replaced."""

    columns: tuple[Column, ...]
    progressive: bool = False


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rows so far were provisional; those that follow stand in their place."""


@dataclass(frozen=True, slots=True)
class Another:
    """A further result table begins, whose rows are left out."""


@dataclass(frozen=True, slots=True)
class Failed:
    """What the engine says went wrong, wherever in the answer it stands. `message` is in its own words."""

    code: str
    message: str
    document: Mapping[str, Any]

    def error(self) -> ApiError:
        """The typed error that it means where it is all there is."""
        body = json.dumps(self.document, default=str).encode()
        return error_from(400, {}, body, Context(SERVICE, is_query=True))


Piece = Head | Replaced | Another | Failed | list[Any]
"""A list is a row."""


def pieces(source: IO[bytes]) -> Iterator[Piece]:
    """All that an answer holds of its first result table, in order. Raises BadReply for what is not an answer, and one
    of `jsonwalk.FAULTY` for what is not JSON."""
    events: Events = iter(ijson.basic_parse(Cursor(source), buf_size=_BUFFER))
    first, _ = next(events, ("", None))
    if first == "start_map":
        # A failure that came too late for the status line.
        yield from _failures(built({}, events, 1))
        return
    if first != "start_array":
        raise BadReply(f"{SERVICE} sent an answer that is not a list of frames.", service=SERVICE)
    reader = _Reader(events)
    for event, _ in events:
        if event == "end_array":
            reader.check_ended()
            return
        if event != "start_map":
            raise BadReply(f"{SERVICE} sent something between its frames.", service=SERVICE)
        yield from reader.frame()


class _Reader:
    """Reads frames off the events, and knows which table is the first result."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._primary: Any = None
        self._chosen = False
        self._progressive = False
        self._completed = False

    def check_ended(self) -> None:
        """Raise BadReply unless the frame that ends every answer was seen."""
        if not self._completed:
            raise BadReply(f"{SERVICE} ended its answer without saying that it is complete.", service=SERVICE)

    def frame(self) -> Iterator[Piece]:
        """The pieces of one frame, its opening brace being read."""
        facts: dict[str, Any] = {}
        wanted = False
        for event, value in self._events:
            if event == "end_map":
                break
            key = value
            event, value = next(self._events)
            if key == "Rows" and event == "start_array":
                wanted = wanted or self._continues(facts)
                if wanted and facts.get("TableFragmentType") == "DataReplace":
                    yield Replaced()
                yield from self._rows() if wanted else self._skipped()
            elif event in _CONTAINERS:
                facts[key] = built({} if event == "start_map" else [], self._events, 3)
                if key == "Columns" and facts.get("TableKind") == _PRIMARY:
                    wanted = not self._chosen
                    yield self._chosen_table(facts)
            else:
                facts[key] = value
        self._progressive = self._progressive or facts.get("IsProgressive") is True
        self._completed = self._completed or facts.get("FrameType") == "DataSetCompletion"
        yield from _failures(facts)

    def _chosen_table(self, facts: Mapping[str, Any]) -> Head | Another:
        if self._chosen:
            return Another()
        self._chosen, self._primary = True, facts.get("TableId")
        return Head(columns_of(facts["Columns"]), self._progressive)

    def _continues(self, facts: Mapping[str, Any]) -> bool:
        """Whether a frame's rows belong to the table that was begun in an earlier frame."""
        return self._chosen and facts.get("FrameType") == "TableFragment" and facts.get("TableId") == self._primary

    def _rows(self) -> Iterator[Piece]:
        for event, _ in self._events:
            if event == "start_array":
                yield built([], self._events, 5)
            elif event == "start_map":
                yield from _failures(built({}, self._events, 5))
            elif event == "end_array":
                return
            else:
                raise BadReply(f"{SERVICE} sent a row that is not a list.", service=SERVICE)

    def _skipped(self) -> Iterator[Piece]:
        """Pass over the rows of a table that is not the result, except for what they say of failures."""
        depth = 1
        for event, _ in self._events:
            if event == "start_map" and depth == 1:
                yield from _failures(built({}, self._events, 5))
            elif event in _CONTAINERS:
                depth += 1
            elif event in _ENDS:
                depth -= 1
                if depth == 0:
                    return


def _failures(facts: Mapping[str, Any]) -> Iterator[Failed]:
    """What an object says went wrong: a frame's OneApiErrors, an error document, a v1 list of exceptions."""
    listed = facts.get("OneApiErrors")
    documents = list(listed) if isinstance(listed, list) else []
    if "error" in facts:
        documents.append(facts)
    exceptions = facts.get("Exceptions")
    documents += [{"error": {"message": str(one)}} for one in exceptions] if isinstance(exceptions, list) else []
    found = [_failed(document) for document in documents]
    if not found and (facts.get("HasErrors") is True or facts.get("Cancelled") is True):
        word = "was cancelled" if facts.get("Cancelled") is True else "had errors"
        found = [_failed({"error": {"code": "PartialQueryFailure", "message": f"The query {word}."}})]
    yield from found


def _failed(document: Any) -> Failed:
    known = preferred(document)
    fault = fault_of(known)
    message = fault.message or "The engine gives no reason."
    return Failed(fault.code, message, known if isinstance(known, Mapping) else {})


def columns_of(listed: Any) -> tuple[Column, ...]:
    """Columns from a list of `{ColumnName, ColumnType}`; v1 may have DataType, a .NET type, alone."""
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise BadReply(f"{SERVICE} sent a table without readable columns.", service=SERVICE)
    plain = [
        {"name": one.get("ColumnName"), "type": one.get("ColumnType") or one.get("DataType") or "string"}
        for one in listed
    ]
    return read_columns(plain, SERVICE)


def first_table(document: Any) -> tuple[tuple[Column, ...], list[list[Any]]]:
    """The first table of a management command's answer. Raises a typed error where the command failed.
    https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response"""
    tables = document.get("Tables") if isinstance(document, Mapping) else None
    if isinstance(document, Mapping):
        for failed in _failures(document):
            raise failed.error()
    if not isinstance(tables, list) or not tables or not isinstance(tables[0], Mapping):
        raise BadReply(f"{SERVICE} answered a command without a table.", service=SERVICE)
    columns = columns_of(tables[0].get("Columns"))
    rows = tables[0].get("Rows")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping):
            for failed in _failures(row):
                raise failed.error()
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise BadReply(f"{SERVICE} sent a row that does not fit its columns.", service=SERVICE)
    return columns, rows


__all__ = ["FAULTY", "Another", "Failed", "Head", "Piece", "Replaced", "columns_of", "first_table", "pieces"]
