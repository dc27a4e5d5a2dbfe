"""Log Analytics query API: https://learn.microsoft.com/azure/azure-monitor/logs/api/overview"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

from werkzeug.wrappers import Response
from werkzeug.wsgi import wrap_file

import kql
from kql.errors import KqlError, KqlInternalError, KqlResourceError, KqlSyntaxError, KqlTimeout
from simulator.http import ApiFault, Call, Route
from simulator.queries import Busy, TimespanError, Window, parse_timespan, running, spool, wire_rows
from simulator.telemetry import Source
from simulator.tenant import Service

ROWS = 500_000
BYTES = 100 * 2**20
DEFAULT_WAIT = 180.0
MAXIMUM_WAIT = 600.0
_ROLE = ("Data.Read",)


def post_query(call: Call) -> Response:
    """A query in the body."""
    try:
        body = call.json()
    except ApiFault:
        return Response(b"", 200)  # what the service does with a POST without JSON
    return _answer(call, body.get("query"), body.get("timespan"), body.get("workspaces"))


def get_query(call: Call) -> Response:
    """A query in the address."""
    return _answer(call, call.request.args.get("query"), call.request.args.get("timespan"))


def _bad_argument(code: str, message: str, further: dict[str, Any] | None = None) -> ApiFault:
    inner: dict[str, Any] = {"code": code, "message": message}
    if further is not None:
        inner["innererror"] = further
    return ApiFault(400, "BadArgumentError", "The request had some invalid properties", inner=inner)


def _window(call: Call, timespan: Any) -> Window | None:
    """The window of the body, cut with the one of the address where both are given; None: all data."""
    now, window = call.simulator.clock.wall(), None
    for text in (timespan, call.request.args.get("timespan")):
        if not text:
            continue
        try:
            given = parse_timespan(str(text), now)
        except TimespanError as error:
            raise _bad_argument("InvalidTimespan", str(error)) from error
        window = Window(max(window.start, given.start), min(window.end, given.end)) if window else given
    return window


def _preferences(call: Call) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in call.request.headers.get("Prefer", "").split(","))
    return {key.strip().lower(): value.strip().lower() for key, _, value in pairs if key}


def _seconds(preferences: dict[str, str]) -> float:
    try:
        return min(max(float(preferences.get("wait", DEFAULT_WAIT)), 1.0), MAXIMUM_WAIT)
    except ValueError:
        return DEFAULT_WAIT


def _answer(call: Call, text: Any, timespan: Any, more: Any = None) -> Response:
    sources = _sources(call, more)
    if not isinstance(text, str) or not text.strip():
        raise _bad_argument("QueryValidationError", "Failed parsing the query: it is empty.")
    window, preferences = _window(call, timespan), _preferences(call)
    limits = kql.Limits(rows=ROWS, bytes=BYTES, seconds=_seconds(preferences))
    file = spool()
    try:
        with running(call.simulator, sources, text, window, limits) as result:
            _write(file, result, preferences, partial="partial" in call.faults)
    except KqlError as error:
        file.close()
        raise _query_fault(error) from error
    except Busy as error:
        file.close()
        raise ApiFault(429, "ThrottledError", "Too many queries at once.", headers={"Retry-After": "30"}) from error
    length = file.tell()
    file.seek(0)
    response = Response(wrap_file(call.request.environ, file, 1 << 16), direct_passthrough=True)
    response.content_type = "application/json; charset=utf-8"
    response.content_length = length
    return response


def _sources(call: Call, more: Any) -> dict[str, Source]:
    """The tables of the workspaces that are asked, one after the other; ApiFault 400 for one that is not there.
    https://learn.microsoft.com/azure/azure-monitor/logs/cross-workspace-query"""
    tenant = call.simulator.tenant
    asked = [call.params["workspace"], *(more if isinstance(more, list) else [])]
    asked = list(dict.fromkeys(str(one).lower() for one in asked))
    if not set(asked) <= {tenant.workspace, tenant.other_workspace}:
        raise _bad_argument("FailedToResolveResource", "The workspace could not be found.")
    known = call.simulator.telemetry.workspace
    return {name: replace(source, paths=source.paths * len(asked)) for name, source in known.items()}


def _write(file: IO[bytes], result: kql.QueryResult, preferences: dict[str, str], *, partial: bool) -> None:
    columns = [{"name": column.name, "type": column.type} for column in result.columns]
    file.write(f'{{"tables":[{{"name":"PrimaryResult","columns":{json.dumps(columns)},"rows":['.encode())
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    lead = ""
    for row in wire_rows(result.columns, result):
        file.write((lead + encode(row)).encode("utf-8", "replace"))
        lead = ",\n"
    file.write(b"]}]")
    if preferences.get("include-statistics") == "true":
        seconds = float(result.elapsed or 0)
        statistics = {"query": {"executionTime": seconds, "queryStatus": 0, "dataScannedKB": 0}}
        file.write(b',"statistics":' + encode(statistics).encode())
    if preferences.get("include-render") == "true":
        file.write(b',"render":' + encode(result.render or {}).encode())
    if result.truncated or partial:
        file.write(b',"error":' + encode(_partial_error(result.truncated_by or "rows")).encode())
    file.write(b"}")


def _partial_error(by: str) -> dict[str, Any]:
    limit = "500000 records" if by == "rows" else "100 MB"
    message = (
        f"The results of this query exceed the set limit of {limit}, so not all records were returned "
        "(E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003)"
    )
    inner = {"code": "-2133196797", "message": message, "severity": 2, "severityName": "Error"}
    detail = {"code": "EngineError", "message": "Something went wrong processing your query on the server.",
              "innererror": inner}  # fmt: skip
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [detail],
    }


def _query_fault(error: KqlError) -> ApiFault:
    if isinstance(error, KqlTimeout):
        return ApiFault(504, "GatewayTimeout", "The query timed out on the server.")
    if isinstance(error, KqlInternalError):
        return ApiFault(500, "InternalServerError", "Something went wrong processing your query on the server.")
    if isinstance(error, KqlResourceError):
        return _bad_argument("ResourceLimitError", "The query was stopped: it used too many resources.")
    syntax = isinstance(error, KqlSyntaxError)
    further = {"code": "SYN0002" if syntax else "SEM0100", "message": error.message, "line": error.line,
               "pos": error.column, "token": ""}  # fmt: skip
    if syntax:
        return _bad_argument("SyntaxError", "A recognition error occurred in the query.", further)
    return _bad_argument("SemanticError", "A semantic error occurred.", further)


def metadata(call: Call) -> Response:
    """The tables of the workspace with their columns."""
    sources = _sources(call, None)
    tables = [
        {"name": name, "columns": [{"name": column.name, "type": column.type} for column in source.columns]}
        for name, source in sources.items()
    ]
    body = {"tables": tables, "generated": datetime.now(UTC).isoformat()}
    return Response(json.dumps(body), content_type="application/json")


ROUTES = (
    Route("POST", "/v1/workspaces/<workspace>/query", post_query, Service.LOG_ANALYTICS, _ROLE),
    Route("GET", "/v1/workspaces/<workspace>/query", get_query, Service.LOG_ANALYTICS, _ROLE),
    Route("GET", "/v1/workspaces/<workspace>/metadata", metadata, Service.LOG_ANALYTICS, _ROLE),
)
