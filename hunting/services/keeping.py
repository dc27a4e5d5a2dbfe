"""What an import's finds mean to this library: new, a new version of what came from there before, or the same; and the
drafts made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from hunting import catalogue
from hunting.models import HuntImport, HuntVersion, ImportItem, PackVersion, SavedHunt, SavedPack
from hunting.services import library, packbook
from ircase.models import User

_Key = tuple[str, str, str]
_TEXT: Final = 300


@dataclass(frozen=True)
class _Known:
    """A saved thing of an import: its id, its newest content, that version's number, and the one that was imported."""

    slug: str
    content: Mapping[str, Any]
    number: int
    imported: int


class Judge:
    """Compares with the library as it is now, once for a whole import."""

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self.source, self.address = str(whole["source"]), str(whole["address"])
        self.hashes = library.known_fingerprints()
        self.hunts = _imported(SavedHunt, HuntVersion)
        self.packs = _imported(SavedPack, PackVersion)
        self.hunt_slugs = set(catalogue.hunts()) | set(SavedHunt.objects.values_list("slug", flat=True))
        self.pack_slugs = {*catalogue.packs(), *SavedPack.objects.values_list("slug", flat=True), "new"}
        self.there = set(self.hunt_slugs)

    def item(self, found: HuntImport, number: int, line: Mapping[str, Any]) -> ImportItem:
        """The row for one line of the child (hunting.importing.written)."""
        made = ImportItem(
            of=found,
            number=number,
            kind=line["kind"],
            member=clean(line["member"])[-_TEXT:],
            format=line["format"],
            place=clean(line["place"])[:200],
            line=line["line"],
            outcome=line["outcome"],
            reason=clean(line["reason"]),
            sha256=line["sha256"],
        )
        if line["kind"] == ImportItem.Kind.NONE:
            return made
        made.slug, made.title = line["slug"], clean(line["title"])[:_TEXT]
        made.content, made.facts, made.origin = line["content"], clean_deep(line["facts"]), clean_deep(line["origin"])
        made.licence, made.content_hash = line["licence"][:100], line["content_hash"]
        (self._hunt if made.kind == ImportItem.Kind.HUNT else self._pack)(made)
        return made

    def _hunt(self, item: ImportItem) -> None:
        try:
            item.content = library.checked("an-import", item.content)
        except ValidationError as error:
            _refuse(item, " ".join(error.messages))
            return
        known = self._before(item, self.hunts)
        if known is not None:
            _as_version(item, known)
        elif target := self.hashes.get(library.fingerprint_of(item.content)):
            _same(item, target, f"It asks the same as {target}, which the library has.")
            item.slug = _free(item.slug, self.hunt_slugs)
        else:
            item.becomes, item.is_wanted = ImportItem.Becomes.NEW, True
            item.slug = _free(item.slug, self.hunt_slugs)
        self.hunt_slugs.add(item.slug)
        self.there.add(item.origin["slug"])

    def _pack(self, item: ImportItem) -> None:
        names = [step if isinstance(step, str) else step["hunt"] for step in item.content["hunts"]]
        if missing := [name for name in names if name not in self.there]:
            _refuse(item, f"These hunts are neither in the import nor in the library: {', '.join(missing[:10])}.")
            return
        known = self._before(item, self.packs)
        if known is not None:
            item.target, item.slug = known.slug, known.slug
            item.becomes = ImportItem.Becomes.VERSION
        else:
            item.becomes = ImportItem.Becomes.NEW
            item.slug = _free(item.slug, self.pack_slugs)
        item.is_wanted = known is None
        self.pack_slugs.add(item.slug)

    def _before(self, item: ImportItem, known: Mapping[_Key, _Known]) -> _Known | None:
        """What was kept of the same place before: the same member of the same source, under the same id."""
        own, member = str(item.origin["slug"]), str(item.origin["member"])
        by_address = known.get((f"@{self.address}", member, own)) if self.address else None
        return by_address or known.get((self.source, member, own))


def _imported(
    things: type[SavedHunt] | type[SavedPack], versions: type[HuntVersion] | type[PackVersion]
) -> dict[_Key, _Known]:
    """What came of imports, by where it came from."""
    newest: dict[int, tuple[int, Mapping[str, Any]]] = {}
    rows = versions.objects.exclude(saved__origin={}).order_by("number")
    for saved, number, content in rows.values_list("saved_id", "number", "content").iterator():
        newest[saved] = number, content
    found: dict[_Key, _Known] = {}
    for pk, slug, origin in things.objects.exclude(origin={}).values_list("pk", "slug", "origin"):
        if pk not in newest or "slug" not in origin:
            continue
        number, content = newest[pk]
        one = _Known(slug, content, number, int(origin.get("version", number)))
        member, own = str(origin.get("member", "")), str(origin["slug"])
        found[(str(origin.get("source", "")), member, own)] = one
        if address := origin.get("repository"):
            found[(f"@{address}", member, own)] = one
    return found


