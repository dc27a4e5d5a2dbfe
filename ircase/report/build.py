"""The work behind one report: read the case, or the draft that is signed off; write the files; end the row."""

import json
import logging
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import access
from ircase.models import Activity, Evidence, JobState, ReportBuild, ReportKind, ReportSignature
from ircase.redaction import Redaction
from ircase.report import chapters, kinds, markdown, pictures, regimes, webpage, word
from ircase.report.data import collect
from ircase.report.document import Document, Look
from ircase.report.lifeshape import FactRow, ReportHead
from ircase.report.mask import masked
from ircase.report.shape import FORMAT, ReportData
from ircase.report.thaw import thaw
from ircase.report.typeset import TypesetError, TypesetStopped, to_json, write_pdf
from ircase.services import activity, evidence, reports
from ircase.services.reporting import signoff
from ircase.services.writing import redacting
from ircase.store import StoreError, digest_of
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
# Beside the files for people: the data set, of which a signed version prints the same words again.
DATA = "data.json"
LOGO = "logo.png"
WATERMARK = "DRAFT"
_WITH_PICTURES = (ReportKind.TECHNICAL, ReportKind.LESSONS, ReportKind.HANDOVER)


class BuildRefused(Exception):
    """The person who asked may no longer do so, or what was asked is no longer there."""


