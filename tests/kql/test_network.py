"""Addresses and networks: Microsoft's own examples, and Python's ipaddress as the judge."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import KqlUnsupported
from kql.translate.functions.network import network_code
from kql.translate.functions.network6 import network_number
from tests.kql.support import one, run

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ipv4_is_private('192.168.1.1/24')", True),
        ("ipv4_is_private('10.1.2.3/24')", True),
        ("ipv4_is_private('172.31.255.255')", True),
        ("ipv4_is_private('172.32.0.0')", False),
        ("ipv4_is_private('127.0.0.1')", False),
        ("ipv4_is_private(' 10.0.0.1 ')", True),
        ("ipv4_is_private('')", None),
        ("ipv4_is_private('10.0.0.01')", None),
        ("ipv4_is_private('10.0.0.256')", None),
        ("ipv4_is_in_range('192.168.1.6', '192.168.1.0/24')", True),
        ("ipv4_is_in_range('10.1.1.1', '10.1.1.2')", False),
        ("ipv4_is_in_range('10.1.1.1', '0.0.0.0/0')", True),
        ("ipv4_is_in_range('10.1.1.1', 'x')", None),
        ("ipv4_is_in_range('x', '10.0.0.0/8')", None),
        ("ipv4_is_in_any_range('192.168.1.6', '192.168.1.1/24', '10.0.0.1/8', '127.1.0.1/16')", True),
        ("ipv4_is_in_any_range('127.0.0.1', dynamic(['127.0.0.1', '192.168.1.1']))", True),
        ("ipv4_is_in_any_range('8.8.8.8', dynamic([]))", False),
        ("ipv4_is_in_any_range('x', dynamic(['10.0.0.0/8']))", None),
        ("ipv4_is_match('192.168.1.1', '192.168.1.255/24')", True),
        ("ipv4_is_match('192.168.1.1', '192.168.1.255')", False),
        ("ipv4_is_match('192.168.1.1', '192.168.1.0', 31)", True),
        ("ipv4_is_match('192.168.1.1', '192.168.1.1', 33)", None),
        ("ipv4_compare('192.168.1.1/30', '192.168.1.255/24')", 0),
        ("ipv4_compare('192.168.1.1', '192.168.1.255', 24)", 0),
        ("ipv4_compare('1.1.1.1', '1.1.1.2')", -1),
        ("ipv4_compare('200.1.1.1', '1.1.1.2')", 1),
        ("ipv4_compare('1.1.1.1', 'x')", None),
        ("ipv4_netmask_suffix('192.168.1.1/24')", 24),
        ("ipv4_netmask_suffix('192.168.1.1')", 32),
        ("ipv4_netmask_suffix('192.168.1.1/33')", None),
        ("parse_ipv4('127.0.0.1')", 2130706433),
        ("parse_ipv4('203.0.113.10/24')", 3405803776),
        ("parse_ipv4('255.255.255.255')", 4294967295),
        ("parse_ipv4('192.0.2.1/not-a-prefix')", None),
        ("parse_ipv4_mask('127.0.0.1', 24)", 2130706432),
        ("parse_ipv4_mask('127.0.0.1', 0)", 0),
        ("parse_ipv4_mask('127.0.0.1', 33)", None),
        ("format_ipv4('192.168.1.1', 24)", "192.168.1.0"),
        ("format_ipv4('192.168.1.1/24', 32)", "192.168.1.0"),
        ("format_ipv4('192.168.1.1/24', -1)", ""),
        ("format_ipv4(3232235777)", "192.168.1.1"),
        ("format_ipv4(-1)", ""),
        ("format_ipv4('x')", ""),
        ("format_ipv4_mask('192.168.1.1', 32)", "192.168.1.1/32"),
        ("format_ipv4_mask('192.168.1.1/24', 32)", "192.168.1.0/24"),
        ("format_ipv4_mask(3232235777, 24)", "192.168.1.0/24"),
        ("has_ipv4('05:04:54 127.0.0.1 GET /favicon.ico 404', '127.0.0.1')", True),
        ("has_ipv4('05:04:54 127.0.0.256 GET /favicon.ico 404', '127.0.0.256')", False),
        ("has_ipv4('05:04:54127.0.0.1 GET /favicon.ico 404', '127.0.0.1')", False),
        ("has_ipv4('127.0.0.1', '127.0.0')", False),
        ("has_any_ipv4('from 10.1.1.115 and 10.1.1.201', dynamic(['9.9.9.9', '10.1.1.201']))", True),
        ("has_any_ipv4('from 10.1.1.115', '10.1.1.1', '10.1.1.11')", False),
        ("has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0.')", True),
        ("has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0')", False),
        ("has_ipv4_prefix('05:04:54 127.0.0.256 GET', '127.0.')", False),
        ("has_ipv4_prefix('05:04:54127.0.0.1 GET', '127.0.')", False),
        ("has_ipv4_prefix('a 1.2.3.4,', '1.2.3.4')", True),
        ("has_any_ipv4_prefix('a 1.2.3.4,', '9.', '1.')", True),
        ("has_any_ipv4_prefix('', dynamic(['9.']))", False),
        # IPv6.
        ("parse_ipv6('192.168.255.255/24')", "0000:0000:0000:0000:0000:ffff:c0a8:ff00"),
        ("parse_ipv6('2001:DB8::10')", "2001:0db8:0000:0000:0000:0000:0000:0010"),
        ("parse_ipv6('fe80::1%eth0')", "fe80:0000:0000:0000:0000:0000:0000:0001"),
        ("parse_ipv6('::ffff:1.2.3.4/24')", "0000:0000:0000:0000:0000:ffff:0102:0300"),
        ("parse_ipv6('1::2::3')", ""),
        ("parse_ipv6('')", ""),
        ("parse_ipv6_mask('192.168.255.255', 120)", "0000:0000:0000:0000:0000:ffff:c0a8:ff00"),
        ("parse_ipv6_mask('192.168.255.255/24', 124)", "0000:0000:0000:0000:0000:ffff:c0a8:ff00"),
        ("parse_ipv6_mask('fe80::85d:e82c:9446:7994/120', 124)", "fe80:0000:0000:0000:085d:e82c:9446:7900"),
        ("parse_ipv6_mask('::192.168.255.255', 128)", "0000:0000:0000:0000:0000:ffff:c0a8:ffff"),
        ("parse_ipv6_mask('::1', 129)", ""),
        ("ipv6_compare('fe80::85d:e82c:9446:7994/127', 'fe80::85d:e82c:9446:7998', 120)", 0),
        ("ipv6_compare('192.168.1.1/24', '::ffff:c0a8:01ff', 127)", 0),
        ("ipv6_compare('::192.168.1.1/30', '192.168.1.255/24', 127)", 0),
        ("ipv6_compare('::1', '::2')", -1),
        ("ipv6_compare('ff00::', '::2')", 1),
        ("ipv6_compare('::1', 'x')", None),
        ("ipv6_is_match('192.168.1.1', '::ffff:c0a8:0101')", True),
        ("ipv6_is_match('::1/0', 'ffff::')", True),
        ("ipv6_is_in_range('2001:db8::5', '2001:db8::/32')", True),
        ("ipv6_is_in_range('192.168.1.5', '192.168.1.0/24')", True),
        ("ipv6_is_in_range('2001:db9::5', '2001:db8::/32')", False),
        ("ipv6_is_in_range('z', '2001:db8::/32')", None),
        ("ipv6_is_in_any_range('2001:db8::5', dynamic(['10.0.0.0/8', '2001::/16']))", True),
        ("ipv6_is_in_any_range('10.5.5.5', '2001::/16', '10.0.0.0/8')", True),
    ],
)
def test_addresses(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_addresses_in_columns() -> None:
    rows = (
        "datatable(a: string, r: string)['10.1.2.3', '10.0.0.0/8', '192.168.1.1/24', '192.168.1.255',"
        " 'x', '1.1.1.1', '8.8.8.8', '8.8.8.8/33']"
    )
    query = (
        f"{rows} | project ipv4_is_in_range(a, r), ipv4_is_match(a, r), ipv4_compare(a, r), parse_ipv4_mask(a, 8),"
        " ipv4_is_in_any_range(a, '9.9.9.9', r), ipv4_is_in_any_range(a, pack_array(r, '8.0.0.0/8')),"
        " ipv6_is_in_range(a, r), parse_ipv6(r), format_ipv4_mask(a, 16)"
    )
    mapped = "0000:0000:0000:0000:0000:ffff:"
    assert run(query) == [
        (True, True, 0, 167772160, True, True, True, f"{mapped}0a00:0000", "10.1.0.0/16"),
        (False, True, 0, 3221225472, False, False, False, f"{mapped}c0a8:01ff", "192.168.0.0/16"),
        (None, None, None, None, None, None, None, f"{mapped}0101:0101", ""),
        (None, None, None, 134217728, None, True, None, "", "8.8.0.0/16"),
    ]


def test_addresses_in_texts_of_columns() -> None:
    rows = (
        "datatable(t: string, a: string)['a 1.2.3.4,', '1.2.', 'a 1.2.3.4,', '1.2.3.4', 'a 1.2.3.45', '1.2.3.4',"
        " 'a 1.2.3.45', '1.2.3.', '', '', '1.2.3.4', '1.2.3', '1.2.304.4', '1.2.30']"
    )
    query = f"{rows} | project has_ipv4(t, a), has_ipv4_prefix(t, a), has_any_ipv4_prefix(t, pack_array('x', a))"
    no, yes = (False, False, False), (True, True, True)
    assert run(query) == [(False, True, True), yes, no, (False, True, True), no, no, no]


@settings(max_examples=4, deadline=None)
@given(st.lists(V4, min_size=1, max_size=20), V4, st.integers(0, 32))
def test_ranges_as_python_has_them(addresses: list[str], network: str, bits: int) -> None:
    inside = IPv4Network(f"{network}/{bits}", strict=False)
    rows = f"datatable(a: string)[{', '.join(map(repr, addresses))}] | extend r = '{network}/{bits}'"
    query = f"{rows} | project ipv4_is_in_range(a, r), ipv4_is_in_range(a, '{network}/{bits}'), parse_ipv4(a)"
    assert run(query) == [(IPv4Address(a) in inside,) * 2 + (int(IPv4Address(a)),) for a in addresses]


@settings(max_examples=4, deadline=None)
@given(st.lists(V6, min_size=1, max_size=20), st.integers(0, 128))
def test_ipv6_as_python_has_it(addresses: list[str], bits: int) -> None:
    rows = f"datatable(a: string)[{', '.join(map(repr, addresses))}]"
    expected = [IPv6Interface(f"{a}/{bits}").network.network_address.exploded for a in addresses]
    assert run(f"{rows} | project parse_ipv6_mask(a, {bits})") == [(each,) for each in expected]
    assert run(f"{rows} | project parse_ipv6(strcat(a, '/{bits}'))") == [(each,) for each in expected]


@given(V4, st.integers(0, 32))
def test_constants_are_read_as_columns_are(address: str, bits: int) -> None:
    network = IPv4Interface(f"{address}/{bits}").network.network_address
    assert network_code(f"{address}/{bits}") == int(network) * 64 + bits
    assert network_number(f"{address}/{bits}") == (0xFFFF << 32 | int(network), 96 + bits)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.text("01259abf:.%/ ", max_size=16), min_size=50, max_size=100))
def test_hostile_texts_are_read_the_same_in_sql(texts: list[str]) -> None:
    found = [network_number(text) for text in texts]
    expected = [("" if each is None else IPv6Address(each[0]).exploded,) for each in found]
    assert run(f"datatable(t: string)[{', '.join(map(repr, texts))}] | project parse_ipv6(t)") == expected


@pytest.mark.parametrize("text", ["1.2.3.4/33", "10.0.0", "", "10.0.0.0/x"])
def test_a_constant_range_that_is_none_is_refused_in_a_list(text: str) -> None:
    with pytest.raises(KqlUnsupported, match="no network"):
        run(f"print ipv4_is_in_any_range('10.0.0.1', '10.0.0.0/8', '{text}')")
    with pytest.raises(KqlUnsupported, match="no network"):
        run(f"print ipv6_is_in_any_range('10.0.0.1', dynamic(['{text}']))")


def test_places_of_addresses_need_data() -> None:
    with pytest.raises(KqlUnsupported) as caught:
        run("print geo_info_from_ip_address('1.1.1.1')")
    assert "GeoLite2" in str(caught.value) and "ipv4_lookup" in caught.value.hint and caught.value.column == 7
