"""ATT&CK data that an administrator brings: taken in by the web, read by a worker, then used by everybody."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from ircase import attack, jobs
from ircase.attack import stix
from ircase.models import AttackRelease, JobState, User
from ircase.services import log
from ircase.services.analysis import findings
from ircase.services.transfer.uploads import Upload
from ircase.work import Stopped, hold

logger = logging.getLogger(__name__)
TASK: Final = "ircase.load_attack"
MOST_BYTES: Final = 150 * 1024 * 1024
"""MITRE's file of 2025 has about 50 MB."""


def bundle_path(row: AttackRelease) -> Path:
    """Where the upload waits for a worker; gone once it was read."""
    return Path(settings.ATTACK_DIR) / f"{row.uuid}.bundle"


def kept_path(row: AttackRelease) -> Path:
    """What IRCase keeps of it."""
    return Path(settings.ATTACK_DIR) / f"{row.uuid}.release"


def bring(*, actor: User, upload: Upload) -> AttackRelease:
    """Take the file in; a worker reads it. Raises ValidationError."""
    if (upload.size or 0) > MOST_BYTES:
        raise ValidationError(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB; that is no ATT&CK bundle.")
    name = findings.clean(upload.name or "")[-255:] or "enterprise-attack.json"
    row = AttackRelease(name=name, size=upload.size or 0, uploaded_by=actor)
    path, digest = bundle_path(row), hashlib.sha256()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with path.open("xb") as file:
        for chunk in upload.chunks():
            digest.update(chunk)
            file.write(chunk)
    row.sha256 = digest.hexdigest()
    try:
        with transaction.atomic():
            row.full_clean(exclude=["uploaded_by"])
            row.save()
            log.record("attack.brought", actor=actor, name=name, sha256=row.sha256, size=row.size)
            jobs.enqueue("ircase.load_attack", row.pk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return row


def load(row: AttackRelease) -> None:
    """Read one claimed upload and use it. Ends the row whatever happens; a database that is away leaves it to the
    sweep."""
    rows = AttackRelease.objects.all()
    try:
        with hold(rows, row) as held:
            found = stix.read(bundle_path(row), row.name)
            held.beat_now()
            held.check()
            kept_path(row).write_text(json.dumps(found.to_json()), encoding="utf-8")
            _keep(row, found)
    except Stopped:
        return
    except attack.AttackError as error:
        _fail(row, str(error))
    except DatabaseError:
        raise
    except OSError as error:
        _fail(row, f"The file could not be read: {error.strerror or type(error).__name__}.")
    except Exception:
        logger.exception("attack.fault", extra={"release": str(row.uuid)})
        _fail(row, "A fault in IRCase stopped the reading; its log has the details.")


@transaction.atomic
def _keep(row: AttackRelease, found: attack.Release) -> None:
    said: dict[str, Any] = {"version": found.version, "techniques": len(found.techniques)}
    if not AttackRelease.objects.end(row.pk, row.owner, JobState.DONE, **said):
        raise Stopped
    log.record("attack.used", actor=row.uploaded_by, name=row.name, sha256=row.sha256, **said)
    attack.use(found)
    transaction.on_commit(lambda: bundle_path(row).unlink(missing_ok=True))


def _fail(row: AttackRelease, reason: str) -> None:
    AttackRelease.objects.end(row.pk, row.owner, JobState.FAILED, reason=reason)
    bundle_path(row).unlink(missing_ok=True)


@transaction.atomic
def withdraw(*, row: AttackRelease, actor: User) -> None:
    """Use it no more; the one before it is used again, else what IRCase is shipped with. Raises ValidationError."""
    if row.withdrawn_at or row.state != JobState.DONE:
        raise ValidationError("It is not in use.")
    row.withdrawn_at = timezone.now()
    row.save(update_fields=["withdrawn_at"])
    log.record("attack.withdrawn", actor=actor, name=row.name, version=row.version)
    before = in_use()
    try:
        found = attack.Release.from_json(json.loads(kept_path(before).read_text(encoding="utf-8"))) if before else None
    except (OSError, ValueError, KeyError, TypeError):
        found = None
    attack.use(found) if found else attack.forget()


def in_use() -> AttackRelease | None:
    """The upload that is in use; None: what IRCase is shipped with."""
    return AttackRelease.objects.filter(state=JobState.DONE, withdrawn_at=None).order_by("-finished_at", "-pk").first()
