"""Typed values: one spelling each, nothing that could become query text."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunting.values import KINDS, Kind, ParameterError, parse, parse_type, span_of, typed
from kql.literals import prelude


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "  a  b ", "a  b"),
        ("device_name", "WS-07.Contoso.com", "ws-07.contoso.com"),
        ("device_id", "AB" * 20, "ab" * 20),
        ("upn", "Seán.O'Brien@Contoso.com", "seán.o'brien@contoso.com"),
        ("sid", "s-1-5-21-1-2-3-500", "S-1-5-21-1-2-3-500"),
        ("sha256", "AB" * 32, "ab" * 32),
        ("ip", "203.0.113[.]7", "203.0.113.7"),
        ("ip", "2001:DB8:0:0::7", "2001:db8::7"),
        ("url", "hxxps://evil[.]example/a?b=1", "https://evil.example/a?b=1"),
        ("domain", "Evil[.]Example.", "evil.example"),
        ("domain", "bücher.example", "xn--bcher-kva.example"),
        ("int", "+0042", "42"),
        ("bool", "Yes", "true"),
        ("datetime", "2026-11-20T18:00:00+01:00", "2026-11-20T17:00:00.0000000Z"),
        ("timespan", "48 h", "48h"),
        ("timespan", "1.12:00:00", "1.12:00:00"),
    ],
)
def test_one_spelling(kind: str, text: str, value: str) -> None:
    assert parse(Kind(kind), text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("string", "a\x00b"), ("string", "x" * 5000), ("device_name", "ws 07"), ("device_name", 'ws"; drop'),
        ("device_id", "ab"), ("upn", "no-at-sign"), ("upn", 'a"b@c.d'), ("sid", "S-2-5"), ("sha1", "g" * 40),
        ("md5", "ab" * 20), ("ip", "300.1.1.1"), ("ip", "1.2.3.4/8"), ("url", "javascript:alert(1)"),
        ("url", "http://a b"), ("domain", "-bad-.example"), ("int", "1.5"), ("int", str(2**63)), ("bool", "maybe"),
        ("datetime", "2026-11-20T18:00:00"), ("datetime", "yesterday"), ("timespan", "0h"), ("timespan", "-1h"),
        ("timespan", "4000d"), ("timespan", "48h; drop"), ("timespan", "99999999d"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_what_is_expected(kind: str, text: str) -> None:
    with pytest.raises(ParameterError) as error:
        parse(Kind(kind), text)
    assert str(error.value)


def test_lists_come_as_lines_or_lists_and_each_value_once() -> None:
    hashes = Kind("sha1", many=True)
    assert parse(hashes, f"{'A' * 40},\n{'a' * 40} {'b' * 40}\n") == ["a" * 40, "b" * 40]
    assert parse(hashes, ["A" * 40]) == ["a" * 40]
    assert parse(hashes, None) == parse(hashes, "") == []
    assert parse(Kind("string", many=True), "one, with comma\ntwo") == ["one, with comma", "two"]
    for wrong in (["a" * 40, "nope"], [{"a": 1}], 5, ["x"] * 2):
        with pytest.raises(ParameterError):
            parse(hashes, wrong)
    with pytest.raises(ParameterError, match="At most 1000"):
        parse(Kind("int", many=True), [str(n) for n in range(1001)])


def test_types_are_named_in_the_library() -> None:
    assert parse_type("list[sha256]") == Kind("sha256", many=True)
    for wrong in ("list[nope]", "nope", "list[list[int]]", "", "list[datetime]"):
        with pytest.raises(ParameterError):
            parse_type(wrong)


def test_spans() -> None:
    assert span_of("90m") == timedelta(minutes=90)
    assert span_of("1.02:03:04") == timedelta(days=1, hours=2, minutes=3, seconds=4)


def test_values_are_bound_as_literals() -> None:
    bound = prelude({
        "Text": typed(Kind("string"), 'a"\\b'),
        "Empty": typed(Kind("string"), ""),
        "Many": typed(Kind("sha1", many=True), ["a" * 40]),
        "None": typed(Kind("sha1", many=True), []),
        "Span": typed(Kind("timespan"), "48h"),
        "At": typed(Kind("datetime"), parse(Kind("datetime"), datetime(2026, 11, 20, tzinfo=UTC))),
        "No": typed(Kind("datetime"), ""),
        "Yes": typed(Kind("bool"), "true"),
    })  # fmt: skip
    assert bound.splitlines() == [
        r'let Text = "a\"\\b";',
        'let Empty = "";',
        f'let Many = dynamic(["{"a" * 40}"]);',
        "let None = dynamic([]);",
        "let Span = timespan(2.00:00:00);",
        "let At = datetime(2026-11-20T00:00:00.0000000Z);",
        "let No = datetime(null);",
        "let Yes = true;",
    ]


@given(name=st.sampled_from(sorted(KINDS)), many=st.booleans(), text=st.text(max_size=200))
@settings(max_examples=400, deadline=None)
def test_any_text_is_refused_or_becomes_exactly_one_let(name: str, many: bool, text: str) -> None:
    try:
        kind = parse_type(f"list[{name}]" if many else name)
        value = parse(kind, text)
    except ParameterError:
        return
    assert parse(kind, value) == value
    if value == "now":
        return
    line = prelude({"Value": typed(kind, value)})
    assert line.startswith("let Value = ") and line.endswith(";\n") and line.count("\n") == 1
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
    assert outside.count(";") == 1 and "|" not in outside and "//" not in outside
