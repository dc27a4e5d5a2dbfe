"""The ``to...()`` functions, and what asks for a value's type.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#conversion-functions
"""

from __future__ import annotations

from kql.sql import quote_text
from kql.translate import conversions
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, dynamic_kind, literal, of_type
from kql.types import KqlType

_CUT = "Times are kept in whole microseconds: a seventh digit is cut off."
_HELD = {
    "ARRAY": "array", "OBJECT": "dictionary", "BIGINT": "long", "UBIGINT": "long", "DOUBLE": "double",
    "VARCHAR": "string", "BOOLEAN": "bool",
}  # fmt: skip


def _declare(names: str, kind: KqlType, page: str = "", note: str = "") -> None:
    def build(call: Invocation) -> Sql:
        return conversions.convert(call.values[0], kind)

    scalar(names, 1, page=page, note=note)(build)


_declare("tostring", "string")
_declare("tobool toboolean", "bool", "tobool-function")
_declare("toint", "int")
_declare("tolong", "long")
_declare("todouble toreal", "real", "toreal-function")
_declare("todecimal", "decimal", note="15 digits are kept after the point.")
_declare("todatetime", "datetime", note=_CUT)
_declare("totimespan totime", "timespan", "totimespan-function", _CUT)


@scalar("toguid", 1)
def to_guid(call: Invocation) -> Sql:
    value = call.values[0]
    if value.type not in ("string", "dynamic", "guid"):
        raise call.mismatch(0, "a string", "tostring(...) makes a string of it.")
    return conversions.to_guid(value)


@scalar("gettype", 1, note="A datetime, a timespan or a guid within a dynamic is the text it is kept as.")
def get_type(call: Invocation) -> Sql:
    value = call.values[0]
    if value.type != "dynamic":
        return literal(value.type, "string")
    held = " ".join(f"WHEN {quote_text(kind)} THEN {quote_text(name)}" for kind, name in _HELD.items())
    return of_type(
        f"CASE {dynamic_kind(value)} {held} ELSE 'null' END", "string", Sql("", "dynamic", False, value.constant)
    )
