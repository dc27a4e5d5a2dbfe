"""Random pipelines over small random tables, beside a reference interpreter of this file's own.

Nulls by https://learn.microsoft.com/en-us/kusto/query/scalar-data-types/null-values: null and a value are unequal, what
compares two nulls is null, an order with null is null, and ``where`` keeps what is true.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kql.support import result

Row = dict[str, Any]
Truth = bool | None

TEXTS = ("", "a", "A", "ab", "a b", "Ä", "x-a")
NUMBERS = (None, -3, 0, 1, 2, 7)
BAGS = (None, {}, {"n": 1}, {"n": 2, "k": "a"}, {"k": "A", "m": [1]}, [1, 2], "a")
COLUMNS = {"I": "long", "S": "string", "B": "bool", "D": "dynamic"}


@dataclass(frozen=True)
class Test:
    """A predicate as KQL and as a function."""

    __test__ = False
    kql: str
    holds: Callable[[Row], Truth]


@dataclass(frozen=True)
class Step:
    """An operator as KQL and as a function of rows."""

    kql: str
    apply: Callable[[list[Row]], list[Row]]


def literal(value: Any, kind: str) -> str:
    if kind == "dynamic":
        return f"dynamic({json.dumps(value)})"
    if value is None:
        return f"{kind}(null)"
    return json.dumps(value)


def source(rows: Sequence[Row]) -> str:
    cells = ", ".join(literal(row[name], kind) for row in rows for name, kind in COLUMNS.items())
    return f"datatable({', '.join(f'{n}: {k}' for n, k in COLUMNS.items())})[{cells}]"


# --- values


def words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()


def member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


def ordered(left: Any, right: Any, test: Callable[[Any, Any], bool]) -> Truth:
    return None if left is None or right is None else test(left, right)


def negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def both(one: Truth, two: Truth) -> Truth:
    if one is False or two is False:
        return False
    return None if one is None or two is None else True


def either(one: Truth, two: Truth) -> Truth:
    return negated(both(negated(one), negated(two)))


# --- predicates


def plain_predicates() -> st.SearchStrategy[Test]:
    number, text = st.sampled_from(NUMBERS[1:]), st.sampled_from(TEXTS)
    return st.one_of(
        number.map(lambda n: Test(f"I == {n}", lambda r: r["I"] == n)),
        number.map(lambda n: Test(f"I != {n}", lambda r: r["I"] != n)),
        number.map(lambda n: Test(f"I > {n}", lambda r: ordered(r["I"], n, lambda a, b: a > b))),
        number.map(lambda n: Test(f"I between ({n} .. 5)", lambda r: ordered(r["I"], n, lambda a, b: b <= a <= 5))),
        number.map(lambda n: Test(f"I in ({n}, 2)", lambda r: r["I"] in (n, 2))),
        number.map(lambda n: Test(f"I !in ({n}, 2)", lambda r: r["I"] not in (n, 2))),
        number.map(lambda n: Test(f"tolong(D.n) == {n}", lambda r: member(r["D"], "n") == n)),
        text.map(lambda t: Test(f"S == {json.dumps(t)}", lambda r: r["S"] == t)),
        text.map(lambda t: Test(f"S != {json.dumps(t)}", lambda r: r["S"] != t)),
        text.map(lambda t: Test(f"S =~ {json.dumps(t)}", lambda r: r["S"].lower() == t.lower())),
        text.map(lambda t: Test(f"S contains {json.dumps(t)}", lambda r: t.lower() in r["S"].lower())),
        text.map(lambda t: Test(f"S startswith_cs {json.dumps(t)}", lambda r: r["S"].startswith(t))),
        text.map(lambda t: Test(f"S in~ ({json.dumps(t)}, 'x')", lambda r: r["S"].lower() in (t.lower(), "x"))),
        st.sampled_from(("a", "ab", "x")).map(lambda t: Test(f"S has '{t}'", lambda r: t in words(r["S"]))),
        st.sampled_from(("a", "A")).map(lambda t: Test(f"tostring(D.k) == '{t}'", lambda r: member(r["D"], "k") == t)),
        st.just(Test("B", lambda r: r["B"])),
        st.just(Test("isnull(I)", lambda r: r["I"] is None)),
        st.just(Test("isempty(S)", lambda r: r["S"] == "")),
        st.just(Test("isnotnull(D.n)", lambda r: member(r["D"], "n") is not None)),
    )


def predicates() -> st.SearchStrategy[Test]:
    return st.recursive(
        plain_predicates(),
        lambda inner: st.one_of(
            inner.map(lambda a: Test(f"not({a.kql})", lambda r: negated(a.holds(r)))),
            st.tuples(inner, inner).map(
                lambda p: Test(f"({p[0].kql} and {p[1].kql})", lambda r: both(p[0].holds(r), p[1].holds(r)))
            ),
            st.tuples(inner, inner).map(
                lambda p: Test(f"({p[0].kql} or {p[1].kql})", lambda r: either(p[0].holds(r), p[1].holds(r)))
            ),
        ),
        max_leaves=4,
    )


# --- operators


def extended(name: str, value: Callable[[Row], Any]) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [{**row, name: value(row)} for row in rows]


def kept(test: Test) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [row for row in rows if test.holds(row) is True]


def chosen(test: Test) -> Step:
    return Step(f"extend I = iff({test.kql}, I, 7)", extended("I", lambda r: r["I"] if test.holds(r) else 7))


def sum_of(rows: Sequence[Row]) -> int:
    return sum(row["I"] for row in rows if row["I"] is not None)


def bound_of(rows: Sequence[Row], bound: Callable[[list[int]], int]) -> int | None:
    found = [row["I"] for row in rows if row["I"] is not None]
    return bound(found) if found else None


def grouped(keys: Sequence[str], test: Test) -> Step:
    def apply(rows: list[Row]) -> list[Row]:
        groups: dict[tuple[Any, ...], list[Row]] = {} if keys else {(): []}
        for row in rows:
            groups.setdefault(tuple(row[key] for key in keys), []).append(row)
        return [
            {
                **dict(zip(keys, found, strict=True)),
                "n": len(group),
                "s": sum_of(group),
                "lo": bound_of(group, min),
                "hi": bound_of(group, max),
                "d": len({row["S"] for row in group}),
                "c": sum(test.holds(row) is True for row in group),
            }
            for found, group in groups.items()
        ]

    by = f" by {', '.join(keys)}" if keys else ""
    aggregates = f"n = count(), s = sum(I), lo = min(I), hi = max(I), d = dcount(S), c = countif({test.kql})"
    return Step(f"summarize {aggregates}{by}", apply)


def largest(key: str) -> Step:
    """``arg_max``: of rows with the same key the interpreter cannot know which, so only the key comes out."""

    def apply(rows: list[Row]) -> list[Row]:
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            groups.setdefault(row[key], []).append(row)
        return [{key: found, "I": bound_of(group, max)} for found, group in groups.items()]

    return Step(f"summarize arg_max(I, *) by {key} | project {key}, I", apply)


def joined(kind: str, right: Sequence[Row]) -> Step:
    def apply(rows: list[Row]) -> list[Row]:
        found: list[Row] = []
        for row in rows:
            fits = [other for other in right if other["S"] == row["S"]]
            if kind in ("leftsemi", "leftanti"):
                found += [row] if bool(fits) == (kind == "leftsemi") else []
            else:
                missing = [{"S": "", "I": None}] if kind == "leftouter" else []
                found += [{**row, "S1": other["S"], "I1": other["I"]} for other in fits or missing]
        return found

    return Step(f"join kind={kind} ({source(right)} | project S, I) on S", apply)


def distinct(columns: Sequence[str]) -> Step:
    def apply(rows: list[Row]) -> list[Row]:
        found = dict.fromkeys(tuple(row[name] for name in columns) for row in rows)
        return [dict(zip(columns, values, strict=True)) for values in found]

    return Step(f"distinct {', '.join(columns)}", apply)


def filters() -> st.SearchStrategy[Step]:
    return st.one_of(
        predicates().map(lambda test: Step(f"where {test.kql}", kept(test))),
        predicates().map(chosen),
        st.just(Step("extend S = strcat(S, 'a')", extended("S", lambda r: r["S"] + "a"))),
        st.just(Step("extend S = tostring(D.k)", extended("S", lambda r: text_of(member(r["D"], "k"))))),
        st.just(Step("extend I = I + 1", extended("I", lambda r: None if r["I"] is None else r["I"] + 1))),
        st.just(Step("extend I = tolong(D.n)", extended("I", lambda r: member(r["D"], "n")))),
        st.just(Step("extend I = coalesce(I, 9)", extended("I", lambda r: 9 if r["I"] is None else r["I"]))),
        st.just(Step("extend B = isnotempty(S)", extended("B", lambda r: r["S"] != ""))),
    )


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "I": st.sampled_from(NUMBERS),
            "S": st.sampled_from(TEXTS),
            "B": st.sampled_from((None, True, False)),
            "D": st.sampled_from(BAGS),
        }
    ),
    min_size=1,
    max_size=8,
)


def endings() -> st.SearchStrategy[Step]:
    return st.one_of(
        st.tuples(st.sampled_from(((), ("S",), ("B",), ("S", "B"), ("I",))), predicates()).map(lambda p: grouped(*p)),
        st.sampled_from(("S", "B")).map(largest),
        st.tuples(st.sampled_from(("inner", "leftouter", "leftsemi", "leftanti")), ROWS).map(lambda p: joined(*p)),
        st.sampled_from((("S",), ("I", "B"))).map(distinct),
        st.just(Step("project-away D", lambda rows: [{k: v for k, v in r.items() if k != "D"} for r in rows])),
    )


def shown(rows: Sequence[Row]) -> Counter[str]:
    return Counter(repr({name: row[name] for name in sorted(row)}) for row in rows)


def answer(text: str) -> list[Row]:
    found = result(text)
    return [dict(zip([column.name for column in found.columns], row, strict=True)) for row in found]


CONFIGURATION = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


@CONFIGURATION
@given(ROWS, st.lists(filters(), max_size=4), endings())
def test_a_pipeline_answers_as_the_interpreter_does(rows: list[Row], steps: list[Step], ending: Step) -> None:
    text, expected = source(rows), list(rows)
    for step in (*steps, ending):
        text, expected = f"{text} | {step.kql}", step.apply(expected)
    assert shown(answer(text)) == shown(expected), text


@CONFIGURATION
@given(ROWS, st.sampled_from(("asc", "desc")), st.sampled_from(("", " nulls first", " nulls last")))
def test_an_order_is_the_interpreters(rows: list[Row], direction: str, nulls: str) -> None:
    found = [row["I"] for row in answer(f"{source(rows)} | sort by I {direction}{nulls}")]
    known = sorted((row["I"] for row in rows if row["I"] is not None), reverse=direction == "desc")
    empty = [None] * (len(rows) - len(known))
    first = nulls == " nulls first" or (not nulls and direction == "asc")
    assert found == ([*empty, *known] if first else [*known, *empty])


@CONFIGURATION
@given(ROWS, st.lists(filters(), max_size=2))
def test_prev_is_the_row_before(rows: list[Row], steps: list[Step]) -> None:
    text, expected = source(rows), list(rows)
    for step in steps:
        text, expected = f"{text} | {step.kql}", step.apply(expected)
    found = answer(f"{text} | serialize p = prev(I, 1, 0), n = row_number()")
    assert [(row["I"], row["p"], row["n"]) for row in found] == [
        (row["I"], expected[index - 1]["I"] if index else 0, index + 1) for index, row in enumerate(expected)
    ]
