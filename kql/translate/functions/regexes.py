"""Functions that take a regular expression.

https://learn.microsoft.com/en-us/kusto/query/regex. Both engines are RE2; the pattern is a constant in both.
"""

from __future__ import annotations

import re

from kql.sql import quote_text
from kql.translate import conversions
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.functions.strings import searched, text
from kql.translate.patterns import Pattern, checked
from kql.translate.values import Sql, json_step, literal, maybe_null, of_type

_MOST_GROUPS = 16
_PATH_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]""")
_TRIMMED = {"trim_start": "^({0})", "trim_end": "({0})$", "trim": "^({0})|({0})$"}


def pattern(call: Invocation, index: int) -> Pattern:
    """An argument that is a constant pattern."""
    return checked(call.constant_text(index), call.argument(index).span)


@scalar("extract", 3, 4)
def extract(call: Invocation) -> Sql:
    found, group, source = pattern(call, 0), call.integer(1), call.string(2)
    kind = call.type_argument(3)
    if not 0 <= group <= len(found.groups):
        return literal(None, kind)
    taken = of_type(f"regexp_extract({source.text}, {quote_text(found.text)}, {group})", "string", source)
    return conversions.convert(taken, kind)


@scalar("extract_all extractall", 2, 3, page="extract-all-function")
def extract_all(call: Invocation) -> Sql:
    """An array of the group of every match, or of an array of the groups; null without a match."""
    found, source = pattern(call, 0), call.string(call.count - 1)
    count = len(found.groups)
    if not 1 <= count <= _MOST_GROUPS:
        raise call.unsupported(
            f"The pattern of extract_all() has {count} groups.", f"Put what is wanted into (...), up to {_MOST_GROUPS}."
        )
    wanted = _selected(call, found) if call.count == 3 else list(range(1, count + 1))
    matches = f"regexp_extract_all({source.text}, {quote_text(found.text)}, {wanted[0]})"
    if len(wanted) > 1:
        names = ", ".join(f"'g{number}'" for number in range(1, count + 1))
        groups = ", ".join(f"m.g{number}" for number in wanted)
        every = f"regexp_extract_all({source.text}, {quote_text(found.text)}, [{names}])"
        matches = f"list_transform({every}, lambda m: [{groups}])"
    return maybe_null(f"to_json(nullif({matches}, []))", "dynamic", source)


def _selected(call: Invocation, found: Pattern) -> list[int]:
    """The groups that the array names, by number or name; all of them where it names none that there is."""
    count = len(found.groups)
    array = call.constant(1)
    if not isinstance(array, list):
        raise call.unsupported("The groups of extract_all() are an array.", "Write dynamic([1, 2]).")
    numbers = [found.groups.index(each) + 1 if each in found.groups else each for each in array if each is not None]
    wanted = [each for each in numbers if isinstance(each, int) and 1 <= each <= count]
    return wanted or list(range(1, count + 1))


@scalar("replace_regex", 3)
def replace_regex(call: Invocation) -> Sql:
    return _replace(call, 0, 1, 2)


@scalar("replace", 3, page="replace-regex-function", note="The old order of arguments: pattern, rewrite, text.")
def replace(call: Invocation) -> Sql:
    return _replace(call, 2, 0, 1)


def _replace(call: Invocation, source: int, lookup: int, rewrite: int) -> Sql:
    value, found, new = call.string(source), pattern(call, lookup), call.constant_text(rewrite)
    for escape in re.findall(r"\\(.?)", new.replace("\\\\", ""), re.DOTALL):
        if not escape.isdecimal() or int(escape) > len(found.groups):
            raise call.unsupported(
                f"\\{escape} in the rewrite stands for no group.",
                "Write \\\\ for a backslash, \\1 for the first group.",
            )
    return of_type(f"regexp_replace({value.text}, {quote_text(found.text)}, {quote_text(new)}, 'g')", "string", value)


@scalar("trim_start", 2)
def trim_start(call: Invocation) -> Sql:
    return _trim(call)


@scalar("trim_end", 2)
def trim_end(call: Invocation) -> Sql:
    return _trim(call)


@scalar("trim", 2, note="One match is cut off at each end, as in Kusto: to cut off several characters, write [ab]+.")
def trim(call: Invocation) -> Sql:
    return _trim(call)


def _trim(call: Invocation) -> Sql:
    """Kusto's own wrapping of the pattern, which it removes everywhere."""
    value, cut = call.string(1), call.constant_text(0)
    if not cut:
        raise call.unsupported(f"{call.name}() of nothing.", 'Write a pattern, as @"\\s+".')
    whole = checked(_TRIMMED[call.name.lower()].replace("{0}", cut), call.argument(0).span)
    return of_type(f"regexp_replace({value.text}, {quote_text(whole.text)}, '', 'g')", "string", value)


@scalar("indexof_regex", 2, 5)
def indexof_regex(call: Invocation) -> Sql:
    if call.integer(4, 1) > 1:
        raise call.unsupported("indexof_regex() of a later occurrence.", "Use extract_all(), or move the start.")
    value, found = text(call), pattern(call, 1)
    source, start, nothing = searched(call, value)
    if nothing or (call.count > 2 and call.values[2].constant and call.integer(2) < 0):
        return literal(None, "long")
    leading = rf"\A((?s:.*?))(?:{found.text})"
    before = f"regexp_extract({source}, {quote_text(leading)}, 1)"
    matches = f"regexp_matches({source}, {quote_text(found.text)})"
    index = f"CASE {matches} WHEN true THEN length({before}) + {start} WHEN false THEN -1 END"
    return of_type(f"CAST({index} AS BIGINT)", "long", value, *call.values[2:])


@scalar("extract_json extractjson", 2, 3, page="extract-json-function")
def extract_json(call: Invocation) -> Sql:
    path, source, kind = call.constant_text(0), call.string(1), call.type_argument(2)
    steps = _json_path(call, path)
    function = "json_extract" if kind == "dynamic" else "json_extract_string"
    text_ = f"CASE WHEN json_valid({source.text}) THEN {function}({source.text}, {quote_text(steps)}) END"
    if kind == "dynamic":
        return maybe_null(text_, "dynamic", source)
    return conversions.convert(maybe_null(text_, "string", source), kind)


def _json_path(call: Invocation, path: str) -> str:
    """``$.a['b c'][0]`` in DuckDB's spelling; wildcards and slices are refused."""
    steps, at = "$", 1
    while at < len(path) and path[:1] == "$":
        step = _PATH_STEP.match(path, at)
        if step is None:
            break
        name, index, single, double = step.groups()
        steps += (
            f"[{index}]" if index is not None else json_step(next(x for x in (name, single, double) if x is not None))
        )
        at = step.end()
    if path[:1] != "$" or at < len(path):
        raise call.unsupported(
            f"The path {path} is not read here.", "Write $.name, $['name'] or $[0], one after the other."
        )
    return steps
