"""IPv6 addresses and networks, and IPv4 ones as IPv6.

An address with its mask is a STRUCT in SQL: ``n``, its 128 bits, those past the mask cleared, and ``b``, the length of
the mask; NULL is a text that is no address. As measured on Microsoft's emulator by the authors of duckdb-kql: a zone
(``%eth0``) is left out, an address that ends in a dotted one counts its mask over 32 bits. By Microsoft's pages
``::1.2.3.4`` is the same as ``1.2.3.4``.
https://learn.microsoft.com/en-us/kusto/query/parse-ipv6-function
"""

from __future__ import annotations

import ipaddress
import re

from kql.sql import quote_text
from kql.translate.functions.dynamics import bound, elements
from kql.translate.functions.network import ADDRESS, code_sql, no_network
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import Sql, maybe_null

_MOST = 64
_SHAPE = r"^([0-9a-f:]*?)((?:[0-9]{1,3}\.){3}[0-9]{1,3})?(?:/([0-9]{1,3}))?$"
_GROUPS = r"^(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})*)?$"
_MAPPED = 0xFFFF00000000
"""Where IPv4 addresses begin among IPv6 ones."""

_NOTHING = "NULL::STRUCT(n UHUGEINT, b INTEGER)"


def network_number(text: str) -> tuple[int, int] | None:
    """An address and the length of its mask, as numbers; None for a text that is none."""
    plain = re.sub("%[^/]*", "", text.strip().lower())
    match = re.match(_SHAPE, plain, re.ASCII)
    if match is None:
        return None
    head, dotted, bits = match.groups()
    if dotted is not None and head in ("", "::"):
        head = "::ffff:"
    size = int(bits) + (96 if dotted is not None else 0) if bits else 128
    if size > 128:
        return None
    try:
        number = int(ipaddress.IPv6Address(f"{head}{dotted or ''}"))
    except ValueError:
        return None
    return number >> (128 - size) << (128 - size), size


def number_sql(text: str) -> str:
    """The same of SQL text."""
    plain = f"regexp_replace(lower(trim({text})), '%[^/]*', '')"
    parts = f"regexp_extract({plain}, {quote_text(_SHAPE)}, ['h', 'd', 'm'])"
    dotted = f"regexp_extract(s.p.d, {quote_text(ADDRESS)}, ['a', 'b', 'c', 'd'])"
    # 1: the dotted end in hexadecimal; 2: what stands on either side of ::; 3: eight groups as one number; 4: the mask.
    pair = ", ".join(
        f"TRY_CAST(s.q.{one} AS INTEGER) * 256 + TRY_CAST(s.q.{two} AS INTEGER)" for one, two in ("ab", "cd")
    )
    end = f"CASE WHEN s.p.d = '' THEN '' ELSE printf('%x:%x', {pair}) END"
    head = "CASE WHEN s.p.d <> '' AND s.p.h IN ('', '::') THEN '::ffff:' ELSE s.p.h END"
    bits = (
        "CASE WHEN s.p.m = '' THEN 128 WHEN s.p.d = '' THEN TRY_CAST(s.p.m AS INTEGER)"
        " ELSE 96 + TRY_CAST(s.p.m AS INTEGER) END"
    )
    valid = f"regexp_matches(s.l, {quote_text(_GROUPS)}) AND regexp_matches(s.r, {quote_text(_GROUPS)})"
    split = "CASE WHEN {0} = '' THEN []::VARCHAR[] ELSE str_split({0}, ':') END"
    groups = bound(
        "CASE WHEN s.z AND len(s.l) + len(s.r) < 8"
        " THEN s.l || list_transform(range(8 - len(s.l) - len(s.r)), lambda i: '0') || s.r"
        " WHEN NOT s.z AND len(s.l) = 8 THEN s.l END",
        z="s.z",
        l=split.format("s.l"),
        r=split.format("s.r"),
    )
    number = bound(
        "TRY_CAST('0x' || array_to_string(list_transform(s.g, lambda g: lpad(g, 4, '0')), '') AS UHUGEINT)",
        g=f"CASE WHEN {valid} THEN {groups} END",
    )
    masked = (
        f"CASE WHEN s.n IS NULL OR s.b IS NULL OR s.b > 128 THEN {_NOTHING}"
        " WHEN s.b = 0 THEN {'n': 0::UHUGEINT, 'b': 0}"
        " ELSE {'n': (s.n >> (128 - s.b)::UHUGEINT) << (128 - s.b)::UHUGEINT, 'b': s.b} END"
    )
    third = bound(masked, n="s.n", b="s.b")
    second = bound(third, n=bound(number, z="contains(s.t, '::')", l="split_part(s.t, '::', 1)", r=_RIGHT), b="s.b")
    first = bound(second, t=f"{head} || {end}", b=bits)
    slow = bound(bound(first, p="s.p", q=dotted), p=parts)
    fast = f"{{'n': (s.c // 64 + {_MAPPED})::UHUGEINT, 'b': (96 + s.c % 64)::INTEGER}}"
    return bound(f"CASE WHEN s.c IS NOT NULL THEN {fast} ELSE {slow} END", c=code_sql(text))


_RIGHT = "CASE WHEN contains(s.t, '::') THEN substring(s.t, position('::' IN s.t) + 2) ELSE '' END"


