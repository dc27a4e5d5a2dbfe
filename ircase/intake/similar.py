"""What an incident shares with cases and with other incidents, weighed by how rare each shared thing is."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count

from ircase.intake.entities import Key
from ircase.models import Asset, Case, IncidentEntity, IncomingIncident, Indicator, User

MOST: Final = 10
_SHOWN: Final = 6
# An incident that shares at least this part of what it names, by weight, is probably the same story told twice.
DUPLICATE: Final = 0.5
# Things that most cases name (a proxy's address, a help-desk account) weigh little by their rarity already; a hash is
# worth more than an address even where both are rare, because addresses are lent out.
_WEIGHTS: Final[Mapping[str, float]] = {
    "sha256": 3.0, "sha1": 3.0, "md5": 3.0, "device": 2.0, "account": 2.0, "mailbox": 2.0, "email": 2.0, "url": 2.0,
    "domain": 1.5, "ip": 1.0, "application": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class Shared:
    """One thing that both name. `cases`: in how many cases that the reader may see."""

    kind: str
    value: str
    cases: int


@dataclass(frozen=True)
class Similar:
    """A case that shares something. `score` is the part of the incident's weight that is shared, 0 to 1."""

    case: Case
    score: float
    shared: tuple[Shared, ...]
    more: int

    @property
    def percent(self) -> int:
        return round(100 * self.score)

    @property
    def probable(self) -> bool:
        """Probably the same story."""
        return self.score >= DUPLICATE and len(self.shared) + self.more > 1


@dataclass(frozen=True)
class Alike:
    """Another incident that shares something."""

    incident: IncomingIncident
    score: float
    shared: tuple[Key, ...]
    more: int

    @property
    def percent(self) -> int:
        return round(100 * self.score)


def keys_of(incident: IncomingIncident) -> list[Key]:
    """What the incident names, by kind and value."""
    named = IncidentEntity.objects.filter(incident=incident).order_by("kind", "value")
    return list(named.values_list("kind", "value"))


def similar_cases(user: User, keys: Sequence[Key], *, leave_out: Iterable[int] = ()) -> list[Similar]:
    """The cases that `user` may see and that share some of `keys`, the closest first. Four queries.

    Rarity is counted over the same cases, so that no figure tells of a case that the reader may not know.
    """
    if not keys:
        return []
    visible = Case.objects.visible_to(user).values("pk")
    where = _where(keys, visible)
    total = Case.objects.visible_to(user).count()
    weights = {key: _weight(key, len(where.get(key, ())), total) for key in keys}
    whole = sum(weights.values())
    by_case: dict[int, list[Key]] = defaultdict(list)
    for key, ids in where.items():
        for pk in ids:
            by_case[pk].append(key)
    scores = {pk: sum(weights[key] for key in shared) / whole for pk, shared in by_case.items()}
    best = sorted(set(scores) - set(leave_out), key=lambda pk: (-scores[pk], -pk))[:MOST]
    cases = Case.objects.visible_to(user).in_bulk(best)
    return [_similar(cases[pk], scores[pk], by_case[pk], where, weights) for pk in best if pk in cases]


def _similar(
    case: Case, score: float, shared: list[Key], where: Mapping[Key, set[int]], weights: Mapping[Key, float]
) -> Similar:
    first = sorted(shared, key=lambda key: (-weights[key], key))
    shown = tuple(Shared(kind, value, len(where[(kind, value)])) for kind, value in first[:_SHOWN])
    return Similar(case, min(1.0, score), shown, max(0, len(first) - _SHOWN))


def _weight(key: Key, seen: int, total: int) -> float:
    """The rarer, the heavier: the logarithm that search engines use (inverse document frequency)."""
    return _WEIGHTS.get(key[0], 1.0) * math.log2(1 + max(1, total) / max(1, seen))


def _where(keys: Sequence[Key], visible: Any) -> dict[Key, set[int]]:
    """In which of the cases each key is: one query over assets, one over indicators."""
    found: dict[Key, set[int]] = defaultdict(set)
    assets = {value for kind, value in keys if kind in Asset.Kind.values}
    wanted = set(keys)
    rows = Asset.objects.filter(case__in=visible, name__in=assets).values_list("kind", "name", "case")
    for kind, name, case in rows:
        if (kind, name) in wanted:
            found[(kind, name)].add(case)
    digests = {_digest(value): (kind, value) for kind, value in keys if kind not in Asset.Kind.values}
    marks = Indicator.objects.filter(case__in=visible, value_digest__in=list(digests))
    # What was judged benign is shared by the harmless too, and likens nothing.
    marks = marks.exclude(verdict=Indicator.Verdict.BENIGN)
    for kind, digest, case in marks.values_list("kind", "value_digest", "case"):
        key = digests[digest]
        if key[0] == kind:
            found[key].add(case)
    return found


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def alike_incidents(incident: IncomingIncident, keys: Sequence[Key]) -> list[Alike]:
    """Other incidents that still wait and share most of what this one names: probable duplicates. Four queries."""
    if not keys:
        return []
    waiting = IncomingIncident.objects.waiting().exclude(pk=incident.pk)
    total = IncomingIncident.objects.count()
    rows = IncidentEntity.objects.filter(value__in=[value for _, value in keys])
    seen = {(kind, value): n for kind, value, n in rows.values_list("kind", "value").annotate(n=Count("pk"))}
    weights = {key: _weight(key, seen.get(key, 1), total) for key in keys}
    whole = sum(weights.values())
    shared: dict[int, list[Key]] = defaultdict(list)
    both_name = rows.filter(incident__in=waiting.values("pk"))
    for pk, kind, value in both_name.values_list("incident_id", "kind", "value"):
        if (kind, value) in weights:
            shared[pk].append((kind, value))
    scores = {pk: sum(weights[key] for key in both) / whole for pk, both in shared.items()}
    best = sorted((pk for pk in scores if scores[pk] >= DUPLICATE), key=lambda pk: (-scores[pk], -pk))[:MOST]
    found = waiting.without_raw().select_related("connection", "source").in_bulk(best)
    return [_alike(found[pk], scores[pk], shared[pk], weights) for pk in best if pk in found]


def _alike(incident: IncomingIncident, score: float, shared: list[Key], weights: Mapping[Key, float]) -> Alike:
    first = tuple(sorted(shared, key=lambda key: (-weights[key], key)))
    return Alike(incident, min(1.0, score), first[:_SHOWN], max(0, len(first) - _SHOWN))
