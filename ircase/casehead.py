"""What the head of a case says on every tab: facts, phases with time and progress, what comes next, broken evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Subquery
from django.utils import timezone

from ircase.models import (
    Activity,
    Asset,
    Case,
    CaseMember,
    CaseRole,
    CaseTag,
    ChecklistItem,
    Clock,
    Evidence,
    Milestone,
    Phase,
    PhaseEntry,
)

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
    """Everything the shell shows, in seven queries where nothing is amiss. `next_item` is what to do next, if any;
    `clocks` are the first deadlines that run."""

    members: tuple[CaseMember, ...]
    milestones: tuple[Milestone, ...]
    phases: tuple[PhaseStay, ...]
    next_item: ChecklistItem | None
    next_due: ChecklistItem | None
    overdue: int
    assets: int
    broken: tuple[Evidence, ...]
    unreviewed: tuple[Activity, ...]
    open_for: timedelta
    clocks: tuple[Clock, ...]
    now: datetime
    tags: tuple[str, ...] = ()

    @property
    def leads(self) -> list[CaseMember]:
        return [member for member in self.members if member.role == CaseRole.LEAD]

    @property
    def clock(self) -> Clock | None:
        """The deadline that ends next."""
        return self.clocks[0] if self.clocks else None

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
        return next((m.at for m in self.milestones if m.kind == kind), None)

    def _span(self, start: str, end: str) -> timedelta | None:
        began, ended = self.at(start), self.at(end)
        return ended - began if began and ended and ended >= began else None


def head_of(case: Case, now: datetime | None = None) -> CaseHead:
    """Read the head of `case`."""
    now = now or timezone.now()
    rare = _rare(case)
    items = list(
        ChecklistItem.objects.filter(case=case).only(
            "case_id", "title", "phase", "state", "required", "due_at", "position", "key"
        )
    )
    stays = list(PhaseEntry.objects.filter(case=case))
    ahead = _ahead(case, items)
    due = sorted((i for i in ahead if i.due_at), key=lambda i: (i.due_at or now, i.position))
    return CaseHead(
        members=tuple(CaseMember.objects.filter(case=case).select_related("user").order_by("added_at", "pk")),
        milestones=tuple(Milestone.objects.filter(case=case).select_related("set_by")),
        phases=tuple(_stay(phase, case, stays, items, now) for phase in Phase),
        next_item=_next(case, ahead, _locked(case, ahead)),
        next_due=due[0] if due else None,
        overdue=sum(1 for i in due if i.due_at and i.due_at < now),
        assets=rare.assets,
        broken=rare.broken,
        unreviewed=rare.unreviewed,
        tags=rare.tags,
        open_for=open_time(case, stays, now),
        clocks=tuple(Clock.objects.filter(case=case).running().ends_next()[:CLOCKS]),
        now=now,
    )


def open_time(case: Case, stays: Sequence[PhaseEntry], now: datetime) -> timedelta:
    """How long the case was open: the sum of its stays, so that the time between closing and reopening is left out."""
    if not stays:
        return (case.closed_at or now) - case.opened_at
    until = case.closed_at or now
    return sum((max((stay.left_at or until) - stay.entered_at, timedelta()) for stay in stays), timedelta())


@dataclass(frozen=True)
class _Rare:
    """What most cases have none of, beside the number of assets."""

    assets: int
    broken: tuple[Evidence, ...]
    unreviewed: tuple[Activity, ...]
    tags: tuple[str, ...]


def _rare(case: Case) -> _Rare:
    """One query that says what there is, and one more for each thing that there is."""
    broken = Evidence.objects.filter(case=case, integrity__in=["altered", "missing"]).defer("manifest")
    unreviewed = Activity.objects.filter(case=case, detail__unreviewed=True).select_related("requested_by")
    tags = CaseTag.objects.filter(case=case)
    assets = Asset.objects.filter(case=OuterRef("pk")).order_by().values("case").annotate(many=Count("pk"))
    there = (
        Case.objects.filter(pk=case.pk)
        .values_list(Subquery(assets.values("many")), Exists(broken), Exists(unreviewed), Exists(tags))
        .get()
    )
    return _Rare(
        there[0] or 0,
        tuple(broken) if there[1] else (),
        tuple(unreviewed) if there[2] else (),
        tuple(tags.values_list("name", flat=True)) if there[3] else (),
    )


def _ahead(case: Case, items: Sequence[ChecklistItem]) -> list[ChecklistItem]:
    """What is still to be done for this case; Preparation is the organisation's, not the case's."""
    if not case.is_open:
        return []
    return [item for item in items if item.is_open and item.phase != Phase.PREPARATION]


def _locked(case: Case, ahead: Sequence[ChecklistItem]) -> set[int]:
    """Ids of items that wait for an open one."""
    if not ahead:
        return set()
    still_open = {item.pk for item in ahead}
    links = ChecklistItem.depends_on.through.objects.filter(from_checklistitem__case=case)
    pairs = links.values_list("from_checklistitem_id", "to_checklistitem_id")
    return {item for item, other in pairs if other in still_open}


def _next(case: Case, ahead: Sequence[ChecklistItem], locked: set[int]) -> ChecklistItem | None:
    """The first required item that waits for nothing, nearest to the phase the case is in; then those not required."""
    order = {phase: rank for rank, phase in enumerate(Phase.values)}
    here = order[case.phase]

    def rank(item: ChecklistItem) -> tuple[bool, bool, int, int, int, int]:
        there = order[item.phase]
        return item.pk in locked, not item.required, abs(there - here), there, item.position, item.pk

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
