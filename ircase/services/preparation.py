"""The organisation's preparation: its first list comes with the program, from then on it is the organisation's own."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from ircase.catalogue import read_yaml
from ircase.models import PreparationItem, User
from ircase.services import log

FILE = Path(__file__).resolve().parent.parent / "preparation.yaml"
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
        PreparationItem(key=item["key"], position=place, title=item["title"], csf_outcome=item["csf"])
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
) -> PreparationItem:
    """Who sees to it, until when, and since when it is done. Cases keep the copy they were opened with."""
    row = PreparationItem.objects.select_for_update().get(pk=item.pk)
    wanted = {"owner": owner, "due_at": due_at, "done_at": done_at, "result": result.strip()}
    changed = sorted(name for name, value in wanted.items() if getattr(row, name) != value)
    for name in changed:
        setattr(row, name, wanted[name])
    if changed:
        row.save(update_fields=changed)
        log.record("preparation.changed", actor=actor, item=row.key, fields=changed)
    return row
