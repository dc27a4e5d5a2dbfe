"""``invoke``: a function of the query's own, or ``FileProfile``.

https://learn.microsoft.com/en-us/kusto/query/invoke-operator and
https://learn.microsoft.com/en-us/defender-xdr/advanced-hunting-fileprofile-function
"""

from __future__ import annotations

from collections.abc import Sequence

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.syntax.cursor import place
from kql.syntax.tree import Call, Constant, Expression, Invoke, Name
from kql.translate import pipeline, services
from kql.translate.context import Scope, TableSource
from kql.translate.expressions import Compiler
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows
from kql.translate.values import maybe_null

_HASHES = ("SHA1", "SHA256", "InitiatingProcessSHA1", "InitiatingProcessSHA256")
_DIGITS = {"SHA1": 40, "SHA256": 64}
_MOST = 1000


@operator(
    Invoke,
    "invoke",
    note="FileProfile() answers from a table of file profiles and from what Defender says of the files, for every row:"
    " the limit is how many different files are looked for. See docs/supplies.md.",
)
def invoke(node: Invoke, rows: Rows, scope: Scope) -> Rows:
    """What a function that takes a table makes of the rows."""
    found = pipeline.invoked(node.call, rows, scope)
    if found is not None:
        return found
    if node.call.name == "FileProfile":
        return _file_profile(node.call, rows, scope)
    raise KqlUnsupported(
        f"There is no function {node.call.name}() here.",
        **place(node.call.span),
        hint=services.way_round(node.call.name) or "Define it with let, with a parameter T:(*).",
    )


def _file_profile(call: Call, rows: Rows, scope: Scope) -> Rows:
    """The rows with what is known of their files: the profile's columns that the rows do not have themselves."""
    column = rows.field(_hash_name(call), call.span)
    limit = _limit(call, scope)
    profiles = scope.translation.profiles
    if profiles is None:
        raise KqlUnsupported(
            "Nothing is known of files here, so FileProfile() has no answer.",
            **place(call.span),
            hint="Connect Defender or upload a table FileProfiles; or leave this step out.",
        )
    if column.type != "string":
        raise KqlSchemaError(f"{column.name} is no string.", **place(call.span), hint="A hash is a string.")
    kind = column.name.removeprefix("InitiatingProcess")
    _want(kind, column, rows, limit, call, scope)
    key = next(i for i, each in enumerate(profiles.columns) if each.name == kind)
    added = [i for i, each in enumerate(profiles.columns) if rows.find(each.name) is None]
    return _joined(rows, column, profiles, key, added, scope)


def _want(kind: str, column: Field, rows: Rows, limit: int, call: Call, scope: Scope) -> None:
    """Say which files are asked about, where somebody wants to know."""
    translation = scope.translation
    if translation.want is None:
        return
    digits = f"[0-9a-f]{{{_DIGITS[kind]}}}"
    hashes = f"SELECT DISTINCT lower({column.sql}) AS h FROM ({rows.sql})"
    sql = f"SELECT h FROM ({hashes}) WHERE regexp_full_match(h, '{digits}')"
    translation.want(kind, translation.standalone(sql, "FileProfile()", call.span), limit)


def _joined(rows: Rows, column: Field, profiles: TableSource, key: int, added: Sequence[int], scope: Scope) -> Rows:
    known = scope.translation.fresh("k")
    fields = [Field(profiles.columns[i].name, profiles.columns[i].type, scope.translation.fresh()) for i in added]
    inner = ", ".join(
        [f"lower({profiles.stored[key]}) AS {known}"]
        + [f"{profiles.stored[i]} AS {field.sql}" for i, field in zip(added, fields, strict=True)]
    )
    # One profile for each hash, or rows would come twice.
    source = f"SELECT DISTINCT ON ({known}) {inner} FROM ({profiles.sql}) WHERE {profiles.stored[key]} <> ''"
    cells = ", ".join(f"{maybe_null(field.sql, field.type).text} AS {field.sql}" for field in fields)
    on = f"lower(l.{column.sql}) = r.{known}"
    sql = f"SELECT * FROM ({rows.sql}) AS l LEFT JOIN ({source}) AS r ON {on}"
    if cells:
        sql = f"SELECT * REPLACE ({cells}) FROM ({sql})"
    return Rows(sql, (*rows.fields, *fields), rows.order, rows.serialized)


def _hash_name(call: Call) -> str:
    first: Expression | None = call.arguments[0].value if call.arguments else None
    name = "SHA1"
    if isinstance(first, Name):
        name = first.text
    elif isinstance(first, Constant) and isinstance(first.value, str):
        name = first.value
    elif first is not None:
        name = ""
    if name not in _HASHES:
        raise KqlSchemaError(
            "FileProfile() goes by a column of hashes.", **place(call.span), hint=f"It is one of {', '.join(_HASHES)}."
        )
    return name


def _limit(call: Call, scope: Scope) -> int:
    if len(call.arguments) < 2:
        return _MOST
    number = scope.translation.compute(Compiler(scope).value(call.arguments[1].value), call.span)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _MOST:
        raise KqlSchemaError(
            f"FileProfile() looks up 1 to {_MOST} files.", **place(call.span), hint=f"As in FileProfile(SHA1, {_MOST})."
        )
    return number
