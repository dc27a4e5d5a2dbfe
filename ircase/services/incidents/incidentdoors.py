"""Sources of incidents beside the tenants: made by administrators; what they post is checked before it is read."""

import hashlib
import hmac
import json
import logging
import secrets as tokens
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from ircase import secrets
from ircase.intake import mapped
from ircase.models import Connection, IncidentSource, SeenDelivery, User
from ircase.services import log
from ircase.services.incidents import incidentkeeping
from msapi.incidents import read_incident

logger = logging.getLogger(__name__)
WINDOW: Final = 300
"""Seconds that a timestamp may lie from our clock, before or after."""

MOST_BYTES: Final = 2**20
_NOBODY: Final = "no such source"


class Refused(Exception):
    """A delivery was not taken. `status` is the HTTP answer, the message what the sender is told."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Seen(Refused):
    """The very same delivery was taken before."""

    def __init__(self) -> None:
        super().__init__(409, "This delivery was taken already. Sign it anew, with a new timestamp, to send again.")


@dataclass(frozen=True)
class Receipt:
    """What became of a delivery: how many incidents were kept, and a sentence for each that was not, by its place."""

    taken: int
    problems: tuple[str, ...]


@transaction.atomic
def save_source(*, source: IncidentSource, actor: User) -> IncidentSource:
    """Create or change a source. Raises ValidationError where its mapping cannot be used."""
    problems = mapped.problems_of(source.mapping) if source.mapping else []
    if problems:
        raise ValidationError({"mapping": problems})
    new = source.pk is None
    if new:
        source.created_by = actor
    source.full_clean()
    source.save()
    log.record("incident.source_made" if new else "incident.source_changed", actor=actor, name=source.name,
               kind=source.kind, enabled=source.enabled)  # fmt: skip
    return source


@transaction.atomic
def new_secret(*, source: IncidentSource, actor: User) -> str:
    """A new secret, told once and kept encrypted; the one before stops working."""
    secret = tokens.token_urlsafe(32)
    source.secret_encrypted = secrets.encrypt(secret)
    source.save(update_fields=["secret_encrypted"])
    log.record("incident.source_secret", actor=actor, name=source.name)
    return secret


def csv_source(*, name: str, actor: User, connection: Connection | None = None) -> IncidentSource:
    """The source of that name for files, made where there is none. Raises ValidationError where it is a webhook's."""
    found = IncidentSource.objects.filter(name=name).first()
    if found is None:
        made = IncidentSource(kind=IncidentSource.Kind.CSV, name=name, connection=connection)
        return save_source(source=made, actor=actor)
    if found.kind != IncidentSource.Kind.CSV:
        raise ValidationError("A webhook has this name. Give the file's source another one.")
    return found


def signature_of(secret: str, stamp: str, body: bytes) -> str:
    """HMAC-SHA256 in hexadecimal over the timestamp, a full stop and the body."""
    return hmac.new(secret.encode(), stamp.encode("utf-8", "replace") + b"." + body, hashlib.sha256).hexdigest()


def receive(*, uuid: UUID, stamp: str, signature: str, body: bytes) -> Receipt:
    """Check a delivery and keep its incidents. Raises Refused.

    An unknown source, one that is switched off and a wrong signature get the same answer after the same work.
    """
    source = IncidentSource.objects.filter(uuid=uuid, kind=IncidentSource.Kind.WEBHOOK, enabled=True).first()
    secret = secrets.decrypt(source.secret_encrypted) if source else ""
    given = signature.strip().lower().removeprefix("sha256=")
    right = hmac.compare_digest(signature_of(secret or _NOBODY, stamp, body), given.encode("ascii", "replace").decode())
    if source is None or not secret or not right:
        raise Refused(401, "The signature is not right for this address.")
    if not stamp.isdecimal() or len(stamp) > 12 or abs(time.time() - int(stamp)) > WINDOW:
        raise Refused(401, f"The timestamp is more than {WINDOW // 60} minutes away from this clock, or is no number.")
    try:
        # Together: a delivery that breaks off here leaves nothing, so the same one sent again is not "taken already".
        with transaction.atomic():
            _only_once(source, given)
            receipt = _keep(source, body)
    except Seen:
        raise
    except Refused as error:
        IncidentSource.objects.filter(pk=source.pk).update(refused_at=timezone.now(), problem=str(error)[:2000])
        raise
    problem = " ".join(receipt.problems)[:2000]
    fields: dict[str, Any] = {"taken_at": timezone.now(), "problem": problem}
    IncidentSource.objects.filter(pk=source.pk).update(**fields)
    return receipt


def _only_once(source: IncidentSource, signature: str) -> None:
    SeenDelivery.objects.filter(at__lt=timezone.now() - timedelta(seconds=3 * WINDOW)).delete()
    try:
        with transaction.atomic():
            SeenDelivery.objects.create(source=source, signature=signature)
    except IntegrityError:
        raise Seen() from None


def _keep(source: IncidentSource, body: bytes) -> Receipt:
    try:
        document = json.loads(body)
        items = mapped.items_of(document, source.mapping)
    except mapped.Unmappable as error:
        raise Refused(422, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise Refused(400, "The body is no JSON that can be read.") from error
    if not source.mapping:
        raise Refused(422, "The source has no mapping yet; an administrator writes it.")
    origin = mapped.Origin(source.name, timezone.now())
    taken, problems = 0, []
    for place, item in enumerate(items, 1):
        problem = keep_item(source, item, origin)
        taken += not problem
        if problem:
            problems.append(f"{place}: {problem}")
    if not taken:
        raise Refused(422, " ".join(problems)[:2000])
    return Receipt(taken, tuple(problems))


def keep_item(source: IncidentSource, item: Any, origin: mapped.Origin) -> str:
    """Keep one incident of a source; what is wrong with it, else ""."""
    try:
        raw = mapped.incident_of(item, source.mapping, origin)
        with transaction.atomic():
            incidentkeeping.keep_incident(source=source, incident=read_incident(raw))
    except mapped.Unmappable as error:
        return str(error)
    except (RecursionError, ValueError, DataError) as error:
        logger.warning("intake.item_unreadable", extra={"source": source.pk, "kind": type(error).__name__})
        return "It could not be kept as it is."
    return ""
