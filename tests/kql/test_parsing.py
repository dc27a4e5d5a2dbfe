"""URLs, paths, versions, CSV, command lines and XML: Microsoft's own examples, and what was measured beside them."""

from __future__ import annotations

from typing import Any

import pytest

from kql import KqlDataError, KqlUnsupported
from tests.kql.support import one, run


def url(**parts: Any) -> dict[str, Any]:
    names = ("Scheme", "Host", "Port", "Path", "Username", "Password", "Query Parameters", "Fragment")
    return {name: parts.get(name.split()[0].lower(), {} if name.startswith("Query") else "") for name in names}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment",
            url(
                scheme="scheme",
                host="host",
                port="1234",
                path="/this/is/a/path",
                username="username",
                password="password",
                query={"k1": "v1", "k2": "v2"},
                fragment="fragment",
            ),
        ),
        (
            "https://user@h.io/p?y=2&x=1&x=3&k=&=v&flag",
            url(scheme="https", host="user@h.io", path="/p", query={"x": ["1", "3"], "y": "2"}),
        ),
        ("https://h.io/", url(scheme="https", host="h.io")),
        ("https://h.io/#", url(scheme="https", host="h.io", path="/")),
        ("https://[::1]:80/a%20b", url(scheme="https", host="[::1]", port="80", path="/a%20b")),
        ("HTTPS://Ä.de/?q=a=b", url(scheme="HTTPS", host="Ä.de", path="/", query={"q": "a=b"})),
        ("bing.com/x", url()),
        ("", url()),
    ],
)
def test_urls(text: str, expected: dict[str, Any]) -> None:
    assert one(f"print parse_url('{text}')") == (expected,)
    (found,) = run(f"datatable(u: string)['{text}'] | extend p = parse_url(u) | project p, parse_url(u).Host, p.Port")
    assert found == (expected, expected["Host"], expected["Port"])


def test_the_query_of_a_url() -> None:
    assert one("print parse_urlquery('k1=v1&k2=v2&k3=v3')") == (
        {"Query Parameters": {"k1": "v1", "k2": "v2", "k3": "v3"}},
    )
    assert one("print parse_urlquery('')") == ({"Query Parameters": {}},)
    assert list(one("print parse_urlquery('b=1&a=2')")[0]["Query Parameters"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (r"C:\temp\file.txt", ("", "C:", r"C:\temp", "temp", "file.txt", "txt", "")),
        (r"temp\file.txt", ("", "", "temp", "temp", "file.txt", "txt", "")),
        ("file://C:/temp/file.txt:some.exe", ("file", "C:", "C:/temp", "temp", "file.txt", "txt", "some.exe")),
        (r"\\shared\users\temp\file.txt.gz", ("", "", r"\\shared\users\temp", "temp", "file.txt.gz", "gz", "")),
        ("/usr/lib/temp/file.txt", ("", "", "/usr/lib/temp", "temp", "file.txt", "txt", "")),
        (r"C:\a.b\c", ("", "C:", r"C:\a.b", "a.b", "c", "", "")),
        ("file", ("", "", "", "", "file", "", "")),
        ("", ("",) * 7),
    ],
)
def test_paths(path: str, expected: tuple[str, ...]) -> None:
    names = ["Scheme", "RootPath", "DirectoryPath", "DirectoryName", "Filename", "Extension", "AlternateDataStreamName"]
    found = run(f"datatable(p: string)[@'{path}'] | project parse_path(p)")
    assert found == [(dict(zip(names, expected, strict=True)),)]


def test_a_path_that_the_page_says_nothing_of() -> None:
    with pytest.raises(KqlDataError, match="parse_path"):
        run(r"datatable(p: string)[@'\\?\C:\x'] | project parse_path(p)")


