"""The board: parts of checks per connection. Apps above register what they know when Django starts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.utils import timezone

from ircase.models import Connection, ReadinessPlan, User


class State(StrEnum):
    """`unknown`: nobody has looked, so nothing can be said."""

    RED = "red"
    AMBER = "amber"
    UNKNOWN = "unknown"
    OK = "ok"


ORDER: Final = {state: place for place, state in enumerate(State)}


@dataclass(frozen=True)
class Check:
    """One line. `text` is what was found, `todo` what to do next, `at` when it was looked at; `url` is where it is
    mended. `by_day`: the time is told to the day only, because it comes from cases that the reader may not see."""

    key: str
    title: str
    state: State
    text: str
    todo: str = ""
    url: str = ""
    at: datetime | None = None
    by_day: bool = False
    source: str = ""

    @property
    def is_due(self) -> bool:
        return self.state in (State.RED, State.AMBER)


@dataclass(frozen=True)
class Part:
    """Checks about one thing; `about` says in a sentence what they are."""

    key: str
    title: str
    about: str
    checks: tuple[Check, ...]

    def __post_init__(self) -> None:
        ordered = sorted(self.checks, key=lambda check: ORDER[check.state])
        object.__setattr__(self, "checks", tuple(ordered))

    def count(self, state: State) -> int:
        return sum(check.state == state for check in self.checks)

    @property
    def red(self) -> int:
        return self.count(State.RED)

    @property
    def amber(self) -> int:
        return self.count(State.AMBER)

    @property
    def unknown(self) -> int:
        return self.count(State.UNKNOWN)

    @property
    def state(self) -> State:
        """The worst of its checks; unknown where it has none."""
        return self.checks[0].state if self.checks else State.UNKNOWN

    @property
    def looked_at(self) -> datetime | None:
        """The oldest look of its checks."""
        return min((check.at for check in self.checks if check.at), default=None)


@dataclass(frozen=True)
class Asked:
    """What a source of parts is asked. `reader` None: the clock asks, for nobody in particular."""

    connections: tuple[Connection, ...]
    plans: Mapping[int, ReadinessPlan]
    reader: User | None
    now: datetime

    def plan(self, connection: Connection) -> ReadinessPlan:
        """The connection's plan; one with the usual days where nobody has made any."""
        return self.plans.get(connection.pk) or ReadinessPlan(connection=connection)


Source = Callable[[Asked], Mapping[int, Sequence[Part]]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """`source` gives parts of each connection from now on: one call for all, with a bounded number of queries."""
    if source not in _sources:
        _sources.append(source)


def plans_of(connections: Sequence[Connection]) -> dict[int, ReadinessPlan]:
    """By connection, with owner and case."""
    plans = ReadinessPlan.objects.filter(connection__in=[one.pk for one in connections])
    return {plan.connection_id: plan for plan in plans.select_related("owner", "case")}


def of(
    connections: Sequence[Connection],
    reader: User | None,
    now: datetime | None = None,
    plans: Mapping[int, ReadinessPlan] | None = None,
) -> dict[int, list[Part]]:
    """The parts of each connection, in the order in which they registered. `plans`: where they were read already."""
    known = plans_of(connections) if plans is None else plans
    asked = Asked(tuple(connections), known, reader, now or timezone.now())
    found: dict[int, list[Part]] = {one.pk: [] for one in connections}
    for source in _sources:
        for pk, parts in source(asked).items():
            found[pk].extend(parts)
    return found


def due(parts: Sequence[Part], most: int | None = None) -> list[Check]:
    """What is red, then what is amber: what to do next."""
    checks = [check for part in parts for check in part.checks if check.is_due]
    return sorted(checks, key=lambda check: ORDER[check.state])[:most]