def build(job: ReportBuild) -> None:
    """Build one claimed report. Ends the row whatever happens."""
    folder = settings.SPOOL_DIR / f"report-{job.uuid}-{job.attempt}"
    try:
        folder.mkdir(parents=True, mode=0o750)
        with hold(ReportBuild.objects.all(), job) as held:
            data = _data_of(job, held)
            _write(job, data, folder, held)
            _place(job, folder, held)
        _finish(job, data)
    except (Stopped, TypesetStopped):
        _end(job, JobState.CANCELLED, "Cancelled")
    except (TypesetError, StoreError, BuildRefused) as error:
        _end(job, JobState.FAILED, str(error))
    except ValidationError as error:
        _end(job, JobState.FAILED, " ".join(error.messages))
    except OSError as error:
        reason = f"The report could not be written: {error.strerror or error}. Free space on the worker and retry."
        _end(job, JobState.FAILED, reason)
    except Exception:
        # The row must end with a reason a person can act on; what it was is for the worker's log.
        logger.exception("report.fault", extra={"build": str(job.uuid)})
        _end(job, JobState.FAILED, "A fault in IRCase stopped this report; the worker's log has the details. Retry.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _data_of(job: ReportBuild, held: Hold) -> ReportData:
    needs = access.LEAD if job.is_final_version else access.ANALYST
    if not access.still_may(job.requested_by, job.case, needs):
        raise BuildRefused(f"{job.requested_by.name} may no longer build reports of this case.")
    activity.progress(job.activity, JobState.RUNNING)
    held.progress(step="Reading the case and hashing its evidence")
    data = _signed_data(job) if job.is_final_version else _read(job)
    held.check()
    return data


def _read(job: ReportBuild) -> ReportData:
    redaction = Redaction.from_json(job.redaction)
    books = chapters.read(job.case, job.notebooks, job.requested_by)
    facts: tuple[FactRow, ...] = ()
    if job.kind == ReportKind.NOTIFICATION:
        facts = regimes.answers(job.case, job.regime, job.stage, redaction, author=job.requested_by.name)
    wanted = job.kind in _WITH_PICTURES and not redaction.masks  # nothing masks what stands in a picture
    redrawn = pictures.read(job.case, job.requested_by, comments=job.comments) if wanted else ()
    data = collect(
        job.case,
        now=timezone.now(),
        prepared_by=job.requested_by.name,
        notebooks=books,
        comments=job.comments,
        facts=facts,
    )
    head = ReportHead(
        label=job.label,
        kind=job.kind,
        regime=job.regime,
        stage=job.stage,
        language=job.language,
        redaction=redaction.sentence,
        watermark=WATERMARK,
        missing=tuple(job.missing),
    )
    return masked(job.case, replace(data, report=head, pictures=redrawn), redaction)


def _signed_data(job: ReportBuild) -> ReportData:
    """The draft's own data set, with who read it over and who signs. Raises BuildRefused, ValidationError."""
    draft = job.final_of
    path = reports.folder_of(draft) / DATA if draft is not None else None
    kept = next((file for file in draft.files if file["format"] == "data"), None) if draft is not None else None
    if draft is None or path is None or kept is None or not path.is_file() or digest_of(path) != kept["sha256"]:
        raise BuildRefused("The draft's data is no longer what was read over. Build the report again.")
    data = thaw(ReportData, json.loads(path.read_text(encoding="ascii")))
    redaction = Redaction.from_json(job.redaction)
    signed = signoff.facts_of(job)
    if redaction.masks:
        mask = redacting.mask_of(job.case, redaction)
        signed = tuple((name, mask.text(value)) for name, value in signed)
    return replace(data, report=replace(data.report, label=job.label, watermark="", missing=(), signed=signed))


def _write(job: ReportBuild, data: ReportData, folder: Path, held: Hold) -> None:
    """Every format, from one document."""
    held.progress(step="Writing the files")
    look = _look(job, data)
    if look.logo and job.look is not None:
        (folder / LOGO).write_bytes(bytes(job.look.logo))
    made = kinds.compose(data, look)
    pictures.place(data, folder)
    (folder / DATA).write_text(to_json(data), encoding="ascii")
    with (folder / "report.md").open("w", encoding="utf-8", errors="backslashreplace") as out:
        markdown.write(made, out)
    with (folder / "report.html").open("w", encoding="utf-8", errors="backslashreplace") as out:
        webpage.write(made, out, folder=folder)
    held.check()
    (folder / "report.json").write_text(_json(data, made), encoding="ascii")
    held.progress(step="Writing the Word file")
    word.write(made, folder / "report.docx", folder=folder)
    held.check()
    held.progress(step="Typesetting the PDF")
    work = folder / "typeset"
    work.mkdir()
    pictures.place(data, work)
    if look.logo:
        shutil.copyfile(folder / LOGO, work / LOGO)
    shutil.copyfile(write_pdf(made, work, stop=held.stop), folder / "report.pdf")
    held.beat_now()
    held.check()


def _look(job: ReportBuild, data: ReportData) -> Look:
    """The organisation's own, masked like the rest; a logo names who words of a lead's own may hide."""
    redaction = Redaction.from_json(job.redaction)
    logo = LOGO if job.look is not None and job.look.logo and not redaction.words else ""
    look = kinds.look_of(job.look, data, logo=logo)
    if not redaction.masks:
        return look
    return redacting.mask_of(job.case, redaction).of(look, keep=frozenset({"accent", "logo"}))


def _json(data: ReportData, made: Document) -> str:
    """The whole data set for the technical report; of every other kind what its document says and no more."""
    if data.report.kind == ReportKind.TECHNICAL:
        return to_json(data, indent=1)
    held = {"format": FORMAT, "report": asdict(data.report), "document": asdict(made)}
    return json.dumps(held, indent=1, ensure_ascii=True)


def _names() -> dict[str, str]:
    return {kind: f"report.{suffix}" for kind, (suffix, _) in reports.FORMATS.items()} | {"data": DATA}


def _place(job: ReportBuild, folder: Path, held: Hold) -> None:
    """Into REPORTS_DIR/<uuid>/, in place of what a worker that died had begun there."""
    final = reports.folder_of(job)
    final.mkdir(parents=True, exist_ok=True, mode=0o750)
    for name in _names().values():
        held.check()
        part = final / f".{name}.{job.attempt}"
        shutil.copyfile(folder / name, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(final / name)


def _finish(job: ReportBuild, data: ReportData) -> None:
    """Files first, then in one transaction: the row, the exhibit where one was asked for, the activity."""
    folder = reports.folder_of(job)
    files = [_file(kind, folder / name) for kind, name in _names().items()]
    signature = signoff.signature_of(job, _for_people(files)) if job.is_final_version else None
    stored = evidence.put_file(folder / "report.pdf") if job.seal else None
    with transaction.atomic():
        more = {} if job.is_final_version else {"log_sequence": data.integrity.log_entries}
        if not ReportBuild.objects.end(job.pk, job.owner, JobState.DONE, files=files, progress={}, **more):
            return
        exhibit = _seal(job, stored, data, signature) if stored else None
        if exhibit is not None:
            ReportBuild.objects.filter(pk=job.pk).update(evidence=exhibit)
        if signature is not None and exhibit is not None:
            signoff.keep_signature(signature, exhibit)
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


def _for_people(files: list[dict[str, object]]) -> list[dict[str, object]]:
    return [file for file in files if file["format"] != "data"]


def _file(kind: str, path: Path) -> dict[str, object]:
    return {"format": kind, "size": path.stat().st_size, "sha256": digest_of(path)}


def _seal(job: ReportBuild, stored: evidence.Stored, data: ReportData, signature: ReportSignature | None) -> Evidence:
    manifest = {
        "kind": Activity.Kind.REPORT.value,
        "format": FORMAT,
        "build": str(job.uuid),
        "report": job.label,
        "report_kind": job.kind,
        "redaction": job.redaction,
        "generated_at": data.generated_at,
        "requested_by": job.requested_by.username,
        "exhibits": {row.exhibit: row.sha256 for row in data.evidence},
        "sound": data.integrity.sound,
        "log": {"entries": data.integrity.log_entries, "digest": data.integrity.log_digest},
    }
    if signature is not None:
        signed = {"statement": signature.statement, "signature": signature.signature}
        manifest["signed"] = {**signed, "key_id": signature.key.key_id, "public_key": signature.key.public_key}
    return evidence.seal(
        case=job.case,
        stored=stored,
        kind=Evidence.Kind.REPORT,
        name=f"{job.case.reference}_{job.kind}_{timezone.now():%Y%m%d-%H%M}.pdf",
        description="The case's report as built by IRCase." if signature is None else f"{job.label}, signed off.",
        media_type="application/pdf",
        actor=job.requested_by,
        manifest=manifest,
    )


def _end(job: ReportBuild, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if ReportBuild.objects.end(job.pk, job.owner, state, reason=reason, progress={}):
            activity.end(job.activity, state=state, outcome=reason)
