"""Arrays as sets: each value counts once, and its place does not; answers keep the order of first appearance.

Values are the same where their JSON is. https://learn.microsoft.com/en-us/kusto/query/set-union-function
"""

from __future__ import annotations

from kql.translate.functions.dynamics import array, bound, element, made_of
from kql.translate.functions.registry import Invocation, refuse, scalar
from kql.translate.values import Sql, maybe_null

_MOST = 64


def _distinct(text: str) -> str:
    return bound("list_filter(s.d, lambda e, i: list_position(s.d, e) = i)", d=text)


def _filtered(kept: str, *others: str, inside: bool) -> str:
    tests = [f"list_position({other}, e) IS {'NOT ' if inside else ''}NULL" for other in others]
    return f"list_filter({kept}, lambda e: {' AND '.join(tests)})"


def _arrays(call: Invocation) -> tuple[dict[str, str], str]:
    """The arguments by name, and a condition that all are arrays."""
    parts = {f"a{index}": array(call, index) for index in range(call.count)}
    return parts, " AND ".join(f"s.{name} IS NOT NULL" for name in parts)


def _made(call: Invocation, body: str) -> Sql:
    parts, known = _arrays(call)
    return made_of(bound(f"CASE WHEN {known} THEN {body} END", **parts), *call.values)


@scalar("set_union", 2, _MOST, note="Null where one argument is no array.")
def set_union(call: Invocation) -> Sql:
    """What is in one of the arrays."""
    return _made(call, _distinct(" || ".join(f"s.a{index}" for index in range(call.count))))


@scalar("set_intersect", 2, _MOST, note="Null where one argument is no array.")
def set_intersect(call: Invocation) -> Sql:
    """What is in all arrays."""
    others = [f"s.a{index}" for index in range(1, call.count)]
    return _made(call, _distinct(_filtered("s.a0", *others, inside=True)))


@scalar("set_difference", 2, _MOST, note="Null where one argument is no array.")
def set_difference(call: Invocation) -> Sql:
    """What is in the first array and in no other."""
    others = [f"s.a{index}" for index in range(1, call.count)]
    return _made(call, _distinct(_filtered("s.a0", *others, inside=False)))


@scalar("set_has_element", 2)
def set_has_element(call: Invocation) -> Sql:
    """Whether an array has a value; null for what is no array."""
    body = "CASE WHEN s.a IS NOT NULL THEN list_position(s.a, s.v) IS NOT NULL END"
    return maybe_null(bound(body, a=array(call, 0), v=element(call.values[1])), "bool", *call.values)


@scalar("jaccard_index", 2)
def jaccard_index(call: Invocation) -> Sql:
    """How many values two arrays have both, by how many they have together; of two empty ones NaN."""
    parts, known = _arrays(call)
    both = f"len({_distinct(_filtered('s.a0', 's.a1', inside=True))})"
    together = f"len({_distinct('s.a0 || s.a1')})"
    # 0.0 / 0.0 is NaN in Kusto's arithmetic of reals; DuckDB raises for it.
    ratio = f"coalesce(CAST({both} AS DOUBLE) / nullif({together}, 0), 'nan'::DOUBLE)"
    return maybe_null(bound(f"CASE WHEN {known} THEN {ratio} END", **parts), "real", *call.values)


refuse("set_equals", "Compare the sizes of set_union() and set_intersect() of the two.")
