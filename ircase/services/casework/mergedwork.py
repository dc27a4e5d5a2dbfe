"""What people wrote and planned on a case that is merged into another: notes and items come along, what ended is told.

Pages that the other case has in the same words are there already. Of the items those come that people put there or
began: what a playbook planned and nobody touched is the other playbook's to plan. What ended stays with its proofs.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from ircase import access
from ircase.intake import touched
from ircase.models import Case, CasePlaybook, ChecklistItem, Comment, LogEntry, Note, Phase, User
from ircase.services import log
from ircase.services.casework import casecopies
from ircase.services.phases import checklist, itemstates
from ircase.services.writing import comments, notes

State = ChecklistItem.State
UNDONE: Final = "The merge that had brought it was undone."
_WORDS: Final = 2_000
_TITLE: Final = 200
# As the markdown of notes and comments reads them (ircase.markdown).
_EXHIBIT: Final = re.compile(r"\bE-?[0-9]{1,6}\b")
_PICTURE: Final = re.compile(r"!\[([^\]\n]{0,300})\]\((E-?[0-9]{1,6})\)")


@dataclass(frozen=True)
class Work:
    """What the other case lacks. `ended` are pairs: what was done or skipped here, and the same there, still open."""

    notes: list[Note]
    items: list[ChecklistItem]
    ended: list[tuple[ChecklistItem, ChecklistItem]]


def lacking(case: Case, into: Case) -> Work:
    """Changes nothing."""
    pages = set(into.notes.there().values_list("title", "body"))
    fresh = [note for note in case.notes.there() if (note.title, note.body) not in pages]
    there = {(item.phase, item.title): item for item in _items(into).exclude(state=State.SKIPPED, result=UNDONE)}
    here = list(_items(case).select_related("owner", "ended_by"))
    begun = _by_hand(case)
    return Work(
        notes=fresh,
        items=[
            item for item in here
            if item.is_open and (item.phase, item.title) not in there
            and (item.key in begun or item.state != State.OPEN or item.result)
        ],
        ended=[
            (item, same) for item in here
            if not item.is_open and item.ended_by_id and (same := there.get((item.phase, item.title))) and same.is_open
        ],
    )  # fmt: skip


def _items(case: Case) -> Any:
    return ChecklistItem.objects.filter(case=case).exclude(phase=Phase.PREPARATION).order_by("position", "pk")


def _by_hand(case: Case) -> set[str]:
    """The keys of what no playbook put there."""
    plan = CasePlaybook.objects.filter(case=case).first()
    planned = {item["key"] for item in plan.content.get("items", ())} if plan else set()
    return set(_items(case).filter(repeat_of="").values_list("key", flat=True)) - planned


def bring(work: Work, into: Case, actor: User, link: str) -> dict[str, list[str]]:
    """Copies in the other case: the uuids of the notes, the keys of the items. Only what there is has a name."""
    titles = set(into.notes.there().values_list("title", flat=True))
    pages = [
        notes.create_note(
            case=into, actor=actor, title=_beside(note.title, titles), body=_elsewhere(note.body), folder=note.folder
        )
        for note in work.notes
    ]  # fmt: skip
    made = casecopies.keep(
        ChecklistItem, [_copy(item, into, f"merged_{link[:8]}_{n}", n) for n, item in enumerate(work.items, start=1)]
    )
    for item, same in work.ended:
        comments.write(case=into, actor=actor, kind="checklist", subject=str(same.pk), body=_told(item))
    found = {"notes": [str(page.uuid) for page in pages], "items": [item.key for item in made]}
    return {name: names for name, names in found.items() if names}


def _elsewhere(text: str) -> str:
    """E003 is another exhibit in the other case: where the text names some, it begins by saying whose they are, and
    shows none of them as a picture."""
    if not _EXHIBIT.search(text):
        return text
    plain = _PICTURE.sub(r"(picture: \1, \2 of the merged case)", text)
    return f"> Written in a case that was merged into this one: the exhibits that it names are that case's.\n\n{plain}"


def _beside(title: str, there: set[str]) -> str:
    """Two pages of one name are told apart."""
    found = f"{title[: _TITLE - 9]} (merged)" if title in there else title
    there.add(found)
    return found


def _copy(item: ChecklistItem, into: Case, key: str, place: int) -> ChecklistItem:
    """Open again, with what is known of it so far; its owner where they work on the other case too."""
    stays = item.owner is not None and access.still_may(item.owner, into, access.ANALYST)
    return ChecklistItem(
        case=into, key=key, position=checklist.MANUAL_POSITION + into.checklist.count() + place,
        owner=item.owner if stays else None, due_at=item.due_at, due_by_hand=item.due_at is not None,
        reminded_at=checklist.reminded_from(item.due_at), result=item.result, **casecopies.values_of(item),
    )  # fmt: skip


def _told(item: ChecklistItem) -> str:
    """Of a case that the reader may not be able to see: what was done, by whom and when, not where."""
    who = item.ended_by.name if item.ended_by else "somebody"
    when = f"{item.ended_at:%Y-%m-%d %H:%M} UTC" if item.ended_at else "an unknown time"
    said = f"{item.get_state_display()} by {who} on {when}, in the case that was merged into this one."
    return f"{said}\n\n{_elsewhere(item.result[:_WORDS])}".strip()


@transaction.atomic
def take_away(into: Case, brought: dict[str, Any], actor: User, since: datetime) -> dict[str, int]:
    """Archive the pages and skip the items that nobody has worked on since; how many of each stayed."""
    pages = list(into.notes.filter(uuid__in=brought.get("notes", ())))
    used = touched.logged(into, brought.get("notes", ()), since=since)
    left = [page for page in pages if page.version == 1 and str(page.uuid) not in used]
    for page in left:
        notes.archive_note(note=page, actor=actor)
    items = list(_items(into).filter(key__in=brought.get("items", ())))
    planned = set(
        LogEntry.objects.filter(case=into, at__gt=since, action__startswith="checklist.").values_list(
            "detail__item", flat=True
        )
    )
    idle = [item for item in items if item.is_open and item.key not in planned and not _spoken_of(item)]
    for item in idle:
        item.result = UNDONE
        itemstates.change(item=item, actor=actor, state=State.SKIPPED, note=UNDONE)
        log.record("checklist.skipped", case=into, actor=actor, item=item.key, title=item.title, result=UNDONE)
    return {"notes": len(pages) - len(left), "items": len(items) - len(idle)}


def _spoken_of(item: ChecklistItem) -> bool:
    return Comment.objects.filter(case=item.case_id, kind="checklist", subject=str(item.pk)).exists()
