"""The players' work counted against what a scenario expects: read from the case as it stands, never from clicks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from ircase.exercises.scenarios import Expect, expects_of
from ircase.models import (
    Activity,
    Asset,
    Case,
    Decision,
    EventTechnique,
    Exercise,
    Indicator,
    LogEntry,
    Mark,
    Milestone,
)

_MOST: Final = 2000
_HIT: Final = ("suspected", "confirmed", "recovered")


@dataclass(frozen=True)
class Fact:
    """Something that the players did: `values` in lower case are what an expectation may name; `text` is what words
    are looked for in."""

    kind: str
    at: datetime
    by: str
    what: str
    values: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class Counted:
    """An expectation and how it went. `met` in time or not; `at` and `minutes` (after what it counts from) where it
    was done at all; `late`: done, but after its time; `open`: its time is not over, or
    never began."""

    key: str
    title: str
    why: str
    met: bool
    late: bool
    open: bool
    at: datetime | None
    minutes: int | None
    within: int
    how: str
    marked: bool = False
    by_hand: bool = False


def count(exercise: Exercise, until: datetime | None = None) -> list[Counted]:
    """Every expectation in the scenario's order, from what was done until then. Nine queries, one less where the
    injects are prefetched."""
    until = until or timezone.now()
    expects = expects_of(exercise.plan)
    released = {inject.key: inject.released_at for inject in exercise.injects.all() if inject.released_at}
    marks = {mark.key: mark for mark in Mark.objects.filter(exercise=exercise).select_related("by")}
    facts = [fact for fact in facts_of(exercise.case, {expect.kind for expect in expects}) if fact.at <= until]
    return [_counted(expect, exercise, facts, released, marks.get(expect.key), until) for expect in expects]


def _counted(
    expect: Expect,
    exercise: Exercise,
    facts: Iterable[Fact],
    released: Mapping[str, datetime | None],
    mark: Mark | None,
    until: datetime,
) -> Counted:
    begins = released.get(expect.after) if expect.after else exercise.started_at
    fact = min((one for one in facts if fits(expect, one)), key=lambda one: one.at, default=None)
    minutes = None
    if fact is not None and begins is not None:
        minutes = max(0, round((fact.at - begins).total_seconds() / 60))
    late = minutes is not None and bool(expect.within) and minutes > expect.within
    over = begins is not None and bool(expect.within) and until > begins + timedelta(minutes=expect.within)
    met = fact is not None and not late
    how = f"{fact.by}: {fact.what}" if fact else ""
    if mark is not None:
        met, late = mark.met, False
        how = f"{mark.by.name} judged{f': {mark.note}' if mark.note else ''}"
    # After the end only what hangs on an inject that never came is left out: nobody could have done it.
    waits = not over if exercise.is_running else begins is None
    running = waits and fact is None and mark is None
    return Counted(
        expect.key, expect.title, expect.why, met, late, running, fact.at if fact else None, minutes, expect.within,
        how, marked=mark is not None, by_hand=expect.kind == "person",
    )  # fmt: skip


def fits(expect: Expect, fact: Fact) -> bool:
    """Whether the fact is of what is expected: one of the values, or, of a decision, one of the words in it."""
    if fact.kind != expect.kind:
        return False
    wanted = [value.lower() for value in expect.any]
    if expect.kind in ("decision", "action"):
        return any(word in fact.text for word in wanted)
    return any(value in fact.values for value in wanted)


def as_rows(counted: Sequence[Counted]) -> list[dict[str, Any]]:
    """The count as an exercise keeps it."""
    return [asdict(row) | {"at": row.at.isoformat() if row.at else None} for row in counted]


def from_rows(rows: Sequence[Mapping[str, Any]]) -> list[Counted]:
    """The same read again."""
    return [Counted(**(dict(row) | {"at": datetime.fromisoformat(row["at"]) if row["at"] else None})) for row in rows]


def of(exercise: Exercise) -> list[Counted]:
    """What was counted at the end; while it runs, what the case shows now."""
    return count(exercise) if exercise.is_running else from_rows(exercise.result)


def facts_of(case: Case, kinds: Iterable[str]) -> list[Fact]:
    """What the case shows of these kinds of work, at most 2,000 of each; a few queries."""
    wanted = set(kinds)
    said = _said(case) if wanted & {"asset", "milestone"} else []
    makers: tuple[tuple[set[str], Callable[[Case], list[Fact]]], ...] = (
        ({"hunt", "collection", "action"}, _activities),
        ({"indicator"}, _indicators),
        ({"asset"}, lambda case: _assets(case, said)),
        ({"technique"}, _techniques),
        ({"decision"}, _decisions),
        ({"milestone"}, lambda case: _milestones(case, said)),
    )
    return [fact for names, make in makers if names & wanted for fact in make(case) if fact.kind in wanted]


def _said(case: Case) -> list[LogEntry]:
    """When assets were judged and milestones set: the rows themselves only know the last time."""
    wanted = ["asset.judged", "asset.added", "case.milestone"]
    return list(LogEntry.objects.filter(case=case, action__in=wanted).order_by("sequence")[: 3 * _MOST])


def _activities(case: Case) -> list[Fact]:
    """A hunt or a collection counts once it was asked for and ended well; an action once it was asked for."""
    rows = Activity.objects.filter(case=case, kind__in=["hunt", "collection", "action"]).select_related("requested_by")
    found = []
    for row in rows.order_by("pk")[:_MOST]:
        if row.kind != Activity.Kind.ACTION and row.state not in ("done", "partial"):
            continue
        at = row.requested_at if row.kind == Activity.Kind.ACTION else row.ended_at or row.requested_at
        value = str(row.detail.get(row.kind, "")).lower()
        found.append(Fact(row.kind, at, row.requested_by.name, row.title, (value,), f"{value} {row.title.lower()}"))
    return found


def _indicators(case: Case) -> list[Fact]:
    rows = Indicator.objects.filter(case=case).select_related("added_by").order_by("pk")[:_MOST]
    return [Fact("indicator", row.added_at, row.added_by.name, row.value, (row.value.lower(),)) for row in rows]


def _assets(case: Case, said: Iterable[LogEntry]) -> list[Fact]:
    """An asset counts from when it was judged as hit."""
    hit = {row.name.lower(): row for row in Asset.objects.filter(case=case, compromise__in=_HIT)[:_MOST]}
    first: dict[str, LogEntry] = {}
    for entry in (one for one in said if one.action.startswith("asset.")):
        name = str(entry.detail.get("name", "")).lower()
        judged = entry.action == "asset.judged" and entry.detail.get("compromise") in _HIT
        if name in hit and (judged or name not in first) and (name not in first or first[name].action == "asset.added"):
            first[name] = entry
    return [
        Fact("asset", first[name].at, first[name].actor_name, f"{row.name} {row.get_compromise_display().lower()}",
             (name, name.split("@")[0] if row.kind == "account" else name.split(".")[0]))
        for name, row in hit.items() if name in first
    ]  # fmt: skip


def _techniques(case: Case) -> list[Fact]:
    rows = EventTechnique.objects.filter(event__case=case).select_related("event__added_by").order_by("pk")[:_MOST]
    return [
        Fact("technique", row.event.added_at, row.event.added_by.name, f"{row.technique} {row.event.title}",
             (row.technique.lower(),))
        for row in rows
    ]  # fmt: skip


def _decisions(case: Case) -> list[Fact]:
    rows = Decision.objects.filter(case=case).select_related("written_by").order_by("pk")[:_MOST]
    return [
        Fact("decision", row.written_at, row.written_by.name, f"{row.label} {row.what}",
             text=f"{row.what} {row.why} {row.alternatives} {row.told}".lower())
        for row in rows
    ]  # fmt: skip


def _milestones(case: Case, said: Iterable[LogEntry]) -> list[Fact]:
    """When it was said, not when it was: the first time."""
    rows = {row.kind: row for row in Milestone.objects.filter(case=case)}
    first: dict[str, LogEntry] = {}
    for entry in (one for one in said if one.action == "case.milestone"):
        first.setdefault(str(entry.detail.get("kind", "")), entry)
    return [
        Fact("milestone", first[kind].at, first[kind].actor_name, row.get_kind_display(), (kind,))
        for kind, row in rows.items() if kind in first
    ]  # fmt: skip
