"""Writing the team's own playbooks: saved as versions, read by a second person, approved, retired and brought back."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from ircase import catalogue, libraries
from ircase.models import PlaybookVersion, SavedPlaybook, User
from ircase.services import log

MAX_CHANGE: Final = 500
RESERVED: Final = frozenset({"new", "import"})
"""Words that stand below /playbooks/ for something else."""


class Conflict(ValidationError):
    """Somebody saved a newer version meanwhile; `newest` is that one, and nothing was written. Save again with
    `edited_from` its number to put yours on top."""

    def __init__(self, message: str, newest: PlaybookVersion) -> None:
        super().__init__(message, code="conflict")
        self.newest = newest


def require_save(user: User) -> None:
    if not libraries.may_save(user):
        raise PermissionDenied("Playbooks are written by analysts and administrators.")


@transaction.atomic
def save_playbook(
    *, actor: User, slug: str, content: Mapping[str, Any], change: str = "", edited_from: int = 0
) -> PlaybookVersion:
    """Keep `content` (what a file holds, without `id` and `version`) as the playbook's next version, a draft. The
    approved one stays in use till this one is approved.

    `edited_from` is the number of the version that was edited, 0 for a playbook that is new. Content that equals the
    newest version gives that one. Raises PermissionDenied, Conflict, and ValidationError with the place of the fault.
    """
    require_save(actor)
    kept = checked(slug, content)
    if not edited_from:
        SavedPlaybook.objects.get_or_create(slug=slug, defaults={"created_by": actor})
    saved = SavedPlaybook.objects.select_for_update().filter(slug=slug).first()
    if saved is None:
        raise ValidationError(f"There is no playbook {slug} of the team's own.")
    newest = saved.versions.select_related("author").first()
    _check_newest(newest, edited_from, slug)
    if newest is not None and newest.content == kept:
        return newest
    version = PlaybookVersion(
        saved=saved, number=edited_from + 1, content=kept, change=change.strip()[:MAX_CHANGE], author=actor
    )
    version.full_clean(exclude=["saved", "author", "content"])
    version.save()
    _record("saved", version, actor, change=version.change)
    return version


def _check_newest(newest: PlaybookVersion | None, edited_from: int, slug: str) -> None:
    if (newest.number if newest else 0) == edited_from:
        return
    if newest is None:
        raise ValidationError(f"The playbook {slug} has no version {edited_from}.")
    if not edited_from:
        text = f"There is a playbook with the id {slug} already. Choose another id, or edit that one."
        raise Conflict(text, newest)
    raise Conflict(
        f"{newest.author.name} saved version {newest.number} while you worked on version {edited_from}. "
        "Look at what differs, then save again to put yours on top; theirs stays among the versions.",
        newest,
    )


def checked(slug: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it will be kept. Raises ValidationError with the place of the fault."""
    kept = {key: value for key, value in content.items() if key not in ("id", "version")}
    if slug in RESERVED:
        raise ValidationError(f"“{slug}” is a word of IRCase's own addresses. Choose another id.")
    if slug in catalogue.playbooks():
        raise ValidationError(f"IRCase ships a playbook with the id {slug}. Copy it under another id.")
    _check_text(kept)
    try:
        catalogue.playbook_from({**kept, "id": slug, "version": 1})
    except catalogue.CatalogueError as error:
        raise ValidationError(str(error)) from error
    return kept


