"""Cases of another IRCase coming in: received, watched, taken over in spite of faults. The worker's part is
ircase.dossier.bringin."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import incoming, jobs, secrets
from ircase.models import CaseImport, JobState, Upload, User
from ircase.services import log
from ircase.services.casework.opening import require_opener
from ircase.services.transfer import resumable
from ircase.services.vault import packing

TASK: Final = "ircase.import_case"
_HEX: Final = frozenset("0123456789abcdef")


def path_of(job: CaseImport) -> Path:
    return settings.IMPORTS_DIR / f"{job.uuid}.zip"


@dataclass(frozen=True)
class Wish:
    """What stands beside a file that is handed in. `password`: of the encrypted zip around it, if it lies in one; the
    usual word needs not be said."""

    name: str
    confidential: bool = True
    expected_key: str = ""
    password: str = ""


def _new(actor: User, wish: Wish) -> CaseImport:
    """An unsaved import. Raises PermissionDenied, ValidationError."""
    require_opener(actor)
    key = wish.expected_key.strip().lower()
    if key and (len(key) != 64 or not set(key) <= _HEX):
        raise ValidationError("A public key has 64 hexadecimal digits.")
    if len(wish.password) > packing.LONGEST:
        raise ValidationError(f"A password has at most {packing.LONGEST} letters.")
    return CaseImport(
        requested_by=actor,
        name=wish.name.replace("\x00", "")[-255:] or "export.zip",
        confidential=wish.confidential,
        expected_key=key,
        password=secrets.encrypt(wish.password),
    )


def receive(*, actor: User, wish: Wish, chunks: Iterable[bytes]) -> CaseImport:
    """Keep an export's bytes and have a worker verify it. Raises PermissionDenied, ValidationError, OSError."""
    job = _new(actor, wish)
    path = path_of(job)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        with path.open("xb") as file:
            for chunk in chunks:
                job.size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    # File first, row second.
    with transaction.atomic():
        _keep(job, actor)
    return job


def begin_upload(*, actor: User, wish: Wish, size: int, fingerprint: str) -> Upload:
    """An export that comes in parts. Raises PermissionDenied, ValidationError, and what `resumable.begin` does."""
    job = _new(actor, wish)
    kept = {"confidential": job.confidential, "expected_key": job.expected_key, "password": job.password}
    return resumable.begin(
        case=None, actor=actor, new=resumable.NewUpload(job.name, size, fingerprint=fingerprint, wish=kept)
    )


def adopt(upload: Upload) -> None:
    """Make an import of an upload that is whole, and end it. Harmless when it is done again after a crash.

    Raises PermissionDenied where the person may no longer open cases, OSError.
    """
    require_opener(upload.owner_user)
    # The upload's own identifier: a worker that died half-way left at most this file.
    job = CaseImport(
        uuid=upload.uuid, requested_by=upload.owner_user, name=upload.name, size=upload.size, **upload.wish
    )
    path = path_of(job)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    path.unlink(missing_ok=True)
    _second_name(incoming.path_of(upload.uuid), path)
    with transaction.atomic():
        _keep(job, upload.owner_user)
        if not Upload.objects.end(upload.pk, upload.owner, JobState.DONE, came_in=job, wish={}):
            transaction.set_rollback(True)
            return
    incoming.remove(upload.uuid)


def _second_name(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _keep(job: CaseImport, actor: User) -> None:
    job.full_clean(exclude=["requested_by"])
    job.save()
    log.record("import.received", actor=actor, name=job.name, size=job.size)
    jobs.enqueue(TASK, job.pk)


@transaction.atomic
def open_again(*, job: CaseImport, actor: User, password: str) -> None:
    """Try another password on the zip around it. Raises ValidationError where it waits for none."""
    if not password or len(password) > packing.LONGEST:
        raise ValidationError("Give the password of the zip, as the sender told you.")
    waiting = CaseImport.objects.filter(pk=job.pk, state=JobState.FAILED, locked=True)
    changed = waiting.update(
        state=JobState.QUEUED, locked=False, password=secrets.encrypt(password), reason="", finished_at=None
    )
    if not changed or not path_of(job).is_file():
        raise ValidationError("It waits for no password, or its file is gone: send it again.")
    log.record("import.password_given", actor=actor, name=job.name)
    jobs.enqueue(TASK, job.pk)


@transaction.atomic
def accept(*, job: CaseImport, actor: User, reason: str) -> None:
    """Take it over although it has faults. Raises ValidationError where it has none that can be accepted."""
    if not reason.strip():
        raise ValidationError("Say why it is taken over in spite of its faults; the case's log keeps it.")
    waiting = CaseImport.objects.filter(pk=job.pk, state=JobState.FAILED, accepted="").exclude(faults=[])
    changed = waiting.exclude(reference="").update(
        state=JobState.QUEUED, accepted=reason.strip()[:500], reason="", finished_at=None
    )
    if not changed or not path_of(job).is_file():
        raise ValidationError("There is nothing to take over: the file cannot be read as an export, or it is gone.")
    log.record("import.accepted", actor=actor, name=job.name, reason=reason.strip()[:500])
    jobs.enqueue(TASK, job.pk)


def sweep() -> None:
    """Beat's tick: lost imports go on, files that nobody needs go."""
    rows = CaseImport.objects.all()
    for job in rows.silent():
        if job.attempt >= settings.MAX_ATTEMPTS:
            rows.end(job.pk, job.owner, JobState.FAILED, reason=f"Given up: {job.attempt} workers died while at it.")
        else:
            rows.hand_back(job.pk, job.owner, reason="The worker stopped answering; queued again.")
    for pk in rows.due().values_list("pk", flat=True)[:100]:
        jobs.send("ircase.import_case", pk)
    _tidy()


def _tidy() -> None:
    limit = timezone.now() - timedelta(days=settings.EXPORT_KEEP_DAYS)
    if not settings.IMPORTS_DIR.is_dir():
        return
    done = CaseImport.objects.filter(state=JobState.DONE) | CaseImport.objects.filter(finished_at__lt=limit)
    gone = {f"{uuid}.zip" for uuid in done.values_list("uuid", flat=True)}
    for path in settings.IMPORTS_DIR.glob("*.zip"):
        if path.name in gone:
            path.unlink(missing_ok=True)
