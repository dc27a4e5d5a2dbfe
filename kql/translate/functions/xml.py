"""XML into a dynamic value.

One pattern finds the words (tags, texts); each is read by itself; they are put together one by one (``list_reduce``).
The state on the way: ``n`` and ``c``, the open elements' names and where what they hold begins in ``k`` and ``v``, the
keys and values so far; whether all was well.
https://learn.microsoft.com/en-us/kusto/query/parse-xml-function
"""

from __future__ import annotations

from kql.sql import quote_text
from kql.translate.functions.dynamics import bound
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, maybe_null

_LONGEST = 1_048_576
_QUOTED = "\"[^\"<]*\"|'[^'<]*'"
_NAME = r"[^\s<>/=\"'&!?0-9.\-][^\s<>/=\"'&!?]*"
_ATTRIBUTE = rf"\s+(?:{_NAME})\s*=\s*(?:{_QUOTED})"
_WORDS = (
    r"(?s:<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<!DOCTYPE[^>\[]*>)"
    rf"|<{_NAME}(?:{_ATTRIBUTE})*\s*(?:/>|>[^<]*</{_NAME}\s*>|>)|</{_NAME}\s*>|[^<]+"
)
"""An element that holds nothing but a text is one word: most are."""

_ENTITY = r"&(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});"


@scalar(
    "parse_xml", 1, note="Blanks around a text are left out, as in the page's table; `<e></e>` is null as `<e/>` is."
)
def parse_xml(call: Invocation) -> Sql:
    """A text's XML as JSON: attributes as ``@name``, texts beside others as ``#text``; null for what is no XML."""
    start = "{'n': []::VARCHAR[], 'c': []::BIGINT[], 'k': []::VARCHAR[], 'v': []::VARCHAR[], 'ok': true}"
    folded = f"list_reduce(s.r, lambda a, w: {_step()}, {start})"
    one = "s.a.ok AND len(s.a.n) = 0 AND len(s.a.k) = 1 AND s.a.k[1] <> '#text'"
    document = "CAST('{' || CAST(to_json(s.a.k[1]) AS VARCHAR) || ':' || s.a.v[1] || '}' AS JSON)"
    built = bound(f"CASE WHEN {one} THEN {document} END", a=folded)
    read = bound(
        f"CASE WHEN len(list_filter(s.r, lambda w: w.t = '!')) = 0 THEN {built} END",
        r=f"list_transform(s.w, lambda w: {_read()})",
    )
    whole = "list_sum(list_transform(s.w, lambda w: length(w))) = length(s.t)"
    checked = f"CASE WHEN strlen(s.t) <= {_LONGEST} AND {whole} THEN {read} END"
    source = f"replace({call.text(0)}, chr(13) || chr(10), chr(10))"
    words = f"regexp_extract_all(s.t, {quote_text(_WORDS)})"
    return maybe_null(bound(bound(checked, t="s.t", w=words), t=source), "dynamic", *call.values)


def _step() -> str:
    """The state after one more word: a tag that opens, one that closes, or a text or empty element."""
    closed = (
        "{'n': a.n[:-2], 'c': a.c[:-2], 'k': a.k[:a.c[-1]] || [w.n],"
        f" 'v': a.v[:a.c[-1]] || [{_value('a.k[a.c[-1] + 1:]', 'a.v[a.c[-1] + 1:]')}],"
        " 'ok': a.ok AND coalesce(a.n[-1] = w.n, false)}"
    )
    opened = "{'n': a.n || [w.n], 'c': a.c || [CAST(len(a.k) AS BIGINT)], 'k': a.k || w.k, 'v': a.v || w.v, 'ok': a.ok}"
    added = "{'n': a.n, 'c': a.c, 'k': a.k || [w.n], 'v': a.v || w.v, 'ok': a.ok}"
    return f"CASE w.t WHEN 'o' THEN {opened} WHEN 'c' THEN {closed} WHEN 'x' THEN {added} ELSE a END"


def _read() -> str:
    """A word by itself: ``t``, what it is; ``n``, a name or #text; ``k``, attributes' names; ``v``, JSON values."""
    none = "[]::VARCHAR[]"
    other = f"{{'t': '-', 'n': '', 'k': {none}, 'v': {none}}}"
    wrong = f"{{'t': '!', 'n': '', 'k': {none}, 'v': {none}}}"
    text = f"{{'t': 'x', 'n': '#text', 'k': {none}, 'v': [CAST(to_json({{}}) AS VARCHAR)]}}"
    close = f"{{'t': 'c', 'n': regexp_extract(w, {quote_text(f'^</({_NAME})')}, 1), 'k': {none}, 'v': {none}}}"
    return (
        "CASE WHEN starts_with(w, '<!--') OR starts_with(w, '<?') OR starts_with(w, '<!DOCTYPE')"
        f" OR regexp_full_match(w, '\\s*') THEN {other}"
        f" WHEN starts_with(w, '<![CDATA[') THEN {text.replace('{}', 'w[10:-4]', 1)}"
        f" WHEN NOT {_clean('w')} THEN {wrong}"
        f" WHEN starts_with(w, '</') THEN {close}"
        f" WHEN starts_with(w, '<') THEN {_tag(wrong)}"
        f" ELSE {text.replace('{}', _decoded(_TRIMMED), 1)} END"
    )


