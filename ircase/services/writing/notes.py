"""Notes: written, saved against the version that was on screen, put in their place, archived and brought back."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone

from ircase import textmerge
from ircase.models import Case, Note, NoteRevision, User
from ircase.services import log
from ircase.services.writing import mentions

MOST_CHARACTERS = 500_000
MOST_DEPTH = 4


class NoteConflict(Exception):
    """Somebody saved the note meanwhile. Both texts are kept: theirs is the page, `revision` holds the late one."""

    def __init__(self, note: Note, revision: NoteRevision) -> None:
        super().__init__(
            f"{note.updated_by.name} saved this note meanwhile. Your text is kept beside theirs; merge and save again."
        )
        self.note, self.revision = note, revision


@transaction.atomic
def create_note(*, case: Case, actor: User, title: str, body: str = "", folder: str = "") -> Note:
    note = Note(case=case, title=title, body=plain(body), updated_by=actor, folder=folder_of(folder))
    last = Note.objects.filter(case=case, folder=note.folder).aggregate(last=Max("position"))["last"]
    note.position = (last or 0) + 1
    _check(note)
    note.save()
    _keep_revision(note, actor)
    log.record("note.created", case=case, actor=actor, note=str(note.uuid), title=title)
    _tell(note, actor, "")
    return note


def save_note(*, note: Note, actor: User, title: str, body: str, version: int) -> Note:
    """Save what was written against `version`. Raises NoteConflict when the note has moved on; no text is lost."""
    body = plain(body)
    with transaction.atomic():
        note = Note.objects.select_for_update().get(pk=note.pk)
        if note.version == version:
            return _save(note, actor, title, body)
        late = Note(case=note.case, title=title, body=body, updated_by=actor)
        _check(late)
        known = min(max(version, 0), note.version)  # whatever was claimed, the text is kept
        revision = NoteRevision.objects.create(
            note=note, version=known, title=title, body=body, saved_by=actor, rejected=True
        )
        log.record(
            "note.conflict", case=note.case, actor=actor, note=str(note.uuid), version=version, current=note.version
        )
    raise NoteConflict(note, revision)


def save_merged(*, late: NoteRevision, actor: User, title: str, body: str, version: int) -> Note:
    """Save a merged text; the one that came late counts as settled. Raises NoteConflict as `save_note` does."""
    # Not in one transaction: where this text too comes late, it must be kept.
    saved = save_note(note=late.note, actor=actor, title=title, body=body, version=version)
    NoteRevision.objects.filter(pk=late.pk, rejected=True, settled_at=None).update(settled_at=timezone.now())
    return saved


@transaction.atomic
def settle(*, late: NoteRevision, actor: User) -> None:
    """Leave the page as it is; the text that came late stays among the revisions."""
    if NoteRevision.objects.filter(pk=late.pk, rejected=True, settled_at=None).update(settled_at=timezone.now()):
        log.record("note.late_left", case=late.note.case, actor=actor, note=str(late.note.uuid), title=late.note.title)


@transaction.atomic
def restore(*, revision: NoteRevision, actor: User, version: int) -> Note:
    """Make an earlier text the page again, as a new version. Raises ValidationError where the page is no longer
    `version`: what somebody wrote meanwhile would be gone from sight."""
    note = Note.objects.select_for_update().get(pk=revision.note_id)
    if note.version != version:
        raise ValidationError("The note was saved meanwhile. Look at it, and bring the text back if you still want to.")
    log.record(
        "note.restored", case=note.case, actor=actor, note=str(note.uuid), title=note.title, version=revision.version
    )
    return _save(note, actor, revision.title, revision.body)


@transaction.atomic
def place_note(
    *, note: Note, actor: User, folder: str | None = None, pinned: bool | None = None, step: int = 0
) -> Note:
    """Put it into a folder, pin it, or move it up (-1) or down (1) among the pages of its folder."""
    note = Note.objects.select_for_update().get(pk=note.pk)
    before = (note.folder, note.pinned)
    note.folder = note.folder if folder is None else folder_of(folder)
    note.pinned = note.pinned if pinned is None else pinned
    note.full_clean(exclude=["case", "updated_by", "archived_by"])
    note.save(update_fields=["folder", "pinned"])
    if step:
        _move(note, step)
    if (note.folder, note.pinned) != before:
        log.record(
            "note.placed", case=note.case, actor=actor, note=str(note.uuid), title=note.title, folder=note.folder,
            pinned=note.pinned,
        )  # fmt: skip
    return note


def _move(note: Note, step: int) -> None:
    """Among its neighbours; all of them are numbered anew, so that equal numbers part."""
    beside = list(Note.objects.there().filter(case=note.case, folder=note.folder, pinned=note.pinned))
    at = next((n for n, one in enumerate(beside) if one.pk == note.pk), None)
    if at is None:
        return
    to = min(max(at + step, 0), len(beside) - 1)
    beside.insert(to, beside.pop(at))
    for number, one in enumerate(beside, 1):
        one.position = number
    Note.objects.bulk_update(beside, ["position"])
    note.position = to + 1


@transaction.atomic
def archive_note(*, note: Note, actor: User) -> None:
    """Take a page out of the list; its texts stay, and a lead brings it back."""
    if Note.objects.filter(pk=note.pk, archived_at=None).update(archived_at=timezone.now(), archived_by=actor):
        log.record("note.archived", case=note.case, actor=actor, note=str(note.uuid), title=note.title)


@transaction.atomic
def unarchive_note(*, note: Note, actor: User) -> None:
    if Note.objects.filter(pk=note.pk).exclude(archived_at=None).update(archived_at=None, archived_by=None):
        log.record("note.unarchived", case=note.case, actor=actor, note=str(note.uuid), title=note.title)


def base_of(late: NoteRevision) -> str:
    """The text that a late one was written against; empty where it was written against none."""
    found = NoteRevision.objects.filter(note=late.note, version=late.version, rejected=False).order_by("pk").first()
    return found.body if found else ""


def merge_of(late: NoteRevision) -> list[textmerge.Piece]:
    """What the page has become and what came late, over the text that both began with."""
    return textmerge.merge(base_of(late), late.note.body, late.body)


def merged_title(late: NoteRevision) -> str:
    """The title as one of the two changed it; the late one where both did."""
    found = NoteRevision.objects.filter(note=late.note, version=late.version, rejected=False).order_by("pk").first()
    return late.note.title if found is not None and late.title == found.title else late.title


def plain(text: str) -> str:
    """Line ends as one character, whatever the browser sent, so that equal lines are equal; no NUL, which PostgreSQL
    cannot keep."""
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def folder_of(text: str) -> str:
    """`a/b` of what was typed. Raises ValidationError where it is too deep."""
    names = [name.strip() for name in text.replace("\x00", "").split("/") if name.strip()]
    if len(names) > MOST_DEPTH:
        raise ValidationError({"folder": f"At most {MOST_DEPTH} folders inside each other."})
    return "/".join(names)


def _save(note: Note, actor: User, title: str, body: str) -> Note:
    before = note.body
    note.title, note.body, note.version, note.updated_by = title, body, note.version + 1, actor
    note.updated_at = timezone.now()
    _check(note)
    note.save(update_fields=["title", "body", "version", "updated_by", "updated_at"])
    _keep_revision(note, actor)
    log.record("note.saved", case=note.case, actor=actor, note=str(note.uuid), version=note.version)
    _tell(note, actor, before)
    return note


def _check(note: Note) -> None:
    note.full_clean(exclude=["case", "updated_by", "archived_by"])
    if len(note.body) > MOST_CHARACTERS:
        raise ValidationError({"body": f"At most {MOST_CHARACTERS:,} characters. Put long text in as evidence."})


def _keep_revision(note: Note, actor: User) -> None:
    NoteRevision.objects.create(note=note, version=note.version, title=note.title, body=note.body, saved_by=actor)


def _tell(note: Note, actor: User, before: str) -> None:
    path = reverse("ircase:note", args=[note.case.reference, note.uuid])
    what = f"{actor.name} names you in the note “{note.title}” of {note.case.reference}"
    mentions.tell(
        case=note.case, actor=actor, before=before, after=note.body, subject=note.uuid,
        word=f"mention {note.version}", title=what, path=path,
    )  # fmt: skip
