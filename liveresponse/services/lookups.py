"""Asking Defender what it knows of a file or a device, keeping the answers, sealing them."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import jobs
from ircase.models import Case, Evidence, User
from ircase.services import evidence, log
from liveresponse.models import Lookup, LookupState

FILE_QUESTIONS: Final = ("file", "stats", "machines", "alerts")
DEVICE_QUESTIONS: Final = ("machine", "users", "alerts")
QUESTIONS: Final[Mapping[str, tuple[str, ...]]] = {"file": FILE_QUESTIONS, "device": DEVICE_QUESTIONS}
TIME_LIMIT: Final = timedelta(minutes=30)
"""How long a question waits for its turn, or for a service that does not answer."""
_HASH: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_DEVICE: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,253}[a-z0-9_])?")
HASH_KINDS: Final[Mapping[int, str]] = {32: "md5", 40: "sha1", 64: "sha256"}


def clean_hash(text: str) -> str:
    """A SHA-256, SHA-1 or MD5 in lower case. Raises ValidationError."""
    digest = text.strip().lower()
    if not _HASH.fullmatch(digest):
        raise ValidationError("A file is named by its SHA-256, SHA-1 or MD5: 64, 40 or 32 hexadecimal digits.")
    return digest


def clean_device(text: str) -> str:
    """A device's DNS name or DeviceId in lower case. Raises ValidationError."""
    name = text.strip().lower()
    if not _DEVICE.fullmatch(name) or ".." in name:
        raise ValidationError("A device is named by its DNS name or its DeviceId.")
    return name


@transaction.atomic
def ask(*, case: Case, actor: User, kind: str, key: str) -> Lookup:
    """Have a worker ask Defender. A question that is being asked is not asked twice; answers there are stay on screen
    until the new ones come. Raises ValidationError with what to mend."""
    key = clean_hash(key) if kind == Lookup.Kind.FILE else clean_device(key)
    if case.connection is None or not case.connection.enabled:
        raise ValidationError("This case has no tenant to ask: a lead connects it on the case's overview.")
    fields = {
        "connection": case.connection,
        "requested_by": actor,
        "requested_at": timezone.now(),
        "state": LookupState.QUEUED,
        "pending": list(QUESTIONS[kind]),
        "deadline": timezone.now() + TIME_LIMIT,
        "next_poll_at": timezone.now(),
        "status_text": "Waiting for a worker",
        "failure": "",
        "trouble": 0,
        "ended_at": None,
    }
    row, new = Lookup.objects.select_for_update().get_or_create(case=case, kind=kind, key=key, defaults=fields)
    if not new:
        if not row.is_final:
            return row
        for name, value in fields.items():
            setattr(row, name, value)
        row.save(update_fields=list(fields))
    log.record("lookup.asked", case=case, actor=actor, kind=kind, value=key)
    jobs.enqueue("liveresponse.look_up", row.pk)
    return row


def end(row: Lookup, state: str, reason: str) -> None:
    """Any question that is still open -> a final state, with its reason."""
    Lookup.objects.filter(pk=row.pk).unfinished().update(
        state=state, failure=reason, status_text="", ended_at=timezone.now(), lease_owner="", lease_until=None
    )


def seal(*, lookup: Lookup, actor: User) -> Evidence:
    """Keep the answers as they stand as an exhibit. Sealing the same answers twice gives the same exhibit. Raises
    ValidationError while there is nothing to keep."""
    with transaction.atomic():
        # The answers of the locked row, which are the ones that the manifest describes.
        row = Lookup.objects.select_for_update(of=("self",)).select_related("connection", "evidence").get(pk=lookup.pk)
        if not row.is_final or not row.answers:
            raise ValidationError("There is no answer to keep yet.")
        return row.evidence or _seal(row, lookup, actor)


def _seal(row: Lookup, lookup: Lookup, actor: User) -> Evidence:
    document = {"asked": {"kind": row.kind, "key": row.key}, "answers": row.answers}
    content = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "replace")
    stored = evidence.put(iter([content]))
    sealed = evidence.seal(
        case=lookup.case,
        stored=stored,
        kind=Evidence.Kind.ANSWER,
        name=f"Defender on {row.kind} {row.key}.json",
        media_type="application/json",
        manifest=_manifest(row),
        actor=actor,
        partial=row.state != LookupState.DONE,
    )
    Lookup.objects.filter(pk=row.pk).update(evidence=sealed)
    return sealed


def _manifest(row: Lookup) -> dict[str, Any]:
    return {
        "source": "Microsoft Defender for Endpoint",
        "about": {"kind": row.kind, "key": row.key},
        "tenant": row.connection.tenant_id,
        "app": row.connection.client_id,
        "requested_by": row.requested_by.name,
        "calls": {
            name: {"state": answer.get("state"), "as_of": answer.get("as_of"), "said": answer.get("said")}
            for name, answer in row.answers.items()
        },
    }
