"""Scalar functions and operators on strings, dynamics, times and nulls, by answers computed by hand."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import KqlDataError, KqlSchemaError, KqlUnsupported, Table
from tests.kql.support import NOW, at, one, run, types

Tables = tuple[Table, ...]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # Terms are runs of letters and digits; case is ignored unless _cs.
        ("'Power Shell.exe' has 'shell'", True),
        ("'PowerShell.exe' has 'shell'", False),
        ("'PowerShell.exe' contains 'shell'", True),
        ("'PowerShell.exe' contains_cs 'shell'", False),
        ("'a b' has_cs 'A'", False),
        ("'cmd /c whoami' has_any ('whoami', 'net')", True),
        ("'cmd /c whoami' has_all ('whoami', 'net')", False),
        ("'cmd' has_any (dynamic(['x', 'CMD']))", True),
        ("'Cmd.EXE' =~ 'cmd.exe'", True),
        ("'Cmd.EXE' == 'cmd.exe'", False),
        ("'Cmd.EXE' in ('cmd.exe')", False),
        ("'Cmd.EXE' in~ ('x', 'cmd.exe')", True),
        ("'b' !in ('a')", True),
        ("'C:\\\\Windows' startswith 'c:\\\\win'", True),
        ("'x.dll' endswith '.DLL'", True),
        ("'abc123' matches regex @'^[a-z]+\\d{3}$'", True),
        ("'' has 'x'", False),
        ("isempty('')", True),
        ("isnotempty(' ')", True),
        ("isnull(int(null))", True),
        ("'a' == ''", False),
        # Strings.
        ("strcat('a', 1, true, datetime(2024-01-01))", "a1True2024-01-01T00:00:00.0000000Z"),
        ("extract(@'(\\w+)\\.exe', 1, 'run cmd.exe now')", "cmd"),
        ("extract(@'x(y)', 1, 'none')", ""),
        ("split('a,b,c', ',')", ["a", "b", "c"]),
        ("split('a,b,c', ',', 1)", ["b"]),
        ("split('a,b,c', ',', 9)", []),
        ("split('', ',', 0)", [""]),
        ("tostring(split('a/b', '/')[1])", "b"),
        ("substring('abcdef', 2, 3)", "cde"),
        ("tolower('ÄB')", "äb"),
        ("replace_string('a.b', '.', '')", "ab"),
        ("url_decode('a%20b%2Fc')", "a b/c"),
        ("base64_decode_tostring('aGk=')", "hi"),
        ("countof('aXbXc', 'X')", 2),
        # Conditions.
        ("iff(1 == 1, 'y', 'n')", "y"),
        ("iff(bool(null), 'y', 'n')", "n"),
        ("case(1 > 2, 'a', 2 > 1, 'b', 'c')", "b"),
        ("coalesce(int(null), 7)", 7),
        ("coalesce('', 'x')", "x"),
        # Time.
        ("datetime_diff('minute', datetime(2024-01-01 00:10), datetime(2024-01-01))", 10),
        ("datetime(2024-01-01) + 1d", at(2)),
        ("bin(datetime(2024-01-01 12:34), 1h)", at(1, 12)),
        ("2h + 30m", timedelta(hours=2, minutes=30)),
        ("todatetime('2024-01-01T02:00:00+02:00')", at(1)),
        ("format_datetime(datetime(2024-01-02 03:04:05), 'yyyy-MM-dd HH:mm')", "2024-01-02 03:04"),
        ("ago(1d)", NOW - timedelta(days=1)),
        ("now()", NOW),
        # Dynamic.
        ("tostring(dynamic({'a': {'b': 'c'}}).a.b)", "c"),
        ("tostring(parse_json('{\"a\": 1}').a)", "1"),
        ("parse_json(parse_json('{\"a\": 1}')).a", 1),
        ("parse_json('no json {')", "no json {"),
        ("parse_json('')", None),
        ("tostring(parse_json('no json').x)", ""),
        ("parse_json('[1, 2]')[1]", 2),
        ("parse_json(5)", 5),
        ("array_length(dynamic([1, 2, 3]))", 3),
        ("dynamic([1, 2])[1]", 2),
        ("bag_keys(dynamic({'a': 1, 'b': 2}))", ["a", "b"]),
        ("bag_keys(dynamic([1]))", None),
        ("isnull(dynamic({'a': 1}).b)", True),
        ("tohex(255)", "ff"),
        ("isascii('é')", False),
        # Escapes of every kind.
        (r"'\u00e9\x41\101\t\\'", "éAA\t\\"),
        (r"@'C:\temp''s'", r"C:\temp's"),
    ],
)
def test_scalar_expressions(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


ADDRESSES = st.ip_addresses(v=4).map(str)


@settings(max_examples=8, deadline=None)
@given(st.lists(ADDRESSES, min_size=1, max_size=20))
def test_private_addresses(addresses: list[str]) -> None:
    networks = [IPv4Network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
    expected = tuple(any(IPv4Address(a) in n for n in networks) for a in addresses)
    assert one(f"print {', '.join(f'a{i} = ipv4_is_private({a!r})' for i, a in enumerate(addresses))}") == expected


def test_addresses_that_are_none() -> None:
    assert (
        one("print a = ipv4_is_private('x'), b = ipv4_is_private('999.1.1.1'), c = ipv4_is_private('')") == (None,) * 3
    )
    assert one("print ipv4_is_private('192.168.1.1/24'), ipv4_is_private('10.0.0.1/24')") == (True, True)


def test_ranges_of_addresses() -> None:
    query = "print a = ipv4_is_in_range('192.168.1.6', '192.168.1.0/24'), b = ipv4_is_in_range('10.1.1.1', '10.1.1.2')"
    assert one(query) == (True, False)
    assert one("print ipv4_is_in_any_range('8.8.8.8', dynamic(['10.0.0.0/8', '8.8.0.0/16']))") == (True,)
    assert one("print r = '10.0.0.0/8' | extend x = ipv4_is_in_range('10.1.1.1', r)")[1] is True


def test_dynamic_columns_in_string_operators(tables: Tables) -> None:
    assert run("Events | where AdditionalFields has 'hello' | project Id", *tables) == [(1,)]
    assert run("Events | where AdditionalFields contains 'descr' | project Id | sort by Id asc", *tables) == [
        (1,),
        (4,),
    ]
    assert run("Events | where AdditionalFields == 'just text' | project Id", *tables) == [(3,)]
    assert run("Events | where isempty(AdditionalFields) | project Id", *tables) == [(2,)]


def test_properties_of_a_dynamic_column(tables: Tables) -> None:
    query = (
        "Events | sort by Id asc | project a = tostring(parse_json(AdditionalFields).Description),"
        " b = tostring(AdditionalFields.Description), c = tolong(AdditionalFields.n), d = AdditionalFields['tags'][0],"
        " e = tostring(parse_json(tostring(AdditionalFields)).Description)"
    )
    assert run(query, *tables) == [
        ("Hello World", "Hello World", 3, "x", "Hello World"),
        ("", "", None, None, ""),
        ("", "", None, None, ""),
        ("zzz", "zzz", 7, None, "zzz"),
    ]


def test_comparisons_with_null(tables: Tables) -> None:
    assert run("Events | where Ok != true | project Id | sort by Id asc", *tables) == [(2,), (3,)]
    assert run("Events | where Name != 'alpha' | count", *tables) == [(3,)]
    assert run("Events | where Name == '' | project Id", *tables) == [(2,)]
    assert run("Events | where Timestamp < datetime(2030-01-01) | count", *tables) == [(3,)]


def test_lets_in_filters(tables: Tables) -> None:
    query = (
        "let Names = dynamic(['alpha', 'powershell.exe']); let Window = 8d; let From = datetime(2024-01-01);"
        "Events | where Name in (Names) and Timestamp > ago(Window) and Timestamp between (From .. 5d) | project Id"
    )
    assert run(query, *tables) == [(4,)]


def test_the_types_of_results(tables: Tables) -> None:
    query = "Events | extend i = int(1), r = 1.5, g = toguid(''), n = strlen(Name)"
    expected = ["datetime", "long", "string", "dynamic", "bool", "timespan", "int", "real", "guid", "long"]
    assert types(query, *tables) == expected


def test_a_string_operator_on_a_number_is_refused_with_a_way_round(tables: Tables) -> None:
    with pytest.raises(KqlSchemaError, match="has does not take a long") as caught:
        run("Events | where Id has '1'", *tables)
    assert "tostring" in caught.value.hint


def test_a_value_that_cannot_be_computed_with_is_told_apart() -> None:
    with pytest.raises(KqlDataError):
        run("datatable(x:long)[9223372036854775807] | project y = x * 2")


@pytest.mark.parametrize(
    ("expression", "column"),
    [("split('a', ',', -1)", 33), ("next(Id, -1)", 33), ("next(Id, Id)", 42), ("ipv4_is_private()", 33)],
)
def test_arguments_that_are_not_supported(tables: Tables, expression: str, column: int) -> None:
    with pytest.raises((KqlUnsupported, KqlSchemaError)) as caught:
        run(f"Events | serialize | extend x = {expression}", *tables)
    assert caught.value.column == column
