"""KQL over local tables: a query runs in DuckDB, sandboxed in a child process, and streams typed rows.

``docs/kql.md`` says what is supported and what differs from Microsoft's services.
"""

from kql.engine import Limits, QueryResult, query
from kql.errors import (
    KqlCancelled,
    KqlDataError,
    KqlError,
    KqlInternalError,
    KqlResourceError,
    KqlSchemaError,
    KqlSyntaxError,
    KqlTimeout,
    KqlUnsupported,
)
from kql.literals import TypedValue, list_literal, literal, prelude
from kql.schema import Schema
from kql.tables import ParquetInfo, Table, read_columns, write_parquet
from kql.types import Column, KqlType, decode_row, encode_row
from kql.validation import Diagnostic, used_tables, validate

ENGINE = "1"
"""What a run's manifest says of the translator; it changes when an answer may."""

__all__ = [
    "ENGINE",
    "Column",
    "Diagnostic",
    "KqlCancelled",
    "KqlDataError",
    "KqlError",
    "KqlInternalError",
    "KqlResourceError",
    "KqlSchemaError",
    "KqlSyntaxError",
    "KqlTimeout",
    "KqlType",
    "KqlUnsupported",
    "Limits",
    "ParquetInfo",
    "QueryResult",
    "Schema",
    "Table",
    "TypedValue",
    "decode_row",
    "encode_row",
    "list_literal",
    "literal",
    "prelude",
    "query",
    "read_columns",
    "used_tables",
    "validate",
    "write_parquet",
]
