"""``parse``, ``parse-where`` and ``parse-kv``, by answers computed by hand from Microsoft's pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import at, names, one, run, types


def parsed(text: str, pattern: str, operator: str = "parse") -> list[tuple[Any, ...]]:
    """What a pattern finds in a text."""
    quoted = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return [row[1:] for row in run(f"print s = '{quoted}' | {operator} {pattern}")]


def test_texts_between_texts() -> None:
    text = "Event: Notify (resourceName=Pipe, totalSlices=27, releaseTime=02/17/2016 08:40:01)"
    pattern = 's with * "resourceName=" name ", totalSlices=" slices:long ", releaseTime=" at:datetime ")" *'
    assert parsed(text, pattern) == [("Pipe", 27, at(17, 8, 40, 1).replace(year=2016, month=2))]


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        # The whole text is used: a column before the last text takes as much as it must.
        ("aXcYc", 's with "a" v "c"', "XcY"),
        ("abcbd", 's with "a" v "b"', ""),
        ("aXc\n", 's with "a" v "c"', ""),
        ("a=b=c", 's with v "=" *', "a"),
        ("x.y", 's with "x." v', "y"),
        ("xzy", 's with "x." v', ""),
        ("A=1", 's with "a=" v', ""),
        ("käse=öl", 's with "käse=" v', "öl"),
        ("", 's with "a" v', ""),
    ],
)
def test_one_text(text: str, pattern: str, expected: str) -> None:
    assert parsed(text, pattern) == [(expected,)]


def test_all_or_nothing() -> None:
    pattern = 's with "a=" a:long ",b=" b ",c=" c:long'
    assert parsed("a=1,b=2,c=3", pattern) == [(1, "2", 3)]
    assert parsed("a=1,b=2,c=zz", pattern) == [(None, "", None)]
    assert parsed("a=,b=2,c=3", pattern) == [(None, "", None)]
    relaxed = f"kind=relaxed {pattern}"
    assert parsed("a=1,b=2,c=zz", relaxed) == [(1, "2", None)]
    assert parsed("nothing", relaxed) == [(None, "", None)]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("long", "  12abc", 12),
        ("long", "-7;", -7),
        ("real", "1e3", 1.0),
        ("real", ".5x", 0.5),
        ("bool", "TRUEx", True),
        ("bool", "2x", True),
    ],
)
def test_a_type_before_a_star_takes_what_fits(kind: str, text: str, expected: object) -> None:
    assert parsed(f"v={text}", f's with "v=" v:{kind} *') == [(expected,)]


def test_a_type_at_the_end_takes_everything() -> None:
    assert parsed("q=12x", 's with "q=" b:bool') == [(None,)]
    assert parsed("q=1.5", 's with "q=" b:long') == [(None,)]
    assert parsed("t=1.02:03:04", 's with "t=" t:timespan') == [(timedelta(days=1, hours=2, minutes=3, seconds=4),)]
    assert parsed('j={"a": [1]}', 's with "j=" j:dynamic') == [({"a": [1]},)]


def test_patterns() -> None:
    assert parsed("aXcYc", 'kind=regex s with "a" v "c"') == [("XcY",)]
    assert parsed("y=1,x=2,x=9,", 'kind=regex s with * "x=" v ","') == [("2,x=9",)]
    assert parsed("y=1,x=2,x=9,", 'kind=regex flags=U s with * "x=" v ","') == [("9",)]
    assert parsed("A=5", 'kind=regex flags=i s with "a=" v') == [("5",)]
    assert parsed("id: 27 end", 'kind=regex s with "(id|key)[:=]" n:long " "') == [(27,)]
    assert parsed("f(1)", 'kind=regex s with @"f\\(" v @"[)]"') == [("1",)]


def test_rows_that_do_not_match() -> None:
    rows = "datatable(s:string)['n=5', 'q', 'n=x']"
    assert run(f'{rows} | parse-where s with "n=" n:long') == [("n=5", 5)]
    assert run(f'{rows} | parse-where s with "n=" n') == [("n=5", "5"), ("n=x", "x")]
    assert run(f'{rows} | parse s with "n=" n:long') == [("n=5", 5), ("q", None), ("n=x", None)]


def test_columns_take_the_place_of_their_namesakes() -> None:
    text = 'print a = 1, s = "k=2" | parse s with "k=" a:long'
    assert names(text) == ["a", "s"]
    assert one(text) == (2, "k=2")
    assert types('print n = 15 | parse n with "1" d:int') == ["long", "int"]
    assert one('print n = 15 | parse n with "1" d:int') == (15, 5)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ('s with "" v', "is empty"),
        ('s with "a" v * "b" w', "after a string column"),
        ('s with "a" v "b" v', "names a column twice"),
        ('flags=i s with "a" v', "belong to kind=regex"),
        ('kind=regex flags=x s with "a" v', "flag x"),
        ('kind=regex s with "a(?=b)" v', "lookaround"),
        ('kind=regex s with "a" t:datetime', "is not known"),
        ('s with "a" t:datetime *', "is not known"),
    ],
)
def test_what_is_refused(pattern: str, message: str) -> None:
    with pytest.raises((KqlSchemaError, KqlUnsupported), match=message):
        run(f"print s = 'x' | parse {pattern}")


def test_relaxed_is_none_of_parse_where() -> None:
    with pytest.raises(KqlSchemaError, match="no kind relaxed"):
        run("print s = 'x' | parse-where kind=relaxed s with 'a' v")


# --- parse-kv


def pairs(text: str, columns: str, properties: str) -> tuple[Any, ...]:
    """What parse-kv finds in a text."""
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return one(f"print s = '{quoted}' | parse-kv s as ({columns}) with ({properties}) | project-away s")


def test_pairs_between_delimiters() -> None:
    text = "ThreadId:458745723, Machine:Node001, Text: The service is up, Level: Info"
    columns = "Text: string, ThreadId: long, Machine: string, Absent: string, No: long"
    expected = ("The service is up", 458745723, "Node001", "", None)
    assert pairs(text, columns, "pair_delimiter=',', kv_delimiter=':'") == expected


def test_quotes_and_escapes() -> None:
    text = 'src=10.1.1.123 n=125 why="connection aborted" "event time"=2021-01-01T10:00:54'
    columns = "['event time']: datetime, src: string, n: long, why: string"
    moment = at(1, 10, 0, 54).replace(year=2021)
    expected = (moment, "10.1.1.123", 125, "connection aborted")
    assert pairs(text, columns, "pair_delimiter=' ', kv_delimiter='=', quote='\"'") == expected
    brackets = text.replace('"connection aborted"', "(connection aborted)").replace('"event time"', "(event time)")
    assert pairs(brackets, columns, "pair_delimiter=' ', kv_delimiter='=', quote='()'") == expected
    escaped = r'why="said \"bye!\"" x=1'
    properties = r"pair_delimiter=' ', kv_delimiter='=', quote='\"', escape='\\'"
    assert pairs(escaped, "why: string, x: long", properties) == ('said "bye!"', 1)


def test_a_quoted_text_hides_pairs() -> None:
    assert pairs('m="x a=5" a=1', "a: long", "pair_delimiter=' ', kv_delimiter='=', quote='\"'") == (1,)


def test_the_first_of_a_key_counts() -> None:
    assert pairs("a=1;b=a=2;a=3", "a: long, b: string", "pair_delimiter=';', kv_delimiter='='") == (1, "a=2")


def test_long_delimiters() -> None:
    found = pairs("a := 1;; b := 2;3;; c", "a: long, b: string, c: string", "pair_delimiter=';;', kv_delimiter=':='")
    assert found == (1, "2;3", "")


def test_pairs_by_a_pattern() -> None:
    text = '["referer url: https://host/redirect", "id: 24"]'
    columns = "['referer url']: string, id: long"
    assert pairs(text, columns, """regex=@'"([\\w ]+)\\s*:\\s*([^"]*)"'""") == ("https://host/redirect", 24)


def test_forms_of_parse_kv_that_are_refused() -> None:
    with pytest.raises(KqlUnsupported, match="greedy"):
        pairs("a=1", "a: long", "pair_delimiter=' ', kv_delimiter='=', greedy=true")
    with pytest.raises(KqlUnsupported, match="without delimiters"):
        run("print s = 'a=1' | parse-kv s as (a: long)")
