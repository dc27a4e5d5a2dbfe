"""Uploads that survive a cut line, a reload and a restart: begun, fed in parts, sealed by a worker, or given up.

The bytes go by the tus protocol, 1.0.0: https://tus.io/protocols/resumable-upload
"""

import base64
import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import UnreadablePostError
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from ircase import incoming, jobs
from ircase.models import FINAL_STATES, Case, JobState, Upload, UploadState, User
from ircase.services import log
from ircase.services.vault import quotas
from ircase.wording import counted

logger = logging.getLogger(__name__)
CHECKSUMS: Final = ("sha256", "sha1")
MAX_OPEN: Final = 50
PART_BYTES: Final = 64 * 2**20
"""A part that carries a checksum is held back until it proved right: it may not be larger."""
_CHUNK: Final = 2**18
_COPIES: Final = 2  # what arrived, and the store's copy of it while it is sealed
_ORPHAN_AGE: Final = 86_400.0


class NoRoom(ValidationError):
    """The disk could not hold the file."""


class ChecksumMismatch(Exception):
    """The part is not what the client sent; none of it was kept."""


class PartCutShort(Exception):
    """The connection ended before the whole part had arrived. `offset` is how far the upload is now."""

    def __init__(self, offset: int) -> None:
        super().__init__("The connection ended before the whole part had arrived.")
        self.offset = offset


class Body(Protocol):
    """What a part is read from: an HttpRequest, or any file."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Checksum:
    """`algorithm` is one of CHECKSUMS."""

    algorithm: str
    digest: bytes

    @classmethod
    def parse(cls, header: str) -> "Checksum":
        """`sha256 <base64>`. Raises ValidationError."""
        algorithm, _, encoded = header.partition(" ")
        if algorithm not in CHECKSUMS:
            raise ValidationError(f"Upload-Checksum takes {' or '.join(CHECKSUMS)}.")
        try:
            return cls(algorithm, base64.b64decode(encoded.strip(), validate=True))
        except ValueError:
            raise ValidationError("Upload-Checksum holds no base64.") from None


@dataclass(frozen=True)
class NewUpload:
    """What a client says of a file before it sends it. `size` in bytes."""

    name: str
    size: int
    media_type: str = ""
    description: str = ""
    read: bool = True
    fingerprint: str = ""
    wish: dict[str, Any] = field(default_factory=dict)


def begin(*, case: Case | None, actor: User, new: NewUpload) -> Upload:
    """An upload without a byte yet; without a case it is an export that shall be brought in (services.caseimports).

    Raises ValidationError where it is too large, and NoRoom.
    """
    _check_size(new.size)
    upload = Upload(
        case=case,
        owner_user=actor,
        name=new.name.replace("\x00", "")[:255] or "unnamed",
        media_type=new.media_type[:100],
        size=new.size,
        description=new.description[:2000],
        read=new.read,
        fingerprint=new.fingerprint[:128],
        wish=new.wish,
        expires_at=_expiry(),
    )
    upload.full_clean(exclude=["case", "owner_user"])
    incoming.create(upload.uuid)
    with transaction.atomic():
        # The case row is the lock under which what is owed to others is counted.
        if case is not None:
            Case.objects.select_for_update().get(pk=case.pk)
        try:
            _check_room(case, actor, new.size)
        except ValidationError:
            incoming.remove(upload.uuid)
            raise
        upload.save()
        log.record("upload.begun", case=case, actor=actor, name=upload.name, size=upload.size)
    if not upload.size:
        complete(upload)
    return upload


def _check_size(size: int) -> None:
    if size > settings.UPLOAD_RESUMABLE_MAX_BYTES:
        raise ValidationError(
            f"This is {filesizeformat(size)}; a file may have {filesizeformat(settings.UPLOAD_RESUMABLE_MAX_BYTES)}. "
            "Split it, or raise IRCASE_UPLOAD_RESUMABLE_MAX_BYTES.",
            code="size",
        )


def _check_room(case: Case | None, actor: User, size: int) -> None:
    running = Upload.objects.unfinished()
    if running.filter(owner_user=actor).count() >= MAX_OPEN:
        raise ValidationError(f"You have {MAX_OPEN} unfinished uploads. Finish or discard some of them first.")
    try:
        if case is not None:
            quotas.require_room(case, size)
    except quotas.QuotaFull as error:
        raise NoRoom(str(error), code="room") from None
    owed = sum(_COPIES * one.size - arrived(one) for one in running.only("size", "state", "uuid"))
    free = incoming.free_bytes() - owed - settings.UPLOAD_RESERVE_BYTES
    if _COPIES * size > free:
        logger.warning("upload.no_room", extra={"case": case.reference if case else "", "size": size, "free": free})
        raise NoRoom(
            f"The server's disk has no room for {filesizeformat(size)} more: an upload needs twice its size while it "
            "is sealed. Ask an administrator to free space.",
            code="room",
        )


def arrived(upload: Upload) -> int:
    """How many bytes of it are here."""
    if upload.state != UploadState.RECEIVING:
        return upload.size
    try:
        return incoming.offset_of(upload.uuid)
    except incoming.Vanished:
        return 0


def _expiry() -> datetime:
    return timezone.now() + timedelta(seconds=settings.UPLOAD_EXPIRES_SECONDS)


def receive(*, upload: Upload, at: int, body: Body, length: int, checksum: Checksum | None = None) -> int:
    """Take one part of `length` bytes that belongs at byte `at`; the new offset.

    Without a checksum whatever arrived is kept, also where the line is cut. With one nothing counts before the whole
    part has proved right. Raises WrongOffset and Vanished (`ircase.incoming`), PartCutShort, ChecksumMismatch,
    ValidationError where the part reaches beyond the announced size, OSError where the disk refuses.
    """
    if upload.state != UploadState.RECEIVING:
        raise incoming.Vanished("This upload takes no more bytes.")
    if at + length > upload.size:
        raise ValidationError("The part reaches beyond the size that was announced.", code="size")
    _expect(upload, at)
    offset = _checked(upload, at, body, length, checksum) if checksum else _streamed(upload, at, body, length)
    Upload.objects.filter(pk=upload.pk).update(expires_at=_expiry())
    if offset == upload.size:
        complete(upload)
    if offset < at + length:
        raise PartCutShort(offset)
    return offset


def _expect(upload: Upload, at: int) -> None:
    actual = incoming.offset_of(upload.uuid)
    if actual != at:
        raise incoming.WrongOffset(actual)


def _streamed(upload: Upload, at: int, body: Body, length: int) -> int:
    return incoming.append(upload.uuid, at, _chunks(body, length), upload.size)


def _checked(upload: Upload, at: int, body: Body, length: int, checksum: Checksum) -> int:
    if length > PART_BYTES:
        raise ValidationError(f"A part with a checksum may have {filesizeformat(PART_BYTES)}.", code="size")
    digest, arrived = hashlib.new(checksum.algorithm), 0
    with incoming.held_back() as file:
        for chunk in _chunks(body, length):
            digest.update(chunk)
            arrived += file.write(chunk)
        if arrived < length:
            return at
        if digest.digest() != checksum.digest:
            raise ChecksumMismatch("The part arrived altered; send it again.")
        file.seek(0)
        return incoming.append(upload.uuid, at, iter(lambda: file.read(_CHUNK), b""), upload.size)


def _chunks(body: Body, length: int) -> Iterator[bytes]:
    """What arrives of the body: all of it, or its beginning where the line is cut."""
    while length:
        try:
            chunk = body.read(min(_CHUNK, length))
        except UnreadablePostError:
            return
        if not chunk:
            return
        length -= len(chunk)
        yield chunk


def complete(upload: Upload) -> bool:
    """Hand a whole upload to a worker; False where that was done already or bytes are missing. Harmless twice."""
    if incoming.offset_of(upload.uuid) != upload.size:
        return False
    with transaction.atomic():
        mine = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING)
        if not mine.update(state=UploadState.QUEUED, queued_at=timezone.now()):
            return False
        jobs.enqueue("ircase.seal_upload", upload.pk)
    return True


@transaction.atomic
def discard(*, upload: Upload, actor: User | None, reason: str = "Discarded by its owner") -> bool:
    """Give an upload up before it is whole; False where it is too late. `actor` None: it expired."""
    mine = Upload.objects.filter(pk=upload.pk, state=UploadState.RECEIVING)
    if not mine.update(state=UploadState.CANCELLED, reason=reason, finished_at=timezone.now()):
        return False
    here = arrived(upload)
    code = "upload.discarded" if actor else "upload.expired"
    log.record(code, case=upload.case, actor=actor, name=upload.name, size=upload.size, arrived=here)
    transaction.on_commit(lambda: incoming.remove(upload.uuid))
    return True


def unfinished(case: Case | None, user: User) -> list[Upload]:
    """The person's own uploads to this case, or of exports that shall come in, not ended yet, oldest first."""
    found = list(Upload.objects.unfinished().filter(case=case, owner_user=user))
    for upload in found:
        upload.arrived = arrived(upload)
    return found


