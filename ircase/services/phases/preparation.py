"""The organisation's preparation: its first list comes with the program, from then on it is the organisation's own."""

import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max, QuerySet

from ircase.catalogue import read_yaml
from ircase.models import LogEntry, PreparationItem, User
from ircase.services import log

FILE = Path(__file__).resolve().parents[2] / "preparation.yaml"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "items"],
    "properties": {
        "id": {"const": "preparation"},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["key", "csf", "title"],
                "properties": {
                    "key": {"type": "string", "pattern": "^[a-z0-9_]{2,59}$"},
                    "csf": {"type": "string", "pattern": r"^[A-Z]{2}\.[A-Z]{2}-\d{2}$"},
                    "title": {"type": "string", "minLength": 4, "maxLength": 300},
                    "review_days": {"type": "integer", "minimum": 1, "maximum": 3650},
                },
            },
        },
    },
}


@transaction.atomic
def load_preparation() -> int:
    """Fill an empty table with the program's list; how many items were made, 0 where there are some already."""
    if PreparationItem.objects.exists():
        return 0
    items = read_yaml(FILE, _SCHEMA)["items"]
    made = PreparationItem.objects.bulk_create(
        PreparationItem(
            key=item["key"],
            position=place,
            title=item["title"],
            csf_outcome=item["csf"],
            review_days=item.get("review_days"),
        )
        for place, item in enumerate(items)
    )
    return len(made)


@transaction.atomic
def plan(
    *,
    item: PreparationItem,
    actor: User,
    owner: User | None,
    due_at: datetime | None,
    done_at: datetime | None,
    result: str,
    **more: Any,
) -> PreparationItem:
    """Who sees to it, until when, since when it is done, and what is in `more` (title, csf_outcome, review_days). Cases
    keep the copy they were opened with. Raises ValidationError by field."""
    row = PreparationItem.objects.select_for_update().get(pk=item.pk)
    wanted = {"owner": owner, "due_at": due_at, "done_at": done_at, "result": result.strip(), **more}
    changed = sorted(name for name, value in wanted.items() if getattr(row, name) != value)
    before = {name: _plain(getattr(row, name)) for name in changed}
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        row.full_clean()
        row.save(update_fields=changed)
        said = {name: [before[name], _plain(wanted[name])] for name in changed}
        log.record("preparation.changed", actor=actor, item=row.key, title=row.title, fields=changed, changes=said)
    return row


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.name if isinstance(value, User) else value


@transaction.atomic
def add(*, actor: User, title: str, csf_outcome: str = "", review_days: int | None = None) -> PreparationItem:
    """An item of the organisation's own, at the end of the list. Raises ValidationError by field."""
    last = PreparationItem.objects.aggregate(last=Max("position"))["last"]
    row = PreparationItem(
        key=f"own_{uuid.uuid4().hex[:12]}",
        position=0 if last is None else last + 1,
        title=title,
        csf_outcome=csf_outcome,
        review_days=review_days,
    )
    row.full_clean()
    row.save()
    log.record("preparation.added", actor=actor, item=row.key, title=row.title)
    return row


@transaction.atomic
def move(*, item: PreparationItem, actor: User, by: int) -> None:
    """One place up (`by` -1) or down (1); nothing happens at the end of the list."""
    rows = list(PreparationItem.objects.select_for_update())
    place = next(place for place, row in enumerate(rows) if row.pk == item.pk)
    if not 0 <= place + by < len(rows):
        return
    rows[place], rows[place + by] = rows[place + by], rows[place]
    for number, row in enumerate(rows):
        row.position = number
    PreparationItem.objects.bulk_update(rows, ["position"])
    log.record("preparation.changed", actor=actor, item=item.key, title=item.title, fields=["position"])


@transaction.atomic
def remove(*, item: PreparationItem, actor: User, reason: str) -> None:
    """Off the list. The log keeps what it said; cases keep their copies."""
    if not reason.strip():
        raise ValidationError("Say why it is no longer prepared; the log keeps it.")
    log.record(
        "preparation.removed", actor=actor, item=item.key, title=item.title, result=item.result, reason=reason.strip()
    )
    item.delete()


def history(item: PreparationItem) -> QuerySet[LogEntry]:
    """What was changed of it, newest first."""
    return LogEntry.objects.filter(case=None, action__startswith="preparation.", detail__item=item.key).order_by("-pk")
