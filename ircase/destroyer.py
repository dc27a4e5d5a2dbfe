"""The work behind a destruction that two persons decided: mark, give the bytes up, certify. It may die at any step."""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.utils import timezone

from ircase import access
from ircase.finder import cells
from ircase.models import Approval, Case, CaseTable, Destruction, Evidence, JobState, ParseJob
from ircase.report import certificate
from ircase.services import approvals, evidence, log, waking
from ircase.services.analysis import supertimeline
from ircase.services.transfer import caseexports
from ircase.services.vault import destruction, holds, looking, removal
from ircase.work import Hold, Stopped, hold

logger = logging.getLogger(__name__)
RETRY_SECONDS = 60.0


class Refused(Exception):
    """It may not be done, and nothing was done. The message says why."""


def destroy(row: Destruction) -> None:
    """Carry one claimed destruction through. Once begun it is never given up, only tried again."""
    try:
        with hold(Destruction.objects.all(), row) as held:
            approval = _begin(row)
            for item in row.exhibits.select_related("case").order_by("number"):
                held.check()
                if item.is_destroyed or _mark(row, approval, item):
                    _clear(row, item)
            if not row.exhibits.exists():
                raise Refused("A legal hold came before anything was destroyed.")
            _certify(row, approval, held)
    except Stopped:
        return  # another worker has it
    except Refused as error:
        _end(row, str(error))
    except (evidence.StoreError, certificate.TypesetError, OSError) as error:
        Destruction.objects.hand_back(row.pk, row.owner, reason=f"{error} Trying again.", wait=RETRY_SECONDS)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("destruction.fault", extra={"destruction": str(row.uuid)})
        Destruction.objects.hand_back(
            row.pk,
            row.owner,
            reason="A fault in IRCase; its log has the details. Trying again.",
            wait=RETRY_SECONDS * 10,
        )


@transaction.atomic
def _begin(row: Destruction) -> Approval:
    """The last look before anything goes. A hold that is placed at this moment comes before it, or after."""
    Case.objects.select_for_update().get(pk=row.case_id)
    row.refresh_from_db(fields=["begun_at"])
    if row.begun_at is not None:
        approval = destruction.approval_of(row)
        if approval is None:
            raise Refused("Its approval is gone.")
        return approval
    approval = approvals.find_valid(row.uuid, approvals.binding(**row.facts()))
    if approval is None:
        raise Refused(
            "The approval no longer covers this: it is past its time, or whoever gave it leads the case no more."
        )
    if not access.still_may(row.requested_by, row.case, access.LEAD):
        raise Refused(f"{row.requested_by.name} no longer leads the case.")
    if found := destruction.obstacles(row.case, list(row.exhibits.all())):
        raise Refused(" ".join(found))
    row.begun_at = timezone.now()
    Destruction.objects.filter(pk=row.pk).update(begun_at=row.begun_at)
    return approval


def _clear(row: Destruction, item: Evidence) -> None:
    """Give up the bytes of an exhibit that is marked, and what was made of them."""
    for table in CaseTable.objects.filter(evidence=item):
        table.path.unlink(missing_ok=True)
        table.path.with_suffix(".new.parquet").unlink(missing_ok=True)
        cells.forget(table)
    # What the super-timeline made of them goes with its next build, the files that were written from it now.
    waking.wake(row.case_id)
    supertimeline.drop_exports(item)
    caseexports.drop(item)
    destruction.forget_copies(item)
    looking.forget(item)
    removal.release(item.sha256)


@transaction.atomic
def _mark(row: Destruction, approval: Approval, item: Evidence) -> bool:
    """From here on nobody reads the bytes through this exhibit. False where a hold was placed on it since this began:
    it is spared, and the certificate is of the others."""
    Case.objects.select_for_update().get(pk=row.case_id)
    if hold := holds.standing(row.case).filter(Q(evidence=None) | Q(evidence=item)).first():
        row.exhibits.remove(item)
        log.record(
            "destruction.spared", case=row.case, exhibit=item.exhibit, name=item.name, subject=str(row.uuid),
            reason=hold.reason,
        )  # fmt: skip
        return False
    now, by = timezone.now(), approval.decided_by
    Evidence.objects.filter(pk=item.pk).update(integrity=Evidence.Integrity.DESTROYED, destroyed_at=now, checked_at=now)
    CaseTable.objects.filter(evidence=item).update(queryable=False)
    ParseJob.objects.filter(evidence=item).unfinished().update(cancel_requested=True)
    facts: dict[str, Any] = {
        "sha256": item.sha256,
        "reason": row.why,
        "asked_by": row.requested_by.name,
        "approved_by": by.name if by else "",
    }
    log.record_custody(item, "destroyed", actor=None, destruction=str(row.uuid), **facts)
    log.record(
        "evidence.destroyed", case=row.case, exhibit=item.exhibit, name=item.name, destruction=str(row.uuid), **facts
    )
    return True


def _certify(row: Destruction, approval: Approval, held: Hold) -> None:
    """The certificate as an exhibit of its own, and the end of the row, in one transaction."""
    content = certificate.certificate_of(row, approval)
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True, mode=0o750)
    folder = Path(tempfile.mkdtemp(prefix="certificate-", dir=settings.SPOOL_DIR))
    try:
        stored = evidence.put_file(certificate.write_pdf(content, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    held.beat_now()
    held.check()
    digest = evidence.manifest_digest(content)
    with transaction.atomic():
        sealed = evidence.seal(
            case=row.case,
            stored=stored,
            kind=Evidence.Kind.REPORT,
            name=f"{row.case.reference}_certificate_of_destruction_{timezone.now():%Y%m%d-%H%M}.pdf",
            description="Certificate of destruction; its manifest is the same as JSON.",
            media_type="application/pdf",
            manifest=content,
            actor=row.requested_by,
            beyond_quota=True,
        )
        done = Destruction.objects.end(
            row.pk, row.owner, JobState.DONE, certificate=content, certificate_sha256=digest, sealed=sealed, reason=""
        )
        if not done:
            transaction.set_rollback(True)
            return
        log.record(
            "destruction.certified", case=row.case, exhibit=sealed.exhibit, certificate=digest, subject=str(row.uuid)
        )


def _end(row: Destruction, reason: str) -> None:
    with transaction.atomic():
        if Destruction.objects.end(row.pk, row.owner, JobState.FAILED, reason=reason):
            log.record("destruction.refused", case=row.case, subject=str(row.uuid), reason=reason)
