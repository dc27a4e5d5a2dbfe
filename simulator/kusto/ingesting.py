"""POST /v1/rest/ingest: a body of JSON rows into a table, all or none.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/streaming-ingest
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from werkzeug.wrappers import Response

from simulator.http import Call, json_response
from simulator.kusto.access import principal
from simulator.kusto.answers import tables
from simulator.kusto.errors import fault
from simulator.kusto.store import Made, append, table

BYTES = 4 * 2**20
"""https://learn.microsoft.com/azure/data-explorer/ingest-data-streaming#limitations"""

_FORMATS = frozenset({"json", "multijson", "singlejson"})


def post_rows(call: Call) -> Response:
    """Take the rows of one request."""
    database = principal(call).require(call.params["database"], admin=True)
    made = table(call.simulator, database, call.params["table"])
    mapping = _mapping(call, made)
    text = _text(call)
    lines = [json.dumps(_row(row, mapping), ensure_ascii=False) for row in _rows(text)]
    written = "\n".join(lines).encode("utf-8", "replace") + b"\n"
    count = append(call.simulator, made.name, written) if lines else 0
    columns = [("ConsumedRecordsCount", "long"), ("UpdatePolicyStatus", "string")]
    return json_response(tables((columns, [[count, "Inactive"]])))


def _mapping(call: Call, made: Made) -> Mapping[str, str]:
    asked = call.request.args.get("streamFormat", "").lower()
    if asked not in _FORMATS:
        raise fault(400, "BadRequest_FormatNotSupported", f"The stream format '{asked[:40]}' is not known here.")
    if not made.streaming:
        text = f"Streaming ingestion policy is not enabled for table '{made.name}'."
        raise fault(400, "BadRequest_StreamingIngestionPolicyNotEnabled", text)
    name = call.request.args.get("mappingName", "")
    if name not in made.mappings:
        raise fault(400, "BadRequest_MappingReferenceWasNotFound", f"Mapping '{name[:80]}' was not found.")
    return made.mappings[name]


def _text(call: Call) -> str:
    body = call.request.get_data(cache=True)
    if call.request.headers.get("Content-Encoding", "").lower() == "gzip":
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            body = reader.decompress(body, BYTES + 1)
        except zlib.error as error:
            raise fault(400, "BadRequest_InvalidBlob", "The body is not gzip.") from error
        if not reader.eof and len(body) <= BYTES:
            raise fault(400, "BadRequest_InvalidBlob", "The body breaks off.")
    if len(body) > BYTES:
        raise fault(413, "RequestEntityTooLarge", f"A streaming request holds at most {BYTES} bytes.")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(400, "BadRequest_InvalidBlob", "The body is not UTF-8.") from error


def _rows(text: str) -> Iterator[dict[str, Any]]:
    """Objects one after another, or lists of them."""
    decoder, at = json.JSONDecoder(), 0
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text):
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise fault(400, "BadRequest_InvalidBlob", "Stream_WrongNumberOfFields: the body is not JSON.") from error
        for row in value if isinstance(value, list) else [value]:
            if not isinstance(row, dict):
                raise fault(400, "BadRequest_InvalidBlob", "Stream_NotAnObject: a row is not a JSON object.")
            yield row


def _row(row: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    return {column: row[key] for column, key in mapping.items() if row.get(key) is not None}
