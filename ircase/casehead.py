"""What the head of a case says on every tab: facts, phases with time and progress, what comes next, broken evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from ircase.models import (
    Activity,
    Asset,
    Case,
    CaseIncident,
    CaseMember,
    CaseRole,
    CaseTag,
    ChecklistItem,
    Clock,
    Evidence,
    Milestone,
    Phase,
    PhaseEntry,
    User,
)
from ircase.models.rows import Rows

# Each metric is a span between two milestones; the first is where its clock starts.
METRICS = (
    ("MTTD", "to detect", Milestone.Kind.OCCURRED, Milestone.Kind.DETECTED),
    ("MTTA", "to acknowledge", Milestone.Kind.DETECTED, Milestone.Kind.ACKNOWLEDGED),
    ("MTTC", "to contain", Milestone.Kind.DETECTED, Milestone.Kind.CONTAINED),
    ("MTTR", "to recover", Milestone.Kind.DETECTED, Milestone.Kind.RECOVERED),
)


# That many deadlines are shown beside a case.
CLOCKS = 6


@dataclass(frozen=True)
class PhaseStay:
    """One of the four phases: time spent over all stays, items ended and in all, and done, current or todo."""

    phase: Phase
    state: str
    spent: timedelta
    stayed: bool
    ended: int
    items: int


@dataclass(frozen=True)
class Metric:
    """`took` is None while one of the two milestones is missing, and where they are in the wrong order."""

    name: str
    words: str
    took: timedelta | None


@dataclass(frozen=True)
class CaseHead:
    """Everything the shell shows, in two queries where nothing is amiss. `items` is the checklist, `next_item` what to
    do next, `clock` the deadline that ends next; `incidents` the ids of those that the case holds, or of the one that
    it came with from elsewhere. `members` and `clocks` (the first that run) are only asked for where they are shown."""

    members: QuerySet[CaseMember]
    milestones: tuple[Milestone, ...]
    clocks: QuerySet[Clock]
    leads: tuple[str, ...]
    incidents: tuple[str, ...]
    phases: tuple[PhaseStay, ...]
    items: Sequence[ChecklistItem]
    next_item: ChecklistItem | None
    next_due: ChecklistItem | None
    overdue: int
    assets: int
    broken: tuple[Evidence, ...]
    unreviewed: tuple[Activity, ...]
    open_for: timedelta
    clock: Clock | None
    now: datetime
    tags: tuple[str, ...] = ()

    @property
    def detected(self) -> datetime | None:
        return self.at(Milestone.Kind.DETECTED)

    @property
    def metrics(self) -> list[Metric]:
        return [Metric(name, words, self._span(start, end)) for name, words, start, end in METRICS]

    @property
    def due_is_late(self) -> bool:
        return self.next_due is not None and self.next_due.due_at is not None and self.next_due.due_at < self.now

    def at(self, kind: str) -> datetime | None:
        return next((one.at for one in self.milestones if one.kind == kind), None)

    def _span(self, start: str, end: str) -> timedelta | None:
        began, ended = self.at(start), self.at(end)
        return ended - began if began and ended and ended >= began else None


def head_of(case: Case, now: datetime | None = None) -> CaseHead:
    """Read the head of `case`."""
    now = now or timezone.now()
    kept = _kept(case)
    items = _items(case)
    ahead = _ahead(case, items)
    due = sorted((i for i in ahead if i.due_at), key=lambda i: (i.due_at or now, i.position))
    return CaseHead(
        members=CaseMember.objects.filter(case=case).select_related("user").order_by("added_at", "pk"),
        milestones=kept.milestones,
        clocks=Clock.objects.filter(case=case).running().ends_next()[:CLOCKS],
        leads=kept.leads,
        incidents=kept.incidents or tuple(filter(None, [case.incident_id])),
        phases=tuple(_stay(phase, case, kept.stays, items, now) for phase in Phase),
        items=items,
        next_item=_next(case, ahead),
        next_due=due[0] if due else None,
        overdue=sum(1 for i in due if i.due_at and i.due_at < now),
        assets=kept.assets,
        broken=kept.broken,
        unreviewed=kept.unreviewed,
        tags=kept.tags,
        open_for=open_time(case, kept.stays, now),
        clock=kept.clock,
        now=now,
    )


def open_time(case: Case, stays: Sequence[PhaseEntry], now: datetime) -> timedelta:
    """How long the case was open: the sum of its stays, so that the time between closing and reopening is left out."""
    if not stays:
        return (case.closed_at or now) - case.opened_at
    until = case.closed_at or now
    return sum((max((stay.left_at or until) - stay.entered_at, timedelta()) for stay in stays), timedelta())


@dataclass(frozen=True)
class _Kept:
    """What is written beside a case."""

    assets: int
    leads: tuple[str, ...]
    milestones: tuple[Milestone, ...]
    incidents: tuple[str, ...]
    stays: tuple[PhaseEntry, ...]
    tags: tuple[str, ...]
    clock: Clock | None
    broken: tuple[Evidence, ...]
    unreviewed: tuple[Activity, ...]


def _kept(case: Case) -> _Kept:
    """One query, and one more for each thing that most cases have none of."""
    broken = Evidence.objects.filter(case=case, integrity__in=["altered", "missing"]).defer("manifest")
    unreviewed = Activity.objects.filter(case=case, detail__unreviewed=True).select_related("requested_by")
    leads = CaseMember.objects.filter(case=case, role=CaseRole.LEAD).order_by("added_at", "pk")
    clocks = Clock.objects.filter(case=case).running().ends_next()[:1]
    assets = Asset.objects.filter(case=OuterRef("pk")).order_by().values("case").annotate(many=Count("pk"))
    milestones = Milestone.objects.filter(case=case)
    found = (
        Case.objects.filter(pk=case.pk)
        .values(
            asset_count=Subquery(assets.values("many")),
            led_by=Rows(leads, user=_named("user")),
            moments=Rows(milestones, kind="kind", at="at", note="note", set_by=_named("set_by")),
            held=Rows(CaseIncident.objects.held().filter(case=case), number="number"),
            stayed=Rows(
                PhaseEntry.objects.filter(case=case), phase="phase", entered_at="entered_at", left_at="left_at"
            ),
            tag_names=Rows(CaseTag.objects.filter(case=case), name="name"),
            next_clock=Rows(clocks, title="title", started_at="started_at", due_at="due_at", state="state"),
            is_broken=Exists(broken),
            is_unreviewed=Exists(unreviewed),
        )
        .get()
    )
    clock = next((Clock(**_timed(row)) for row in found["next_clock"]), None)
    return _Kept(
        assets=found["asset_count"] or 0,
        leads=tuple(User(**row["user"]).name for row in found["led_by"]),
        milestones=tuple(Milestone(**_timed(row) | {"set_by": User(**row["set_by"])}) for row in found["moments"]),
        incidents=tuple(row["number"] for row in found["held"]),
        stays=tuple(PhaseEntry(**_timed(row)) for row in found["stayed"]),
        tags=tuple(row["name"] for row in found["tag_names"]),
        clock=clock,
        broken=tuple(broken) if found["is_broken"] else (),
        unreviewed=tuple(unreviewed) if found["is_unreviewed"] else (),
    )


def _named(field: str) -> JSONObject:
    """What a person's name is made of, for `User(**…)`."""
    return JSONObject(**{name: f"{field}__{name}" for name in User.NAMED})


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its times as times; each database writes them its own way, all in UTC."""
    return {name: _time(value) if name == "at" or name.endswith("_at") else value for name, value in row.items()}


def _time(text: str | None) -> datetime | None:
    at = parse_datetime(text) if text else None
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def _items(case: Case) -> list[ChecklistItem]:
    """The checklist; each item knows whether it waits for an open one."""
    before = ChecklistItem.objects.filter(unlocks=OuterRef("pk"), state__in=ChecklistItem.LIVE)
    before = before.exclude(phase=Phase.PREPARATION)
    suggested = ("suggested_hunts", "suggested_collections", "suggested_actions")
    named = ("case_id", "title", "phase", "state", "required", "due_at", "position", "key", *suggested)
    return list(ChecklistItem.objects.filter(case=case).only(*named).annotate(locked=Exists(before)))


def _ahead(case: Case, items: Sequence[ChecklistItem]) -> list[ChecklistItem]:
    """What is still to be done for this case; Preparation is the organisation's, not the case's."""
    if not case.is_open:
        return []
    return [item for item in items if item.is_open and item.phase != Phase.PREPARATION]


def _next(case: Case, ahead: Sequence[ChecklistItem]) -> ChecklistItem | None:
    """The first required item that waits for nothing, nearest to the phase the case is in; then those not required."""
    order = {phase: rank for rank, phase in enumerate(Phase.values)}
    here = order[case.phase]

    def rank(item: ChecklistItem) -> tuple[bool, bool, int, int, int, int]:
        there = order[item.phase]
        locked: bool = item.locked  # type: ignore[attr-defined]  # _items annotates it
        return locked, not item.required, abs(there - here), there, item.position, item.pk

    return min(ahead, key=rank, default=None)


def _stay(
    phase: Phase, case: Case, stays: Sequence[PhaseEntry], items: Sequence[ChecklistItem], now: datetime
) -> PhaseStay:
    mine = [stay for stay in stays if stay.phase == phase]
    todo = [item for item in items if item.phase == phase]
    ended = sum(1 for item in todo if not item.is_open)
    until = case.closed_at or now
    spent = sum((max((stay.left_at or until) - stay.entered_at, timedelta()) for stay in mine), timedelta())
    if phase == case.phase and case.is_open:
        state = "current"
    elif mine or (phase == Phase.PREPARATION and todo and ended == len(todo)):
        state = "done"
    else:
        state = "todo"
    return PhaseStay(phase, state, spent, bool(mine), ended, len(todo))
