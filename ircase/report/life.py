"""Reading a case's decisions, deadlines, improvements, hand-overs, open work and incidents for its report."""

from datetime import datetime

from django.db.models import QuerySet

from ircase.models import (
    Activity,
    Approval,
    Case,
    CaseIncident,
    ChecklistItem,
    Clock,
    Decision,
    HandOver,
    Improvement,
    JobState,
    Phase,
)
from ircase.report import lifeshape
from ircase.report.words import clip, when


def decisions(case: Case) -> QuerySet[Decision]:
    """In the order in which they were written."""
    found: QuerySet[Decision] = Decision.objects.filter(case=case).order_by("number")
    return found.select_related("supersedes", "superseded_by").prefetch_related("items", "evidence")


def decision(row: Decision) -> lifeshape.DecisionRow:
    later: Decision | None = getattr(row, "superseded_by", None)
    exhibits = (item.exhibit for item in row.evidence.all())
    return lifeshape.DecisionRow(
        label=row.label,
        what=row.what,
        why=clip(row.why),
        alternatives=clip(row.alternatives),
        decided_by=row.decided_by,
        decided_at=when(row.decided_at),
        told=clip(row.told),
        supersedes=row.supersedes.label if row.supersedes else "",
        superseded_by=later.label if later else "",
        links=(*exhibits, *(item.title for item in row.items.all())),
    )


def clocks(case: Case) -> QuerySet[Clock]:
    return Clock.objects.filter(case=case).select_related("evidence", "end_decision").order_by("due_at", "pk")


def clock(row: Clock, now: datetime) -> lifeshape.ClockRow:
    shown = (row.evidence.exhibit if row.evidence else "", row.end_decision.label if row.end_decision else "")
    return lifeshape.ClockRow(
        title=row.title,
        law=", ".join(part for part in (row.law, row.article) if part),
        source=row.source,
        counted=row.counted,
        basis=clip(row.basis),
        started_at=when(row.started_at),
        due_at=when(row.due_at),
        outcome=_outcome(row, now),
        delivered_at=when(row.delivered_at),
        proof=" ".join(part for part in (*shown, clip(row.end_words)) if part),
    )


def _outcome(row: Clock, now: datetime) -> str:
    if row.state == Clock.State.NOT_APPLICABLE:
        return "does not apply"
    if row.is_running:
        return "missed" if row.due_at < now else "running"
    return "delivered late" if row.is_late else "delivered in time"


def improvements(case: Case) -> QuerySet[Improvement]:
    return Improvement.objects.filter(case=case).select_related("owner").order_by("pk")


def improvement(row: Improvement) -> lifeshape.ImprovementRow:
    return lifeshape.ImprovementRow(
        title=row.title,
        outcome=row.outcome,
        owner=row.owner.name if row.owner else "",
        due_on=row.due_on.isoformat() if row.due_on else "",
        state=row.get_state_display(),
        result=clip(row.result),
        description=clip(row.description),
    )


def handovers(case: Case) -> QuerySet[HandOver]:
    return HandOver.objects.filter(case=case).select_related("giver", "receiver", "evidence").defer("snapshot")


def handover(row: HandOver) -> lifeshape.HandOverRow:
    return lifeshape.HandOverRow(
        giver=row.giver.name,
        receiver=row.receiver.name,
        offered_at=when(row.offered_at),
        state=row.get_state_display(),
        answered_at=when(row.answered_at),
        situation=clip(row.situation),
        next_steps=clip(row.next_steps),
        answer=clip(row.answer),
        moved=clip(row.moved),
        exhibit=row.evidence.exhibit if row.evidence else "",
    )


def incidents(case: Case) -> QuerySet[CaseIncident]:
    """With those that were taken out again."""
    return CaseIncident.objects.filter(case=case).select_related("added_by").defer("brought", "named")


def incident(row: CaseIncident) -> lifeshape.IncidentRow:
    return lifeshape.IncidentRow(
        number=row.number,
        title=clip(row.title, 500),
        origin=row.origin,
        url=row.url,
        via=row.get_via_display(),
        added_by=row.added_by.name,
        added_at=when(row.added_at),
        removed_at=when(row.removed_at),
        why=clip(row.removed_reason),
    )


_ENDED = (
    *(state.value for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)),
    "partial",
    "expired",
    "refused",
)


def open_items(case: Case) -> QuerySet[ChecklistItem]:
    found = ChecklistItem.objects.filter(case=case, state__in=ChecklistItem.LIVE).exclude(phase=Phase.PREPARATION)
    return found.select_related("owner")


def open_item(row: ChecklistItem) -> lifeshape.OpenWork:
    who = row.owner.name if row.owner else ""
    kind = "Required item" if row.required else "Optional item"
    return lifeshape.OpenWork(kind, row.title, who, "", when(row.due_at))


def running(case: Case) -> QuerySet[Activity]:
    found = Activity.objects.filter(case=case).exclude(state__in=_ENDED).exclude(kind=Activity.Kind.REPORT)
    return found.select_related("requested_by").defer("detail").order_by("requested_at")


def running_work(row: Activity) -> lifeshape.OpenWork:
    return lifeshape.OpenWork(row.get_kind_display(), row.title, row.requested_by.name, when(row.requested_at), "")


def waiting(case: Case, now: datetime) -> QuerySet[Approval]:
    found = Approval.objects.filter(case=case, state=Approval.State.REQUESTED, expires_at__gt=now)
    return found.select_related("requested_by").order_by("requested_at")


def waiting_approval(row: Approval) -> lifeshape.OpenWork:
    return lifeshape.OpenWork(
        "Approval", row.title, row.requested_by.name, when(row.requested_at), when(row.expires_at)
    )
