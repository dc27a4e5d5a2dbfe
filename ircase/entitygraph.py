"""Who met whom: assets and indicators of a case as nodes, what events and alerts say of both as edges."""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from ircase.curated.asking import Filter, events
from ircase.models import Asset, Case, Event, Indicator

MOST_NODES: Final = 500
MOST_EVENTS: Final = 20_000
MOST_NAMED: Final = 12
"""An event that names more than this says nothing of each pair of them: its first is tied to the others."""
_TOGETHER: Final = "named together"
# Microsoft's tables by what a row of theirs says that one thing did with another.
_KINDS: Final = (
    (re.compile(r"(?i).*(logon|sign-?in).*"), "logged on"),
    (re.compile(r"(?i)deviceprocess.*|.*process.*"), "ran"),
    (re.compile(r"(?i)devicenetwork.*|.*network.*|.*connection.*"), "connected"),
    (re.compile(r"(?i)devicefile.*|deviceimageload.*"), "had the file"),
    (re.compile(r"(?i)deviceregistry.*"), "had the registry key"),
    (re.compile(r"(?i)(email|urlclick|message).*"), "mail"),
    (re.compile(r"(?i)(cloudapp|officeactivity|auditlogs).*"), "cloud activity"),
)


@dataclass(frozen=True)
class Node:
    """`role` is asset or indicator, `state` the judgement; `degree` counts its neighbours."""

    id: str
    role: str
    kind: str
    kind_words: str
    label: str
    uuid: str
    state: str
    state_words: str
    degree: int
    events: int


@dataclass(frozen=True)
class Edge:
    """So many events say `kind` of `source` and `target`, the first and the last of them at these times."""

    source: str
    target: str
    kind: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Graph:
    """`left_out` nodes had the fewest neighbours; `kinds` are those that the case has, in words; `cut` says
    that there are more events than were read."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    left_out: int = 0
    cut: bool = False
    neighbours: Mapping[str, tuple[tuple[Node, Edge], ...]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)


def graph(case: Case, asked: Filter, kinds: Sequence[str] = ()) -> Graph:
    """The graph of the events that pass; `kinds` are those of nodes that are shown ("asset:device", "indicator:ip"),
    none: all. Five queries, whatever the case holds."""
    rows = list(events(case, asked).values("pk", "at", "source", "lane", "provenance__alert")[: MOST_EVENTS + 1])
    cut = len(rows) > MOST_EVENTS
    rows = rows[:MOST_EVENTS]
    named = _named(case, {row["pk"] for row in rows})
    things = _things(case)
    wanted = {key for key, one in things.items() if not kinds or f"{key[0]}:{one.kind}" in kinds}
    found: dict[tuple[str, str, str], list[datetime]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for row in rows:
        there = [key for key in named.get(row["pk"], ()) if key in wanted]
        counts.update(map(_id, there))
        for one, other in _pairs(there, things):
            found[_id(one), _id(other), _kind(row)].append(row["at"])
    edges = [Edge(a, b, kind, len(at), min(at), max(at)) for (a, b, kind), at in found.items()]
    kept = {f"{key[0]}:{one.kind}": str(one.get_kind_display()) for key, one in sorted(things.items())}
    return replace(_made(things, wanted, counts, edges, cut), kinds=kept)


Key = tuple[str, int]


def _named(case: Case, pks: set[int]) -> dict[int, list[Key]]:
    found: dict[int, list[Key]] = defaultdict(list)
    for role, through, column in (
        ("asset", Event.assets.through, "asset_id"), ("indicator", Event.indicators.through, "indicator_id"),
    ):  # fmt: skip
        for event, thing in through.objects.filter(event__case=case).order_by("pk").values_list("event_id", column):
            if event in pks:
                found[event].append((role, thing))
    return found


def _things(case: Case) -> dict[Key, Any]:
    assets = case.assets.only("case", "uuid", "kind", "name", "compromise")
    indicators = case.indicators.only("case", "uuid", "kind", "value", "verdict")
    return {("asset", one.pk): one for one in assets} | {("indicator", one.pk): one for one in indicators}


def _id(key: Key) -> str:
    return f"{key[0][0]}{key[1]}"


def _pairs(there: Sequence[Key], things: Mapping[Key, Any]) -> Iterable[tuple[Key, Key]]:
    """Each pair once, the one that acts first: an account before a device, a device before what it met."""
    order = {"account": 0, "mailbox": 1, "application": 2, "device": 3}
    ranked = sorted(there, key=lambda key: (order.get(things[key].kind, 9) if key[0] == "asset" else 10, key))
    if len(ranked) > MOST_NAMED:
        return [(ranked[0], other) for other in ranked[1:]]
    return list(itertools.combinations(ranked, 2))


def _kind(row: Mapping[str, Any]) -> str:
    if row["provenance__alert"]:
        return "alert"
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(row["source"])), _TOGETHER)


def _made(
    things: Mapping[Key, Any], wanted: set[Key], counts: Mapping[str, int], edges: list[Edge], cut: bool
) -> Graph:
    near: dict[str, set[str]] = defaultdict(set)
    for edge in edges:
        near[edge.source].add(edge.target)
        near[edge.target].add(edge.source)
    keys = sorted((key for key in wanted if counts.get(_id(key))), key=lambda key: (-len(near[_id(key)]), key))
    nodes = {_id(key): _node(key, things[key], len(near[_id(key)]), counts[_id(key)]) for key in keys[:MOST_NODES]}
    kept = sorted((e for e in edges if e.source in nodes and e.target in nodes), key=lambda e: -e.count)
    beside: dict[str, list[tuple[Node, Edge]]] = defaultdict(list)
    for edge in kept:
        beside[edge.source].append((nodes[edge.target], edge))
        beside[edge.target].append((nodes[edge.source], edge))
    return Graph(
        tuple(nodes.values()), tuple(kept), len(keys) - len(nodes), cut, {key: tuple(v) for key, v in beside.items()}
    )


def _node(key: Key, thing: Asset | Indicator, degree: int, named: int) -> Node:
    return Node(
        id=_id(key),
        role=key[0],
        kind=thing.kind,
        kind_words=thing.get_kind_display(),
        label=thing.name if isinstance(thing, Asset) else thing.value[:120],
        uuid=str(thing.uuid),
        state=thing.compromise if isinstance(thing, Asset) else thing.verdict,
        state_words=thing.get_compromise_display() if isinstance(thing, Asset) else thing.get_verdict_display(),
        degree=degree,
        events=named,
    )
