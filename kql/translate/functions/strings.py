"""Texts: their length, parts, places and spelling.

https://learn.microsoft.com/en-us/kusto/query/scalar-functions#string-functions. What Microsoft's pages leave open was
measured on their emulator by the authors of duckdb-kql.
"""

from __future__ import annotations

from kql.sql import quote_text
from kql.translate import conversions
from kql.translate.functions.maths import whole
from kql.translate.functions.registry import Invocation, scalar, template
from kql.translate.matching import string_operation
from kql.translate.membership import elements_sql
from kql.translate.values import Sql, literal, maybe_null, of_type

_MOST = 64
_REPEATS = 1024


def text(call: Invocation, index: int = 0) -> Sql:
    """An argument of any type as a string."""
    return conversions.to_string(call.values[index])


template("strlen", ["string"], "long", "length({0})")
template("string_size", ["string"], "long", "strlen({0})")


def _of_any(names: str, sql: str, page: str = "", note: str = "") -> None:
    def build(call: Invocation) -> Sql:
        value = text(call)
        return of_type(sql.format(value.text), "string", value)

    scalar(names, 1, page=page, note=note)(build)


_of_any("toupper", "upper({0})")
_of_any("tolower", "lower({0})")
_of_any("reverse", "reverse({0})")
_of_any("regex_quote", "regexp_escape({0})")


@scalar("isascii", 1)
def is_ascii(call: Invocation) -> Sql:
    value = text(call)
    return of_type(f"(strlen({value.text}) = length({value.text}))", "bool", value)


@scalar("isutf8", 1)
def is_utf8(call: Invocation) -> Sql:
    return literal(True, "bool")


@scalar("strcat", 1, _MOST)
def strcat(call: Invocation) -> Sql:
    parts = [text(call, index) for index in range(call.count)]
    return of_type(f"concat({', '.join(part.text for part in parts)})", "string", *parts)


@scalar("strcat_delim", 3, _MOST + 1)
def strcat_delim(call: Invocation) -> Sql:
    parts = [text(call, index) for index in range(call.count)]
    return of_type(f"concat_ws({', '.join(part.text for part in parts)})", "string", *parts)


@scalar("strcat_array array_strcat", 2, page="strcat-array-function")
def strcat_array(call: Invocation) -> Sql:
    array, delimiter = call.dynamic(0), text(call, 1)
    joined = (
        f"array_to_string(list_transform({elements_sql(array)}, lambda e: coalesce(e->>'$', '')), {delimiter.text})"
    )
    whole_text = conversions.to_string(array).text
    chosen = f"CASE WHEN json_type({array.text}) = 'ARRAY' THEN {joined} ELSE {whole_text} END"
    return maybe_null(chosen, "string", array, delimiter)


@scalar("strcmp", 2)
def strcmp(call: Invocation) -> Sql:
    one, two = text(call, 0), text(call, 1)
    order = f"CASE WHEN {one.text} = {two.text} THEN 0 WHEN {one.text} < {two.text} THEN -1 ELSE 1 END"
    return of_type(f"CAST({order} AS BIGINT)", "long", one, two)


@scalar("strrep", 2, 3)
def strrep(call: Invocation) -> Sql:
    """At most 1,024 times, whatever is asked for."""
    value, times = text(call), whole(call, 1)
    count = f"least({times.text}, {_REPEATS})"
    if call.count == 2:
        return maybe_null(f"repeat({value.text}, {count})", "string", value, times)
    between = text(call, 2)
    more = f"repeat({between.text} || {value.text}, {count} - 1)"
    return maybe_null(f"CASE WHEN {times.text} > 0 THEN {value.text} || {more} END", "string", value, times, between)


@scalar("substring", 2, 3)
def substring(call: Invocation) -> Sql:
    """From 0; a negative start counts from the end, and one before the beginning gives nothing."""
    value, start = text(call), whole(call, 1)
    length = whole(call, 2) if call.count == 3 else None
    size = f", greatest({length.text}, 0)" if length is not None else ""
    if length is not None and length.nullable:
        size = f", CASE WHEN {length.text} < 0 THEN 0 ELSE {length.text} END"
    parts = [value, start, length] if length is not None else [value, start]
    if start.literal is not None and start.literal.value is not None and start.literal.value >= 0:
        return maybe_null(f"substring({value.text}, {start.literal.value + 1}{size})", "string", *parts)
    offset = f"CASE WHEN {start.text} < 0 THEN length({value.text}) + {start.text} ELSE {start.text} END"
    cut = f"CASE WHEN length({value.text}) + {start.text} >= 0 THEN substring({value.text}, {offset} + 1{size}) END"
    return maybe_null(cut, "string", *parts)


