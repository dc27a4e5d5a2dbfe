"""The playbook of a case and its newer versions: what one would add is shown, then added; nothing is taken away."""

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction

from ircase import shelf
from ircase.catalogue import Playbook, PlaybookItem
from ircase.models import Case, CasePlaybook, ChecklistItem, User
from ircase.services import log
from ircase.services.phases import checklist


@dataclass(frozen=True)
class Newer:
    """A playbook that the case could be given: `missing` are its items that the case lacks; `given` is the version that
    the case has of it, 0 where it has no playbook."""

    playbook: Playbook
    given: int
    missing: tuple[PlaybookItem, ...]


def newer(case: Case) -> Newer | None:
    """The version of the case's playbook that new cases are given, where it is later than the case's own. Two queries;
    none where the case has no playbook."""
    if not case.playbook:
        return None
    found = shelf.playbook(case.playbook)
    if found is None or found.version <= case.playbook_version:
        return None
    return what_it_adds(case, found)


def what_it_adds(case: Case, playbook: Playbook) -> Newer:
    """Items are known by their key: what a case has under a key is never changed."""
    rows = ChecklistItem.objects.filter(case=case).values_list("key", "repeat_of")
    there = {name for pair in rows for name in pair}
    plan = CasePlaybook.objects.filter(case=case).values_list("content", flat=True).first() or {}
    # What repeats per asset may have no row yet; the case's own copy of the playbook says that it knows the step.
    there |= {item["key"] for item in plan.get("items", ()) if item.get("repeat_per")}
    missing = tuple(item for item in playbook.items if item.key not in there)
    return Newer(playbook, case.playbook_version if case.playbook == playbook.id else 0, missing)


@transaction.atomic
def apply(*, case: Case, actor: User, slug: str, version: int) -> list[str]:
    """Add what `version` of the playbook has and the case lacks; the keys that were added. From now on it is the case's
    playbook. Raises ValidationError where the case has another playbook, or the version is no longer the one in use."""
    case = Case.objects.select_for_update().get(pk=case.pk)
    if case.playbook and case.playbook != slug:
        raise ValidationError("The case has another playbook. Add what it lacks as items of its own.")
    playbook = shelf.playbook(slug)
    if playbook is None:
        raise ValidationError("There is no playbook of that name that may be used.")
    if playbook.version != version:
        raise ValidationError(f"Version {playbook.version} is in use now. Look at what it adds, then apply it.")
    if case.playbook and case.playbook_version >= version:
        raise ValidationError(f"The case has version {case.playbook_version} already.")
    found = what_it_adds(case, playbook)
    CasePlaybook.objects.update_or_create(
        case=case, defaults={"slug": slug, "number": version, "content": dict(playbook.content)}
    )
    keys = [item.key for item in found.missing]
    checklist.add_items(case=case, playbook=playbook, keys=set(keys))
    case.playbook, case.playbook_version = slug, version
    case.save(update_fields=["playbook", "playbook_version", "updated_at"])
    log.record(
        "checklist.playbook_applied",
        case=case,
        actor=actor,
        title=playbook.title,
        playbook=slug,
        version=version,
        items=len(keys),
        keys=keys,
    )
    return keys
