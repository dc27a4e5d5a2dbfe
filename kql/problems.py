"""The errors of DuckDB in words of KQL, with something to do; the original is kept."""

from __future__ import annotations

import re

import duckdb

from kql.errors import KqlDataError, KqlError, KqlInternalError, KqlResourceError

_TYPE_WORDS = {
    "VARCHAR": "string", "BIGINT": "long", "INTEGER": "int", "DOUBLE": "real", "JSON": "dynamic", "BOOLEAN": "bool",
    "TIMESTAMP": "datetime", "INTERVAL": "timespan", "UUID": "guid",
}  # fmt: skip
_PATTERN = re.compile(r"(?:Invalid Input|Binder) Error: (?:.*?)(invalid|missing|bad|no argument|unexpected|trailing)")


def from_duckdb(error: duckdb.Error) -> KqlError:
    """What went wrong while DuckDB bound or ran a translated query."""
    text = str(error)
    first = text.splitlines()[0] if text else ""
    if isinstance(error, duckdb.OutOfMemoryException):
        return KqlResourceError(
            "The query needs more memory than it may use.", hint="Filter earlier, or summarize fewer rows.", detail=text
        )
    if "expression depth" in text.lower() or "Maximum recursion" in text:
        return KqlResourceError("The query is nested too deeply.", hint="Break it into let statements.", detail=text)
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
        return KqlDataError(f"A value cannot be computed with: {_plain(first)}", hint=_CONVERT, detail=text)
    return KqlInternalError("The query failed in the engine.", hint="Simplify it and report this.", detail=text)


_CONVERT = "Convert it first, with tostring(), tolong(), todouble() or todatetime()."


def _plain(message: str) -> str:
    text = re.sub(r"^\w[\w ]* Error: ", "", message)
    for sql, kql in _TYPE_WORDS.items():
        text = re.sub(rf"\b{sql}\b", kql, text)
    return text if text.endswith(".") else text + "."
