"""``partition``, by answers computed by hand from Microsoft's page."""

from __future__ import annotations

import pytest

from kql import KqlSchemaError
from tests.kql.support import run

ROWS = "datatable(k:string, v:long)['a', 1, 'a', 2, 'b', 3, 'b', 4, '', 0]"


@pytest.mark.parametrize("hint", ["", "hint.strategy=native ", "hint.strategy=shuffle "])
def test_the_top_of_each_part(hint: str) -> None:
    text = f"{ROWS} | partition {hint}by k (top 1 by v | extend double = v * 2)"
    assert sorted(run(text)) == [("", 0, 0), ("a", 2, 4), ("b", 4, 8)]


def test_groups_and_counts_of_each_part() -> None:
    assert sorted(run(f"{ROWS} | partition by k (summarize s = sum(v), n = count())")) == [(0, 1), (3, 2), (7, 2)]
    assert sorted(run(f"{ROWS} | partition by k (where v > 3 | count)")) == [(0,), (0,), (1,)]


def test_neighbours_do_not_cross_parts() -> None:
    text = f"{ROWS} | sort by v asc | partition by k (extend before = prev(v), n = row_number())"
    assert sorted(run(text)) == [("", 0, None, 1), ("a", 1, None, 1), ("a", 2, 1, 2), ("b", 3, None, 1), ("b", 4, 3, 2)]


def test_a_part_has_a_name_of_its_own() -> None:
    text = f"{ROWS} | where v > 0 | partition by k (as P | extend share = v * 1.0 / toscalar(P | summarize sum(v)))"
    shares = {(k, v): share for k, v, share in run(text)}
    assert shares == pytest.approx({("a", 1): 1 / 3, ("a", 2): 2 / 3, ("b", 3): 3 / 7, ("b", 4): 4 / 7})


def test_a_query_with_a_source_of_its_own() -> None:
    source = "datatable(k:long, v:long)[1, 5, 1, 6, 2, 7]"
    text = f"range x from 1 to 3 step 1 | partition by x {{{source} | where k == toscalar(x) | summarize s = sum(v)}}"
    assert sorted(run(text)) == [(0,), (7,), (11,)]


def test_nulls_are_a_part() -> None:
    rows = "datatable(k:long, v:long)[long(null), 1, long(null), 2, 5, 3]"
    assert sorted(run(f"{rows} | partition by k (summarize s = sum(v))")) == [(3,), (3,)]


def test_the_key_is_a_plain_column() -> None:
    with pytest.raises(KqlSchemaError, match="no column z"):
        run(f"{ROWS} | partition by z (take 1)")
    with pytest.raises(KqlSchemaError, match="d is dynamic"):
        run("print d = dynamic([1]) | partition by d (take 1)")