def _number(call: Invocation, index: int) -> Sql:
    """An argument's number: computed here where the argument is constant."""
    value = call.string(index)
    if not value.constant:
        return maybe_null(number_sql(value.text), "long", value)
    found = network_number(str(call.compiler.translation.compute(value, call.span)))
    return Sql(
        _NOTHING if found is None else f"{{'n': {found[0]}::UHUGEINT, 'b': {found[1]}}}", "long", found is None, True
    )


def _shifted(number: str, shift: str) -> str:
    """The bits of a number that stay; DuckDB does not shift by all 128."""
    return f"CASE WHEN {shift} = 128 THEN 0::UHUGEINT ELSE {number} >> ({shift})::UHUGEINT END"


def _pair(call: Invocation, body: str) -> str:
    limit = call.as_type(2, "long").text if call.count == 3 else "128"
    bits = "CASE WHEN s.p BETWEEN 0 AND 128 THEN 128 - least(s.a.b, s.b.b, s.p) END"
    inner = bound(body, x=_shifted("s.a.n", "s.s"), y=_shifted("s.b.n", "s.s"))
    middle = bound(inner, a="s.a", b="s.b", s=f"CASE WHEN s.a IS NOT NULL AND s.b IS NOT NULL THEN {bits} END")
    return bound(middle, a=_number(call, 0).text, b=_number(call, 1).text, p=limit)


@scalar("ipv6_is_match", 2, 3)
def ipv6_is_match(call: Invocation) -> Sql:
    """Whether two addresses are the same under the shortest of their masks and a third one."""
    return maybe_null(_pair(call, "s.x = s.y"), "bool", *call.values)


@scalar("ipv6_compare", 2, 3)
def ipv6_compare(call: Invocation) -> Sql:
    """-1, 0 or 1, under the shortest of the masks."""
    text = _pair(call, "CASE WHEN s.x < s.y THEN -1 WHEN s.x > s.y THEN 1 WHEN s.x = s.y THEN 0 END")
    return maybe_null(f"CAST({text} AS BIGINT)", "long", *call.values)


def _inside(address: str, network: str) -> str:
    """Whether an address lies in a network."""
    same = f"{_shifted(f'{address}.n', f'128 - {network}.b')} = {_shifted(f'{network}.n', f'128 - {network}.b')}"
    return f"CASE WHEN {address} IS NOT NULL AND {network} IS NOT NULL THEN {same} END"


@scalar("ipv6_is_in_range", 2)
def ipv6_is_in_range(call: Invocation) -> Sql:
    """Whether an address lies in a network; null where one of them is none."""
    text = bound(_inside("s.a", "s.n"), a=_number(call, 0).text, n=_number(call, 1).text)
    return maybe_null(text, "bool", *call.values)


@scalar("ipv6_is_in_any_range", 2, _MOST)
def ipv6_is_in_any_range(call: Invocation) -> Sql:
    """Whether an address lies in one of some networks, given one by one or as an array."""
    lists = []
    for index in range(1, call.count):
        value = call.values[index]
        if value.constant:
            given = call.constant(index)
            lists.append(
                f"[{', '.join(_constant(call, text) for text in (given if isinstance(given, list) else [given]))}]"
            )
        elif value.type == "dynamic":
            lists.append(f"list_transform({elements(value)}, lambda e: {number_sql(_ELEMENT)})")
        else:
            lists.append(f"[{number_sql(call.text(index))}]")
    tests = " OR ".join(
        f"list_bool_or(list_transform(s.l{i}, lambda n: {_inside('s.a', 'n')}))" for i in range(len(lists))
    )
    parts = {f"l{index}": text for index, text in enumerate(lists)}
    body = f"CASE WHEN s.a IS NOT NULL THEN {tests} END"
    return maybe_null(bound(body, a=_number(call, 0).text, **parts), "bool", *call.values)


_ELEMENT = "coalesce(e->>'$', '')"


def _constant(call: Invocation, text: object) -> str:
    found = network_number(text) if isinstance(text, str) else None
    if found is None:
        raise no_network(call, text)
    return f"{{'n': {found[0]}::UHUGEINT, 'b': {found[1]}}}"


def _canonical(number: str) -> str:
    """An address as eight groups of four digits."""
    return rf"rtrim(regexp_replace(lpad(lower(to_hex({number})), 32, '0'), '(....)', '\1:', 'g'), ':')"


@scalar("parse_ipv6", 1)
def parse_ipv6(call: Invocation) -> Sql:
    """An address in full, under its mask; empty for a text that is none."""
    number = _number(call, 0)
    return maybe_null(
        bound(f"CASE WHEN s.a IS NOT NULL THEN {_canonical('s.a.n')} END", a=number.text), "string", number
    )


@scalar("parse_ipv6_mask", 2)
def parse_ipv6_mask(call: Invocation) -> Sql:
    """An address in full, under a mask over 128 bits; empty where the text or the mask is none."""
    limit = call.as_type(1, "long").text
    masked = "CASE WHEN s.b = 0 THEN 0::UHUGEINT ELSE (s.a.n >> (128 - s.b)::UHUGEINT) << (128 - s.b)::UHUGEINT END"
    bits = "CASE WHEN s.a IS NOT NULL AND s.p BETWEEN 0 AND 128 THEN least(s.a.b, s.p) END"
    body = bound(f"CASE WHEN s.b IS NOT NULL THEN {_canonical(masked)} END", a="s.a", b=bits)
    return maybe_null(bound(body, a=_number(call, 0).text, p=limit), "string", *call.values)
