"""Writing the team's own library: saving a hunt as a version, approving one, retiring and bringing back."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from hunting import access, catalogue, shelf
from hunting.catalogue import Hunt, HuntError, Review
from hunting.importing import fingerprint
from hunting.models import HuntVersion, SavedHunt
from hunting.services.saved import row_to_write
from ircase.models import User
from ircase.services import log
from kql import used_tables

_EMPTY: Final[Mapping[str, Callable[[], Any]]] = {
    "description": str, "parameters": list, "time_column": str, "techniques": list, "meaning": str,
    "false_positives": list, "references": list,
}  # fmt: skip
MAX_CHANGE: Final = 500
RESERVED: Final = frozenset({"new", "import", "imports", "pack", "packs", "schema", "check", "value"})
"""Words that stand below /hunts/ for something else."""


class Conflict(ValidationError):
    """Somebody saved a newer version meanwhile; `newest` is that one, and nothing was written. Save again with
    `edited_from` its number to put yours on top."""

    def __init__(self, message: str, newest: HuntVersion) -> None:
        super().__init__(message, code="conflict")
        self.newest = newest


@transaction.atomic
def save_hunt(
    *,
    actor: User,
    slug: str,
    content: Mapping[str, Any],
    change: str = "",
    origin: Mapping[str, Any] | None = None,
    licence: str = "",
    edited_from: int = 0,
) -> HuntVersion:
    """Keep `content` (what a library file holds, without `id` and `version`) as the hunt's next version, a draft.

    `edited_from` is the number of the version that was edited, 0 for a hunt that is new. `tables` is always what the
    query reads. Content that equals the version it was edited from gives that version: nothing is written. `origin`
    and `licence` are of an import. Raises PermissionDenied, Conflict, and ValidationError by the key of the content.
    """
    access.require_save(actor)
    kept = checked(slug, content)
    saved = row_to_write(SavedHunt, slug, actor=actor, edited_from=edited_from, noun="hunt")
    newest = saved.versions.select_related("author").first()
    _check_newest(newest, edited_from, slug)
    if newest is not None and newest.content == kept:
        return newest
    if origin is not None:
        saved.origin, saved.licence = dict(origin), licence[:100]
        saved.save(update_fields=["origin", "licence"])
    version = HuntVersion(
        saved=saved,
        number=edited_from + 1,
        content=kept,
        change=change.strip()[:MAX_CHANGE],
        author=actor,
        content_hash=fingerprint_of(kept),
    )
    version.full_clean(exclude=["saved", "author", "content"])
    version.save()
    _record("saved", version, actor, change=version.change, fingerprint=version.content_hash)
    return version


def _check_newest(newest: HuntVersion | None, edited_from: int, slug: str) -> None:
    if newest is None or newest.number == edited_from:
        return
    if not edited_from:
        raise Conflict(f"There is a hunt with the id {slug} already. Choose another id, or edit that one.", newest)
    raise Conflict(
        f"{newest.author.name} saved version {newest.number} while you worked on version {edited_from}. "
        "Look at what differs, then save again to put yours on top; theirs stays among the versions.",
        newest,
    )


def checked(slug: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it will be kept, whole and with the tables that its query reads. Raises ValidationError."""
    kept = {key: make() for key, make in _EMPTY.items()} | dict(content)
    kept.pop("id", None)
    kept.pop("version", None)
    kql = kept.get("kql")
    if isinstance(kql, str):
        _check_text(kept)
        kept["tables"] = sorted(used_tables(kql))
    if slug in RESERVED:
        raise ValidationError({"id": f"“{slug}” is a word of IRCase's own addresses. Choose another id."})
    if slug in catalogue.hunts():
        raise ValidationError({"id": f"IRCase ships a hunt with the id {slug}. Choose another."})
    try:
        catalogue.hunt_from({**kept, "id": slug, "version": 1}, review=Review.DRAFT)
    except HuntError as error:
        found: dict[str, list[str]] = {}
        for key, sentence in error.faults:
            found.setdefault(key or "content", []).append(sentence)
        raise ValidationError(found) from error
    return kept


