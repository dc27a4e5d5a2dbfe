"""The work behind one shared file: make it, keep it with its digest, tell the custody of every exhibit behind it."""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction

from ircase import access
from ircase.exchange.formats import FORMATS
from ircase.exchange.model import Product, ShareData
from ircase.models import CaseShare, Evidence, JobState
from ircase.redaction import RedactionError
from ircase.services import activity, log
from ircase.services.transfer import sharing
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)


class ShareRefused(Exception):
    """The person who asked may no longer do so."""


def share(job: CaseShare) -> None:
    """Make one claimed file. Ends the row whatever happens; a database that is away leaves it to the sweep."""
    draft = job.path.with_name(f".{job.uuid}-{job.attempt}")
    try:
        with hold(CaseShare.objects.all(), job) as held:
            data, made = _make(job, draft, held)
            held.beat_now()
            held.check()
            _keep(job, draft, data, made)
    except Stopped:
        _end(job, JobState.CANCELLED, "Cancelled")
    except (ShareRefused, RedactionError) as error:
        _end(job, JobState.FAILED, str(error))
    except DatabaseError:
        raise
    except OSError as error:
        reason = f"The file could not be written: {error.strerror or type(error).__name__}. Free space and retry."
        _end(job, JobState.FAILED, reason)
    except Exception:
        logger.exception("share.fault", extra={"share": str(job.uuid)})
        _end(job, JobState.FAILED, "A fault in IRCase stopped this file; the worker's log has the details. Retry.")
    finally:
        draft.unlink(missing_ok=True)


def _make(job: CaseShare, draft: Path, held: Hold) -> tuple[ShareData, Product]:
    needs = access.LEAD if job.grave else sharing.needed(job.case, job.tlp)
    if not access.still_may(job.requested_by, job.case, needs):
        raise ShareRefused(f"{job.requested_by.name} may no longer hand out this case.")
    activity.progress(job.activity, JobState.RUNNING)
    held.progress(step="Reading the case")
    data, made = sharing.produce(job.case, job.format, sharing.wish_of(job))
    held.check()
    held.progress(step="Writing the file")
    job.path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with draft.open("xb") as file:
        file.write(made.data)
        file.flush()
        os.fsync(file.fileno())
    return data, made


def _keep(job: CaseShare, draft: Path, data: ShareData, made: Product) -> None:
    """In one transaction: the row, custody of each exhibit, the log; the file is there before anybody can know."""
    kind = FORMATS[job.format]
    fields: dict[str, Any] = {
        "name": f"{job.case.reference}_{kind.part}{made.suffix}",
        "size": len(made.data),
        "sha256": hashlib.sha256(made.data).hexdigest(),
        "manifest": sharing.manifest_of(data, made, proves=kind.proves),
    }
    with transaction.atomic():
        if not CaseShare.objects.end(job.pk, job.owner, JobState.DONE, progress={}, **fields):
            return
        for item in Evidence.objects.filter(case=job.case, number__in=fields["manifest"]["exhibits"]):
            log.record_custody(
                item, "exported", actor=job.requested_by, what=f"facts in a {kind.label}", receiver=job.receiver,
                purpose=job.purpose, sha256=fields["sha256"], share=str(job.uuid),
            )  # fmt: skip
        left = fields["manifest"]["left"]
        log.record(
            "share.made", case=job.case, actor=job.requested_by, title=kind.label, receiver=job.receiver,
            purpose=job.purpose, tlp=job.tlp, highest=data.highest_tlp, masked=bool(job.redaction), left_out=left,
            counts=dict(made.counts), sha256=fields["sha256"],
        )  # fmt: skip
        stayed = f"; {left} left out" if left else ""
        outcome = f"For {job.receiver}, TLP:{data.highest_tlp.upper()} at most{stayed}"
        activity.end(job.activity, state=JobState.DONE, outcome=f"{outcome}.", actor=job.requested_by)
        draft.replace(job.path)


def _end(job: CaseShare, state: JobState, reason: str) -> None:
    with transaction.atomic():
        if CaseShare.objects.end(job.pk, job.owner, state, reason=reason, progress={}):
            activity.end(job.activity, state=state, outcome=reason)
