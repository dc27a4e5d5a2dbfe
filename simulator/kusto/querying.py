"""POST /v2/rest/query: the properties of the request, the limits, and the rows in frames."""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import duckdb
from werkzeug.wrappers import Response
from werkzeug.wsgi import wrap_file

import kql
from kql import KqlError, Table
from kql.sql import quote_name, quote_text
from kql.types import parse_timespan
from simulator.clock import parse_iso
from simulator.http import Call
from simulator.kusto.access import principal
from simulator.kusto.answers import Failure, write
from simulator.kusto.errors import fault, lost_node, query_fault, too_large
from simulator.kusto.store import sources
from simulator.queries import spool
from simulator.telemetry import Source

ROWS = 500_000
BYTES = 64 * 2**20
SECONDS = 240.0
LONGEST = 3600.0
AT_ONCE = 8
_PLACES = threading.BoundedSemaphore(AT_ONCE)
_NO_LIMIT = 2**40
_DECLARED = re.compile(r"\s*declare\s+query_parameters\s*\(([^)]*)\)\s*;", re.IGNORECASE)
_PARAMETER = re.compile(r"\s*(\w+)\s*:\s*(\w+)\s*\Z")
_SET = re.compile(r"\s*set\s+(\w+)(?:\s*=\s*(\w+))?\s*;", re.IGNORECASE)
_SHORT_SPAN = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)\Z")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass
class Asked:
    """A request's text with what its properties make of it."""

    text: str
    options: dict[str, Any]
    parameters: dict[str, Any]
    rows: int = ROWS
    bytes: int = BYTES
    seconds: float = SECONDS
    options_in_text: dict[str, str] = field(default_factory=dict)


def post_query(call: Call) -> Response:
    """Run the query."""
    who = principal(call)
    body = call.json()
    database = who.require(str(body.get("db") or ""))
    asked = _asked(body)
    if not _PLACES.acquire(blocking=False):
        text = f"The query was aborted due to throttling: {AT_ONCE} queries run at once (E_QUERY_THROTTLED)."
        raise fault(429, "TooManyRequests", text, headers={"Retry-After": "2"})
    try:
        return _answered(call, sources(call.simulator, database), asked)
    finally:
        _PLACES.release()


def properties(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request's properties, which travel as an object or as its text; ApiFault 400 otherwise."""
    given = body.get("properties") or {}
    try:
        read = json.loads(given) if isinstance(given, str) else given
    except ValueError as error:
        raise fault(400, "General_BadRequest", "The request's properties are not JSON.") from error
    if not isinstance(read, dict):
        raise fault(400, "General_BadRequest", "The request's properties are not an object.")
    return read


def _asked(body: Mapping[str, Any]) -> Asked:
    given, text = properties(body), str(body.get("csl") or "")
    if not text.strip() or text.lstrip().startswith("."):
        raise fault(400, "General_BadRequest", "Syntax error: SYN0002: a query was expected.", kind="SyntaxException")
    asked = Asked(text, dict(given.get("Options") or {}), dict(given.get("Parameters") or {}))
    asked.text = _without_options(_bound(asked.text, asked.parameters), asked.options)
    if "notruncation" in asked.options:
        asked.rows, asked.bytes = _NO_LIMIT, _NO_LIMIT
    try:
        asked.rows = int(asked.options.get("truncationmaxrecords", asked.rows))
        asked.bytes = int(asked.options.get("truncationmaxsize", asked.bytes))
        asked.seconds = min(_seconds(asked.options.get("servertimeout")), LONGEST)
    except ValueError as error:
        raise fault(400, "General_BadRequest", f"A request property is not valid: {error}.") from error
    return asked


def _without_options(text: str, options: dict[str, Any]) -> str:
    """The text without the `set` statements in front of it, which join the options."""
    while match := _SET.match(text):
        options[match[1]] = match[2] or True
        text = "\n" * match[0].count("\n") + text[match.end() :]
    return text


def _seconds(given: Any) -> float:
    if given is None:
        return SECONDS
    short = _SHORT_SPAN.match(str(given))
    return float(short[1]) * _UNITS[short[2]] if short else parse_timespan(str(given)).total_seconds()


def _bound(text: str, parameters: Mapping[str, Any]) -> str:
    """The text with each declared parameter given its value; ApiFault 400 where one has none.
    https://learn.microsoft.com/kusto/query/query-parameters-statement"""
    match = _DECLARED.match(text)
    if match is None:
        return text
    bound = []
    for declaration in match[1].split(","):
        found = _PARAMETER.match(declaration)
        if found is None:
            bound.append(declaration)  # it has a default of its own
            continue
        name, kind = found.groups()
        if name not in parameters:
            raise fault(400, "General_BadRequest", f"Semantic error: SEM0069: parameter '{name}' has no value.")
        value = parameters[name]
        literal = kql.literal(str(value), "string") if kind == "string" else str(value)
        bound.append(f"{name}:{kind} = {literal}")
    return f"declare query_parameters({', '.join(bound)});{text[match.end() :]}"


class _Seen(Failure):
    """What cut the rows, or what the fault that is switched on says did."""

    def __init__(self, call: Call, result: kql.QueryResult, asked: Asked) -> None:
        self._result, self._asked = result, asked
        self._fault = call.faults.get("partial")
        self.in_rows = self._fault is None or self._fault.get("where") != "completion"

    def errors(self) -> list[dict[str, Any]]:
        by = self._result.truncated_by
        if by is not None:
            return [too_large(by, self._asked.rows if by == "rows" else self._asked.bytes)]
        return [] if self._fault is None else [lost_node()]


def _answered(call: Call, known: Mapping[str, Source], asked: Asked) -> Response:
    limits = kql.Limits(rows=asked.rows, bytes=asked.bytes, seconds=asked.seconds)
    progressive = asked.options.get("results_progressive_enabled") is True
    file = spool()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="hunt-", dir=call.simulator.options.state) as folder,
            kql.query(
                asked.text, _tables(known, asked, Path(folder)), limits=limits, now=call.simulator.clock.wall()
            ) as result,
        ):
            write(file, result, request_id(call), _Seen(call, result, asked), progressive=progressive)
    except KqlError as error:
        file.close()
        raise query_fault(error) from error
    return _response(call, file)


