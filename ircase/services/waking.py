"""The tables of a case have changed: its super-timeline is due."""

from django.db import transaction

from ircase import jobs
from ircase.models import FINAL_STATES, Case, JobState, TimelineBuild


@transaction.atomic
def wake(case_id: int) -> None:
    """Have the case's super-timeline brought up to its tables, in the background. A worker that is at it looks once
    more before it ends."""
    made, new = TimelineBuild.objects.get_or_create(case_id=case_id)
    mine = TimelineBuild.objects.filter(pk=made.pk)
    if not new and not mine.filter(state=JobState.RUNNING).update(again=True):
        mine.filter(state__in=FINAL_STATES).update(
            state=JobState.QUEUED, attempt=0, reason="", finished_at=None, not_before=None, cancel_requested=False
        )
    jobs.enqueue("ircase.build_timeline", made.pk)


def rebuild(case: Case) -> None:
    """The same, asked for by a person."""
    wake(case.pk)
