"""Playbooks: knowledge kept as YAML, checked against a schema; those that ship lie beside the code."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

from ircase.models import Milestone, Phase

FOLDER = Path(__file__).resolve().parent / "playbooks"
MOST_ITEMS: Final = 100
LONGEST_YAML: Final = 200_000
_NAMES = {"type": "array", "maxItems": 20, "items": {"type": "string", "minLength": 1, "maxLength": 64}}

_ITEM = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "phase", "title", "r2", "csf"],
    "properties": {
        "key": {"type": "string", "pattern": "^[a-z0-9_]{2,64}$"},
        "phase": {"enum": [p.value for p in Phase if p != Phase.PREPARATION]},
        "title": {"type": "string", "minLength": 4, "maxLength": 300},
        "guidance": {"type": "string", "maxLength": 4000},
        "r2": {"type": "string", "pattern": r"^\d(\.\d)?$"},
        "csf": {"type": "string", "pattern": r"^[A-Z]{2}\.[A-Z]{2}-\d{2}$"},
        "required": {"type": "boolean"},
        "proof": {"enum": ["link", "result"]},
        "role": {"type": "string", "minLength": 1, "maxLength": 64},
        "repeat_per": {"enum": ["device", "account"]},
        "depends_on": _NAMES,
        "due": {
            "type": "object",
            "additionalProperties": False,
            "required": ["within"],
            "properties": {
                "after": {"enum": ["opened", *Milestone.Kind.values]},
                "within": {"type": "string", "pattern": r"^\d{1,4}(m|h|d)$"},
            },
        },
        "suggests": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "hunts": _NAMES,
                "collections": _NAMES,
                "actions": _NAMES,
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
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "description": {"type": "string", "maxLength": 4000},
        "roles": _NAMES,
        "packs": _NAMES,
        "items": {"type": "array", "minItems": 1, "maxItems": MOST_ITEMS, "items": _ITEM},
    },
}


_VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class CatalogueError(Exception):
    """A library file is wrong. The message names the file and the place in it."""


@dataclass(frozen=True)
class PlaybookItem:
    """One step. `due_after` is "opened" or a milestone; `due_within` the time allowed from it. `repeat_per` is the kind
    of asset for each of which there is one, or empty; `proof` what it closes with where it is required: "link" or
    "result"; `role` whose duty it is."""

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
    proof: str = "link"
    role: str = ""
    repeat_per: str = ""


@dataclass(frozen=True)
class Playbook:
    """`content` is what its file holds, without `id` and `version`."""

    id: str
    version: int
    title: str
    description: str
    roles: tuple[str, ...]
    packs: tuple[str, ...]
    items: tuple[PlaybookItem, ...]
    content: Mapping[str, Any] = field(default_factory=dict, compare=False, hash=False)


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
    """Every playbook that ships, by id, in order of file name. Raises CatalogueError."""
    return {path.stem: _playbook(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _playbook(path: Path) -> Playbook:
    data = read_yaml(path, SCHEMA)
    try:
        return playbook_from(data)
    except CatalogueError as error:
        raise CatalogueError(f"{path.name}: {error}") from error


def playbook_from(data: Mapping[str, Any]) -> Playbook:
    """A playbook of what a file holds, from whoever it comes. Raises CatalogueError with the place of the fault."""
    fault = next(_VALIDATOR.iter_errors(dict(data)), None)
    if fault is not None:
        raise CatalogueError(f"{_place(fault, data)}: {_shortened(fault.message)}")
    items = tuple(_item(item) for item in data["items"])
    _check_keys(items)
    if unknown := sorted({item.role for item in items if item.role} - set(data["roles"])):
        raise CatalogueError(f"roles: items name what is not among them: {', '.join(unknown)}.")
    return Playbook(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"],
        roles=tuple(data["roles"]),
        packs=tuple(data.get("packs", ())),
        items=items,
        content={key: value for key, value in data.items() if key not in ("id", "version")},
    )


def _shortened(message: str) -> str:
    """A message of the schema quotes the value it is about, whole; what is wrong with it stands at the end."""
    return message if len(message) <= 300 else f"{message[:120]} … {message[-160:]}"


def _place(error: jsonschema.ValidationError, data: Mapping[str, Any]) -> str:
    """Where the fault is, an item by its key where it has one."""
    path = list(error.absolute_path)
    if len(path) > 1 and path[0] == "items" and isinstance(path[1], int):
        item = data["items"][path[1]]
        name = item.get("key") if isinstance(item, dict) else None
        return ".".join([f"item {name or path[1] + 1}", *(str(part) for part in path[2:])])
    return ".".join(str(part) for part in path) or "the playbook"


def _check_keys(items: tuple[PlaybookItem, ...]) -> None:
    above: set[str] = set()
    for item in items:
        if item.key in above:
            raise CatalogueError(f"item {item.key}: there are two of that key.")
        if unknown := sorted(set(item.depends_on) - above):
            raise CatalogueError(f"item {item.key}: it depends on what is not above it: {', '.join(unknown)}.")
        above.add(item.key)


def parse_yaml(text: str) -> dict[str, Any]:
    """A playbook's YAML from outside as data, not yet checked. Raises CatalogueError; aliases are refused, as a few of
    them make gigabytes."""
    if len(text) > LONGEST_YAML:
        raise CatalogueError(f"The text is longer than {LONGEST_YAML:,} characters.")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise CatalogueError("It uses YAML aliases (*name). Write the values out.")
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CatalogueError(f"This is not readable YAML: {str(error)[:300]}") from error
    if not isinstance(data, dict):
        raise CatalogueError("A playbook is a YAML mapping: title, description, roles, items.")
    return data


class _Writer(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(slug: str, version: int, content: Mapping[str, Any]) -> str:
    """A playbook as its file has it, which `parse_yaml` reads again."""
    ordered = {key: content[key] for key in ("title", "description", "roles", "packs", "items") if key in content}
    return as_text({"id": slug, "version": version, **ordered})


def as_text(value: Any) -> str:
    """A part of a playbook as YAML."""
    return str(yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=110))


def _item(data: Mapping[str, Any]) -> PlaybookItem:
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
        due_after=due.get("after", "opened") if due else "",
        due_within=parse_span(due["within"]) if due else None,
        hunts=tuple(suggests.get("hunts", ())),
        collections=tuple(suggests.get("collections", ())),
        actions=tuple(suggests.get("actions", ())),
        proof=data.get("proof", "link"),
        role=data.get("role", ""),
        repeat_per=data.get("repeat_per", ""),
    )
