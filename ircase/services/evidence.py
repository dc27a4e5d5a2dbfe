"""Sealing, reading and verifying evidence."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from ircase import store
from ircase.models import Case, Evidence, User
from ircase.services import log
from ircase.services.vault import quotas, removal
from ircase.store import NotStored, StoreAltered, Stored, StoreError, put, put_file

__all__ = [
    "Destroyed",
    "StoreError",
    "Stored",
    "bytes_of",
    "deliver",
    "local",
    "look",
    "manifest_digest",
    "opened",
    "put",
    "put_file",
    "require_readable",
    "seal",
    "verify",
]


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
    beyond_quota: bool = False,
    act: str = "sealed",
    about: Mapping[str, Any] = MappingProxyType({}),
) -> Evidence:
    """Make bytes that `put` has stored an exhibit of the case, with custody entry 1 and a log entry.

    `act` and `about` are for what is no plain sealing (`taken`, `imported`): custody entry 1 is called so. Call it in
    the transaction that ends the run, so that a run is DONE exactly when its evidence exists. Raises StoreError where
    the case's quota is used up, or the bytes were removed since they were stored.
    """
    # The case row is the lock under which exhibit numbers are given.
    Case.objects.select_for_update().get(pk=case.pk)
    if not beyond_quota:
        quotas.require_sealable(case, stored.size)
    removal.claim(stored)
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
        locked_until=_locked_until(),
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
        **about,
    )
    log.record(
        "evidence.sealed", case=case, actor=actor, exhibit=evidence.exhibit, name=evidence.name, sha256=evidence.sha256
    )
    return evidence


def _locked_until() -> datetime | None:
    """What a store with object lock was told for this exhibit. Asking the store would tell of other cases' locks."""
    mode, days = store.lock()
    return timezone.now() + timedelta(days=days) if mode else None


def verify(evidence: Evidence, *, actor: User | None = None) -> Evidence.Integrity:
    """Hash the file again and keep what was found. A change of state is logged on the case. Raises StoreError."""
    # Hashing comes before the transaction: gigabytes must not be read under the database's write lock.
    found = look(evidence)
    keep_finding(evidence, found, actor)
    return found


@transaction.atomic
def keep_finding(evidence: Evidence, found: Evidence.Integrity, actor: User | None) -> None:
    """Keep what `look` found. A change of state is logged; an exhibit that was destroyed meanwhile stays so."""
    # The row is the lock that a destruction's mark takes too: without it, the later of the two would stand.
    if Evidence.objects.select_for_update().get(pk=evidence.pk).is_destroyed:
        return
    changed = found != evidence.integrity
    evidence.integrity, evidence.checked_at = found, timezone.now()
    evidence.save(update_fields=["integrity", "checked_at"])
    if changed or actor is not None:
        log.record_custody(evidence, "verified", actor=actor, result=found.value)
    if changed and not evidence.is_sound:
        detail = {"exhibit": evidence.exhibit, "sha256": evidence.sha256}
        log.record(f"evidence.{found.value}", case=evidence.case, actor=actor, **detail)


class Destroyed(NotStored):
    """The exhibit's bytes were destroyed, as a certificate says: also where the store still has them for others."""


def require_readable(evidence: Evidence) -> None:
    """Everything that reads an exhibit's bytes asks this first. Raises Destroyed."""
    if evidence.is_destroyed:
        raise Destroyed(f"{evidence.exhibit} was destroyed, as its custody and a certificate say.")


def local(evidence: Evidence) -> AbstractContextManager[Path]:
    """A path to the bytes while the block lasts. Raises Destroyed, NotStored, StoreError."""
    require_readable(evidence)
    return store.local(evidence.sha256)


def opened(evidence: Evidence) -> BufferedReader:
    """The bytes as a file to read and to seek in; close it. Raises Destroyed, NotStored, StoreError."""
    require_readable(evidence)
    return store.opened(evidence.sha256)


def look(evidence: Evidence) -> Evidence.Integrity:
    """What the file is now, without writing anything.

    Raises StoreError where the store does not answer: that says nothing about the file.
    """
    if evidence.is_destroyed:
        return Evidence.Integrity.DESTROYED
    try:
        same = store.size(evidence.sha256) == evidence.size
        same = same and store.current().digest(evidence.sha256) == (evidence.sha256, evidence.size)
    except NotStored:
        return Evidence.Integrity.MISSING
    except StoreAltered:
        return Evidence.Integrity.ALTERED
    manifest_same = manifest_digest(evidence.manifest) == evidence.manifest_sha256
    return Evidence.Integrity.VERIFIED if same and manifest_same else Evidence.Integrity.ALTERED


def bytes_of(evidence: Evidence) -> Iterator[bytes]:
    """The sealed bytes, in chunks, without a custody entry: for work inside the house. Raises Destroyed, StoreError."""
    require_readable(evidence)
    return store.chunks(evidence.sha256)


def deliver(evidence: Evidence, *, actor: User, action: str = "downloaded", **detail: Any) -> Iterator[bytes]:
    """The bytes, for a download or a preview. The custody entry is written before the first byte leaves.

    Raises Destroyed, and StoreError where the store does not answer.
    """
    require_readable(evidence)
    log.record_custody(evidence, action, actor=actor, **detail)
    return bytes_of(evidence)
