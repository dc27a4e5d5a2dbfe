"""POST /security/runHuntingQuery: https://learn.microsoft.com/graph/api/security-security-runhuntingquery"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import IO

from werkzeug.wrappers import Response
from werkzeug.wsgi import wrap_file

import kql
from kql.errors import KqlError, KqlInternalError, KqlResourceError, KqlSyntaxError, KqlTimeout
from simulator.defender.effects import report_effects
from simulator.http import ApiFault, Call
from simulator.queries import Busy, TimespanError, Window, parse_timespan, running, spool, wire_rows

ROWS = 100_000
BYTES = 124 * 2**20
SECONDS = 180.0
RETENTION = timedelta(days=30)
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.security.huntingQueryResults"
_TYPES = {
    "string": "String", "datetime": "DateTime", "long": "Int64", "int": "Int32", "bool": "SByte", "real": "Double",
    "guid": "Guid", "dynamic": "Object", "timespan": "TimeSpan", "decimal": "SqlDecimal",
}  # fmt: skip


def run_hunting_query(call: Call) -> Response:
    """Run the query over the tenant's telemetry."""
    # Before the window is taken, so that what is reported now lies inside it.
    report_effects(call.simulator)
    text, window = _asked(call)
    call.simulator.quotas.check_cpu()
    limits = kql.Limits(rows=ROWS, bytes=BYTES, seconds=SECONDS)
    file = spool()
    try:
        with running(call.simulator, call.simulator.telemetry.hunting, text, window, limits) as result:
            _write(file, result, old_spelling="pascal_case" in call.faults)
            if result.truncated_by == "bytes":
                raise ApiFault(400, "BadRequest", "Result size limit exceeded. The query result exceeds 124 MB.")
    except KqlError as error:
        file.close()
        raise hunting_fault(error) from error
    except Busy as error:
        file.close()
        raise ApiFault(429, "TooManyRequests", "Too many queries at once.", headers={"Retry-After": "30"}) from error
    length = file.tell()
    file.seek(0)
    response = Response(wrap_file(call.request.environ, file, 1 << 16), direct_passthrough=True)
    response.content_type = "application/json; odata.metadata=minimal; charset=utf-8"
    response.content_length = length
    return response


def _asked(call: Call) -> tuple[str, Window]:
    body = {key.lower(): value for key, value in call.json().items()}
    text, timespan = body.get("query"), body.get("timespan")
    if not isinstance(text, str) or not text.strip():
        raise ApiFault(400, "BadRequest", "The request body must hold a non-empty 'Query'.")
    now = call.simulator.clock.wall()
    oldest = now - RETENTION
    if timespan is None:
        return text, Window(oldest, now)
    if not isinstance(timespan, str):
        raise ApiFault(400, "BadRequest", "'Timespan' must be a text.")
    try:
        window = parse_timespan(timespan, now)
    except TimespanError as error:
        raise ApiFault(400, "BadRequest", str(error)) from error
    return text, Window(max(window.start, oldest), window.end)


def _write(file: IO[bytes], result: kql.QueryResult, *, old_spelling: bool) -> None:
    """The answer: schema in column order, rows as open dictionaries in another order, with OData's notes."""
    name, kind = ("Name", "Type") if old_spelling else ("name", "type")
    schema = [{name: column.name, kind: _TYPES[column.type]} for column in result.columns]
    file.write(f'{{"@odata.context":"{_CONTEXT}","schema":{json.dumps(schema)},"results":['.encode())
    order = sorted(range(len(result.columns)), key=lambda index: result.columns[index].name.lower())
    keys = [result.columns[index].name for index in order]
    notes = {f"{column.name}@odata.type": "#Int64" for column in result.columns if column.type == "long"}
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    lead = ""
    for row in wire_rows(result.columns, result):
        values = {key: row[index] for key, index in zip(keys, order, strict=True)}
        file.write((lead + encode({**values, **notes})).encode("utf-8", "replace"))
        lead = ",\n"
    file.write(b"]}")


def hunting_fault(error: KqlError) -> ApiFault:
    """The service's words for a failed query."""
    place = f" Line: {error.line}, position: {error.column}." if error.line is not None else ""
    if isinstance(error, KqlTimeout):
        return ApiFault(504, "GatewayTimeout", "Query exceeded the timeout period.")
    if isinstance(error, KqlResourceError):
        return ApiFault(400, "BadRequest", "Query stopped due to excessive resource consumption.")
    if isinstance(error, KqlInternalError):
        return ApiFault(500, "UnknownError", "An unexpected error occurred during query execution.")
    if isinstance(error, KqlSyntaxError):
        text = f"A recognition error occurred.{place} {error.message}"
    else:
        text = f"Semantic error: {error.message}{place}"
    return ApiFault(400, "BadRequest", text.strip())
