"""``parse`` and ``parse-where``: columns out of a text, by a pattern.

The whole pattern becomes one regular expression, matched once a row. What it is made of (where it is anchored, what is
lazy, which texts a typed column takes before ``*`` or in regex mode, that ``simple`` is all or nothing) was measured on
Microsoft's emulator by the authors of duckdb-kql.
https://learn.microsoft.com/en-us/kusto/query/parse-operator
"""

from __future__ import annotations

import re
from dataclasses import replace

from kql.errors import KqlError, KqlSchemaError, KqlUnsupported
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.syntax.tree import Parse, ParseSegment, Span
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.operators.columns import put
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows
from kql.translate.values import Sql, null
from kql.types import KqlType

_WHOLE = r"\s*[-+]?\d+"
_GUID = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_GUIDS = rf"\s*(?:\{{{_GUID}\}}|{_GUID})"
_TAIL = {"long": _WHOLE, "int": _WHOLE, "guid": _GUIDS}
_BEFORE_STAR: dict[str, str] = {
    **_TAIL,
    "real": r"\s*[-+]?(?:\d+\.?\d*|\.\d+)",
    "decimal": r"\s*[-+]?(?:\d+\.?\d*|\.\d+)",
    "bool": r"\s*(?:[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[-+]?\d+)",
}
"""What a typed column takes where ``*`` follows it, in simple and relaxed mode."""

_REGEX_MODE: dict[str, str] = {
    **_TAIL,
    "real": r"\s*[-+]?\d+(?:\.\d+)?",
    "decimal": r"\s*[-+]?\d+(?:\.\d+)?",
    "bool": r"\s*(?i:true|false)",
    "datetime": (
        r"\s*(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{1,4})"
        r"(?:[Tt ]\s*\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)?(?:[Zz]|[-+]\d{1,2}(?::\d{1,2})?)?"
    ),
    "timespan": r"\s*-?(?:\d+\.\d{1,2}:\d{1,2}:\d{1,2}|\d{1,2}:\d{1,2}(?::\d{1,2})?)(?:\.\d*)?",
}
"""What a typed column takes in regex mode, wherever it stands."""