def test_versions() -> None:
    texts = ["0.0.0.5", "0.0.7.0", "0.2", "0.1.2.0", "1.2.3.4", "1", "99999999.99999999.99999999.99999999"]
    wrong = ["", "1.x", "1.2.3.4.5", "123456789", "1..2", " 1"]
    found = run(f"datatable(v: string)[{', '.join(map(repr, texts + wrong))}] | project parse_version(v)")
    assert [None if row[0] is None else int(row[0]) for row in found] == [
        5,
        700_000_000,
        20_000_000_000_000_000,
        10_000_000_200_000_000,
        1_000_000_020_000_000_300_000_004,
        10**24,
        10**32 - 1,
        *[None] * len(wrong),
    ]
    assert one("print parse_version('1.10') > parse_version('1.9.9'), tostring(parse_version('0.0.7'))") == (
        True,
        "700000000",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            r"aa,\"b,b,b\",cc,\"Escaping quotes: \"\"Title\"\"\",\"line1\nline2\"",
            ["aa", "b,b,b", "cc", 'Escaping quotes: "Title"', "line1\nline2"],
        ),
        (r"record1,a,b,c\nrecord2,x,y,z", ["record1", "a", "b", "c"]),
        (r"a,,b,\r\n", ["a", "", "b", ""]),
        (",a", ["", "a"]),
        ("", [""]),
        ("ä", ["ä"]),
    ],
)
def test_csv(text: str, expected: list[str]) -> None:
    assert run(f'datatable(c: string)["{text}"] | extend p = parse_csv(c) | project p, array_length(p)') == [
        (expected, len(expected))
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('echo "hello world!"', ["echo", "hello world!"]),
        # The rules of CommandLineToArgvW: backslashes count only before a mark; the program knows no escapes.
        (r'"C:\Program Files\x.exe" /c dir', [r"C:\Program Files\x.exe", "/c", "dir"]),
        (r'x.exe "a\\b c\\" d', ["x.exe", r"a\\b c" + "\\", "d"]),
        (r'x \"a b\" "c \"d\" e"', ["x", '"a', 'b"', 'c "d" e']),
        (r"x a\\b \\s\d", ["x", r"a\\b", r"\\s\d"]),
        ('x "" b', ["x", "", "b"]),
        # The third of three marks is one of the text, and ends the quotation.
        ('x "a""b c', ["x", 'a"b', "c"]),
        ('x a"b c"d', ["x", "ab cd"]),
        ("x   a\tb  ", ["x", "a", "b"]),
        (" x", ["", "x"]),
        ('x "open ', ["x", "open "]),
        ("", []),
    ],
)
def test_command_lines(line: str, expected: list[str]) -> None:
    escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    query = f'datatable(c: string)["{escaped}"] | extend p = parse_command_line(c, "windows")'
    assert run(f"{query} | project p, tostring(parse_command_line(c, 'Windows')[0])") == [
        (expected, expected[0] if expected else "")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Microsoft's table.
        ("<e/>", {"e": None}),
        ("<e>text</e>", {"e": "text"}),
        ('<e name="value" />', {"e": {"@name": "value"}}),
        ('<e name="value">text</e>', {"e": {"@name": "value", "#text": "text"}}),
        ("<e> <a>text</a> <b>text</b> </e>", {"e": {"a": "text", "b": "text"}}),
        ("<e> <a>text</a> <a>text</a> </e>", {"e": {"a": ["text", "text"]}}),
        ("<e> text <a>text</a> </e>", {"e": {"#text": "text", "a": "text"}}),
        # Everything else is skipped; entities and CDATA are what they stand for.
        ('<?xml version="1.0"?><!DOCTYPE d><d><!-- <x> --><v>118.0</v></d>', {"d": {"v": "118.0"}}),
        ("<d>&lt;&#65;&#x42;&amp;lt;</d>", {"d": "<AB&lt;"}),
        ("<d><a/><![CDATA[<x>&]]></d>", {"d": {"a": None, "#text": "<x>&"}}),
        (
            '<E xmlns="s"><D N="A">1</D><D N="B">2</D><D N="C"/></E>',
            {"E": {"@xmlns": "s", "D": [{"@N": "A", "#text": "1"}, {"@N": "B", "#text": "2"}, {"@N": "C"}]}},
        ),
        ("<r><a>1</a><b/><a><c><d>x</d></c></a></r>", {"r": {"a": ["1", {"c": {"d": "x"}}], "b": None}}),
        ('<a b="x>y" c="é">q>z</a>', {"a": {"@b": "x>y", "@c": "é", "#text": "q>z"}}),
        # What is no XML.
        ("", None),
        ("text", None),
        ("<a><b></a></b>", None),
        ("<a>", None),
        ("</a>", None),
        ("<a/><b/>", None),
        ("<a/>x", None),
        ("<a>&bad;</a>", None),
        ("<a>x<", None),
        ('<a x="1" x="2"/>', None),
        ("<a x=1/>", None),
        ("<1/>", None),
    ],
)
def test_xml(text: str, expected: Any) -> None:
    escaped = text.replace('"', '\\"')
    assert run(f'datatable(x: string)["{escaped}"] | project parse_xml(x)') == [(expected,)]


@pytest.mark.parametrize("call", ["parse_user_agent('x', 'browser')", "parse_command_line('x', 'unix')"])
def test_what_is_refused(call: str) -> None:
    with pytest.raises(KqlUnsupported) as caught:
        run(f"print {call}")
    assert caught.value.hint and caught.value.column == 7
