"""The work behind one export: write the zip, end the row, and tell the custody of every exhibit that is in it."""

import logging
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction

from ircase import access
from ircase.dossier import write
from ircase.dossier.container import ZipWriter
from ircase.dossier.write import Wanted, Written
from ircase.models import Case, CaseExport, Evidence, JobState, User
from ircase.services import activity, log
from ircase.services.transfer import caseexports
from ircase.services.vault import handling
from ircase.store import StoreError, digest_of
from ircase.wording import counted
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)


class ExportRefused(Exception):
    """The person who asked may no longer do so."""


def build(job: CaseExport) -> None:
    """Make one claimed export. Ends the row whatever happens."""
    final = caseexports.path_of(job)
    part = final.with_suffix(f".{job.attempt}.part")
    try:
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        with hold(CaseExport.objects.all(), job) as held:
            written = _write(job, part, held)
            held.progress(step="Judging what may leave plain")
            handling.rules_of(written.exhibits)
            held.progress(step="Hashing the zip")
            size, sha256 = part.stat().st_size, digest_of(part)
            held.beat_now()
            held.check()
        part.replace(final)
        _finish(job, written, size, sha256)
    except Stopped:
        _end(job, JobState.CANCELLED, "Cancelled")
    except (ExportRefused, StoreError) as error:
        _end(job, JobState.FAILED, str(error))
    except DatabaseError:
        # Nothing can be written now; the sweep takes the row up once the database answers.
        raise
    except OSError as error:
        reason = f"The export could not be written: {error.strerror or error}. Free space on the worker and retry."
        _end(job, JobState.FAILED, reason)
    except Exception:
        logger.exception("export.fault", extra={"export": str(job.uuid)})
        _end(job, JobState.FAILED, "A fault in IRCase stopped this export; the worker's log has the details. Retry.")
    finally:
        part.unlink(missing_ok=True)


def _write(job: CaseExport, part: Path, held: Hold) -> Written:
    if not access.still_may(job.requested_by, job.case, access.ANALYST):
        raise ExportRefused(f"{job.requested_by.name} may no longer export this case.")
    activity.progress(job.activity, JobState.RUNNING)
    wanted = Wanted(job.case, job.requested_by, str(job.uuid), job.purpose, job.receiver, job.numbers)
    with part.open("wb+") as file:
        return write.write(wanted, ZipWriter(file), tell=held.progress, check=held.check)


def _finish(job: CaseExport, written: Written, size: int, sha256: str) -> None:
    """The file first, then in one transaction: the row, custody of each exhibit, the activity."""
    fields = {"size": size, "sha256": sha256, "files_sha256": written.files_sha256, "problems": written.problems}
    with transaction.atomic():
        _require_undestroyed(job)
        if not CaseExport.objects.end(job.pk, job.owner, JobState.DONE, progress={}, **fields):
            return
        note(
            written.exhibits, actor=job.requested_by, export=str(job.uuid), purpose=job.purpose, receiver=job.receiver,
            sha256=sha256, files_sha256=written.files_sha256,
        )  # fmt: skip
        outcome = f"{counted(len(written.exhibits), 'exhibit')} for {job.receiver}"
        if written.problems:
            outcome += f"; {', '.join(written.problems)}"
        activity.end(
            job.activity, state=JobState.DONE, outcome=outcome, partial=bool(written.problems), actor=job.requested_by
        )


def _require_undestroyed(job: CaseExport) -> None:
    """What was destroyed while the export was made may not leave by it. Raises ExportRefused."""
    # The lock under which a destruction takes away the exports that are made already.
    Case.objects.select_for_update().get(pk=job.case_id)
    gone = Evidence.objects.filter(case=job.case_id, destroyed_at__gte=job.started_at or job.queued_at)
    gone = gone.filter(number__in=job.numbers) if job.numbers else gone
    if gone.exists():
        raise ExportRefused("Evidence of it was destroyed while it was made. Make it again.")


def note(exhibits: Iterable[Evidence], *, actor: User, **detail: str) -> None:
    """Custody of each exhibit hears that it left, with the digest of the export, for what and for whom."""
    for item in exhibits:
        log.record_custody(item, "exported", actor=actor, **detail)


def _end(job: CaseExport, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if not CaseExport.objects.end(job.pk, job.owner, state, reason=reason, progress={}):
            return
        activity.end(job.activity, state=state, outcome=reason)
        # It may be there already where the last step refused.
        transaction.on_commit(lambda: caseexports.path_of(job).unlink(missing_ok=True))


def clear_parts() -> None:
    """What workers that died had begun: parts of exports that are final, or that another attempt writes; and zips whose
    export ended without one, or was removed."""
    for part in settings.EXPORTS_DIR.glob("*.part"):
        uuid, attempt = part.name.split(".")[:2]
        row = CaseExport.objects.filter(uuid=uuid).first()
        if row is None or row.is_final or str(row.attempt) != attempt:
            part.unlink(missing_ok=True)
    for file in settings.EXPORTS_DIR.glob("*.zip"):
        row = CaseExport.objects.filter(uuid=file.stem).first()
        if row is not None and row.is_final and (row.state != JobState.DONE or row.removed_at):
            file.unlink(missing_ok=True)
