"""The tables of a case have changed: its super-timeline is due."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import FINAL_STATES, Case, JobState, TimelineBuild


@transaction.atomic
def wake(case_id: int, *, rested: bool = True) -> None:
    """Have the case's super-timeline brought up to its tables, in the background. A worker that is at it looks once
    more. Where a hundred files come home one by one, `rested` leaves a while between two builds."""
    made, new = TimelineBuild.objects.get_or_create(case_id=case_id)
    mine = TimelineBuild.objects.filter(pk=made.pk)
    wait = _rest(made) if rested else 0.0
    if not new and not mine.filter(state=JobState.RUNNING).update(again=True):
        mine.filter(state__in=FINAL_STATES).update(
            state=JobState.QUEUED,
            attempt=0,
            reason="",
            finished_at=None,
            not_before=timezone.now() + timedelta(seconds=wait),
            cancel_requested=False,
        )
    jobs.enqueue("ircase.build_timeline", made.pk, after=wait)


def _rest(made: TimelineBuild) -> float:
    """Seconds until the next build may begin."""
    if made.finished_at is None:
        return 0.0
    return max(settings.TIMELINE_REST_SECONDS - (timezone.now() - made.finished_at).total_seconds(), 0.0)


def rebuild(case: Case) -> None:
    """At once: a person asks."""
    wake(case.pk, rested=False)
