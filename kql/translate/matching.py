"""The string operators, ``==`` and its kin, ``in``, ``between``.

Equality and matching are total in KQL: against a null they are false, and their negations true, save that two nulls
compare as null (the relations ``<``, ``>`` and so on stay null). A term is a run of letters and digits; ``has`` finds
whole terms, and an edge of what is looked for that is no letter or digit needs no boundary.
https://learn.microsoft.com/en-us/kusto/query/datatypes-string-operators
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from kql.sql import quote_text
from kql.translate.values import Sql

_EDGE = r"[^\pL\pN]"
_ESCAPED = re.compile(r"([\\.+*?()|\[\]{}^$])")


def total(condition: str, *parts: Sql, negated: bool = False) -> str:
    """A condition that is false where a part is null; negated, true there."""
    nullable = any(part.nullable for part in parts)
    if negated:
        return f"(NOT coalesce({condition}, false))" if nullable else f"(NOT {condition})"
    return f"coalesce({condition}, false)" if nullable else f"({condition})"


def equality(left: Sql, right: Sql, *, negated: bool = False, filtering: bool = False) -> str:
    """``==`` and ``!=`` of two values of one type; null where both are. ``filtering``: null and false are the same to
    who asks, so that DuckDB may be given what it can push down."""
    if filtering and not negated:
        return f"({left.text} = {right.text})"
    if left.nullable and right.nullable and not filtering:
        neither = f"CASE WHEN {left.text} IS NOT NULL OR {right.text} IS NOT NULL THEN {str(negated).lower()} END"
        return f"coalesce({left.text} {'<>' if negated else '='} {right.text}, {neither})"
    if negated and (left.nullable or right.nullable):
        return f"({left.text} IS DISTINCT FROM {right.text})"
    return total(f"{left.text} = {right.text}", left, right, negated=negated)


def string_operation(operator: str, left: Sql, right: Sql) -> str:
    """A string operator over two strings, which are never null: ``has``, ``!contains_cs``, ``=~``..."""
    if operator in ("=~", "!~"):
        same = f"(lower({left.text}) = {_lower(right)})"
        return same if operator == "=~" else f"(NOT {same})"
    negated = operator.startswith("!")
    stem = operator.lstrip("!")
    sensitive = stem.endswith("_cs")
    found = _MATCHES[stem.removesuffix("_cs")](left, right, sensitive)
    return f"(NOT {found})" if negated else found


def _lower(value: Sql) -> str:
    text = _literal(value)
    return quote_text(text.lower()) if text is not None and text.isascii() else f"lower({value.text})"


def _literal(value: Sql) -> str | None:
    return value.literal.value if value.literal is not None and isinstance(value.literal.value, str) else None


def _folded(value: Sql, sensitive: bool) -> str:
    return value.text if sensitive else f"lower({value.text})"


def _contains(left: Sql, right: Sql, sensitive: bool) -> str:
    needle = _literal(right)
    if needle is not None and (sensitive or not re.search("[a-z]", needle.lower())) and needle.isascii():
        return f"contains({left.text}, {right.text})"
    if needle is not None and needle.isascii():
        # RE2 walks the text once as it is; lower() would first write it anew.
        return f"regexp_matches({left.text}, {quote_text(caseless(needle))})"
    return f"contains({_folded(left, sensitive)}, {right.text if sensitive else _lower(right)})"


def _starts(left: Sql, right: Sql, sensitive: bool) -> str:
    needle = right.text if sensitive else _lower(right)
    return f"starts_with({_folded(left, sensitive)}, {needle})"


def _ends(left: Sql, right: Sql, sensitive: bool) -> str:
    needle = right.text if sensitive else _lower(right)
    return f"ends_with({_folded(left, sensitive)}, {needle})"


def _has(left: Sql, right: Sql, sensitive: bool) -> str:
    return term(left, right, sensitive=sensitive)


def _has_prefix(left: Sql, right: Sql, sensitive: bool) -> str:
    return term(left, right, sensitive=sensitive, end=False)


def _has_suffix(left: Sql, right: Sql, sensitive: bool) -> str:
    return term(left, right, sensitive=sensitive, start=False)


def _regex(left: Sql, right: Sql, sensitive: bool) -> str:
    return f"regexp_matches({left.text}, {right.text})"


_MATCHES = {
    "contains": _contains,
    "startswith": _starts,
    "endswith": _ends,
    "has": _has,
    "hasprefix": _has_prefix,
    "hassuffix": _has_suffix,
    "matches regex": _regex,
}


def term(left: Sql, right: Sql, *, sensitive: bool, start: bool = True, end: bool = True) -> str:
    """Whether a text has another at the borders of its terms: at the start, at the end, or both."""
    needle = _literal(right)
    if needle is None or not needle.isascii():
        return _computed_term(left, right, sensitive, start, end)
    return terms_pattern(left, [needle], sensitive=sensitive, start=start, end=end)


def terms_pattern(left: Sql, needles: Sequence[str], *, sensitive: bool, start: bool = True, end: bool = True) -> str:
    """Whether a text has one of several constant ASCII texts at the borders of its terms.

    Of one text, a search without borders comes first: it is twice as fast and decides most rows. Several are one
    pattern, which looks for all of them in one walk.
    """
    folded = list(dict.fromkeys(needle if sensitive else needle.lower() for needle in needles))
    spelled = [_ESCAPED.sub(r"\\\1", needle) if sensitive else caseless(needle) for needle in folded]
    bounded = [_bounded(needle, text, start, end) for needle, text in zip(folded, spelled, strict=True)]
    found = f"regexp_matches({left.text}, {quote_text('|'.join(bounded))})"
    if len(folded) > 1 or bounded == spelled:
        return found
    first = (
        f"contains({left.text}, {quote_text(folded[0])})"
        if sensitive
        else (f"regexp_matches({left.text}, {quote_text(spelled[0])})")
    )
    return f"({first} AND {found})"


def caseless(needle: str) -> str:
    """An ASCII text as a pattern for its spellings in either case. RE2's own ``(?i)`` would also take the Kelvin sign
    for a k, and the long s for an s."""
    return "".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else _ESCAPED.sub(r"\\\1", c) for c in needle)


def _bounded(needle: str, pattern: str, start: bool, end: bool) -> str:
    before = f"(?:^|{_EDGE})" if start and needle[:1].isalnum() else ""
    after = f"(?:$|{_EDGE})" if end and needle[-1:].isalnum() else ""
    return before + pattern + after


def _computed_term(left: Sql, right: Sql, sensitive: bool, start: bool, end: bool) -> str:
    """As ``term``, for what is only known row by row, or has letters that only the engine can tell from marks."""
    needle = right.text
    flag = "" if sensitive else "(?i)"
    before = f"CASE WHEN regexp_matches({needle}, '^[\\pL\\pN]') THEN '(?:^|{_EDGE})' ELSE '' END" if start else "''"
    after = f"CASE WHEN regexp_matches({needle}, '[\\pL\\pN]$') THEN '(?:$|{_EDGE})' ELSE '' END" if end else "''"
    return f"regexp_matches({left.text}, '{flag}' || {before} || regexp_escape({needle}) || {after})"