def _check_text(value: Any) -> None:
    """Refuse what no database keeps as it is: NUL, and halves of characters."""
    if isinstance(value, dict):
        for key, part in value.items():
            _check_text(key)
            _check_text(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _check_text(part)
    elif isinstance(value, str) and ("\x00" in value or any("\ud800" <= c <= "\udfff" for c in value)):
        raise ValidationError("It holds a NUL or half of a character, which cannot be kept.")


@transaction.atomic
def review(*, version: PlaybookVersion, actor: User, words: str) -> PlaybookVersion:
    """Another person than its author has read the newest version, and says what of it. Raises PermissionDenied and
    ValidationError."""
    require_save(actor)
    version = _locked(version)
    if why := why_not(version, actor):
        raise ValidationError(why)
    if version.reviewed_at is not None:
        raise ValidationError(f"Version {version.number} is reviewed already.")
    if not words.strip():
        raise ValidationError("Say what you looked at and what you think of it.")
    version.reviewed_by, version.reviewed_at, version.review = actor, timezone.now(), words.strip()[:4000]
    version.save(update_fields=["reviewed_by", "reviewed_at", "review"])
    _record("reviewed", version, actor, comment=version.review[:500])
    return version


@transaction.atomic
def approve(*, version: PlaybookVersion, actor: User) -> PlaybookVersion:
    """Somebody who answers for others' work, and is not its author, takes the newest version into use, once it is
    reviewed. Raises PermissionDenied and ValidationError."""
    libraries.require_review(actor)
    version = _locked(version)
    if why := why_not(version, actor):
        raise ValidationError(why)
    if version.reviewed_at is None:
        raise ValidationError("A second person has to review it first.")
    version.approved_by, version.approved_at = actor, timezone.now()
    version.save(update_fields=["approved_by", "approved_at"])
    _record("approved", version, actor)
    return version


def _locked(version: PlaybookVersion) -> PlaybookVersion:
    saved = SavedPlaybook.objects.select_for_update().get(pk=version.saved_id)
    found: PlaybookVersion = saved.versions.select_related("author", "reviewed_by", "approved_by").get(pk=version.pk)
    found.saved = saved
    return found


def why_not(version: PlaybookVersion, actor: User) -> str:
    """What keeps a person from reviewing or approving it, in a sentence; empty where nothing does."""
    if version.approved_at is not None:
        return f"Version {version.number} is approved already."
    if version.saved.retired_at is not None:
        return "The playbook is retired. Bring it back first."
    if version.author_id == actor.pk:
        return "Nobody vouches for their own version; ask somebody else to read it."
    if version.saved.versions.filter(number__gt=version.number).exists():
        return "There is a newer version; look at that one."
    return ""


@transaction.atomic
def bring_back(*, version: PlaybookVersion, actor: User) -> PlaybookVersion:
    """An earlier version's content as the next version, a draft like any other."""
    newest = version.saved.versions.values_list("number", flat=True)[0]
    return save_playbook(
        actor=actor,
        slug=version.saved.slug,
        content=version.content,
        change=f"As version {version.number} was",
        edited_from=newest,
    )


@transaction.atomic
def retire(*, saved: SavedPlaybook, actor: User, reason: str = "") -> None:
    """Keep it from new cases. Its versions stay, and cases keep the copy that they were given."""
    _require_keeper(saved, actor)
    rows = SavedPlaybook.objects.filter(pk=saved.pk, retired_at=None)
    if not rows.update(retired_by=actor, retired_at=timezone.now()):
        raise ValidationError("This playbook is retired already.")
    _record("retired", saved.versions.all()[0], actor, reason=reason.strip()[:MAX_CHANGE])


@transaction.atomic
def restore(*, saved: SavedPlaybook, actor: User) -> None:
    """Bring a retired playbook back, with the version in use that it had."""
    _require_keeper(saved, actor)
    rows = SavedPlaybook.objects.filter(pk=saved.pk).exclude(retired_at=None)
    if not rows.update(retired_by=None, retired_at=None):
        raise ValidationError("This playbook is not retired.")
    _record("restored", saved.versions.all()[0], actor)


def may_retire(saved: SavedPlaybook, actor: User) -> bool:
    """Reviewers of the library, and whoever made it."""
    return libraries.may_review(actor) or (libraries.may_save(actor) and saved.created_by_id == actor.pk)


def _require_keeper(saved: SavedPlaybook, actor: User) -> None:
    if not may_retire(saved, actor):
        libraries.require_review(actor)


def _record(what: str, version: PlaybookVersion, actor: User, **more: Any) -> None:
    title, slug = version.content["title"], version.saved.slug
    log.record(f"library.playbook_{what}", actor=actor, title=title, playbook=slug, version=version.number, **more)


# --- one item of a content, for forms


Content = Mapping[str, Any]


def with_item(content: Content, item: Mapping[str, Any], *, replaces: str = "") -> dict[str, Any]:
    """The content with `item` in place of the one whose key is `replaces`, or at the end of its phase. Who depends on
    a key that changes follows it."""
    items = list(content["items"])
    if replaces:
        items = [dict(item) if one["key"] == replaces else _renamed(one, replaces, item["key"]) for one in items]
    else:
        last = max((place for place, one in enumerate(items) if one["phase"] == item["phase"]), default=len(items) - 1)
        items.insert(last + 1, dict(item))
    return {**content, "items": items}


def _renamed(item: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    if old == new or old not in item.get("depends_on", ()):
        return dict(item)
    return {**item, "depends_on": [new if key == old else key for key in item["depends_on"]]}


def without_item(content: Content, key: str) -> dict[str, Any]:
    """The content without it; nothing depends on it any more."""
    items = []
    for one in content["items"]:
        needed = [other for other in one.get("depends_on", ()) if other != key]
        kept = {name: value for name, value in one.items() if name != "depends_on"}
        if one["key"] != key:
            items.append({**kept, "depends_on": needed} if needed else kept)
    return {**content, "items": items}


def moved(content: Content, key: str, by: int) -> dict[str, Any]:
    """The content with the item one place up (`by` -1) or down (1). Raises ValidationError at the end of the list."""
    items = list(content["items"])
    place = next(place for place, one in enumerate(items) if one["key"] == key)
    if not 0 <= place + by < len(items):
        raise ValidationError("It stands at the end of the list already.")
    items[place], items[place + by] = items[place + by], items[place]
    return {**content, "items": items}
