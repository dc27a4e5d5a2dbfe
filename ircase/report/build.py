"""The work behind one report: read the case, write the three files, end the row."""

import logging
import os
import shutil
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ircase import access
from ircase.models import Activity, Evidence, JobState, ReportBuild
from ircase.report import chapters, markdown
from ircase.report.data import collect
from ircase.report.shape import FORMAT, ReportData
from ircase.report.typeset import TypesetError, TypesetStopped, to_json, write_pdf
from ircase.services import activity, evidence, reports
from ircase.store import StoreError, digest_of
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
FILES = ("report.pdf", "report.md", "report.json")


class BuildRefused(Exception):
    """The person who asked may no longer do so."""


def build(job: ReportBuild) -> None:
    """Build one claimed report. Ends the row whatever happens."""
    folder = settings.SPOOL_DIR / f"report-{job.uuid}-{job.attempt}"
    try:
        folder.mkdir(parents=True, mode=0o750)
        with hold(ReportBuild.objects.all(), job) as held:
            data = _write(job, folder, held)
            _place(job, folder, held)
        _finish(job, data)
    except (Stopped, TypesetStopped):
        _end(job, JobState.CANCELLED, "Cancelled")
    except (TypesetError, StoreError, BuildRefused) as error:
        _end(job, JobState.FAILED, str(error))
    except OSError as error:
        reason = f"The report could not be written: {error.strerror or error}. Free space on the worker and retry."
        _end(job, JobState.FAILED, reason)
    except Exception:
        # The row must end with a reason a person can act on; what it was is for the worker's log.
        logger.exception("report.fault", extra={"build": str(job.uuid)})
        _end(job, JobState.FAILED, "A fault in IRCase stopped this report; the worker's log has the details. Retry.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(job: ReportBuild, folder: Path, held: Hold) -> ReportData:
    if not access.still_may(job.requested_by, job.case, access.ANALYST):
        raise BuildRefused(f"{job.requested_by.name} may no longer build reports of this case.")
    activity.progress(job.activity, JobState.RUNNING)
    held.progress(step="Reading the case and hashing its evidence")
    books = chapters.read(job.case, job.notebooks, job.requested_by)
    data = collect(
        job.case, now=timezone.now(), prepared_by=job.requested_by.name, notebooks=books, comments=job.comments
    )
    held.check()
    held.progress(step="Writing the files")
    with (folder / "report.md").open("w", encoding="utf-8", errors="backslashreplace") as out:
        markdown.write(data, out)
    (folder / "report.json").write_text(to_json(data, indent=1), encoding="ascii")
    held.progress(step="Typesetting the PDF")
    write_pdf(data, folder, stop=held.stop)
    held.beat_now()
    held.check()
    return data


def _place(job: ReportBuild, folder: Path, held: Hold) -> None:
    """Into REPORTS_DIR/<uuid>/, in place of what a worker that died had begun there."""
    final = reports.folder_of(job)
    final.mkdir(parents=True, exist_ok=True, mode=0o750)
    for name in FILES:
        held.check()
        part = final / f".{name}.{job.attempt}"
        shutil.copyfile(folder / name, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(final / name)


def _finish(job: ReportBuild, data: ReportData) -> None:
    """Files first, then in one transaction: the row, the exhibit where one was asked for, the activity."""
    folder = reports.folder_of(job)
    files = [_file(kind, folder / f"report.{suffix}") for kind, (suffix, _) in reports.FORMATS.items()]
    stored = evidence.put_file(folder / "report.pdf") if job.seal else None
    with transaction.atomic():
        if not ReportBuild.objects.end(job.pk, job.owner, JobState.DONE, files=files, progress={}):
            return
        exhibit = _seal(job, stored, data) if stored else None
        if exhibit is not None:
            ReportBuild.objects.filter(pk=job.pk).update(evidence=exhibit)
        told = "Built" if data.integrity.sound else f"Built; {data.integrity.verdict}"
        outcome = f"{told}, sealed as {exhibit.exhibit}" if exhibit else told
        activity.end(
            job.activity,
            state=JobState.DONE,
            outcome=outcome,
            evidence=exhibit,
            partial=bool(data.cuts),
            actor=job.requested_by,
        )


def _file(kind: str, path: Path) -> dict[str, object]:
    return {"format": kind, "size": path.stat().st_size, "sha256": digest_of(path)}


def _seal(job: ReportBuild, stored: evidence.Stored, data: ReportData) -> Evidence:
    return evidence.seal(
        case=job.case,
        stored=stored,
        kind=Evidence.Kind.REPORT,
        name=f"{job.case.reference}_report_{timezone.now():%Y%m%d-%H%M}.pdf",
        description="The case's report as built by IRCase.",
        media_type="application/pdf",
        actor=job.requested_by,
        manifest={
            "kind": Activity.Kind.REPORT.value,
            "format": FORMAT,
            "build": str(job.uuid),
            "generated_at": data.generated_at,
            "requested_by": job.requested_by.username,
            "exhibits": {row.exhibit: row.sha256 for row in data.evidence},
            "sound": data.integrity.sound,
            "log": {"entries": data.integrity.log_entries, "digest": data.integrity.log_digest},
        },
    )


def _end(job: ReportBuild, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if ReportBuild.objects.end(job.pk, job.owner, state, reason=reason, progress={}):
            activity.end(job.activity, state=state, outcome=reason)
