"""The work behind taking many rows: the person's right, the plan once more, and all of it in one transaction."""

import logging

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from ircase import access
from ircase.models import CaseTable, JobState, RowTake
from ircase.services import activity
from ircase.services.analysis import mapping
from ircase.work import Stopped, hold

logger = logging.getLogger(__name__)


def take_rows(job: RowTake) -> None:
    """Take one claimed job's rows. Ends the job whatever happens; a database that is away leaves it to the sweep."""
    try:
        with hold(RowTake.objects.all(), job) as held:
            table = _table(job)
            with transaction.atomic():
                plan = mapping.Plan(**job.plan)
                counts = mapping.take(table=table, actor=job.requested_by, numbers=job.numbers, plan=plan)
                held.check()
                said = mapping.sentence(counts)
                kept = [one.__dict__ for one in counts]
                if not RowTake.objects.end(job.pk, job.owner, JobState.DONE, counts=kept):
                    raise Stopped
                activity.end(job.activity, state=JobState.DONE, outcome=said, row_count=len(job.numbers))
    except Stopped:
        _end(job, JobState.CANCELLED, "Cancelled")
    except ValidationError as error:
        _end(job, JobState.FAILED, " ".join(error.messages))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("rows.fault", extra={"job": str(job.uuid)})
        _end(job, JobState.FAILED, "A fault in IRCase stopped this; nothing was taken. Its log has the details.")


def _table(job: RowTake) -> CaseTable:
    """Permission is checked where it is used. Raises ValidationError."""
    if not access.still_may(job.requested_by, job.case, access.ANALYST) or not job.case.is_open:
        raise ValidationError(f"{job.requested_by.name} may no longer write on this case, or it is closed.")
    found = CaseTable.objects.filter(evidence=job.evidence, name=job.table_name).select_related("evidence").first()
    if found is None:
        raise ValidationError("The table is not there any more. Read the evidence into tables again.")
    found.case = found.evidence.case = job.case
    return found


def _end(job: RowTake, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if RowTake.objects.end(job.pk, job.owner, state, reason=reason):
            activity.end(job.activity, state=state, outcome=reason)
