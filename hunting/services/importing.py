"""Bringing hunts in: what is handed over for reading, what a person chooses of it, and who may."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.defaultfilters import filesizeformat

from hunting import access
from hunting.importing import LIMITS
from hunting.models import HuntImport, HuntVersion, ImportItem
from ircase import jobs
from ircase.access import require_administrator
from ircase.models import JobState, User
from ircase.services import log
from ircase.services.transfer.uploads import Upload
from ircase.store import StoreError, put

logger = logging.getLogger(__name__)

MOST_BYTES: Final = LIMITS.zip_bytes
"""Of one import, all its files together."""

_CHUNK: Final = 2**20


def limit_text() -> str:
    return f"Up to {filesizeformat(MOST_BYTES)} in all"


def queue_upload(*, actor: User, files: Sequence[Upload], licence: str = "") -> list[HuntImport]:
    """Have what was uploaded read by a worker: each zip as an import of its own, the other files together as one.

    Raises PermissionDenied, and ValidationError where it is too much or the store cannot keep it; then nothing is read.
    """
    access.require_review(actor)
    size = sum(file.size or 0 for file in files)
    if size > MOST_BYTES:
        raise ValidationError(f"This is {filesizeformat(size)}; an import takes {filesizeformat(MOST_BYTES)}.")
    zips = [file for file in files if (file.name or "").lower().endswith(".zip")]
    rest = [file for file in files if file not in zips]
    groups = [[file] for file in zips] + ([rest] if rest else [])
    # File first, row second: an orphan in the store does no harm, a row without its file does.
    stored = [(_name_of(group), [_put(file) for file in group]) for group in groups]
    return [_queue(actor, source=name, files=kept, licence=licence) for name, kept in stored]


def _name_of(group: Sequence[Upload]) -> str:
    first = (group[0].name or "upload")[:250]
    return first if len(group) == 1 else f"{first} and {len(group) - 1} more"


def _put(file: Upload) -> dict[str, object]:
    try:
        stored = put(file.chunks(_CHUNK))
    except StoreError as error:
        raise ValidationError(str(error)) from error
    return {"name": (file.name or "upload")[:250], "sha256": stored.sha256, "size": stored.size}


def roots() -> list[Path]:
    """The folders of the server below which an administrator may have hunts read (IRCASE_IMPORT_ROOTS)."""
    return [Path(root) for root in settings.HUNT_IMPORT_ROOTS]


def queue_path(*, actor: User, path: str, licence: str = "") -> HuntImport:
    """Have a folder, a checkout or a file of the server read. Raises PermissionDenied, and ValidationError for one that
    lies below no allowed root, links followed."""
    require_administrator(actor)
    wanted = allowed_path(path)
    return _queue(actor, source=wanted.name or str(wanted), path=str(wanted), licence=licence)


def allowed_path(path: str) -> Path:
    """The path, made whole and with its links followed. Raises ValidationError, in the same words for one that does
    not exist as for one that lies elsewhere."""
    no = ValidationError({"path": "There is nothing of this name below the allowed folders."})
    if not path.startswith("/") or "\x00" in path:
        raise no
    try:
        wanted = Path(path).resolve(strict=True)
        allowed = any(wanted.is_relative_to(root.resolve()) for root in roots())
    except (OSError, RuntimeError):
        raise no from None
    if not allowed:
        raise no
    return wanted


@transaction.atomic
def _queue(
    actor: User, *, source: str, files: Sequence[dict[str, object]] = (), path: str = "", licence: str = ""
) -> HuntImport:
    made = HuntImport(
        source=source[:300], files=list(files), path=path, said_licence=licence.strip()[:100], requested_by=actor
    )
    made.full_clean(exclude=["requested_by"])
    made.save()
    log.record(
        "library.import_queued", actor=actor, title=made.source, subject=str(made.uuid), path=path,
        sha256=[str(file["sha256"]) for file in files],
    )  # fmt: skip
    jobs.enqueue("hunting.bring_in", made.pk)
    return made


# --- choosing

PARTS: Final = {
    "": Q(),
    "open": Q(outcome__in=("kept", "changed")) & ~Q(slug=""),
    "version": Q(becomes=ImportItem.Becomes.VERSION),
    "changed": Q(outcome="changed"),
    "duplicate": Q(outcome="duplicate"),
    "refused": Q(outcome="refused"),
    "not-kept": Q(outcome__in=("refused", "duplicate")) | ~Q(problem=""),
}
"""The parts of an import's finds that can be looked at alone."""


