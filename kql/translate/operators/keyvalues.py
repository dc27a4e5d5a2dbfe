"""``parse-kv``: columns out of a text of keys and values.

https://learn.microsoft.com/en-us/kusto/query/parse-kv-operator
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kql.errors import KqlSchemaError, KqlUnsupported
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.syntax.tree import ParseKv
from kql.translate import conversions
from kql.translate.context import Scope
from kql.translate.expressions import Compiler
from kql.translate.operators.columns import put
from kql.translate.operators.parsing import escaped, text_as
from kql.translate.operators.registry import operator
from kql.translate.rows import Field, Rows
from kql.translate.values import Sql

_STAND_INS = ("\ue001", "\ue002")
"""What stands for a delimiter of several characters while pairs are looked for: no text has these by itself."""


@dataclass(frozen=True)
class _Quote:
    """The characters that open and close a quoted text."""

    opening: str
    closing: str


@dataclass(frozen=True)
class _Marks:
    """What stands between and around keys and values: both delimiters, the character that stands for each while pairs
    are looked for, the quotes, and what escapes in them."""

    delimiters: tuple[str, str]
    characters: tuple[str, str]
    quotes: tuple[_Quote, ...]
    escape: str


@operator(ParseKv, "parse-kv")
def parse_kv(node: ParseKv, rows: Rows, scope: Scope) -> Rows:
    """A column for each of some keys, from the first pair of that key; without one it is null, or empty."""
    text = scope.translation.fresh("t")
    source = conversions.to_string(Compiler(scope, rows).value(node.value)).text
    marks = None if any(name == "regex" for name, _ in node.properties) else _marks(node)
    if marks is not None:
        for delimiter, mark in zip(marks.delimiters, marks.characters, strict=True):
            source = source if mark == delimiter else f"replace({source}, {quote_text(delimiter)}, {quote_text(mark)})"
    sql, hidden = f"SELECT *, {source} AS {text} FROM ({rows.sql})", [text]
    if marks is None or marks.quotes:
        keys, values = scope.translation.fresh("k"), scope.translation.fresh("v")
        found = _by_pattern(node, text, scope) if marks is None else _all_pairs(marks, text)
        sql, hidden = f"SELECT *, {found[0]} AS {keys}, {found[1]} AS {values} FROM ({sql})", [text, keys, values]
    fields, cells = list(rows.fields), []
    for column in node.columns:
        if marks is not None and not marks.quotes:
            picked = _one_pair(marks, text, column.name)
        else:
            picked = f"coalesce({values}[list_position({keys}, {quote_text(column.name)})], '')"
        value = text_as(Sql(picked, "string", False), column.type)
        field = Field(column.name, column.type, scope.translation.fresh())
        cells.append(f"{value.text} AS {field.sql}")
        put(fields, field)
    kept = f"* EXCLUDE ({', '.join(hidden)})"
    sql = f"SELECT {', '.join([kept, *cells])} FROM ({sql})"
    return replace(rows, sql=sql, fields=tuple(fields))


def _by_pattern(node: ParseKv, text: str, scope: Scope) -> list[str]:
    """The lists of keys and of values that a pattern with a group for each finds."""
    pattern = quote_text(Compiler(scope).checked_pattern(str(dict(node.properties)["regex"]), node.value))
    return [f"regexp_extract_all({text}, {pattern}, {group})" for group in (1, 2)]


def _marks(node: ParseKv) -> _Marks:
    properties = dict(node.properties)
    if properties.get("greedy") is True:
        raise KqlUnsupported(
            "parse-kv with greedy=true is not supported here.",
            **place(node.span),
            hint="Use with (regex=...), with a group for the key and one for the value.",
        )
    pair, kv = properties.get("pair_delimiter"), properties.get("kv_delimiter")
    if not pair or not kv:
        raise KqlUnsupported(
            "parse-kv without delimiters is not supported here.",
            **place(node.span),
            hint="Name them: with (pair_delimiter=',', kv_delimiter='=').",
        )
    both = (str(pair), str(kv))
    characters = tuple(each if len(each) == 1 else stand_in for each, stand_in in zip(both, _STAND_INS, strict=True))
    return _Marks(both, (characters[0], characters[1]), tuple(_quotes(node)), str(properties.get("escape", "")))


def _one_pair(marks: _Marks, text: str, key: str) -> str:
    """The value of a key, where no quotes can hide a delimiter: found by a pattern of its own, which is faster."""
    pair, kv = marks.characters
    for delimiter, mark in zip(marks.delimiters, marks.characters, strict=True):
        key = key.replace(delimiter, mark)
    value = rf"([^{_in_class(pair)}]*?)\s*(?:{escaped(pair)}|$)"
    pattern = rf"(?:^|{escaped(pair)})\s*{escaped(key)}\s*{escaped(kv)}\s*{value}"
    return _spelled_out(f"regexp_extract({text}, {quote_text(pattern)}, 1)", marks)


def _all_pairs(marks: _Marks, text: str) -> list[str]:
    """The lists of keys and of values."""
    pattern = quote_text(_pair_pattern(*marks.characters, marks.quotes, marks.escape))
    groups = [f"regexp_extract_all({text}, {pattern}, {group}, 's')" for group in range(1, 5)]
    return [_restored(groups[1], groups[0], marks), _restored(groups[3], groups[2], marks)]


def _quotes(node: ParseKv) -> list[_Quote]:
    found = []
    for name, value in node.properties:
        if name == "quote":
            text = str(value)
            if len(text) not in (1, 2):
                raise KqlSchemaError(
                    "A quote is one or two characters.", **place(node.span), hint="As in quote='\"' or quote='()'."
                )
            found.append(_Quote(text[0], text[-1]))
    return found


def _pair_pattern(pair: str, kv: str, quotes: Sequence[_Quote], escape: str) -> str:
    """One pair, or what is none up to the next delimiter. Groups: key quoted, key, value quoted, value."""
    bodies = [_quoted(quote, escape) for quote in quotes]
    quoted = "|".join(bodies) or r"[^\s\S]"
    key = rf"(?:({quoted})|([^{_in_class(pair + kv)}]*?))"
    value = rf"(?:({quoted})|([^{_in_class(pair)}]*?))"
    end = f"(?:{escaped(pair)}|$)"
    return rf"\s*{key}\s*{escaped(kv)}\s*{value}\s*{end}|[^{_in_class(pair)}]*{end}"


def _quoted(quote: _Quote, escape: str) -> str:
    if not escape:
        return f"{escaped(quote.opening)}[^{_in_class(quote.closing)}]*{escaped(quote.closing)}"
    inside = rf"(?:[^{_in_class(quote.closing + escape)}]|{escaped(escape)}.)*"
    return f"{escaped(quote.opening)}{inside}{escaped(quote.closing)}"


def _in_class(text: str) -> str:
    return "".join("\\" + each if each in r"\]^-[" else each for each in text)


def _restored(plain: str, quoted: str, marks: _Marks) -> str:
    """What was found as it stands in the text: without its quotes and escapes, delimiters as they were."""
    inner = "z[2][2:-2]"
    if marks.escape:
        inner = rf"regexp_replace({inner}, {quote_text(f'{escaped(marks.escape)}(.)')}, '\1', 'gs')"
    text = _spelled_out(f"CASE WHEN coalesce(z[2], '') = '' THEN trim(z[1]) ELSE {inner} END", marks)
    return f"list_transform(list_zip({plain}, {quoted}), lambda z: {text})"


def _spelled_out(text: str, marks: _Marks) -> str:
    """A text in which delimiters of several characters are written again as they were."""
    for delimiter, mark in zip(marks.delimiters, marks.characters, strict=True):
        text = text if mark == delimiter else f"replace({text}, {quote_text(mark)}, {quote_text(delimiter)})"
    return text
