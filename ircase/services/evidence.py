"""Sealing, reading and verifying evidence."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from ircase.models import Case, Evidence, User
from ircase.services import log
from ircase.store import Stored, StoreError, chunks_of, digest_of, put, put_file

__all__ = ["StoreError", "Stored", "bytes_of", "deliver", "manifest_digest", "put", "put_file", "seal", "verify"]


def manifest_digest(manifest: dict[str, Any]) -> str:
    """SHA-256 over the manifest's canonical JSON (keys sorted, no spaces, UTF-8)."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@transaction.atomic
def seal(
    *,
    case: Case,
    stored: Stored,
    kind: Evidence.Kind,
    name: str,
    manifest: dict[str, Any],
    actor: User,
    media_type: str = "application/octet-stream",
    description: str = "",
    partial: bool = False,
    act: str = "sealed",
    **more: Any,
) -> Evidence:
    """Make bytes that `put` has stored an exhibit of the case, with custody entry 1 and a log entry.

    `act` and `more` are for what is no plain sealing (`taken`, `imported`): custody entry 1 is called so.
    Call it in the transaction that ends the run, so that a run is DONE exactly when its evidence exists.
    """
    # The case row is the lock under which exhibit numbers are given.
    Case.objects.select_for_update().get(pk=case.pk)
    last = Evidence.objects.filter(case=case).aggregate(last=Max("number"))["last"] or 0
    evidence = Evidence(
        case=case,
        number=last + 1,
        kind=kind,
        name=name.replace("\x00", "")[:255] or "unnamed",
        description=description,
        sha256=stored.sha256,
        size=stored.size,
        media_type=media_type,
        manifest=manifest,
        manifest_sha256=manifest_digest(manifest),
        partial=partial,
        sealed_by=actor,
    )
    evidence.full_clean(exclude=["case", "sealed_by"])
    evidence.save()
    log.record_custody(
        evidence,
        act,
        actor=actor,
        sha256=evidence.sha256,
        size=evidence.size,
        name=evidence.name,
        manifest_sha256=evidence.manifest_sha256,
        case=case.reference,
        exhibit=evidence.exhibit,
        **more,
    )
    log.record(
        "evidence.sealed", case=case, actor=actor, exhibit=evidence.exhibit, name=evidence.name, sha256=evidence.sha256
    )
    return evidence


def verify(evidence: Evidence, *, actor: User | None = None) -> Evidence.Integrity:
    """Hash the file again and keep what was found. A change of state is logged on the case."""
    # Hashing comes before the transaction: gigabytes must not be read under the database's write lock.
    found = look(evidence)
    with transaction.atomic():
        _keep_finding(evidence, found, actor)
    return found


def _keep_finding(evidence: Evidence, found: Evidence.Integrity, actor: User | None) -> None:
    changed = found != evidence.integrity
    evidence.integrity, evidence.checked_at = found, timezone.now()
    evidence.save(update_fields=["integrity", "checked_at"])
    if changed or actor is not None:
        log.record_custody(evidence, "verified", actor=actor, result=found.value)
    if changed and not evidence.is_sound:
        detail = {"exhibit": evidence.exhibit, "sha256": evidence.sha256}
        log.record(f"evidence.{found.value}", case=evidence.case, actor=actor, **detail)


def look(evidence: Evidence) -> Evidence.Integrity:
    """What the file is now, without writing anything."""
    try:
        same = evidence.path.stat().st_size == evidence.size and digest_of(evidence.path) == evidence.sha256
    except OSError:
        return Evidence.Integrity.MISSING
    manifest_same = manifest_digest(evidence.manifest) == evidence.manifest_sha256
    return Evidence.Integrity.VERIFIED if same and manifest_same else Evidence.Integrity.ALTERED


def bytes_of(evidence: Evidence) -> Iterator[bytes]:
    """The sealed bytes, in chunks, without a custody entry: for work inside the house. Raises OSError."""
    return chunks_of(evidence.path)


def deliver(evidence: Evidence, *, actor: User, action: str = "downloaded", **detail: Any) -> Iterator[bytes]:
    """The bytes, for a download or a preview. The custody entry is written before the first byte leaves."""
    log.record_custody(evidence, action, actor=actor, **detail)
    return bytes_of(evidence)
