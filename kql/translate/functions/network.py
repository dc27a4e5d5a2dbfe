"""IPv4 addresses and networks.

An address with its mask is one number in SQL, ``address * 64 + bits``, the bits past the mask cleared; NULL is a text
that is no address. As measured on Microsoft's emulator by the authors of duckdb-kql: blanks around an address do not
matter, an octet with a leading zero makes it none.
https://learn.microsoft.com/en-us/kusto/query/scalar-functions#ipv4ipv6-functions
"""

from __future__ import annotations

import re

from kql.errors import KqlError
from kql.sql import quote_text
from kql.translate.functions.dynamics import bound, elements
from kql.translate.functions.registry import Invocation, scalar
from kql.translate.values import INTEGERS, Sql, literal, maybe_null

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_BITS = r"(?:3[0-2]|[12]?[0-9])"
ADDRESS = rf"^\s*({OCTET})\.({OCTET})\.({OCTET})\.({OCTET})(?:/({_BITS}))?\s*$"
_MOST = 64
_DOT = r"\."
_ELEMENT = "coalesce(e->>'$', '')"

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918: https://learn.microsoft.com/en-us/kusto/query/ipv4-is-private-function"""


def network_code(text: str) -> int | None:
    """An address and its mask as the number that ``code_sql`` makes of them; None for a text that is none."""
    match = re.match(ADDRESS, text, re.ASCII)
    if match is None:
        return None
    *octets, bits = match.groups()
    size = int(bits) if bits is not None else 32
    number = int.from_bytes(bytes(int(octet) for octet in octets), "big")
    return (number >> (32 - size) << (32 - size)) * 64 + size


def code_sql(text: str) -> str:
    """The same of SQL text."""
    whole = " + ".join(
        f"TRY_CAST(s.{name} AS BIGINT) * {factor}" for name, factor in zip("abc", (16777216, 65536, 256), strict=True)
    )
    masked = "((s.n >> (32 - s.b)) << (32 - s.b)) * 64 + s.b"
    number = f"{whole} + TRY_CAST(s.d AS BIGINT)"
    inner = bound(masked, n=number, b="CASE WHEN s.m = '' THEN 32 ELSE TRY_CAST(s.m AS INTEGER) END")
    found = f"regexp_extract({text}, {quote_text(ADDRESS)}, ['a', 'b', 'c', 'd', 'm'])"
    return f"list_transform([{found}], lambda s: {inner})[1]"


def _code(call: Invocation, index: int) -> Sql:
    """An argument's number: computed here where the argument is constant."""
    value = call.string(index)
    if value.constant:
        return literal(network_code(str(call.compiler.translation.compute(value, call.span))), "long")
    return maybe_null(code_sql(value.text), "long", value)


def _within(code: str, network: int) -> str:
    """Whether a code's address lies in a constant network."""
    number, bits = divmod(network, 64)
    low = number * 64
    high = (number + (1 << (32 - bits)) - 1) * 64 + 63
    return f"{code} BETWEEN {low} AND {high}"


def _inside(address: str, network: str) -> str:
    """Whether a code's address lies in another code's network."""
    return f"(({address} // 64) >> (32 - {network} % 64)) = (({network} // 64) >> (32 - {network} % 64))"


@scalar("ipv4_is_private", 1)
def ipv4_is_private(call: Invocation) -> Sql:
    """Whether an address is one of the private networks'."""
    code = _code(call, 0)
    tests = " OR ".join(_within("s.a", network_code(network) or 0) for network in PRIVATE_NETWORKS)
    return maybe_null(bound(tests, a=code.text), "bool", code)


@scalar("ipv4_is_in_range", 2)
def ipv4_is_in_range(call: Invocation) -> Sql:
    """Whether an address lies in a network; null where one of them is none."""
    address, network = _code(call, 0), _code(call, 1)
    if network.literal is not None and network.literal.value is not None:
        return maybe_null(f"({_within(address.text, network.literal.value)})", "bool", address)
    return maybe_null(bound(_inside("s.a", "s.n"), a=address.text, n=network.text), "bool", address, network)


