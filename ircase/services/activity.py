"""Activity: how hunts, collections and reports are known to the case without the case knowing of them."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from ircase.models import Activity, Case, Evidence, JobState, NoticeCode, NoticeSettings, User
from ircase.search import index
from ircase.services import log, notices

LONG = timedelta(minutes=2)
"""What takes longer is told to whoever asked for it when it ends."""


@transaction.atomic
def begin(
    *,
    case: Case,
    kind: Activity.Kind,
    title: str,
    subject: uuid.UUID,
    url_name: str,
    actor: User,
    state: str = JobState.QUEUED,
    detail: dict[str, Any] | None = None,
) -> Activity:
    """The activity of a row that is being made. `url_name` takes the case's reference and `subject`."""
    activity = Activity.objects.create(
        case=case,
        kind=kind,
        title=title[:300],
        subject=subject,
        url_name=url_name,
        requested_by=actor,
        state=state,
        detail=detail or {},
    )
    log.record(f"{kind.value}.queued", case=case, actor=actor, title=title, subject=str(subject))
    return activity


def begin_many(activities: Sequence[Activity]) -> list[Activity]:
    """The activities of many rows that are made at once. The caller logs the whole in one entry, in its transaction."""
    made = Activity.objects.bulk_create(activities, batch_size=500)
    index.write_many("activity", made)
    return made


def end_many(activities: QuerySet[Activity], *, state: str, outcome: str) -> int:
    """End many without a result, at once. The caller logs the whole in one entry, in its transaction."""
    pks = list(activities.values_list("pk", flat=True))
    changed = Activity.objects.filter(pk__in=pks).update(state=state, outcome=outcome, ended_at=timezone.now())
    index.write_many("activity", Activity.objects.filter(pk__in=pks).iterator(chunk_size=500))
    return changed


def progress_many(activities: QuerySet[Activity], state: str, *, at: datetime) -> None:
    """Many have moved on, their start is `at`; the search's index as well."""
    activities.update(state=state, started_at=at)
    for part in index.batched(activities.only("pk", "subject", "uuid").iterator(chunk_size=500), 500):
        index.write_status("activity", part, state)


def progress(activity: Activity, state: str) -> None:
    """The work has moved on; its start is kept the first time."""
    Activity.objects.filter(pk=activity.pk, started_at=None).update(started_at=timezone.now())
    Activity.objects.filter(pk=activity.pk).update(state=state)
    index.write_status("activity", [activity], state)


@transaction.atomic
def end(
    activity: Activity,
    *,
    state: str,
    outcome: str,
    row_count: int | None = None,
    partial: bool = False,
    evidence: Evidence | None = None,
    actor: User | None = None,
) -> None:
    """Write how it ended, in the transaction that ends the work's own row, and log it."""
    activity.state, activity.outcome, activity.row_count, activity.partial = state, outcome, row_count, partial
    activity.ended_at = timezone.now()
    activity.save(update_fields=["state", "outcome", "row_count", "partial", "ended_at"])
    if evidence is not None:
        activity.evidence.add(evidence)
    log.record(
        f"{activity.kind}.{state}",
        case=activity.case,
        actor=actor,
        title=activity.title,
        subject=str(activity.subject),
        outcome=outcome,
        partial=partial,
    )
    if actor is None or actor.pk != activity.requested_by_id:
        _tell_asker(activity)


def _tell_asker(activity: Activity) -> None:
    """Whoever asked for it hears of what took long enough to look away, or of everything where they want that."""
    ended = activity.ended_at or timezone.now()
    wants_every = NoticeSettings.objects.filter(person=activity.requested_by_id, every_run=True)
    if not activity.is_final or (ended - activity.requested_at <= LONG and not wants_every.exists()):
        return
    partly = ", in part" if activity.partial else ""
    notices.tell(
        code=NoticeCode.FINISHED,
        people=[activity.requested_by],
        case=activity.case,
        subject=notices.about(activity.uuid, f"ended {ended.isoformat()}"),
        title=f"{activity.get_kind_display()} {activity.state}{partly}: {activity.title}",
        path=_path(activity),
        lines=[activity.outcome[:500]] if activity.outcome else [],
    )


def _path(activity: Activity) -> str:
    try:
        return reverse(activity.url_name, args=[activity.case.reference, activity.subject])
    except NoReverseMatch:
        return reverse("ircase:case", args=[activity.case.reference])


@transaction.atomic
def judge(*, activity: Activity, actor: User, verdict: str, sentence: str) -> Activity:
    """A person's conclusion: what the result means for the case."""
    activity.verdict, activity.sentence, activity.judged_by = Activity.Verdict(verdict), sentence, actor
    activity.save(update_fields=["verdict", "sentence", "judged_by"])
    log.record(
        f"{activity.kind}.judged",
        case=activity.case,
        actor=actor,
        title=activity.title,
        verdict=verdict,
        sentence=sentence[:200],
    )
    return activity
