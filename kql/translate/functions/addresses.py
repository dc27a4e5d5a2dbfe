"""Parts of addresses, paths and versions.

What Microsoft's pages leave open was measured on Microsoft's emulator by the authors of duckdb-kql: a user without a
password stays in the host; keys of a query are sorted, and one that comes several times holds an array; a pair
without key or value is left out; a path of one slash is empty where nothing follows it; nothing is decoded.
https://learn.microsoft.com/en-us/kusto/query/parse-url-function
"""

from __future__ import annotations

from dataclasses import replace

from kql.sql import quote_text
from kql.translate.functions.dynamics import bound
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, json_step, maybe_null

_URL = (
    r"^([A-Za-z][A-Za-z0-9+.\-]*)://(?:([^:@/?#]*):([^@/?#]*)@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]*))?"
    r"([^?#]*)(?:\?([^#]*))?(?:#(.*))?$"
)
_URL_PARTS = "['scheme', 'user', 'password', 'host', 'port', 'path', 'query', 'fragment']"


@scalar("parse_url parseurl", 1, page="parse-url-function")
def parse_url(call: Invocation) -> Sql:
    """A bag of an absolute URL's parts, all texts; all empty for a text that is none."""
    path = "CASE WHEN s.u.path = '/' AND NOT regexp_matches(s.t, '[?#]') THEN '' ELSE s.u.path END"
    fields = (
        ("Scheme", "s.u.scheme"),
        ("Host", "s.u.host"),
        ("Port", "s.u.port"),
        ("Path", path),
        ("Username", "s.u.user"),
        ("Password", "s.u.password"),
        ("Query Parameters", _parameters("s.u.query")),
        ("Fragment", "s.u.fragment"),
    )
    body = f"json_object({', '.join(f'{quote_text(name)}, {text}' for name, text in fields)})"
    text = bound(bound(body, t="s.t", u=f"regexp_extract(s.t, {quote_text(_URL)}, {_URL_PARTS})"), t=call.text(0))
    own = (("Scheme", 1), ("Username", 2), ("Password", 3), ("Host", 4), ("Port", 5), ("Fragment", 8))
    parts = [(json_step(name), f"regexp_extract({call.text(0)}, {quote_text(_URL)}, {group})") for name, group in own]
    return replace(maybe_null(text, "dynamic", *call.values), parts=tuple(parts))


def _parameters(query: str) -> str:
    """A query's pairs as a bag."""
    pairs = (
        f"list_transform(list_filter(str_split({query}, '&'), lambda p: position('=' IN p) > 1"
        " AND length(p) > position('=' IN p)),"
        " lambda p: {'k': p[:position('=' IN p) - 1], 'v': p[position('=' IN p) + 1:]})"
    )
    values = "list_transform(list_filter(s.p, lambda p: p.k = k), lambda p: p.v)"
    entry = bound(
        "{'key': s.k, 'value': CASE WHEN len(s.v) = 1 THEN to_json(s.v[1]) ELSE to_json(s.v) END}", k="k", v=values
    )
    keys = "list_sort(list_distinct(list_transform(s.p, lambda p: p.k)))"
    made = bound(f"to_json(map_from_entries(list_transform({keys}, lambda k: {entry})))", p=pairs)
    return f"CASE WHEN {query} = '' THEN '{{}}'::JSON ELSE {made} END"


@scalar("parse_urlquery parseurlquery", 1, page="parse-urlquery-function")
def parse_urlquery(call: Invocation) -> Sql:
    """A bag with one key, ``Query Parameters``: the pairs of a URL's query."""
    body = f"json_object('Query Parameters', {_parameters('s.q')})"
    return maybe_null(bound(body, q=call.text(0)), "dynamic", *call.values)


_FILE = r"^(?:([A-Za-z][A-Za-z0-9+.\-]*)://)?((?s:.*[/\\])?)((?s:[^/\\:]*))(?::((?s:[^/\\]*)))?$"


@scalar("parse_path", 1, note="A path that begins with \\\\?\\ is an error: the page does not say what becomes of it.")
def parse_path(call: Invocation) -> Sql:
    r"""A bag of a file path's parts, with slashes of either kind.

    ``C:\temp\a.txt:x``: the scheme, the drive, the folder's path, the folder, the file, what follows its last dot, and
    the alternate data stream.
    """
    folder = r"regexp_replace(s.p.folder, '[/\\]+$', '')"
    extension = "CASE WHEN contains(s.p.file, '.') THEN regexp_extract(s.p.file, '[^.]*$') ELSE '' END"
    body = (
        f"json_object('Scheme', s.p.scheme, 'RootPath', regexp_extract(s.f, '^[A-Za-z]:'), 'DirectoryPath', s.f,"
        r" 'DirectoryName', regexp_extract(s.f, '[^/\\]*$'),"
        f" 'Filename', s.p.file, 'Extension', {extension}, 'AlternateDataStreamName', s.p.stream)"
    )
    refused = "error('parse_path() does not take a path that begins with \\\\?\\; cut that off with substring().')"
    guarded = rf"CASE WHEN starts_with(s.t, '\\?\') THEN {refused} ELSE {bound(body, p='s.p', f=folder)} END"
    names = "['scheme', 'folder', 'file', 'stream']"
    text = bound(bound(guarded, t="s.t", p=f"regexp_extract(s.t, {quote_text(_FILE)}, {names})"), t=call.text(0))
    return maybe_null(text, "dynamic", *call.values)


_VERSION = r"^([0-9]{1,8})(?:\.([0-9]{1,8}))?(?:\.([0-9]{1,8}))?(?:\.([0-9]{1,8}))?$"


@scalar("parse_version", 1)
def parse_version(call: Invocation) -> Sql:
    """A version of one to four numbers as a decimal that sorts as versions do; null for any other text."""
    # 32 digits stand before the point: more than other decimals have room for.
    number = " + ".join(
        f"CAST(coalesce(TRY_CAST(s.v.{name} AS HUGEINT), 0) * 1{'0' * zeros}::HUGEINT AS HUGEINT)"
        for name, zeros in zip("abcd", (24, 16, 8, 0), strict=True)
    )
    body = f"CASE WHEN s.v.a <> '' THEN CAST({number} AS DECIMAL(38,6)) END"
    found = f"regexp_extract({call.text(0)}, {quote_text(_VERSION)}, ['a', 'b', 'c', 'd'])"
    return maybe_null(bound(body, v=found), "decimal", *call.values)
