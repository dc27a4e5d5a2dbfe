"""Functions of texts, patterns and encodings, by answers computed by hand or shown on Microsoft's pages."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import KqlDataError, KqlSchemaError, KqlUnsupported
from kql.literals import literal
from tests.kql.support import one, run, types


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("strlen('äé')", 2),
        ("string_size('äé')", 4),
        ("strlen('')", 0),
        ("strlen(dynamic('abc'))", 3),
        ("toupper('aäé')", "AÄÉ"),
        ("tolower(12)", "12"),
        ("reverse('abc')", "cba"),
        ("reverse(12345)", "54321"),
        ("reverse(3h)", "00:00:30"),
        ("isascii('abc')", True),
        ("isutf8('ä')", True),
        ("strcat('a', 1, true, 1.5, dynamic([1, 2]), int(null), 1d)", "a1True1.5[1,2]1.00:00:00"),
        ("strcat_delim('-', 'a', dynamic(null), 'b')", "a--b"),
        ("strcat_array(dynamic(['a', true, null, {'x': 1}]), '-')", 'a-true--{"x":1}'),
        ("strcat_array(dynamic('abc'), '-')", "abc"),
        ("strcmp('a', 'b')", -1),
        ("strcmp('b', 'a')", 1),
        ("strcmp('a', 'a')", 0),
        ("strcmp('a', 'B')", 1),
        ("strrep('ABC', 2)", "ABCABC"),
        ("strrep(123, 3, '.')", "123.123.123"),
        ("strrep(3s, 2, ' ')", "00:00:03 00:00:03"),
        ("strlen(strrep('x', 5000))", 1024),
        # substring counts from 0; a negative start from the end.
        ("substring('abcdefg', 1, 3)", "bcd"),
        ("substring('abcdefg', 10, 3)", ""),
        ("substring('abcdefg', 5, 10)", "fg"),
        ("substring('abcdefg', 1, -1)", ""),
        ("substring('abcdefg', -3, 2)", "ef"),
        ("substring('abc', -10)", ""),
        ("substring('héllo', 1, 3)", "éll"),
        ("substring(12345, 1, 2)", "23"),
        ("indexof('abcdefg', 'cde')", 2),
        ("indexof('abcdefg', 'x')", -1),
        ("indexof('abcdefg', 'cde', 1, 4)", 2),
        ("indexof('abcdefg', 'cde', 1, 2)", -1),
        ("indexof('abcdefg', 'cde', 3, 4)", -1),
        ("indexof('abcdefg', 'cde', -5)", 2),
        ("indexof(1234567, 5, 1, 4)", 4),
        ("indexof('abcdefg', 'cde', 2, -1)", 2),
        ("indexof('abcdefgabcdefg', 'cde', 1, -1, 2)", 9),
        ("indexof('abcdefgabcdefg', 'cde', 1, -1, 3)", -1),
        ("indexof('abc', 'c', 0, -2)", None),
        ("indexof('äbc', 'c')", 2),
        ("indexof_regex('abcabc', @'a.c')", 0),
        ("indexof_regex('xabcabc', @'a.c', 2)", 4),
        ("indexof_regex('abc', 'x')", -1),
        ("indexof_regex('abcabc', @'a|ab', -1)", None),
        # Plain texts are counted where they overlap, matches are not.
        ("countof('aaaa', 'aa')", 3),
        ("countof('aaaa', 'aa', 'regex')", 2),
        ("countof('ααα', 'αα')", 2),
        ("countof('aXbXc', 'X')", 2),
        ("countof('abc', '')", 0),
        ("countof('', 'a')", 0),
        (r"countof('The cat sat', @'\b\w', 'regex')", 3),
        ("split('aa_bb', '_')", ["aa", "bb"]),
        ("split('a__b', '_')", ["a", "", "b"]),
        ("split('aabbcc', 'bb')", ["aa", "cc"]),
        ("split('', '_')", [""]),
        ("split('aaa_bbb_ccc', '_', 1)", ["bbb"]),
        ("split('a', '_', 1)", []),
        ("split(dynamic('a,b'), ',')", ["a", "b"]),
        ("tostring(split('a/b/c', '/')[-1])", "c"),
        ("replace_string('a.b.c', '.', '-')", "a-b-c"),
        ("replace_string('abc', '', 'x')", "abc"),
        # Pair by pair, and what one pair put in no later one touches.
        ("replace_strings('a cat and a dog', dynamic(['cat', 'dog']), dynamic(['dog', 'pigeon']))",
         "a dog and a pigeon"),
        ("replace_strings('This is an', dynamic(['This', 'is']), dynamic(['This', 'was']))", "This was an"),
        ("replace_strings('This is an', dynamic(['is', 'This']), dynamic(['was', 'This']))", "Thwas was an"),
        ("replace_strings('This is an', dynamic(['This', 'is']), dynamic([12345, 'was']))", "This was an"),
        ("translate('abc', 'x', 'abc')", "xxx"),
        ("translate('abc', '', 'ab')", ""),
        ("translate('krasp', 'otsku', 'spark')", "kusto"),
        ("has_any_index('this is an example', dynamic(['this', 'example']))", 0),
        ("has_any_index('this is an example', dynamic(['not', 'EXAMPLE']))", 1),
        ("has_any_index('this is an example', dynamic(['not', 'exam']))", -1),
        ("has_any_index('this', dynamic([]))", -1),
        ("has_any_index('Example number 2', dynamic([1, 2, 3]))", 1),
        ("unicode_codepoints_from_string('äb😀')", [228, 98, 128512]),
        ("unicode_codepoints_from_string('')", []),
        ("unicode_codepoints_to_string(228, dynamic([98, 128512]))", "äb😀"),
        (r"regex_quote('(so$me.Te^xt)')", r"\(so\$me\.Te\^xt\)"),
    ],
)  # fmt: skip
def test_texts(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"extract('x([0-9.]+)', 1, 'a x12.5 b')", "12.5"),
        (r"extract('x([0-9.]+)', 0, 'a x12.5 b')", "x12.5"),
        (r"extract('x([0-9.]+)', 1, 'a x12.5 b', typeof(real))", 12.5),
        (r"extract('x(\\d+)', 1, 'none', typeof(long))", None),
        (r"extract('x(\\d+)', 2, 'x1')", ""),
        (r"extract('(?<n>b+)', 1, 'abbc')", "bb"),
        (r"extract('a(b)?', 1, 'ac')", ""),
        (r"extract('[(?=]', 0, 'a=b')", "="),
        (r"extract('(?i)ADMIN', 0, 'the Admin')", "Admin"),
        (r"extract('a.b', 0, 'a\nb')", ""),
        (r"extract_all(@'([a-z])(\d)', 'a1 b2')", [["a", "1"], ["b", "2"]]),
        (r"extract_all(@'([a-z])\d', 'a1 b2')", ["a", "b"]),
        (r"extract_all(@'([a-z])(\d)', dynamic([2]), 'a1 b2')", ["1", "2"]),
        (r"extract_all(@'([a-z])(\d)', dynamic([2, 1]), 'a1 b2')", [["1", "a"], ["2", "b"]]),
        (r"extract_all(@'([a-z])(\d)', dynamic([1, 5]), 'a1 b2')", ["a", "b"]),
        (r"extract_all(@'([a-z])(?P<d>\d)', dynamic(['d']), 'a1 b2')", ["1", "2"]),
        (r"extract_all(@'([a-z])(\d)', dynamic([5]), 'a1')", [["a", "1"]]),
        (r"extract_all('(q)', 'abc')", None),
        # One match goes at each end, and the whole pattern is anchored.
        ("trim('a', 'aaaa')", "aa"),
        ("trim('a+', 'aaba')", "b"),
        ("trim_start('a|x', 'bxa')", "bxa"),
        ("trim_start('[ ]+', '  a ')", "a "),
        ("trim_end('[ ]+', '  a ')", "  a"),
        (r"trim(@'\s+', '\t a\n')", "a"),
        (r"replace_regex('abc', '(b)', @'[\1\0]')", "a[bb]c"),
        (r"replace_regex('aaa', 'a', '')", ""),
        (r"replace('(b)', @'[\1]', 'abc')", "a[b]c"),
        (r"replace_regex('a/b', '/', '$1')", "a$1b"),
        ('extract_json("$.a[\'b c\'][1]", \'{"a": {"b c": [1, 2]}}\', typeof(long))', 2),
        ("extract_json('$.a', '{\"a\": {\"b\": 1}}')", '{"b":1}'),
        ("extract_json('$.a', 'no json')", ""),
        ("extract_json('$.x', '{}', typeof(int))", None),
    ],
)
def test_patterns(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("hash_md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
        ("hash_md5('')", ""),
        ("hash_sha1(1)", "356a192b7913b04c54574d18c28d46e6395428ab"),
        ("hash_sha256(true)", "3cbc87c7681f34db4617feaa2c8801931bc5e42d8d0f560e756dd4cd92885f18"),
        ("base64_encode_tostring('ä')", "w6Q="),
        ("base64_decode_tostring('w6Q=')", "ä"),
        ("base64_decode_tostring('x')", ""),
        ("base64_decode_tostring('/w==')", ""),
        ("base64_decode_tostring('')", ""),
        ("base64_decode_toarray('aGk=')", [104, 105]),
        ("base64_decode_toarray('x')", None),
        ("base64_encode_fromarray(dynamic([104, 105]))", "aGk="),
        ("base64_encode_fromguid(toguid('ae3133f2-6e22-49ae-b06a-16e6a9b212eb'))", "8jMxriJurkmwahbmqbIS6w=="),
        ("tostring(base64_decode_toguid('8jMxriJurkmwahbmqbIS6w=='))", "ae3133f2-6e22-49ae-b06a-16e6a9b212eb"),
        ("base64_decode_toguid('aGk=')", None),
        ("url_encode('https://www.bing.com/hello wörld')", "https%3a%2f%2fwww.bing.com%2fhello+w%c3%b6rld"),
        ("url_encode_component('a b/c')", "a%20b%2fc"),
        ("url_decode('https%3a%2f%2fwww.bing.com%2fw%C3%B6')", "https://www.bing.com/wö"),
        ("tohex(256)", "100"),
        ("tohex(-256)", "ffffffffffffff00"),
        ("tohex(256, 8)", "00000100"),
        ("tohex(256, 2)", "100"),
        ("tohex(-1, 4)", "ffffffffffffffff"),
    ],
)
def test_encodings(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_over_rows() -> None:
    rows = "datatable(s: string, n: long, d: dynamic)['abcabc', 1, dynamic('x y'), '', long(null), dynamic(null)]"
    query = (
        "| project a = substring(s, n), b = substring(s, -2), c = indexof(s, 'c', n),"
        " e = countof(s, substring(s, 0, 1)), f = strcat(s, n, d), g = split(d, ' '),"
        " h = toupper(d), i = extract('(b)', 1, s), j = strrep(s, n),"
        " k = hash_md5(s) == '', l = indexof_regex(s, 'c.*', n), m = strlen(d)"
    )
    assert run(rows + query) == [
        ("bcabc", "bc", 2, 2, "abcabc1x y", ["x", "y"], "X Y", "b", "abcabc", False, 2, 3),
        ("", "", None, 0, "", [""], "", "", "", True, None, 0),
    ]
    assert types(rows + query)[:7] == ["string", "string", "long", "long", "string", "dynamic", "string"]


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.text("ab%_\\.'", max_size=3))
def test_texts_survive_as_they_are(text: str, needle: str) -> None:
    """Nothing in a text means anything to the SQL that carries it."""
    value, wanted = literal(text, "string"), literal(needle, "string")
    tests = "replace_string(s, n, n), indexof(s, n), s startswith_cs n, s contains_cs n"
    answer = one(f"let s = {value}; let n = {wanted}; print {tests}")
    assert answer == (text, text.find(needle), text.startswith(needle), needle in text)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("extract('(?=a)', 0, 'a')", "lookaround"),
        (r"extract('(a)\\1', 0, 'aa')", "reference back"),
        ("extract(strcat(s, 'x'), 0, 'a')", "no constant"),
        ("extract_all('a', 'a')", "0 groups"),
        ("replace_regex(s, '(a)', @'\\2')", "no group"),
        ("trim('', s)", "of nothing"),
        ("split(s, '')", "by nothing"),
        ("indexof(s, 'aa', 0, -1, 2)", "occurrence"),
        ("hash(s)", "hash_sha256"),
        ("extract_json('$..a', s)", "path"),
        ("replace_strings(s, dynamic(['a', 'b']), dynamic(['a']))", "array"),
        ("format_bytes(10332, 1)", "digits after the point"),
        ("gzip_decompress_from_base64_string(s)", "outside the query"),
    ],
)
def test_what_is_refused(expression: str, words: str) -> None:
    with pytest.raises(KqlUnsupported, match=words) as caught:
        run(f"datatable(s: string)['a'] | extend x = {expression}")
    assert caught.value.line == 1 and caught.value.column and caught.value.hint


@pytest.mark.parametrize(
    "expression", ["strlen(5)", "replace_string(5, 'a', 'b')", "hash_md5(dynamic(1))", "trim('a', 1)"]
)
def test_types_that_do_not_fit(expression: str) -> None:
    with pytest.raises(KqlSchemaError, match="Argument .* is a"):
        run(f"print {expression}")


def test_what_is_not_published_stops_the_query() -> None:
    with pytest.raises(KqlDataError):
        run("datatable(s: string)['a!b'] | project url_encode(s)")