def tidy() -> None:
    """Beat's tick: what is whole is handed on, what is silent is taken back, what is old is given up."""
    for upload in Upload.objects.filter(state=UploadState.RECEIVING).select_related("case"):
        _tidy_one(upload)
    for job in Upload.objects.silent():
        _revive(job)
    for pk in Upload.objects.due().values_list("pk", flat=True):
        jobs.send("ircase.seal_upload", pk)
    _remove_orphans()


def _tidy_one(upload: Upload) -> None:
    try:
        if complete(upload):
            return
    except incoming.Vanished:
        discard(upload=upload, actor=None, reason="Its bytes are gone from the server. Send the file again.")
        return
    if upload.expires_at <= timezone.now():
        hours = settings.UPLOAD_EXPIRES_SECONDS // 3600
        discard(upload=upload, actor=None, reason=f"No byte came for {counted(hours, 'hour')}.")


def _revive(job: Upload) -> None:
    logger.warning("upload.silent", extra={"upload": str(job.uuid), "attempt": job.attempt})
    if job.attempt >= settings.MAX_ATTEMPTS:
        reason = f"Given up: {counted(job.attempt, 'worker')} died or fell silent while sealing it."
        Upload.objects.end(job.pk, job.owner, JobState.FAILED, reason=reason)
    else:
        Upload.objects.hand_back(job.pk, job.owner, reason="The worker stopped answering; queued again.")


def _remove_orphans() -> None:
    """Files that no unfinished upload claims: of a crash between file and row, or of one that has ended. Young ones
    are left: their row may be about to come."""
    old = timezone.now().timestamp() - _ORPHAN_AGE
    found = [identifier for identifier, touched in incoming.files() if touched < old]
    for identifier in set(found) - _claimed(found):
        incoming.remove(identifier)


def _claimed(identifiers: Iterable[object]) -> set[object]:
    return set(
        Upload.objects.filter(uuid__in=list(identifiers)).exclude(state__in=FINAL_STATES).values_list("uuid", flat=True)
    )