def _check_text(value: Any, key: str = "") -> None:
    """Refuse what no database keeps as it is: NUL, and halves of characters."""
    if isinstance(value, dict):
        for name, part in value.items():
            _check_text(part, key or str(name))
    elif isinstance(value, list | tuple):
        for part in value:
            _check_text(part, key)
    elif isinstance(value, str) and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise ValidationError({key: "It holds a NUL or half of a character, which cannot be kept."})


def fingerprint_of(content: Mapping[str, Any]) -> str:
    """hunting.importing.fingerprint of a content that `checked` has passed."""
    return fingerprint(content["kql"], catalogue.parameters_of(content))


def known_fingerprints() -> dict[str, str]:
    """The fingerprint of every hunt, shipped or saved in any version, with the hunt's id: what an import compares
    with. One query."""
    rows = HuntVersion.objects.order_by("-number").values_list("content_hash", "saved__slug")
    shipped = {fingerprint(h.kql, h.parameters): h.id for h in catalogue.hunts().values()}
    return dict(rows) | shipped


def find_duplicate(content: Mapping[str, Any], *, other_than: str = "") -> Hunt | None:
    """The hunt, shipped or saved, that asks the same as `content`, whatever it is called. None where it is new."""
    wanted = fingerprint_of(content)
    for hunt in catalogue.hunts().values():
        if hunt.id != other_than and fingerprint(hunt.kql, hunt.parameters) == wanted:
            return hunt
    row = HuntVersion.objects.filter(content_hash=wanted).exclude(saved__slug=other_than)
    slug = row.values_list("saved__slug", flat=True).order_by("saved__slug").first()
    return shelf.hunt(slug) if slug else None


@transaction.atomic
def approve(*, version: HuntVersion, actor: User) -> HuntVersion:
    """Another person than its author has read the newest version and takes it. Raises PermissionDenied and
    ValidationError."""
    access.require_review(actor)
    saved = SavedHunt.objects.select_for_update().get(pk=version.saved_id)
    version = saved.versions.select_related("saved", "author", "approved_by").get(pk=version.pk)
    if why := why_not_approve(version, actor):
        raise ValidationError(why)
    version.approved_by, version.approved_at = actor, timezone.now()
    version.save(update_fields=["approved_by", "approved_at"])
    _record("approved", version, actor)
    return version


def why_not_approve(version: HuntVersion, actor: User) -> str:
    """What keeps a reviewer from approving it, in a sentence; empty where nothing does."""
    if version.approved_at is not None:
        return f"Version {version.number} is approved already."
    if version.saved.retired_at is not None:
        return "The hunt is retired. Bring it back first."
    if version.author_id == actor.pk:
        return "Nobody approves their own version; ask somebody else to read it."
    if version.saved.versions.filter(number__gt=version.number).exists():
        return "There is a newer version; approve that one."
    return ""


@transaction.atomic
def retire(*, saved: SavedHunt, actor: User, reason: str = "") -> None:
    """Keep it out of lists and new runs. Its versions, its runs and their evidence stay. Raises ValidationError."""
    _require_keeper(saved, actor)
    changed = SavedHunt.objects.filter(pk=saved.pk, retired_at=None).update(retired_by=actor, retired_at=timezone.now())
    if not changed:
        raise ValidationError("This hunt is retired already.")
    _record("retired", saved.versions.all()[0], actor, reason=reason.strip()[:MAX_CHANGE])


@transaction.atomic
def restore(*, saved: SavedHunt, actor: User) -> None:
    """Bring a retired hunt back, in the review state that its newest version had. Raises ValidationError."""
    _require_keeper(saved, actor)
    changed = SavedHunt.objects.filter(pk=saved.pk).exclude(retired_at=None).update(retired_by=None, retired_at=None)
    if not changed:
        raise ValidationError("This hunt is not retired.")
    _record("restored", saved.versions.all()[0], actor)


def may_retire(saved: SavedHunt, actor: User) -> bool:
    """Reviewers, and whoever made it."""
    return access.may_review(actor) or (access.may_save(actor) and saved.created_by_id == actor.pk)


def _require_keeper(saved: SavedHunt, actor: User) -> None:
    if not may_retire(saved, actor):
        access.require_review(actor)


def _record(what: str, version: HuntVersion, actor: User, **more: Any) -> None:
    shelf.forget()
    log.record(
        f"library.hunt_{what}", actor=actor, title=version.content["title"], hunt=version.saved.slug,
        version=version.number, **more,
    )  # fmt: skip