def _as_version(item: ImportItem, known: _Known) -> None:
    item.slug = item.target = known.slug
    if item.content == known.content:
        _same(item, known.slug, f"It is unchanged since it was imported (version {known.number}).")
        item.slug = ""
        return
    item.becomes = ImportItem.Becomes.VERSION
    if known.number == known.imported:
        item.is_wanted = True
    else:
        note = f"The team changed it here since version {known.imported} was imported; it is kept only if you tick it."
        item.facts = {**item.facts, "notes": [*item.facts.get("notes", []), note]}


def _same(item: ImportItem, target: str, reason: str) -> None:
    item.becomes, item.target = ImportItem.Becomes.SAME, target
    item.outcome, item.reason, item.is_wanted = ImportItem.Outcome.DUPLICATE, reason, False


def _refuse(item: ImportItem, reason: str) -> None:
    item.outcome, item.reason, item.slug, item.is_wanted = ImportItem.Outcome.REFUSED, reason, "", False


def _free(slug: str, taken: set[str]) -> str:
    """The slug, with a number where it is taken."""
    number, wanted = 1, slug
    while wanted in taken:
        number += 1
        wanted = f"{slug[:58]}-{number}"
    return wanted


def clean(text: str) -> str:
    """Text that every database keeps: NUL and halves of characters made visible."""
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


def clean_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {clean(str(key)): clean_deep(part) for key, part in value.items()}
    if isinstance(value, list):
        return [clean_deep(part) for part in value]
    return clean(value) if isinstance(value, str) else value


# --- keeping


def keep_item(item: ImportItem, actor: User) -> bool:
    """Make a draft of the item. False where the library does not take it; the item then says why."""
    try:
        with transaction.atomic():
            if item.kind == ImportItem.Kind.HUNT:
                item.kept_hunt = _keep_hunt(item, actor)
            else:
                item.kept_pack = _keep_pack(item, actor)
            item.problem = ""
            item.save(update_fields=["kept_hunt", "kept_pack", "problem", "slug"])
    except ValidationError as error:
        item.problem = " ".join(error.messages)[:500]
        item.save(update_fields=["problem"])
        return False
    return True


def _keep_hunt(item: ImportItem, actor: User) -> HuntVersion:
    edited_from = _number(HuntVersion, item)
    if not edited_from:
        item.slug = _free(item.slug, _taken(SavedHunt, catalogue.hunts(), item.slug))
    return library.save_hunt(
        actor=actor, slug=item.slug, content=item.content, change=f"Imported from {item.of.source}"[:500],
        origin=_origin(item, edited_from + 1), licence=item.licence, edited_from=edited_from,
    )  # fmt: skip


def _keep_pack(item: ImportItem, actor: User) -> PackVersion:
    edited_from = _number(PackVersion, item)
    if not edited_from:
        item.slug = _free(item.slug, _taken(SavedPack, catalogue.packs(), item.slug))
    return packbook.save_pack(
        actor=actor, slug=item.slug, content=item.content | {"hunts": _steps(item)},
        change=f"Imported from {item.of.source}"[:500], origin=_origin(item, edited_from + 1), licence=item.licence,
        edited_from=edited_from,
    )  # fmt: skip


def _number(versions: type[HuntVersion] | type[PackVersion], item: ImportItem) -> int:
    """The newest version's number of what the item becomes a version of; 0 where it is new."""
    if item.becomes != ImportItem.Becomes.VERSION:
        return 0
    found = versions.objects.filter(saved__slug=item.target).order_by("-number")
    return int(found.values_list("number", flat=True).first() or 0)


def _taken(things: type[SavedHunt] | type[SavedPack], shipped: Mapping[str, Any], slug: str) -> set[str]:
    """Ids that begin like this one; somebody may have taken it since the preview was made."""
    return {*shipped, *things.objects.filter(slug__startswith=slug[:58]).values_list("slug", flat=True)}


def _origin(item: ImportItem, version: int) -> dict[str, Any]:
    found = item.of
    more = {"repository": found.address, "import": str(found.uuid), "version": version, "sha256": item.sha256}
    more |= {key: item.facts[key] for key in ("twin", "said") if item.facts.get(key)}
    return {**item.origin, **{key: value for key, value in more.items() if value}}


def _steps(item: ImportItem) -> list[str | dict[str, str]]:
    """The pack's steps by the ids that its hunts have in the library. Raises ValidationError where one is not kept."""
    names = {str(one.origin["slug"]): one for one in item.of.items.filter(kind=ImportItem.Kind.HUNT)}

    def final(name: str) -> str:
        one = names.get(name)
        if one is None or one.outcome == ImportItem.Outcome.REFUSED:
            return name
        if one.is_kept:
            return one.slug
        if one.target:
            return one.target
        raise ValidationError(f"Its hunt “{one.title}” is not kept. Keep that one too.")

    return [
        final(step) if isinstance(step, str) else {"hunt": final(step["hunt"]), "only_if": final(step["only_if"])}
        for step in item.content["hunts"]
    ]
