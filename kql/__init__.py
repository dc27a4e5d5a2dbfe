"""KQL over local tables: a query runs in DuckDB, sandboxed in a child process, and streams typed rows.

``docs/kql.md`` says what is supported and what differs from Microsoft's services.
"""

from kql.engine import Limits, QueryResult, query, wanted_profiles
from kql.errors import (
    KqlCancelled,
    KqlDataError,
    KqlError,
    KqlFeedRefused,
    KqlInternalError,
    KqlResourceError,
    KqlSchemaError,
    KqlSyntaxError,
    KqlTimeout,
    KqlUnsupported,
)
from kql.literals import TypedValue, list_literal, literal, prelude
from kql.schema import Schema
from kql.supplies import PROFILE_COLUMNS, Supplies, Wanted
from kql.syntax.outside import FeedUse, Needs, needs
from kql.tables import ParquetInfo, Table, read_columns, write_parquet
from kql.types import Column, KqlType, decode_row, encode_row
from kql.validation import Diagnostic, Reach, reach_of, used_tables, validate

ENGINE = "1"
"""What a run's manifest says of the translator; it changes when an answer may."""

__all__ = [
    "ENGINE",
    "PROFILE_COLUMNS",
    "Column",
    "Diagnostic",
    "FeedUse",
    "KqlCancelled",
    "KqlDataError",
    "KqlError",
    "KqlFeedRefused",
    "KqlInternalError",
    "KqlResourceError",
    "KqlSchemaError",
    "KqlSyntaxError",
    "KqlTimeout",
    "KqlType",
    "KqlUnsupported",
    "Limits",
    "Needs",
    "ParquetInfo",
    "QueryResult",
    "Reach",
    "Schema",
    "Supplies",
    "Table",
    "TypedValue",
    "Wanted",
    "decode_row",
    "encode_row",
    "list_literal",
    "literal",
    "needs",
    "prelude",
    "query",
    "reach_of",
    "read_columns",
    "used_tables",
    "validate",
    "wanted_profiles",
    "write_parquet",
]