def _tables(known: Mapping[str, Source], asked: Asked, folder: Path) -> list[Table]:
    """The tables of the database, cut to the request's window where it has one."""
    column = asked.options.get("query_datetimescope_column")
    used: set[str] = set()
    if column:
        try:
            used = kql.used_tables(asked.text)
        except KqlError:
            used = set()  # the engine will say what is wrong with the text
    return [
        Table(
            name,
            _inside(source, str(column), asked, folder) if name in used else source.paths,
            "parquet",
            source.columns,
        )
        for name, source in known.items()
    ]


def _inside(source: Source, column: str, asked: Asked, folder: Path) -> tuple[Path, ...]:
    if not any(one.name == column and one.type == "datetime" for one in source.columns):
        return source.paths
    start, end = (_moment(asked.options.get(f"query_datetimescope_{word}"), word) for word in ("from", "to"))
    cut = []
    with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "512MB"}) as connection:
        for number, path in enumerate(source.paths):
            target = folder / f"{source.name}-{number}.parquet"
            select = f"SELECT * FROM read_parquet({quote_text(str(path))})"
            where = f"{quote_name(column)} BETWEEN TIMESTAMP {quote_text(start)} AND TIMESTAMP {quote_text(end)}"
            connection.execute(f"COPY ({select} WHERE {where}) TO {quote_text(str(target))} (FORMAT parquet)")
            cut.append(target)
    return tuple(cut)


def _moment(given: Any, word: str) -> str:
    if given is None:
        given = "0001-01-01T00:00:00Z" if word == "from" else "9999-12-31T00:00:00Z"
    try:
        moment: datetime = parse_iso(str(given))
    except ValueError as error:
        raise fault(400, "General_BadRequest", f"query_datetimescope_{word} is not a datetime.") from error
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def request_id(call: Call) -> str:
    """The client's own id of the request, else ours."""
    return call.request.headers.get("x-ms-client-request-id", call.request_id)[:200]


def _response(call: Call, file: IO[bytes]) -> Response:
    length = file.tell()
    file.seek(0)
    response = Response(wrap_file(call.request.environ, file, 1 << 16), direct_passthrough=True)
    response.content_type = "application/json; charset=utf-8"
    response.content_length = length
    return response
