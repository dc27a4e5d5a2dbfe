"""The errors of the library and of DuckDB in words of KQL, with a place and something to do; the original is kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import duckdb
from duckdb_kql import errors as library

from kql.dialect.operators import unknown_column
from kql.dialect.statement import Statement, Word, translating
from kql.errors import (
    KqlDataError,
    KqlError,
    KqlInternalError,
    KqlResourceError,
    KqlSchemaError,
    KqlSyntaxError,
    KqlUnsupported,
    Place,
)

_TOKENS = re.compile(
    r"(mismatched|extraneous) input '(?P<found>.*?)' expecting|no viable alternative at input '(?P<alt>.*)'", re.S
)
_OPERATORS = frozenset(
    """
    as assert-schema consume count distinct evaluate extend facet filter find fork getschema graph-mark-components
    graph-match graph-shortest-paths graph-to-table invoke join limit lookup macro-expand make-graph make-series
    mv-apply mv-expand mvapply mvexpand order parse parse-kv parse-where partition print project project-away
    project-keep project-rename project-reorder range reduce render sample sample-distinct scan search serialize
    sort summarize take top top-hitters top-nested union where
    """.split()  # noqa: SIM905 - a list of one name per line would be a page
)
_WAYS_ROUND = {
    "search": 'Name the tables and columns: union T1, T2 | where Column has "text".',
    "find": 'Name the tables and columns: union T1, T2 | where Column has "text".',
    "evaluate": "Read the properties one by one, as in extend x = tostring(Column.Name).",
    "mv-apply": "Use mv-expand and then summarize.",
    "make-series": "Use summarize ... by bin(Timestamp, 1h).",
    "invoke": "Run FileProfile() in Defender; it asks a service of Microsoft's.",
    "externaldata": "Upload the file as evidence; its table can then be queried.",
    "sample": "Use take.",
    "sample-distinct": "Use distinct and take.",
    "top-nested": "Use summarize and top.",
    "top-hitters": "Use summarize count() by ... and top.",
    "partition": "Use summarize or a union of filtered tables.",
    "fork": "Run one query for each branch.",
    "facet": "Run one query for each facet.",
    "reduce": "Use summarize count() by the column.",
    "scan": "Use serialize with next() and prev().",
    "parse-kv": "Use extract() for each key.",
    "as": "Bind the table with let and use its name.",
    "consume": "End the query with count.",
}


def from_translation(error: Exception, statement: Statement) -> KqlError:
    """What went wrong while a query was translated."""
    if isinstance(error, library.KqlSyntaxError):
        return _syntax(error, statement)
    if isinstance(error, library.KqlUnsupportedError):
        return _unsupported(error, statement)
    if isinstance(error, library.KqlSchemaError):
        word = statement.find(error.name)
        return KqlSchemaError(
            f"{error.name}: {error.hint or 'not known here'}.".replace("..", "."), **_at(word), detail=str(error)
        )
    if isinstance(error, library.KqlError):
        return KqlUnsupported("The query cannot be translated.", hint="Simplify it.", detail=str(error))
    return KqlInternalError(
        "The query could not be translated.",
        hint="Simplify it and report this.",
        detail=f"{type(error).__name__}: {error}",
    )


def from_duckdb(error: duckdb.Error, statement: Statement) -> KqlError:
    """What went wrong while DuckDB bound or ran the translated query."""
    with translating(statement):
        return _from_duckdb(error, statement)


def _from_duckdb(error: duckdb.Error, statement: Statement) -> KqlError:
    text = str(error)
    first = text.splitlines()[0] if text else ""
    clash = re.search(r"kql-(union|join)-types: (.*?)(?:\n|$)", text)
    if clash:
        return _type_clash(clash.group(1), clash.group(2), statement, text)
    if isinstance(error, duckdb.OutOfMemoryException):
        return KqlResourceError(
            "The query needs more memory than it may use.", hint="Filter earlier, or summarize fewer rows.", detail=text
        )
    missing = re.search(r'Referenced column "(.*?)" (?:was )?not found', text)
    if missing:
        return unknown_column(missing.group(1), _candidates(text))
    if isinstance(error, duckdb.BinderException):
        return _types(text, statement)
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
        return KqlDataError(f"A value cannot be computed with: {_plain(first)}", hint=_CONVERT, detail=text)
    return KqlInternalError("The query failed in the engine.", hint="Simplify it and report this.", detail=text)


def _type_clash(kind: str, columns: str, statement: Statement, detail: str) -> KqlError:
    if kind == "union":
        message = f"The branches of a union have columns of differing types: {columns}."
        hint = "Give them one type first, as in extend Column = tostring(Column)."
    else:
        message = f"The two sides of a join need keys of one type, none of them dynamic: {columns}."
        hint = "Convert the key on both sides first, as in extend Key = tostring(Key)."
    word = statement.find(kind) or statement.find("lookup")
    return KqlUnsupported(message, **_at(word), hint=hint, detail=detail)


_WRITTEN_AS = {
    "regexp_matches": ("has", "!has", "has_cs", "has_any", "has_all", "matches"),
    "contains": ("contains", "!contains", "contains_cs"),
    "starts_with": ("startswith", "!startswith"),
    "ends_with": ("endswith", "!endswith"),
    "lower": ("=~", "!~", "in~", "contains", "tolower"),
    "length": ("strlen",),
}
"""DuckDB functions -> the words of KQL that become them."""

_CONVERT = "Convert it first, with tostring(), tolong(), todouble() or todatetime()."


def _types(text: str, statement: Statement) -> KqlError:
    """No function takes these types: a mistake that Kusto refuses too, or a dynamic value without a cast."""
    match = re.search(r"arguments? types '(.*?)\((.*?)\)'", text) or re.search(r"'(\S+?)\((.*?)\)'", text)
    if match is None:
        return KqlUnsupported(f"The types do not fit: {_plain(text.splitlines()[0])}", hint=_CONVERT, detail=text)
    types = " and ".join(
        dict.fromkeys(_TYPE_WORDS.get(t.strip(), t.strip().lower()) for t in match.group(2).split(","))
    )
    return KqlUnsupported(
        f"An operator or function does not take {types} together.", **_at(_written(match.group(1), statement)),
        hint=_CONVERT, detail=text,
    )  # fmt: skip


def _written(function: str, statement: Statement) -> Word | None:
    """Where the query says what became this function; None where several words might be it."""
    candidates = [w for w in statement.words if w.text in _WRITTEN_AS.get(function, (function,))]
    return candidates[0] if len(candidates) == 1 else None


_TYPE_WORDS = {
    "VARCHAR": "string", "BIGINT": "long", "INTEGER": "int", "DOUBLE": "real", "JSON": "dynamic", "BOOLEAN": "bool",
    "TIMESTAMP": "datetime", "INTERVAL": "timespan", "UUID": "guid", "STRING_LITERAL": "string",
}  # fmt: skip


def _plain(message: str) -> str:
    text = re.sub(r"^\w[\w ]* Error: ", "", message)
    text = re.sub(r"^duckdb-kql: ", "", text)
    for sql, kql in _TYPE_WORDS.items():
        text = re.sub(rf"\b{sql}\b", kql, text)
    return text if text.endswith(".") else text + "."


def _candidates(text: str) -> Sequence[str]:
    found = re.search(r"Candidate bindings: (.*)", text)
    return re.findall(r'"([^"]+)"', found.group(1)) if found else ()


def _at(word: Word | None) -> Place:
    return {} if word is None else {"line": word.line, "column": word.column, "length": len(word.text)}


def _syntax(error: library.KqlSyntaxError, statement: Statement) -> KqlError:
    first = error.diagnostics[0]
    line, column = first.span.line, first.span.column + 1
    word = next((w for w in statement.words if (w.line, w.column) == (line, column)), None)
    found = f"{word.text[:40]}" if word else "the end of the query"
    operator = _operator_after(word, statement)
    if operator is not None:
        return _bad_operator(operator, first.message)
    if "token recognition error" in first.message:
        message, hint = "A character here is no part of KQL, or a text is not closed.", "Check the quotes."
    elif word is None:
        message, hint = "The query ends too early.", "Something is missing here: a value, a bracket or an operator."
    else:
        message, hint = f"{found} is not expected here.", "Check what stands before it."
    return KqlSyntaxError(
        message, line=line, column=column, length=len(word.text) if word else 1, hint=hint, detail=first.message
    )


def _bad_operator(operator: Word, detail: str) -> KqlError:
    if operator.text in _OPERATORS or not operator.text.isidentifier():
        message, hint = f"The operator {operator.text} is not complete.", "Check what follows it."
    else:
        message, hint = f"{operator.text} is no operator.", _nearest_operator(operator.text)
    return KqlSyntaxError(message, **_at(operator), hint=hint, detail=detail)


def _operator_after(word: Word | None, statement: Statement) -> Word | None:
    """The operator after a pipe at which the grammar stopped: it took no operator from there on."""
    if word is None or word.text != "|":
        return None
    index = statement.words.index(word) + 1
    return statement.words[index] if index < len(statement.words) else None


def _nearest_operator(text: str) -> str:
    near = difflib.get_close_matches(text.lower(), _OPERATORS, 1)
    return f"Did you mean {near[0]}?" if near else "After a pipe stands an operator, such as where or summarize."


def _unsupported(error: library.KqlUnsupportedError, statement: Statement) -> KqlError:
    """The construct as the person wrote it: the word where the library stopped, and a way round where one is known."""
    kind, _, name = error.construct.partition(":")
    word = _word_at(error, statement)
    if word is None and kind in ("function", "aggregate"):
        word = statement.find(name) or statement.find(name.lower())
    if word is None:
        word = statement.find(name) or statement.find(kind)
    spelled = _operator_before(word, statement) or (
        f"{name}()" if kind in ("function", "aggregate") else error.construct
    )
    hint = _WAYS_ROUND.get(spelled) or _library_hint(error.hint)
    return KqlUnsupported(f"{spelled} is not supported here.", **_at(word), hint=hint, detail=str(error))


def _word_at(error: library.KqlUnsupportedError, statement: Statement) -> Word | None:
    if error.span is None:
        return None
    place = (error.span.line, error.span.column + 1)
    return next((w for w in statement.words if (w.line, w.column) == place), None)


def _operator_before(word: Word | None, statement: Statement) -> str | None:
    """The operator that a word is, where it stands after a pipe or begins the query."""
    if word is None:
        return None
    index = statement.words.index(word)
    return word.text if (index == 0 or statement.words[index - 1].text == "|") and word.text in _WAYS_ROUND else None


def _library_hint(hint: str | None) -> str:
    if not hint or "wave" in hint or "internal:" in hint or "translate/" in hint:
        return "Write it with operators and functions of docs/kql.md, or run the query in the tenant."
    return hint[0].upper() + hint[1:] + ("" if hint.endswith(".") else ".")
