"""Answers as a cluster writes them: frames for a query, tables for a command.

https://learn.microsoft.com/azure/data-explorer/kusto/api/rest/response-v2
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import kql
from simulator.kusto.commands import NET_TYPES, Answer
from simulator.queries import wire_rows

FRAGMENT = 1000
"""Rows per fragment of a progressive answer."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def tables(answer: Answer) -> dict[str, Any]:
    """A command's answer in the first version of the protocol."""
    columns, rows = answer
    listed = [
        {"ColumnName": name, "DataType": NET_TYPES[kind].rsplit(".", 1)[-1], "ColumnType": kind}
        for name, kind in columns
    ]
    return {"Tables": [{"TableName": "Table_0", "Columns": listed, "Rows": rows}]}


def write(file: IO[bytes], result: kql.QueryResult, request_id: str, failure: Failure, *, progressive: bool) -> None:
    """All frames of a query's answer."""
    rows = wire_rows(result.columns, result)
    columns = [{"ColumnName": column.name, "ColumnType": column.type} for column in result.columns]
    _put(file, {"FrameType": "DataSetHeader", "IsProgressive": progressive, "Version": "v2.0"}, lead="[")
    _put(file, _properties(result.render or {}))
    body = _fragments if progressive else _whole
    errors = body(file, columns, rows, failure)
    _put(file, _completion(request_id, bool(errors)))
    end: dict[str, Any] = {"FrameType": "DataSetCompletion", "HasErrors": bool(errors), "Cancelled": False}
    _put(file, {**end, "OneApiErrors": errors} if errors else end)
    file.write(b"]")


class Failure:
    """What is to be said to have gone wrong, known only when the rows have been read. `in_rows`: also among them."""

    in_rows = True

    def errors(self) -> list[dict[str, Any]]:
        """Error documents; none for a whole answer."""
        return []


def _put(file: IO[bytes], frame: dict[str, Any], lead: str = ",\n") -> None:
    file.write((lead + _encode(frame)).encode("utf-8", "replace"))


def _whole(file: IO[bytes], columns: list[dict[str, str]], rows: Iterator[list[Any]], failure: Failure) -> list[Any]:
    frame = {"FrameType": "DataTable", "TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult"}
    file.write((",\n" + _encode({**frame, "Columns": columns})[:-1] + ',"Rows":[').encode())
    lead = ""
    for row in rows:
        file.write((lead + _encode(row)).encode("utf-8", "replace"))
        lead = ",\n"
    errors = failure.errors()
    if errors and failure.in_rows:
        file.write((lead + _encode({"OneApiErrors": errors})).encode("utf-8", "replace"))
    file.write(b"]}")
    return errors


def _fragments(
    file: IO[bytes], columns: list[dict[str, str]], rows: Iterator[list[Any]], failure: Failure
) -> list[Any]:
    """A provisional first fragment that is taken back, then the rows, as a cluster may do for early results."""
    _put(file, {"FrameType": "TableHeader", "TableId": 1, "TableKind": "PrimaryResult", "TableName": "PrimaryResult",
                "Columns": columns})  # fmt: skip
    count, kind = 0, "DataReplace"
    first = list(islice(rows, FRAGMENT))
    if first:
        _put(file, _fragment("DataAppend", columns, first[:1]))
        _put(file, {"FrameType": "TableProgress", "TableId": 1, "TableProgress": 50})
    while first:
        _put(file, _fragment(kind, columns, first))
        count, kind = count + len(first), "DataAppend"
        first = list(islice(rows, FRAGMENT))
    errors = failure.errors()
    _put(file, {"FrameType": "TableCompletion", "TableId": 1, "RowCount": count})
    return errors


def _fragment(kind: str, columns: list[dict[str, str]], rows: list[list[Any]]) -> dict[str, Any]:
    return {
        "FrameType": "TableFragment", "TableId": 1, "FieldCount": len(columns), "TableFragmentType": kind, "Rows": rows,
    }  # fmt: skip


def _properties(render: dict[str, Any]) -> dict[str, Any]:
    visual = json.dumps({"Visualization": render.get("kind") or render.get("visualization")})
    columns = [("TableId", "int"), ("Key", "string"), ("Value", "dynamic")]
    return {
        "FrameType": "DataTable", "TableId": 0, "TableKind": "QueryProperties", "TableName": "@ExtendedProperties",
        "Columns": [{"ColumnName": name, "ColumnType": kind} for name, kind in columns],
        "Rows": [[1, "Visualization", visual]],
    }  # fmt: skip


def _completion(request_id: str, failed: bool) -> dict[str, Any]:
    columns = [("ClientRequestId", "string"), ("Level", "int"), ("LevelName", "string"), ("Payload", "string")]
    row = [request_id, 2 if failed else 4, "Error" if failed else "Info", json.dumps({"Count": 1})]
    return {
        "FrameType": "DataTable", "TableId": 2, "TableKind": "QueryCompletionInformation",
        "TableName": "QueryCompletionInformation",
        "Columns": [{"ColumnName": name, "ColumnType": kind} for name, kind in columns],
        "Rows": [row],
    }  # fmt: skip
