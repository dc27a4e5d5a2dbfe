"""Reading a case's decisions, deadlines and improvements for its report."""

from datetime import datetime

from django.db.models import QuerySet

from ircase.models import Case, Clock, Decision, Improvement
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
    )