_TRIMMED = "regexp_replace(w, '^\\s+|\\s+$', '', 'g')"


def _tag(wrong: str) -> str:
    """A tag that opens an element, or a whole element: an empty one, or one with a text only."""
    none = "[]::VARCHAR[]"
    blanks = "' ' || chr(9) || chr(10)"
    keys = f"list_transform(s.f, lambda m: '@' || trim(split_part(m, '=', 1), {blanks}))"
    value = "regexp_replace(m, '^[^=]*=\\s*', '')[2:-2]"
    values = f"list_transform(s.f, lambda m: CAST(to_json({_decoded(value)}) AS VARCHAR))"
    pairs = "list_transform(s.k, lambda k, i: CAST(to_json(k) AS VARCHAR) || ':' || s.v[i])"
    text = f"CAST(to_json({_decoded(_TRIMMED.replace('(w,', '(s.x,'))}) AS VARCHAR)"
    whole = (
        "CASE WHEN regexp_full_match(s.x, '\\s*')"
        f" THEN CASE WHEN len(s.k) = 0 THEN 'null' ELSE '{{' || array_to_string({pairs}, ',') || '}}' END"
        f" WHEN len(s.k) = 0 THEN {text}"
        f" ELSE '{{' || array_to_string({pairs}, ',') || ',\"#text\":' || {text} || '}}' END"
    )
    body = (
        f"CASE WHEN len(s.k) > 1 AND len(list_distinct(s.k)) < len(s.k) OR s.c <> '' AND s.c <> s.n THEN {wrong}"
        f" WHEN ends_with(w, '/>') OR s.c <> '' THEN {{'t': 'x', 'n': s.n, 'k': {none}, 'v': [{whole}]}}"
        " ELSE {'t': 'o', 'n': s.n, 'k': s.k, 'v': s.v} END"
    )
    inner = bound(body, n="s.n", c="s.c", x="s.x", k=keys, v=values)
    return bound(
        inner,
        n=f"regexp_extract(w, {quote_text(f'^<{_NAME}')})[2:]",
        c=f"regexp_extract(split_part(w, '<', 3), {quote_text(_NAME)})",
        x=f"regexp_replace(split_part(w, '<', 2), {quote_text(f'^{_NAME}(?:{_ATTRIBUTE})*' + chr(92) + 's*/?>')}, '')",
        f=f"CASE WHEN contains(w, '=') THEN regexp_extract_all(w, {quote_text(_ATTRIBUTE)}) ELSE {none} END",
    )


def _value(keys: str, values: str) -> str:
    """An element's value as JSON: null, its text, or a bag in which a key that comes again holds an array."""
    name = "CAST(to_json(k) AS VARCHAR) || ':' || "
    same = "list_filter(s.v, lambda v, j: s.k[j] = k)"
    several = f"CASE WHEN len({same}) = 1 THEN {same}[1] ELSE '[' || array_to_string({same}, ',') || ']' END"
    firsts = "list_filter(s.k, lambda k, i: list_position(s.k, k) = i)"
    body = (
        "CASE WHEN len(s.k) = 0 THEN 'null' WHEN len(s.k) = 1 AND s.k[1] = '#text' THEN s.v[1]"
        f" WHEN len(list_distinct(s.k)) = len(s.k) THEN"
        f" '{{' || array_to_string(list_transform(s.k, lambda k, i: {name} s.v[i]), ',') || '}}'"
        f" ELSE '{{' || array_to_string(list_transform({firsts}, lambda k: {name} {several}), ',') || '}}' END"
    )
    return bound(body, k=keys, v=values)


def _clean(text: str) -> str:
    """Whether each ``&`` begins an entity that XML knows."""
    return f"(NOT contains({text}, '&') OR NOT contains(regexp_replace({text}, {quote_text(_ENTITY)}, '', 'g'), '&'))"


def _decoded(text: str) -> str:
    """A text with its entities as what they stand for; ``&amp;`` last, so that nothing is decoded twice."""
    plain = "s.x"
    for name, character in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("apos", "''")):
        plain = f"replace({plain}, '&{name};', '{character}')"
    code = "CASE WHEN e[3] = 'x' THEN TRY_CAST('0x' || e[4:-2] AS INTEGER) ELSE TRY_CAST(e[3:-2] AS INTEGER) END"
    numbered = (
        "list_reduce(list_distinct(regexp_extract_all(s.x, '&#x?[0-9a-fA-F]+;')),"
        f" lambda y, e: replace(y, e, coalesce(chr({code}), e)), {plain})"
    )
    decoded = bound(f"replace({numbered}, '&amp;', '&')", x=text)
    return f"CASE WHEN contains({text}, '&') THEN {decoded} ELSE {text} END"
