"""What a query and a command are given from outside: typed parameters beside the text, names between brackets.

https://learn.microsoft.com/kusto/query/query-parameters-statement
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from msapi.errors import InvalidParameter
from msapi.kusto.cluster import SERVICE

#: https://learn.microsoft.com/kusto/query/schema-entities/entity-names
_ENTITY: Final = re.compile(r"[A-Za-z0-9_. -]{1,1024}", re.ASCII)
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_. -]", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)
_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "real": re.compile(r"-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?", re.ASCII),
    "decimal": re.compile(r"-?\d{1,34}(?:\.\d{1,34})?", re.ASCII),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,7})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII),
    "timespan": re.compile(r"-?(?:\d{1,8}\.)?\d{1,2}:\d\d:\d\d(?:\.\d{1,7})?", re.ASCII),
    "guid": re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII),
}
_WHOLE: Final = ("int", "long")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value for a query. `type` is a scalar type of KQL; texts of real, decimal, datetime, timespan and guid are as
    KQL prints them; a dynamic value is anything that JSON can say."""

    value: Any
    type: str = "string"

    def sent(self) -> str | int:
        """The value as the service takes it: strings and numbers plainly, others as a literal. InvalidParameter."""
        if self.type == "string" and isinstance(self.value, str):
            return self.value
        if self.type in _WHOLE and isinstance(self.value, int) and not isinstance(self.value, bool):
            if abs(self.value) < (2**31 if self.type == "int" else 2**63):
                return self.value
        elif self.type == "bool" and isinstance(self.value, bool):
            return "true" if self.value else "false"
        elif self.type == "dynamic":
            return f"dynamic({_json(self.value)})"
        elif self.type in _FORMS and _FORMS[self.type].fullmatch(str(self.value)):
            return f"{self.type}({self.value})"
        raise InvalidParameter(f"{str(self.value)[:80]!r} is not a value of type {self.type}.", service=SERVICE)


def declared(text: str, parameters: Mapping[str, Parameter]) -> str:
    """The text with a declaration of its parameters in front, on the first line, so that places keep their lines."""
    if not parameters:
        return text
    for name in parameters:
        if not _NAME.fullmatch(name):
            raise InvalidParameter(f"{name[:80]!r} is not a name for a parameter.", service=SERVICE)
    listed = ", ".join(f"{name}:{parameter.type}" for name, parameter in parameters.items())
    return f"declare query_parameters({listed}); {text}"


def quoted_name(name: str) -> str:
    """A database, table or column name between brackets; raises InvalidParameter for one that Kusto does not take."""
    if not _ENTITY.fullmatch(name) or not name.strip():
        raise InvalidParameter(
            f"{name[:80]!r} is not a name that the cluster takes: letters, digits, underscore, dot, dash and space.",
            service=SERVICE,
        )
    return f"['{name}']"


def allowed_name(name: str, taken: set[str]) -> str:
    """The nearest name that Kusto takes and that is not in `taken`, which it joins."""
    base = _FOREIGN.sub("_", name).strip()[:1000] or "Column"
    found, number = base, 2
    while found in taken:
        found, number = f"{base}_{number}", number + 1
    taken.add(found)
    return found


def text_literal(text: str) -> str:
    """A text between single quotes, for a command. https://learn.microsoft.com/kusto/query/scalar-data-types/string"""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _json(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidParameter("A dynamic parameter must be something that JSON can say.", service=SERVICE) from None
