"""Having the texts of case tables known to the search: asked for when a table is kept."""

from django.db import transaction

from ircase import jobs
from ircase.models import CaseTable, JobState, TableIndexing
from ircase.services import sweep


@transaction.atomic
def queue(table: CaseTable) -> TableIndexing:
    """Read the table's cells into the search, in the background."""
    job, new = TableIndexing.objects.get_or_create(table=table)
    if not new:
        TableIndexing.objects.filter(pk=job.pk).exclude(state=JobState.RUNNING).update(
            state=JobState.QUEUED, attempt=0, reason="", not_before=None, finished_at=None
        )
    jobs.enqueue("ircase.index_table", job.pk)
    return job


def tidy() -> None:
    """Send what waits once more; hand back what a dead worker had."""
    sweep.take_up(TableIndexing.objects.all(), "ircase.index_table", most=500)


def left_out(table: CaseTable) -> str:
    """What the search does not know of the table, in words; empty where it knows all, or is still to read it."""
    job = TableIndexing.objects.filter(table=table).only("left_out", "state", "reason").first()
    if job is None or not job.is_final:
        return "The search has not read this table yet."
    return job.left_out if job.state == JobState.DONE else f"The search could not read this table: {job.reason}"
