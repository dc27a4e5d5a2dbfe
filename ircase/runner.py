"""The work behind the tasks: reading evidence into tables."""

import logging
import shutil
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.utils.dateparse import parse_datetime

from artifacts import LoadedTable, LoadReport
from artifacts.process import LoadCancelled, LoadFailed, LoadTimedOut, load_in_child
from ircase import access, incoming, store
from ircase.models import Evidence, JobState, ParseJob, Upload
from ircase.services import activity, evidence
from ircase.services.analysis import interpreting, tables
from ircase.services.transfer import caseimports, uploads
from ircase.wording import counted
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
PARSE_TIMEOUT = 3600.0
RETRY_SECONDS = 60.0


def spool_folder(prefix: str) -> Path:
    """A new folder for work in progress. The caller removes it."""
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=settings.SPOOL_DIR))


def parse_evidence(job: ParseJob) -> None:
    """Read one claimed job's evidence into case tables. Ends the job whatever happens."""
    folder = spool_folder("parse")
    try:
        with hold(ParseJob.objects.all(), job) as held:
            report = _load(job, folder, held)
            held.beat_now()
            held.check()
        _keep(job, report)
    except Stopped:
        _give_up(job)
    except LoadCancelled:
        _give_up(job)
    except (LoadFailed, LoadTimedOut) as error:
        _fail(job, str(error))
    except evidence.StoreError as error:
        _read_later(job, error)
    except DatabaseError:
        # Nothing can be written now; the sweep takes the row up once the database answers.
        raise
    except Exception:
        logger.exception("import.fault", extra={"job": str(job.uuid)})
        _fail(job, "A fault in IRCase stopped this import; the evidence is untouched. Its log has the details.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load(job: ParseJob, folder: Path, held: Hold) -> LoadReport:
    with evidence.local(job.evidence) as source:
        return _load_file(job, source, folder, held)


def _load_file(job: ParseJob, source: Path, folder: Path, held: Hold) -> LoadReport:
    # The store's name is a hash; the loader needs what the outside called it, for table names and formats.
    return load_in_child(
        [source],
        folder,
        timeout=PARSE_TIMEOUT,
        cancel=held.stop,
        on_progress=lambda seen: held.progress(stage=seen.stage, name=seen.name, records=seen.records),
        names={source: job.evidence.name},
        survey=True,
        choices=interpreting.choices(job),
    )


def _keep(job: ParseJob, report: LoadReport) -> None:
    new = [_new_table(table) for table in report.tables]
    shapes = [shape.to_json() for shape in report.shapes]
    problems = [{"member": p.member, "code": p.code, "message": p.message} for p in report.problems]
    notes = [{"member": n.member, "code": n.code, "message": n.message} for n in report.notes]
    rows = sum(t.row_count for t in new)
    outcome = f"{counted(rows, 'row')} in {counted(len(new), 'table')}"
    if problems:
        outcome += f"; {counted(len(problems), 'part')} could not be read"
    with transaction.atomic():
        # Destroyed while it was read: no table may come of it. The row is the lock that its marking takes too.
        if Evidence.objects.select_for_update().get(pk=job.evidence_id).is_destroyed:
            raise Stopped
        if not ParseJob.objects.end(job.pk, job.owner, JobState.DONE, problems=problems + notes, shapes=shapes):
            return
        tables.keep(evidence=job.evidence, tables=new)
        activity.end(job.activity, state=JobState.DONE, outcome=outcome, row_count=rows, partial=bool(problems))


def _new_table(table: LoadedTable) -> tables.NewTable:
    return tables.NewTable(
        name=table.name,
        path=table.path,
        columns=table.columns,
        row_count=table.rows,
        first_time=parse_datetime(table.first_time or ""),
        last_time=parse_datetime(table.last_time or ""),
        origin=table.origin,
        wildcard=table.wildcard,
    )


def seal_upload(upload: Upload) -> None:
    """Make one claimed upload's bytes evidence, as a file that came by a form is. Ends the upload whatever happens,
    but where the store could not write: then it is tried again, for the bytes are here."""
    try:
        with hold(Upload.objects.all(), upload) as held:
            if upload.case is None:
                caseimports.adopt(upload)
                return
            _check_owner(upload)
            stored = evidence.put_file(incoming.path_of(upload.uuid), held.check)
            held.beat_now()
            held.check()
        _keep_upload(upload, stored)
    except Stopped:
        return  # another worker has it
    except (_NotAllowed, PermissionDenied, ValidationError) as error:
        reason = " ".join(getattr(error, "messages", [str(error)]))
        Upload.objects.end(upload.pk, upload.owner, JobState.FAILED, reason=reason)
    except evidence.StoreError as error:
        _try_later(upload, str(error))
    except DatabaseError:
        raise
    except Exception:
        logger.exception("upload.fault", extra={"upload": str(upload.uuid)})
        _try_later(upload, "A fault in IRCase stopped the sealing; its log has the details.")


class _NotAllowed(Exception):
    """The person may not, or no longer, add evidence to the case."""


def _check_owner(upload: Upload) -> None:
    assert upload.case is not None
    if not access.still_may(upload.owner_user, upload.case, access.ANALYST):
        raise _NotAllowed("The person who sent it may no longer add evidence to this case. Nothing was sealed.")
    if not upload.case.is_open:
        raise _NotAllowed("The case was closed before the file could be sealed. Reopen it and send the file again.")


def _keep_upload(upload: Upload, stored: evidence.Stored) -> None:
    if stored.size != upload.size:
        Upload.objects.end(
            upload.pk, upload.owner, JobState.FAILED, reason="The bytes on the server are not whole. Send it again."
        )
        return
    assert upload.case is not None
    with transaction.atomic():
        item = uploads.seal_stored(
            case=upload.case,
            actor=upload.owner_user,
            stored=stored,
            said=uploads.Said(upload.name, upload.media_type, upload.description, upload.read, upload.begun_at),
        )
        if not Upload.objects.end(upload.pk, upload.owner, JobState.DONE, evidence=item):
            transaction.set_rollback(True)
            return
    incoming.remove(upload.uuid)


def _try_later(upload: Upload, reason: str) -> None:
    if upload.attempt >= settings.MAX_ATTEMPTS:
        Upload.objects.end(upload.pk, upload.owner, JobState.FAILED, reason=reason)
    else:
        Upload.objects.hand_back(upload.pk, upload.owner, reason=reason, wait=RETRY_SECONDS)


def _read_later(job: ParseJob, error: evidence.StoreError) -> None:
    """The store does not answer, or there is no room for a copy: that passes. A file that is gone stays gone."""
    if job.attempt >= settings.MAX_ATTEMPTS or isinstance(error, store.NotStored | store.StoreAltered):
        _fail(job, str(error))
    else:
        ParseJob.objects.hand_back(job.pk, job.owner, reason=str(error), wait=RETRY_SECONDS)


def _fail(job: ParseJob, reason: str) -> None:
    with transaction.atomic():
        if ParseJob.objects.end(job.pk, job.owner, JobState.FAILED, reason=reason):
            activity.end(job.activity, state=JobState.FAILED, outcome=reason)


def _give_up(job: ParseJob) -> None:
    """Cancelled by a person, or the row is another worker's now and nothing is ours to end."""
    with transaction.atomic():
        if ParseJob.objects.end(job.pk, job.owner, JobState.CANCELLED, reason="Cancelled"):
            activity.end(job.activity, state=JobState.CANCELLED, outcome="Cancelled")
