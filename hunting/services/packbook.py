"""Writing the team's own packs: saving one as a version, retiring it, bringing it back."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting import access, catalogue, shelf
from hunting.catalogue import HuntError, Pack
from hunting.models import PackVersion, SavedPack
from hunting.services.saved import row_to_write
from ircase.models import User
from ircase.services import log

_KEYS: Final = ("title", "description", "entity", "hunts")


@transaction.atomic
def save_pack(
    *,
    actor: User,
    slug: str,
    content: Mapping[str, Any],
    change: str = "",
    origin: Mapping[str, Any] | None = None,
    licence: str = "",
    edited_from: int = 0,
) -> PackVersion:
    """Keep `content` (what a pack's file holds, without `id` and `version`) as the pack's next version.

    `edited_from` is the number of the version that was edited, 0 for a new pack. Content that equals that version gives
    it back. Raises PermissionDenied, and ValidationError where it does not hold together or somebody was faster.
    """
    access.require_review(actor)
    kept = checked(slug, content)
    saved = row_to_write(SavedPack, slug, actor=actor, edited_from=edited_from, noun="pack")
    newest = saved.versions.select_related("author").first()
    if newest is not None and newest.number != edited_from:
        raise ValidationError(_conflict(newest, slug, edited_from), code="conflict")
    if newest is not None and newest.content == kept:
        return newest
    if origin is not None:
        saved.origin, saved.licence = dict(origin), licence[:100]
        saved.save(update_fields=["origin", "licence"])
    version = PackVersion.objects.create(
        saved=saved, number=edited_from + 1, content=kept, change=change.strip()[:500], author=actor
    )
    _record("saved", saved, actor, title=kept["title"], version=version.number, change=version.change)
    return version


def _conflict(newest: PackVersion, slug: str, edited_from: int) -> str:
    if not edited_from:
        return f"There is a pack with the id {slug} already. Choose another id, or edit that one."
    return (
        f"{newest.author.name} saved version {newest.number} while you worked on version {edited_from}. "
        "Save again to put yours on top; theirs stays among the versions."
    )


def checked(slug: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it will be kept. Raises ValidationError by key."""
    kept = {"description": ""} | {key: content[key] for key in _KEYS if key in content}
    if slug in catalogue.packs() or slug == "new":
        raise ValidationError({"id": f"A pack cannot have the id {slug}: it is taken. Choose another."})
    try:
        pack = catalogue.pack_from({**kept, "id": slug, "version": 1}, shelf.hunts(retired=True))
    except HuntError as error:
        found: dict[str, list[str]] = {}
        for key, sentence in error.faults:
            found.setdefault(key or "hunts", []).append(sentence)
        raise ValidationError(found) from error
    if any("\x00" in text or not _is_text(text) for text in (pack.title, pack.description)):
        raise ValidationError({"title": "It holds a NUL or half of a character, which cannot be kept."})
    return kept | {"hunts": written(pack)}


def _is_text(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def written(pack: Pack) -> list[str | dict[str, str]]:
    """The steps as a file has them: an id, or a hunt with the earlier one that it waits for."""
    return [{"hunt": s.hunt.id, "only_if": s.only_if} if s.only_if else s.hunt.id for s in pack.steps]


@transaction.atomic
def retire(*, saved: SavedPack, actor: User) -> None:
    """Keep it out of lists and new runs; its versions and its runs stay. Raises ValidationError."""
    access.require_review(actor)
    fresh = SavedPack.objects.filter(pk=saved.pk, retired_at=None)
    if not fresh.update(retired_by=actor, retired_at=timezone.now()):
        raise ValidationError("This pack is retired already.")
    _record("retired", saved, actor)


@transaction.atomic
def restore(*, saved: SavedPack, actor: User) -> None:
    """Bring a retired pack back. Raises ValidationError."""
    access.require_review(actor)
    gone = SavedPack.objects.filter(pk=saved.pk).exclude(retired_at=None)
    if not gone.update(retired_by=None, retired_at=None):
        raise ValidationError("This pack is not retired.")
    _record("restored", saved, actor)


def _record(what: str, saved: SavedPack, actor: User, **more: Any) -> None:
    shelf.forget()
    title = more.pop("title", "") or saved.slug
    log.record(f"library.pack_{what}", actor=actor, title=title, pack=saved.slug, **more)
