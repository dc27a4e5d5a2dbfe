"""What a value becomes under another type, and choosing between values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kql import KqlSchemaError, KqlUnsupported
from tests.kql.support import at, names, one, run, types


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("tostring(1.0)", "1.0"),
        ("tostring(0.1)", "0.1"),
        ("tostring(real(nan))", "NaN"),
        ("tostring(true)", "True"),
        ("tostring(bool(null))", ""),
        ("tostring(datetime(2020-01-02 03:04:05.6))", "2020-01-02T03:04:05.6000000Z"),
        ("tostring(1d)", "1.00:00:00"),
        ("tostring(-36h)", "-1.12:00:00"),
        ("tostring(1.5s)", "00:00:01.5000000"),
        ("tostring(guid(ABCDEF00-0000-0000-0000-000000000001))", "abcdef00-0000-0000-0000-000000000001"),
        ("tostring(dynamic('x'))", "x"),
        ("tostring(dynamic(null))", ""),
        ("tostring(dynamic({'a': [1, null]}))", '{"a":[1,null]}'),
        ("tostring(decimal(1.50))", "1.5"),
        ("tostring(decimal(100))", "100"),
        # A text is a whole number or none; a real is cut and held at the bounds.
        ("tolong('5.7')", None),
        ("tolong(' 12 ')", 12),
        ("tolong('-12')", -12),
        ("tolong('0x1F')", 31),
        ("tolong('1e3')", None),
        ("tolong('1_000')", None),
        ("tolong('')", None),
        ("tolong('9223372036854775807')", 2**63 - 1),
        ("tolong('9223372036854775808')", None),
        ("tolong(1.7)", 1),
        ("tolong(-1.7)", -1),
        ("tolong(1e30)", 2**63 - 1),
        ("tolong(-1e30)", -(2**63)),
        ("tolong(real(nan))", None),
        ("tolong(1d)", 864_000_000_000),
        ("tolong(datetime(0001-01-01 00:00:01))", 10_000_000),
        ("tolong(true)", 1),
        ("toint(9999999999)", 1410065407),
        ("toint(-1)", -1),
        ("toint(1e10)", 2**31 - 1),
        ("toint('2147483648')", None),
        ("tolong(dynamic('5.7'))", None),
        ("tolong(dynamic(5.7))", 5),
        ("tolong(dynamic('0x10'))", 16),
        ("tolong(dynamic(true))", 1),
        ("tolong(dynamic([1]))", None),
        ("tolong(dynamic(null))", None),
        ("tolong(dynamic({'n': 12345678901}).n)", 12345678901),
        ("toint(dynamic(9999999999))", 1410065407),
        ("todouble('1.5')", 1.5),
        ("todouble(' 1e3 ')", 1000.0),
        ("todouble('1_000')", None),
        ("todouble('x')", None),
        ("todouble(1s)", 10_000_000.0),
        ("todouble(dynamic(' 7 '))", 7.0),
        ("toreal(2)", 2.0),
        ("todecimal('1.25')", Decimal("1.25")),
        # Of a text, true, false and whole numbers; of a number, what is not 0.
        ("tobool('TRUE')", True),
        ("tobool('\\tfalse')", False),
        ("tobool('2')", True),
        ("tobool('0')", False),
        ("tobool('yes')", None),
        ("tobool('1.5')", None),
        ("tobool(1.5)", True),
        ("tobool(0)", False),
        ("tobool(dynamic(true))", True),
        ("tobool(dynamic(1.5))", True),
        ("tobool(dynamic('1.5'))", None),
        ("todatetime('2024-01-01')", at(1)),
        ("todatetime('2024-01-01T02:00:00.1234567+02:00')", at(1) + timedelta(microseconds=123456)),
        ("todatetime(' 2024-01-01 10:00 ')", at(1, 10)),
        ("todatetime('2024-01-01T10:00Z')", at(1, 10)),
        ("todatetime('01-12-2024')", at(12)),
        ("todatetime('13-01-2024')", None),
        ("todatetime('01/12/2024 03:04:05 PM')", at(12, 15, 4, 5)),
        ("todatetime('Sat, 8 Nov 14 15:05:02 GMT')", datetime(2014, 11, 8, 15, 5, 2, tzinfo=UTC)),
        ("todatetime('8 Nov 2014')", datetime(2014, 11, 8, tzinfo=UTC)),
        ("todatetime('Saturday, 08-Nov-14 15:05 GMT')", datetime(2014, 11, 8, 15, 5, tzinfo=UTC)),
        ("todatetime('Jan 5, 2024')", at(5)),
        ("todatetime('tomorrow')", None),
        ("todatetime('infinity')", None),
        ("todatetime('')", None),
        ("todatetime(tolong(datetime(2024-01-05)))", at(5)),
        ("todatetime(dynamic('2024-01-05'))", at(5)),
        ("totimespan('1.02:03:04.5')", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("totimespan('-00:01:00')", timedelta(minutes=-1)),
        ("totimespan('00:01')", timedelta(minutes=1)),
        ("totimespan('00:01:00 junk')", None),
        ("totimespan('24:00:00')", None),
        ("totimespan('1d')", timedelta(days=1)),
        ("totimespan('1.5h')", timedelta(minutes=90)),
        ("totimespan(120)", timedelta(microseconds=12)),
        ("totimespan(dynamic(120))", timedelta(microseconds=12)),
        ("totimespan(dynamic('01:00:00'))", timedelta(hours=1)),
        ("toguid('x')", None),
        ("tostring(toguid('{ABCDEF00-0000-0000-0000-000000000001}'))", "abcdef00-0000-0000-0000-000000000001"),
        ("gettype(1)", "long"),
        ("gettype(int(null))", "int"),
        ("gettype(1d)", "timespan"),
        ("gettype(dynamic([1]))", "array"),
        ("gettype(dynamic({'a': 1.5}))", "dictionary"),
        ("gettype(dynamic({'a': 1.5}).a)", "double"),
        ("gettype(dynamic({'a': 1.5}).b)", "null"),
        ("gettype(dynamic(-1))", "long"),
    ],
)
def test_conversions(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("iff(true, 'a', 'b')", "a"),
        ("iif(bool(null), 1, 2)", 2),
        ("iff(true, int(1), 2)", 1),
        ("iff(dynamic(true), 1, 2)", 1),
        ("iff(false, 1, long(null))", None),
        ("iff(true, dynamic({'a': 'x'}).a, 'y')", "x"),
        ("case(false, 1, true, 2, 3)", 2),
        ("case(bool(null), 'a', 'b')", "b"),
        ("coalesce('', ' ', 'x')", " "),
        ("coalesce('', '')", ""),
        ("coalesce(long(null), 0, 7)", 0),
        ("coalesce(dynamic(null), dynamic([]))", []),
        ("coalesce(datetime(null), datetime(2024-01-01))", at(1)),
        ("coalesce(0s, 1s)", timedelta(0)),
        ("not(true)", False),
        ("not(bool(null))", None),
        ("not(1)", False),
        ("isnull('')", False),
        ("isnull(dynamic(null))", True),
        ("isnull(dynamic({'a': null}).a)", True),
        ("isnotnull(1)", True),
        ("isempty('')", True),
        ("isempty(long(null))", True),
        ("isempty(0)", False),
        ("isempty(dynamic(''))", True),
        ("isempty(dynamic([]))", False),
        ("isempty(dynamic(null))", True),
        ("isnotempty(' ')", True),
        ("column_ifexists('Nothing', 5)", 5),
    ],
)
def test_choices(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_over_rows() -> None:
    rows = "datatable(s: string, r: real, i: long, d: dynamic)['7', 2.0, 9999999999, dynamic({'n': '8'}),"
    rows += " '', real(null), long(null), dynamic(null)]"
    query = rows + (
        "| project tolong(s), tostring(r), toint(i), tolong(d.n), iff(i > 5, 'big', s), coalesce(s, 'none'), tobool(s),"
        " todatetime(s), column_ifexists('r', 1.0), column_ifexists('q', 'q'), isempty(s), totimespan(i)"
    )
    assert run(query)[0][:7] == (7, "2.0", 1410065407, 8, "big", "7", True)
    assert run(query)[0][8:] == (2.0, "q", False, timedelta(microseconds=999999999))
    assert run(query)[1] == (None, "", None, None, "", "none", None, None, None, "q", True, None)
    assert types(query)[:6] == ["long", "string", "int", "long", "string", "string"]


def test_the_types_that_values_have_together() -> None:
    query = "print iff(true, int(1), 2), case(true, dynamic(1), 'x'), coalesce(int(1), int(2)), max_of(1, 1.5)"
    assert types(query) == ["long", "string", "int", "real"]


def test_the_names_of_converted_columns() -> None:
    assert names("datatable(a: string)['1'] | project tolong(a), strlen(a), iff(a == '1', 1, 2)") == [
        "a",
        "strlen_a",
        "Column1",
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "iff(true, 1, 'x')",
        "iff(true, 1, 1.5)",
        "iff('a', 1, 2)",
        "case(true, 1, false, 2)",
        "coalesce(5, 1.5)",
        "case(1 > 0, 'positive', 5)",
        "not('a')",
        "toguid(5)",
        "extract('a', 0, 'a', typeof(nothing))",
        "extract('a', 0, 'a', 'long')",
    ],
)
def test_types_that_do_not_fit(expression: str) -> None:
    with pytest.raises(KqlSchemaError) as caught:
        run(f"print x = {expression}")
    assert caught.value.hint and caught.value.line == 1


@pytest.mark.parametrize("expression", ["current_principal()", "ingestion_time()", "current_database()"])
def test_what_asks_about_the_cluster_is_refused(expression: str) -> None:
    with pytest.raises(KqlUnsupported):
        run(f"print x = {expression}")


def test_the_time_of_ingestion_is_a_column_or_refused() -> None:
    rows = "datatable(_TimeReceived: datetime)[datetime(2024-01-05)] | where ingestion_time() > datetime(2024-01-04)"
    assert run(rows) == [(at(5),)]
