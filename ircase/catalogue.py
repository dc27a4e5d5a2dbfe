"""Playbooks: knowledge kept as YAML beside the code, checked against a schema when the system starts."""

import functools
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ircase.models import Milestone, Phase

FOLDER = Path(__file__).resolve().parent / "playbooks"

_ITEM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "phase", "title", "r2", "csf"],
    "properties": {
        "key": {"type": "string", "pattern": "^[a-z0-9_]{2,64}$"},
        "phase": {"enum": [p.value for p in Phase if p != Phase.PREPARATION]},
        "title": {"type": "string", "minLength": 4, "maxLength": 300},
        "guidance": {"type": "string"},
        "r2": {"type": "string", "pattern": r"^\d(\.\d)?$"},
        "csf": {"type": "string", "pattern": r"^[A-Z]{2}\.[A-Z]{2}-\d{2}$"},
        "required": {"type": "boolean"},
        "depends_on": {"type": "array", "items": {"type": "string"}},
        "due": {
            "type": "object",
            "additionalProperties": False,
            "required": ["within"],
            "properties": {
                "after": {"enum": ["opened", *Milestone.Kind.values]},
                "within": {"type": "string", "pattern": r"^\d+(m|h|d)$"},
            },
        },
        "suggests": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "hunts": {"type": "array", "items": {"type": "string"}},
                "collections": {"type": "array", "items": {"type": "string"}},
                "actions": {"type": "array", "items": {"type": "string"}},
            },
        },
    },
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "description", "roles", "items"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,64}$"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "roles": {"type": "array", "items": {"type": "string"}},
        "packs": {"type": "array", "items": {"type": "string"}},
        "items": {"type": "array", "minItems": 1, "items": _ITEM},
    },
}


class CatalogueError(Exception):
    """A library file is wrong. The message names the file and the place in it."""


@dataclass(frozen=True)
class PlaybookItem:
    """One step. `due_after` is "opened" or a milestone; `due_within` the time allowed from it."""

    key: str
    phase: Phase
    title: str
    guidance: str
    r2: str
    csf: str
    required: bool
    depends_on: tuple[str, ...]
    due_after: str
    due_within: timedelta | None
    hunts: tuple[str, ...]
    collections: tuple[str, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Playbook:
    id: str
    version: int
    title: str
    description: str
    roles: tuple[str, ...]
    packs: tuple[str, ...]
    items: tuple[PlaybookItem, ...]


def parse_span(text: str) -> timedelta:
    """`90m`, `4h` or `2d`."""
    unit = {"m": "minutes", "h": "hours", "d": "days"}[text[-1]]
    return timedelta(**{unit: int(text[:-1])})


def read_yaml(path: Path, schema: dict[str, Any]) -> dict[str, Any]:
    """A library file, checked against `schema`. Raises CatalogueError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        jsonschema.validate(data, schema)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path.name}: not readable YAML: {error}") from error
    except jsonschema.ValidationError as error:
        raise CatalogueError(f"{path.name}: {error.json_path}: {error.message}") from error
    if data["id"] != path.stem:
        raise CatalogueError(f"{path.name}: its id is {data['id']!r}; the file must be named after it.")
    return dict(data)


@functools.cache
def playbooks() -> dict[str, Playbook]:
    """Every playbook by id, in order of file name. Raises CatalogueError."""
    return {path.stem: _playbook(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _playbook(path: Path) -> Playbook:
    data = read_yaml(path, SCHEMA)
    items = tuple(_item(item) for item in data["items"])
    keys = [item.key for item in items]
    for place, item in enumerate(items):
        unknown = set(item.depends_on) - set(keys[:place])
        if keys.count(item.key) > 1 or unknown:
            raise CatalogueError(
                f"{path.name}: {item.key}: given twice, or depends on what is not above it: {sorted(unknown)}"
            )
    return Playbook(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"],
        roles=tuple(data["roles"]),
        packs=tuple(data.get("packs", ())),
        items=items,
    )


def _item(data: dict[str, Any]) -> PlaybookItem:
    due, suggests = data.get("due", {}), data.get("suggests", {})
    return PlaybookItem(
        key=data["key"],
        phase=Phase(data["phase"]),
        title=data["title"],
        guidance=data.get("guidance", ""),
        r2=data["r2"],
        csf=data["csf"],
        required=data.get("required", False),
        depends_on=tuple(data.get("depends_on", ())),
        due_after=due.get("after", "opened"),
        due_within=parse_span(due["within"]) if due else None,
        hunts=tuple(suggests.get("hunts", ())),
        collections=tuple(suggests.get("collections", ())),
        actions=tuple(suggests.get("actions", ())),
    )
