"""Part: settings of Defender worth checking, answered by the API where it can tell, else by a person with the date."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.urls import reverse

from ircase.catalogue import read_yaml
from ircase.models import Connection, SettingAnswer
from ircase.readiness.board import Asked, Check, Part, State

FILE: Final = Path(__file__).with_name("settings.yaml")
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "settings"],
    "properties": {
        "id": {"const": "settings"},
        "settings": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["key", "title", "why", "where", "source", "review_days"],
                "properties": {
                    "key": {"type": "string", "pattern": "^[a-z_]{3,64}$"},
                    "title": {"type": "string", "maxLength": 120},
                    "why": {"type": "string", "maxLength": 300},
                    "where": {"type": "string", "maxLength": 200},
                    "source": {"type": "string", "pattern": "^https://learn\\.microsoft\\.com/"},
                    "review_days": {"type": "integer", "minimum": 1, "maximum": 3650},
                    "scid": {"type": "array", "items": {"type": "string", "pattern": r"^scid-\d{1,5}$"}},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Setting:
    """One thing to look at. `scid`: configurations from which the API answers; none where a person does."""

    key: str
    title: str
    why: str
    where: str
    source: str
    review_days: int
    scid: tuple[str, ...] = ()


@functools.cache
def settings() -> Mapping[str, Setting]:
    """By key, in the file's order. Raises CatalogueError."""
    rows = read_yaml(FILE, _SCHEMA)["settings"]
    return {row["key"]: Setting(**(row | {"scid": tuple(row.get("scid", ()))})) for row in rows}


def parts(asked: Asked) -> dict[int, list[Part]]:
    rows = SettingAnswer.objects.filter(connection__in=[one.pk for one in asked.connections])
    given = {(row.connection_id, row.key): row for row in rows.select_related("answered_by")}
    about = "Each is answered by the API where one can tell, else by a person; an answer grows old."
    return {
        one.pk: [Part("settings", "Defender settings", about, tuple(
            _check(one, setting, given.get((one.pk, setting.key)), asked) for setting in settings().values()))]
        for one in asked.connections
    }  # fmt: skip


def _check(connection: Connection, setting: Setting, given: SettingAnswer | None, asked: Asked) -> Check:
    url = reverse("ircase:readiness_setting", args=[connection.pk, setting.key])
    if given is None:
        todo = f"Look at {setting.where}, and answer."
        return Check(setting.key, setting.title, State.UNKNOWN, setting.why, todo, url, source=setting.source)
    who = given.answered_by.name if given.answered_by else "the API"
    words = f"{given.get_answer_display()}, says {who}." + (f" {given.note}" if given.note else "")
    if given.answer == SettingAnswer.Answer.NO:
        state, todo = State.RED, f"Change it under {setting.where}."
    elif asked.now - given.answered_at > timedelta(days=setting.review_days):
        state, todo = State.AMBER, f"The answer is older than {setting.review_days} days: look again."
    else:
        state, todo = State.OK, ""
    return Check(setting.key, setting.title, state, words, todo, url, given.answered_at, source=setting.source)