@scalar("indexof", 2, 5)
def indexof(call: Invocation) -> Sql:
    value, wanted = text(call, 0), text(call, 1)
    source, start, nothing = searched(call, value)
    if nothing:
        return literal(None, "long")
    found = f"instr({source}, {wanted.text})"
    number = call.integer(4, 1)
    if number != 1:
        found = _nth(call, source, number)
    found = f"({found} - 1)" if start == "0" else f"CASE {found} WHEN 0 THEN -1 ELSE {found} - 1 + {start} END"
    return of_type(f"CAST({found} AS BIGINT)", "long", value, wanted, *call.values[2:])


def searched(call: Invocation, value: Sql) -> tuple[str, str, bool]:
    """What the arguments start and length leave to be searched: its SQL, where it begins, and whether the answer is
    null whatever is looked for."""
    length, number = call.integer(3, -1), call.integer(4, 1)
    if length < -1 or number < 0:
        return value.text, "0", True
    size = "" if length < 0 else f", {length}"
    if call.count < 3 or (call.literal(2) is not None and call.integer(2) == 0):
        return (value.text if length < 0 else f"substring({value.text}, 1{size})"), "0", False
    start = whole(call, 2).text
    begin = f"CASE WHEN {start} < 0 THEN greatest(length({value.text}) + {start}, 0) ELSE {start} END"
    return f"substring({value.text}, {begin} + 1{size})", f"({begin})", False


def _nth(call: Invocation, source: str, number: int) -> str:
    """Where a constant comes for the nth time, from 1; 0 where it does not."""
    wanted = str(call.constant(1))
    if number == 0 or overlaps(wanted) or not wanted or call.integer(3, -1) >= 0:
        raise call.unsupported(
            "Kusto does not say how indexof() counts this occurrence.", "Use indexof_regex(), or split() the text."
        )
    parts = f"str_split({source}, {quote_text(wanted)})"
    before = f"length(array_to_string({parts}[1:{number}], {quote_text(wanted)}))"
    return f"CASE WHEN len({parts}) > {number} THEN {before} + 1 ELSE 0 END"


def overlaps(needle: str) -> bool:
    """Whether a text can come twice in itself, as aa in aaa."""
    return any(needle.startswith(needle[cut:]) for cut in range(1, len(needle)))


@scalar("countof", 2, 3)
def countof(call: Invocation) -> Sql:
    """Plain texts are counted even where they overlap, matches of a pattern are not."""
    value = call.string(0)
    kind = call.constant_text(2, "normal")
    if kind == "regex":
        pattern = call.compiler.pattern(call.string(1), call.argument(1))
        return of_type(f"CAST(len(regexp_extract_all({value.text}, {pattern.text})) AS BIGINT)", "long", value, pattern)
    if kind != "normal":
        raise call.unsupported(f"countof() does not count by {kind}.", 'Write "normal" or "regex".')
    needle = call.string(1)
    constant = call.constant(1) if needle.constant else None
    if constant == "":
        return literal(0, "long")
    if constant is not None and not overlaps(constant):
        rest = f"length(replace({value.text}, {needle.text}, ''))"
        return of_type(f"((length({value.text}) - {rest}) // {len(constant)})", "long", value)
    places = f"range(1, length({value.text}) - length({needle.text}) + 2)"
    found = f"list_filter({places}, lambda i: substring({value.text}, i, length({needle.text})) = {needle.text})"
    return of_type(
        f"CASE WHEN {needle.text} = '' THEN 0::BIGINT ELSE CAST(len({found}) AS BIGINT) END", "long", value, needle
    )