_FLAGS = "ismU"
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|\(\?P?<\w+>|\((?!\?)", re.DOTALL)


@operator(Parse, "parse parse-where", page="parse-operator")
def parse(node: Parse, rows: Rows, scope: Scope) -> Rows:
    """Columns taken out of a text; rows that do not match have none, or are left out."""
    _check(node)
    named = [segment for segment in node.segments if segment.name is not None]
    source = conversions.to_string(Compiler(scope, rows).value(node.value))
    text, captures = scope.translation.fresh("t"), scope.translation.fresh("m")
    pattern = quote_text(Compiler(scope).checked_pattern(_pattern(node), node.value))
    names = ", ".join(f"'g{index}'" for index in range(len(named)))
    taken = f"regexp_extract({text}, {pattern}, [{names}])" if named else "NULL"
    matched = f"SELECT *, {taken} AS {captures} FROM (SELECT *, {source.text} AS {text} FROM ({rows.sql}))"
    values = [_converted(segment, f"{captures}.g{index}") for index, segment in enumerate(named)]
    typed = [value for value in values if value.type != "string"]
    whole = f"regexp_matches({text}, {pattern})" if not typed or not node.keep else ""
    tests = [whole] if whole and not node.keep else []
    if node.kind != "relaxed":
        tests += [f"{value.text} IS NOT NULL" for value in typed]
    fields, cells, fits = list(rows.fields), [], scope.translation.fresh("f")
    for segment, value in zip(named, values, strict=True):
        # Without a match every capture is empty, so a text needs no test of its own.
        blank = typed and node.kind != "relaxed"
        sql = f"CASE WHEN {fits} THEN {value.text} ELSE {null(value.type).text} END" if blank else value.text
        field = Field(str(segment.name), value.type, scope.translation.fresh(), value.type != "string")
        cells.append(f"{sql} AS {field.sql}")
        put(fields, field)
    sql = f"SELECT *, {' AND '.join(tests) or 'true'} AS {fits} FROM ({matched})"
    if not node.keep:
        sql = f"SELECT * FROM ({sql}) WHERE {fits}"
    hidden = f"* EXCLUDE ({captures}, {text}, {fits})"
    return replace(rows, sql=f"SELECT {', '.join([hidden, *cells])} FROM ({sql})", fields=tuple(fields))


def _check(node: Parse) -> None:
    """Refuse what Kusto refuses."""
    names = [segment.name for segment in node.segments if segment.name]
    if len(set(names)) < len(names):
        raise KqlSchemaError("parse names a column twice.", **place(node.span), hint="Give one another name.")
    if not node.keep and node.kind == "relaxed":
        raise KqlSchemaError(
            "parse-where has no kind relaxed.", **place(node.span), hint="Use parse kind=relaxed, and where after it."
        )
    if node.flags and node.kind != "regex":
        raise KqlSchemaError("Flags belong to kind=regex.", **place(node.span), hint="Leave them out, or add the kind.")
    unknown = set(node.flags) - set(_FLAGS)
    if unknown:
        raise KqlUnsupported(
            f"The flag {min(unknown)} is not supported here.", **place(node.span), hint="The flags are i, s, m and U."
        )
    for before, after in zip((None, *node.segments), node.segments, strict=False):
        _check_pair(before, after)


def _check_pair(before: ParseSegment | None, after: ParseSegment) -> None:
    if after.text == "":
        raise _bad("A text to look for is empty.", "Write the text that stands there.", after.span)
    if before is None:
        return
    column, star = before.name is not None, after.name is None and after.text is None
    if column and star and before.type == "string":
        raise _bad("* after a string column has no meaning.", "Put a text between them, or give a type.", after.span)
    if before.text is None and after.text is None and not star:
        raise _bad("A text is missing before this column.", "Write what stands before it.", after.span)


def _bad(message: str, hint: str, span: Span) -> KqlError:
    return KqlSchemaError(message, **place(span), hint=hint)


def _pattern(node: Parse) -> str:
    flags = "".join(flag for flag in _FLAGS if flag in node.flags)
    if node.kind != "regex":
        flags = "s"
    parts, number = [f"(?{flags})" if flags else ""], 0
    for index, segment in enumerate(node.segments):
        if segment.name is not None:
            parts.append(f"(?P<g{number}>{_capture(node, index)})")
            number += 1
        elif segment.text is None:
            parts.append(".*?")
        else:
            parts.append(_plain_groups(segment.text) if node.kind == "regex" else escaped(segment.text))
    if node.kind != "regex":
        # RE2's dollar is the end of the text, not the end of a line before it.
        parts.append("$")
    return "".join(parts)


def escaped(text: str) -> str:
    """A text as a pattern that matches it alone."""
    return _SPECIAL.sub(r"\\\1", text)


def _plain_groups(text: str) -> str:
    """A pattern whose groups capture nothing, so that the columns' groups are the only ones."""
    return _GROUP.sub(lambda found: "(?:" if found[0].startswith("(") else found[0], text)


def _capture(node: Parse, index: int) -> str:
    segment = node.segments[index]
    following = node.segments[index + 1] if index + 1 < len(node.segments) else None
    if node.kind == "regex":
        return _regex_capture(node, segment, following)
    if following is None or following.text is not None:
        return ".*?"
    shape = _BEFORE_STAR.get(segment.type)
    if shape is None:
        raise KqlUnsupported(
            f"What a {segment.type} takes before * is not known.",
            **place(segment.span),
            hint="Put the text that follows it between them.",
        )
    return shape if index < len(node.segments) - 2 else f"(?:{shape})?"


def _regex_capture(node: Parse, segment: ParseSegment, following: ParseSegment | None) -> str:
    if segment.type in ("string", "dynamic"):
        return ".*"
    if segment.type in ("datetime", "timespan") and (following is None or "U" in node.flags):
        raise KqlUnsupported(
            f"Where kind=regex ends a {segment.type} {'at the end' if following is None else 'with the flag U'}"
            " is not known.",
            **place(segment.span),
            hint="Put * or a text after it, or take it as a string and convert it afterwards.",
        )
    return _REGEX_MODE[segment.type]


def _converted(segment: ParseSegment, captured: str) -> Sql:
    return text_as(Sql(captured, "string", False), segment.type)


def text_as(value: Sql, kind: KqlType) -> Sql:
    """A text in a type, as ``parse`` reads it: whole numbers only are whole numbers."""
    if kind in ("long", "int"):
        sql = f"TRY_CAST({value.text} AS {'BIGINT' if kind == 'long' else 'INTEGER'})"
        test = rf"regexp_matches({value.text}, '^\s*[-+]?\d+\s*$')"
        return Sql(f"CASE WHEN {test} THEN {sql} END", kind)
    if kind == "dynamic":
        return Sql(
            f"CASE WHEN {value.text} <> '' THEN coalesce(TRY_CAST({value.text} AS JSON), to_json({value.text})) END",
            kind,
        )
    return conversions.convert(value, kind)