@scalar("ipv4_is_in_any_range", 2, _MOST)
def ipv4_is_in_any_range(call: Invocation) -> Sql:
    """Whether an address lies in one of some networks, given one by one or as an array."""
    address = _code(call, 0)
    tests, parts = [], {"a": address.text}
    for index in range(1, call.count):
        value = call.values[index]
        if value.type == "dynamic" and not value.constant:
            listed = f"list_transform({elements(value)}, lambda e: {code_sql(_ELEMENT)})"
            parts[f"l{index}"] = listed
            tests.append(f"list_bool_or(list_transform(s.l{index}, lambda n: {_inside('s.a', 'n')}))")
        elif value.constant:
            tests += [_within("s.a", network) for network in _constant_networks(call, index)]
        else:
            parts[f"n{index}"] = code_sql(call.text(index))
            tests.append(f"({_inside('s.a', f's.n{index}')})")
    body = f"CASE WHEN s.a IS NOT NULL THEN {' OR '.join(tests) or 'false'} END"
    return maybe_null(bound(body, **parts), "bool", *call.values)


def _constant_networks(call: Invocation, index: int) -> list[int]:
    value = call.constant(index)
    codes = []
    for text in value if isinstance(value, list) else [value]:
        code = network_code(text) if isinstance(text, str) else None
        if code is None:
            raise no_network(call, text)
        codes.append(code)
    return codes


def no_network(call: Invocation, text: object) -> KqlError:
    """The error for a range that is none."""
    return call.unsupported(f"{text!s} in {call.name}() is no network.", "Write it as a.b.c.d/n.")


def _limits(call: Invocation, index: int, most: int) -> dict[str, str]:
    """The mask that an argument adds, as a part ``p``."""
    return {"p": call.as_type(index, "long").text if index < call.count else str(most)}


_SHARED_BITS = "least(s.a % 64, s.b % 64, s.p)"


def _pair(call: Invocation, body: str) -> str:
    parts = {"a": _code(call, 0).text, "b": _code(call, 1).text} | _limits(call, 2, 32)
    shift = f"CASE WHEN s.p BETWEEN 0 AND 32 THEN 32 - {_SHARED_BITS} END"
    inner = bound(body, x=f"(s.a // 64) >> ({shift})", y=f"(s.b // 64) >> ({shift})")
    return bound(inner, **parts)


@scalar("ipv4_is_match", 2, 3)
def ipv4_is_match(call: Invocation) -> Sql:
    """Whether two addresses are the same under the shortest of their masks and a third one."""
    return maybe_null(_pair(call, "s.x = s.y"), "bool", *call.values)


@scalar("ipv4_compare", 2, 3)
def ipv4_compare(call: Invocation) -> Sql:
    """-1, 0 or 1, under the shortest of the masks."""
    text = _pair(call, "CASE WHEN s.x < s.y THEN -1 WHEN s.x > s.y THEN 1 WHEN s.x = s.y THEN 0 END")
    return maybe_null(f"CAST({text} AS BIGINT)", "long", *call.values)


@scalar("ipv4_netmask_suffix", 1)
def ipv4_netmask_suffix(call: Invocation) -> Sql:
    """The length of the mask; 32 where none is written."""
    code = _code(call, 0)
    return maybe_null(f"({code.text} % 64)", "long", code)


@scalar("parse_ipv4", 1)
def parse_ipv4(call: Invocation) -> Sql:
    """An address as a number, under its mask."""
    code = _code(call, 0)
    return maybe_null(f"({code.text} // 64)", "long", code)


def _masked(call: Invocation, address: Sql, body: str) -> str:
    """SQL over ``s.n``, an address under its mask and the argument's, and ``s.b``, the shorter one's length."""
    bits = "CASE WHEN s.p BETWEEN 0 AND 32 THEN least(s.a % 64, s.p) END"
    inner = bound(body, n="((s.a // 64) >> (32 - s.b)) << (32 - s.b)", b="s.b")
    return bound(bound(inner, a="s.a", b=bits), a=address.text, **_limits(call, 1, 32))


@scalar("parse_ipv4_mask", 2)
def parse_ipv4_mask(call: Invocation) -> Sql:
    """An address as a number, under a mask."""
    return maybe_null(_masked(call, _code(call, 0), "s.n"), "long", *call.values)


