"""Writing the team's own collections: saving one as a version, approving it, retiring it, bringing it back."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from ircase.models import User
from ircase.services import log
from liveresponse import access
from liveresponse.catalogue import DefinitionError, definition_from
from liveresponse.catalogue import definitions as shipped
from liveresponse.models import CollectionVersion, SavedCollection

MAX_CHANGE: Final = 500
RESERVED: Final = frozenset({"new", "import", "preview"})
"""Words that stand below /collections/ for something else."""


class Conflict(ValidationError):
    """Somebody saved a newer version meanwhile; `newest` is that one, and nothing was written. Save again with
    `edited_from` its number to put yours on top."""

    def __init__(self, message: str, newest: CollectionVersion) -> None:
        super().__init__(message, code="conflict")
        self.newest = newest


@transaction.atomic
def save_collection(
    *, actor: User, slug: str, content: Mapping[str, Any], change: str = "", edited_from: int = 0
) -> CollectionVersion:
    """Keep `content` (what a file holds, without `id` and `version`) as the collection's next version.

    `edited_from` is the number of the version that was edited, 0 for a collection that is new. One that uses library
    files is a draft until a second person approves it; the version in use stays in use till then. Content that equals
    the newest version gives that one. Raises PermissionDenied, Conflict, and ValidationError by the key of the content.
    """
    access.require_save(actor)
    kept = checked(slug, content)
    if not edited_from:
        SavedCollection.objects.get_or_create(slug=slug, defaults={"created_by": actor})
    saved = SavedCollection.objects.select_for_update().filter(slug=slug).first()
    if saved is None:
        raise ValidationError({"id": f"There is no saved collection {slug}."})
    newest = saved.versions.select_related("author").first()
    _check_newest(newest, edited_from, slug)
    if newest is not None and newest.content == kept:
        return newest
    version = CollectionVersion(
        saved=saved,
        number=edited_from + 1,
        content=kept,
        needs_review=bool(definition_from({**kept, "id": slug, "version": 1}).files),
        change=change.strip()[:MAX_CHANGE],
        author=actor,
    )
    version.full_clean(exclude=["saved", "author", "content"])
    version.save()
    _record("saved", version, actor, change=version.change)
    return version


def _check_newest(newest: CollectionVersion | None, edited_from: int, slug: str) -> None:
    if newest is None or newest.number == edited_from:
        return
    if not edited_from:
        text = f"There is a collection with the id {slug} already. Choose another id, or edit that one."
        raise Conflict(text, newest)
    raise Conflict(
        f"{newest.author.name} saved version {newest.number} while you worked on version {edited_from}. "
        "Save again to put yours on top; theirs stays among the versions.",
        newest,
    )


def checked(slug: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it will be kept. Raises ValidationError by the key of the content."""
    kept = {key: value for key, value in content.items() if key not in ("id", "version")}
    if slug in RESERVED:
        raise ValidationError({"id": f"“{slug}” is a word of IRCase's own addresses. Choose another id."})
    if slug in shipped():
        raise ValidationError({"id": f"IRCase ships a collection with the id {slug}. Choose another."})
    try:
        definition_from({**kept, "id": slug, "version": 1})
    except DefinitionError as error:
        found: dict[str, list[str]] = {}
        for key, sentence in error.faults:
            found.setdefault(key or "content", []).append(sentence)
        raise ValidationError(found) from error
    return kept


@transaction.atomic
def approve(*, version: CollectionVersion, actor: User) -> CollectionVersion:
    """Another person than its author has read the newest version and takes it. Raises PermissionDenied and
    ValidationError."""
    access.require_review(actor)
    saved = SavedCollection.objects.select_for_update().get(pk=version.saved_id)
    version = saved.versions.select_related("saved", "author", "approved_by").get(pk=version.pk)
    if why := why_not_approve(version, actor):
        raise ValidationError(why)
    version.approved_by, version.approved_at = actor, timezone.now()
    version.save(update_fields=["approved_by", "approved_at"])
    _record("approved", version, actor)
    return version


def why_not_approve(version: CollectionVersion, actor: User) -> str:
    """What keeps a reviewer from approving it, in a sentence; empty where nothing does."""
    if version.approved_at is not None:
        return f"Version {version.number} is approved already."
    if version.saved.retired_at is not None:
        return "The collection is retired. Bring it back first."
    if version.author_id == actor.pk:
        return "Nobody approves their own version; ask somebody else to read it."
    if version.saved.versions.filter(number__gt=version.number).exists():
        return "There is a newer version; approve that one."
    return ""


@transaction.atomic
def retire(*, saved: SavedCollection, actor: User, reason: str = "") -> None:
    """Keep it out of lists and new jobs. Its versions, its jobs and their evidence stay. Raises ValidationError."""
    _require_keeper(saved, actor)
    rows = SavedCollection.objects.filter(pk=saved.pk, retired_at=None)
    if not rows.update(retired_by=actor, retired_at=timezone.now()):
        raise ValidationError("This collection is retired already.")
    _record("retired", saved.versions.all()[0], actor, reason=reason.strip()[:MAX_CHANGE])


@transaction.atomic
def restore(*, saved: SavedCollection, actor: User) -> None:
    """Bring a retired collection back, with the version in use that it had. Raises ValidationError."""
    _require_keeper(saved, actor)
    rows = SavedCollection.objects.filter(pk=saved.pk).exclude(retired_at=None)
    if not rows.update(retired_by=None, retired_at=None):
        raise ValidationError("This collection is not retired.")
    _record("restored", saved.versions.all()[0], actor)


def may_retire(saved: SavedCollection, actor: User) -> bool:
    """Reviewers, and whoever made it."""
    return access.may_review(actor) or (access.may_save(actor) and saved.created_by_id == actor.pk)


def _require_keeper(saved: SavedCollection, actor: User) -> None:
    if not may_retire(saved, actor):
        access.require_review(actor)


def _record(what: str, version: CollectionVersion, actor: User, **more: Any) -> None:
    log.record(
        f"library.collection_{what}", actor=actor, title=version.content["title"], collection=version.saved.slug,
        version=version.number, **more,
    )  # fmt: skip
