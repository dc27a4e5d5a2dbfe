"""The string operators, equality, lists and ranges, by answers computed by hand and by a model of terms."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kql import KqlSchemaError
from kql.literals import literal
from tests.kql.support import one, run


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # A term is a run of letters and digits: an underscore ends it.
        ("'a_b' has 'a'", True),
        ("'a1' has 'a'", False),
        ("'aé' has 'a'", False),
        ("'Über alles' has 'über'", True),
        ("'überall' has 'über'", False),
        ("'x' has ''", True),
        # An edge that is no letter or digit needs no border.
        ("'xa b' has 'a '", False),
        ("'a b' has 'a '", True),
        ("'x ab y' has ' a'", False),
        ("'b .b-' has ' '", True),
        (r"@'C:\Windows\System32\cmd.exe' has @'System32\cmd'", True),
        (r"@'C:\Windows\System32\cmd.exe' has 'cmd.exe'", True),
        ("'100%' has '100%'", True),
        ("'a.b' has 'a?b'", False),
        ("'x-error' hasprefix 'err'", True),
        ("'xerror' hasprefix 'err'", False),
        ("'x-error' hassuffix 'ror'", True),
        ("'x-error' hassuffix 'err'", False),
        ("'Error' hasprefix_cs 'err'", False),
        ("'A b' !has_cs 'a'", True),
        ("'user_id' contains 'r_i'", True),
        ("'userXid' contains 'r_i'", False),
        (r"@'a\b' contains @'a\b'", True),
        ("'50%' endswith '%'", True),
        ("'ABC' startswith_cs 'ab'", False),
        ("'ABC' !startswith 'ab'", False),
        ("'a' =~ 'A'", True),
        ("'Ä' =~ 'ä'", True),
        ("'a' !~ 'b'", True),
        ("'ab' has_any ('x', 'AB')", True),
        ("'ab' has_any ()", False),
        ("'a b' has_all ('A', 'b')", True),
        ("'a b' has_all (dynamic(['a', 'c']))", False),
        ("'x y' has strcat('y', '')", True),
        ("'aXb' matches regex 'x'", False),
        ("'aXb' matches regex '(?i)x'", True),
        ("'a\\nb' matches regex 'a.b'", False),
        ("dynamic('Hello World') has 'world'", True),
        ("guid(abcdef00-0000-0000-0000-000000000001) has 'ABCDEF00'", True),
        # Against a null: false, and the negation true; two nulls: null.
        ("long(null) == 1", False),
        ("long(null) != 1", True),
        ("long(null) == long(null)", None),
        ("not(long(null) == long(null))", None),
        ("long(null) != long(null)", None),
        ("long(null) < 1", None),
        ("'' == ''", True),
        ("long(null) in (1, 2)", False),
        ("long(null) !in (1, 2)", True),
        ("'a' in~ ('A')", True),
        ("'a' in (dynamic(['a', 'b']))", True),
        ("2 in (1, 2.0)", True),
        ("datetime(2024-01-01) == '2024-01-01'", True),
        ("5 between (1 .. 5)", True),
        ("5 !between (1 .. 5)", False),
        ("5 between (6 .. 1)", False),
        ("long(null) between (1 .. 5)", None),
        ("datetime(2024-01-04) between (datetime(2024-01-01) .. 3d)", True),
        ("7h between (2h .. 6h)", False),
    ],
)
def test_operators(expression: str, expected: Any) -> None:
    assert one(f"print x = {expression}") == (expected,)


def test_over_rows() -> None:
    rows = "datatable(a: long, b: long, s: string, t: string)[1, 1, 'a b', 'B', long(null), 1, '', 'x',"
    rows += " long(null), long(null), 'xB', 'b']"
    assert run(rows + "| where a == b | project s") == [("a b",)]
    assert run(rows + "| where a != b | project s") == [("",)]
    assert run(rows + "| where not(a == b) | project s") == [("",)]
    assert run(rows + "| where a != 1 | project s") == [("",), ("xB",)]
    assert run(rows + "| project s has t, s hassuffix t, s contains_cs t, s in~ (t, 'XB')") == [
        (True, True, False, False),
        (False, False, False, False),
        (False, True, False, True),
    ]


def _terms_model(text: str, needle: str) -> bool:
    """``has_cs`` as the emulator was measured to do it."""
    letter = r"[^\W_]"
    before = f"(?<!{letter})" if re.match(letter, needle) else ""
    after = f"(?!{letter})" if re.search(f"{letter}\\Z", needle) else ""
    return re.search(before + re.escape(needle) + after, text) is not None


PIECES = st.text("aB1_. %\\(é", max_size=8)


@settings(max_examples=60, deadline=None)
@given(PIECES, st.text("aB1_. %\\(é", min_size=1, max_size=3))
def test_terms_by_a_model(text: str, needle: str) -> None:
    row = f"datatable(s: string, n: string)[{literal(text, 'string')}, {literal(needle, 'string')}]"
    wanted = literal(needle, "string")
    tests = f"s has_cs {wanted}, s has_cs n, s has {wanted}, s has n, s contains {wanted}"
    query = f"{row} | project {tests}, s has_any ({wanted}, '\\0x')"
    folded = _terms_model(text.lower(), needle.lower())
    sensitive = _terms_model(text, needle)
    assert one(query) == (sensitive, sensitive, folded, folded, needle.lower() in text.lower(), folded)


@pytest.mark.parametrize("expression", ["5 has '5'", "now() contains 'x'", "'a' == 5", "1d < 5", "5 in ('a')"])
def test_types_that_do_not_fit(expression: str) -> None:
    with pytest.raises(KqlSchemaError, match="does not take"):
        run(f"print {expression}")