def newest_of(item: ImportItem) -> HuntVersion | None:
    """The version that a find would follow; None where it is no new version of a hunt."""
    if item.becomes != ImportItem.Becomes.VERSION or item.kind != ImportItem.Kind.HUNT:
        return None
    return HuntVersion.objects.filter(saved__slug=item.target).order_by("-number").first()


def tick(*, found: HuntImport, actor: User, shown: Iterable[int], ticked: Iterable[int]) -> None:
    """Of the items `shown` (by number), those `ticked` are to be kept and the others are not."""
    access.require_review(actor)
    open_items = _open_items(found).filter(number__in=list(shown))
    wanted = list(ticked)
    open_items.filter(number__in=wanted).update(is_wanted=True)
    open_items.exclude(number__in=wanted).update(is_wanted=False)


def tick_all(*, found: HuntImport, actor: User, wanted: bool, outcomes: Sequence[str] = ()) -> None:
    """Every item that may be kept, or those with these outcomes alone."""
    access.require_review(actor)
    items = _open_items(found)
    (items.filter(outcome__in=list(outcomes)) if outcomes else items).update(is_wanted=wanted)


def _open_items(found: HuntImport) -> QuerySet[ImportItem]:
    """What can be kept and is not kept yet."""
    return ImportItem.objects.filter(of=found, kept_hunt=None, kept_pack=None).exclude(slug="")


@transaction.atomic
def keep(*, found: HuntImport, actor: User) -> int:
    """Have a worker make drafts of what is ticked; how many. Raises ValidationError."""
    access.require_review(actor)
    number = int(_open_items(found).filter(is_wanted=True).count())
    if not number:
        raise ValidationError("Tick at least one hunt to keep.")
    mine = HuntImport.objects.filter(pk=found.pk, state=JobState.DONE)
    changed = mine.update(
        state=JobState.QUEUED, stage=HuntImport.Stage.KEEP, kept_by=actor, attempt=0, cancel_requested=False,
        finished_at=None, progress={},
    )  # fmt: skip
    if not changed:
        raise ValidationError("This import is at work. Wait until it has ended.")
    jobs.enqueue("hunting.bring_in", found.pk)
    return number


def cancel(*, found: HuntImport, actor: User) -> None:
    """Stop the work: what is kept already stays. A queued import ends here, a running one in its worker."""
    access.require_review(actor)
    rows = HuntImport.objects.filter(pk=found.pk)
    rows.unfinished().update(cancel_requested=True)
    owner = f"cancel:{actor.pk}"
    if rows.filter(state=JobState.QUEUED).update(state=JobState.RUNNING, owner=owner):
        end_cancelled(found, owner, f"Cancelled by {actor.name}")


def end_cancelled(found: HuntImport, owner: str, reason: str) -> None:
    """While reading it is CANCELLED; while keeping, the preview is there still and can be gone on with."""
    keeping = found.stage == HuntImport.Stage.KEEP
    state = JobState.DONE if keeping else JobState.CANCELLED
    HuntImport.objects.end(found.pk, owner, state, reason=reason, progress={})


# --- what a dead worker left


def sweep() -> None:
    """Beat's part: imports whose worker fell silent go back to the queue, and what is queued is sent again."""
    for found in HuntImport.objects.all().silent():
        logger.warning("import.silent", extra={"row": str(found.uuid), "attempt": found.attempt})
        if found.cancel_requested:
            end_cancelled(found, found.owner, "Cancelled")
        elif found.attempt >= settings.MAX_ATTEMPTS:
            reason = f"Given up: {found.attempt} workers died or fell silent while working on it."
            HuntImport.objects.end(found.pk, found.owner, JobState.FAILED, reason=reason, progress={})
        else:
            HuntImport.objects.hand_back(found.pk, found.owner, reason="The worker stopped answering; queued again.")
    for pk in HuntImport.objects.all().due().values_list("pk", flat=True):
        jobs.send("hunting.bring_in", pk)