@scalar("split", 2, 3)
def split(call: Invocation) -> Sql:
    value, delimiter = text(call), call.string(1)
    if delimiter.constant and call.constant(1) == "":
        raise call.unsupported("split() by nothing.", "Give it a delimiter; unicode_codepoints_from_string() cuts all.")
    parts = f"str_split({value.text}, {delimiter.text})"
    if call.count == 3:
        index = call.integer(2)
        if index < 0:
            raise call.unsupported("split() with a negative index.", "Count from 0, or take split(...)[-1].")
        parts = f"{parts}[{index + 1}:{index + 1}]"
    return Sql(f"to_json({parts})", "dynamic", False, value.constant and delimiter.constant, items=parts)


@scalar("replace_string", 3)
def replace_string(call: Invocation) -> Sql:
    parts = [call.string(index) for index in range(3)]
    return of_type(f"replace({', '.join(part.text for part in parts)})", "string", *parts)


@scalar("replace_strings", 3)
def replace_strings(call: Invocation) -> Sql:
    """Pair by pair; what one pair put in no later pair touches: each works on the pieces that the earlier left."""
    value = call.string(0)
    lookups, rewrites = call.constant(1), call.constant(2)
    if not isinstance(lookups, list) or not isinstance(rewrites, list) or len(rewrites) < len(lookups):
        raise call.unsupported(
            "replace_strings() needs an array of texts, and one as long to put in their place.",
            "Write dynamic([...]) twice, with as many elements.",
        )
    pairs = [
        (old, new if isinstance(new, str) else old)
        for old, new in zip(lookups, rewrites, strict=False)
        if isinstance(old, str) and old
    ]
    return of_type(_replaced(value.text, pairs), "string", value)


def _replaced(source: str, pairs: list[tuple[str, str]], depth: int = 0) -> str:
    if not pairs:
        return source
    (old, new), *later = pairs
    if not later:
        return f"replace({source}, {quote_text(old)}, {quote_text(new)})"
    inner = _replaced(f"p{depth}", later, depth + 1)
    pieces = f"list_transform(str_split({source}, {quote_text(old)}), lambda p{depth}: {inner})"
    return f"array_to_string({pieces}, {quote_text(new)})"


@scalar("translate", 3)
def translate(call: Invocation) -> Sql:
    """The last character to put in stands for those that are lacking; without any, characters are taken out."""
    wanted, given = call.constant_text(0), call.constant_text(1)
    value = call.string(2)
    padded = given + given[-1:] * (len(wanted) - len(given))
    return of_type(f"translate({value.text}, {quote_text(wanted)}, {quote_text(padded)})", "string", value)


@scalar("has_any_index", 2)
def has_any_index(call: Invocation) -> Sql:
    value, wanted = call.string(0), call.constant(1)
    if not isinstance(wanted, list):
        raise call.unsupported("has_any_index() needs a constant array.", "Write dynamic([...]).")
    needles = [conversions.to_string(literal(each, "dynamic")) if not isinstance(each, str) else literal(each, "string")
               for each in wanted]  # fmt: skip
    tests = [string_operation("has", value, needle) for needle in needles]
    arms = " ".join(f"WHEN {test} THEN {index}" for index, test in enumerate(tests))
    return of_type(f"CAST(CASE {arms} ELSE -1 END AS BIGINT)" if arms else "(-1)::BIGINT", "long", value)


@scalar("unicode_codepoints_from_string to_utf8", 1, page="unicode-codepoints-from-string-function")
def codepoints(call: Invocation) -> Sql:
    value = text(call)
    numbers = f"list_transform(str_split({value.text}, ''), lambda c: unicode(c))"
    return of_type(f"to_json(CASE WHEN {value.text} = '' THEN [] ELSE {numbers} END)", "dynamic", value)


@scalar("unicode_codepoints_to_string make_string", 1, _MOST, page="unicode-codepoints-to-string-function")
def from_codepoints(call: Invocation) -> Sql:
    parts = []
    for value in call.values:
        if value.type == "dynamic":
            numbers = f"TRY_CAST({value.text} AS INTEGER[])"
            parts.append(f"array_to_string(list_transform({numbers}, lambda n: chr(n)), '')")
        else:
            parts.append(f"chr(CAST({call.as_type(len(parts), 'long').text} AS INTEGER))")
    return maybe_null(f"concat({', '.join(parts)})", "string", *call.values)