@scalar("format_ipv4 format_ipv4_mask", 1, 2)
def format_ipv4(call: Invocation) -> Sql:
    """An address, a text or a number, as text under a mask; ``format_ipv4_mask`` adds the mask. Else empty."""
    value = call.values[0]
    if value.type in INTEGERS:
        text = f"CASE WHEN {value.text} BETWEEN 0 AND 4294967295 THEN CAST({value.text} AS BIGINT) * 64 + 32 END"
        address = maybe_null(text, "long", value)
    else:
        address = _code(call, 0)
    octets = ", ".join(f"(s.n >> {shift}) & 255" for shift in (24, 16, 8, 0))
    form, more = ("%d.%d.%d.%d/%d", ", s.b") if call.name.lower().endswith("mask") else ("%d.%d.%d.%d", "")
    return maybe_null(_masked(call, address, f"printf('{form}', {octets}{more})"), "string", *call.values)


_EDGES = r"(?:^|[^\pL\pN])", r"(?:$|[^\pL\pN])"


def _needle(text: str, *, prefix: bool) -> str | None:
    """A pattern that finds an address, or the addresses that begin with a prefix; None for a text that is neither."""
    if re.fullmatch(rf"{OCTET}(?:\.{OCTET}){{3}}", text, re.ASCII):
        return re.escape(text)
    if prefix and re.fullmatch(rf"(?:{OCTET}\.){{1,3}}", text, re.ASCII):
        rest = 4 - text.count(".")
        return re.escape(text) + _DOT.join([OCTET] * rest)
    return None


def _finds(call: Invocation, *, prefix: bool) -> Sql:
    tests, patterns, plain = [], [], []
    source = call.text(0)
    for index in range(1, call.count):
        value = call.values[index]
        if value.constant:
            given = call.constant(index)
            for text in given if isinstance(given, list) else [given]:
                pattern = _needle(text, prefix=prefix) if isinstance(text, str) else None
                if pattern is not None:
                    patterns.append(pattern)
                    plain.append(f"contains({source}, {quote_text(text)})")
        elif value.type == "dynamic":
            found = _found_sql(source, _ELEMENT, prefix)
            tests.append(f"coalesce(list_bool_or(list_transform({elements(value)}, lambda e: {found})), false)")
        else:
            tests.append(_found_sql(source, call.text(index), prefix))
    if patterns:
        pattern = quote_text(f"{_EDGES[0]}(?:{'|'.join(patterns)}){_EDGES[1]}")
        tests.insert(0, f"(({' OR '.join(plain)}) AND regexp_matches({source}, {pattern}))")
    constant = all(value.constant for value in call.values)
    return Sql(f"({' OR '.join(tests) or 'false'})", "bool", False, constant)


def _found_sql(text: str, needle: str, prefix: bool) -> str:
    """As ``_needle``, for what is only known row by row."""
    rest = " ".join(f"WHEN {count} THEN {quote_text(_DOT.join([OCTET] * (4 - count)))}" for count in (1, 2, 3))
    full = rf"^{OCTET}(?:\.{OCTET}){{3}}$"
    tail = (
        "''"
        if not prefix
        else f"CASE WHEN ends_with(s.x, '.') THEN CASE len(str_split(s.x, '.')) - 1 {rest} END ELSE '' END"
    )
    valid = f"regexp_matches(s.x, '{full}')"
    if prefix:
        valid = f"({valid} OR regexp_matches(s.x, '^(?:{OCTET}\\.){{1,3}}$'))"
    start, end = (quote_text(edge) for edge in _EDGES)
    body = f"{valid} AND regexp_matches(s.t, {start} || replace(s.x, '.', '\\.') || {tail} || {end})"
    return f"coalesce({bound(body, t=text, x=needle)}, false)"


@scalar("has_ipv4", 2)
def has_ipv4(call: Invocation) -> Sql:
    """Whether a text has an address, with neither letter nor digit beside it."""
    return _finds(call, prefix=False)


@scalar("has_any_ipv4", 2, _MOST * 16)
def has_any_ipv4(call: Invocation) -> Sql:
    """Whether a text has one of some addresses, given one by one or as an array."""
    return _finds(call, prefix=False)


@scalar("has_ipv4_prefix", 2)
def has_ipv4_prefix(call: Invocation) -> Sql:
    """Whether a text has an address that begins with some octets (``10.``, ``10.1.``) or is the one given."""
    return _finds(call, prefix=True)


@scalar("has_any_ipv4_prefix", 2, _MOST * 16)
def has_any_ipv4_prefix(call: Invocation) -> Sql:
    """As has_ipv4_prefix(), of several."""
    return _finds(call, prefix=True)
