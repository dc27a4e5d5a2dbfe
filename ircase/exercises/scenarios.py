"""Scenarios: YAML beside the code, checked against a schema. Injects at minutes, and what is expected of players."""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ircase.catalogue import CatalogueError, read_yaml
from ircase.models import Milestone, Severity

FOLDER: Final = Path(__file__).with_name("scenarios")
KINDS: Final = ("hunt", "collection", "action", "indicator", "asset", "technique", "decision", "milestone", "person")
_KEY: Final = {"type": "string", "pattern": "^[a-z0-9_]{2,64}$"}
_WORDS: Final = {"type": "array", "minItems": 1, "maxItems": 20, "items": {"type": "string", "minLength": 2}}
_INJECT: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "minute", "from", "title", "text"],
    "properties": {
        "key": _KEY,
        "minute": {"type": "integer", "minimum": 0, "maximum": 1440},
        "ago": {"type": "integer", "minimum": 0, "maximum": 10080},
        "from": {"type": "string", "minLength": 2, "maxLength": 120},
        "title": {"type": "string", "minLength": 4, "maxLength": 200},
        "text": {"type": "string", "minLength": 4, "maxLength": 4000},
    },
}
_EXPECT: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "title", "kind"],
    "properties": {
        "key": _KEY,
        "title": {"type": "string", "minLength": 4, "maxLength": 300},
        "kind": {"enum": list(KINDS)},
        "any": _WORDS,
        "after": _KEY,
        "within": {"type": "integer", "minimum": 1, "maximum": 1440},
        "why": {"type": "string", "maxLength": 600},
    },
}
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "summary", "minutes", "severity", "goals", "injects", "expects"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,64}$"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "minLength": 4, "maxLength": 120},
        "summary": {"type": "string", "minLength": 20, "maxLength": 2000},
        "minutes": {"type": "integer", "minimum": 10, "maximum": 1440},
        "severity": {"enum": list(Severity.values)},
        "playbook": {"type": "string", "maxLength": 64},
        "needs_tenant": {"type": "boolean"},
        "goals": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string", "maxLength": 300}},
        "hunts": {"type": "array", "maxItems": 40, "items": {"type": "string", "maxLength": 64}},
        "injects": {"type": "array", "minItems": 1, "maxItems": 60, "items": _INJECT},
        "expects": {"type": "array", "minItems": 1, "maxItems": 60, "items": _EXPECT},
    },
}


@dataclass(frozen=True)
class Expect:
    """Something the players should do. `any`: values of which one has to fit, by kind (a hunt's id, an address, a
    word of a decision); none for `person`, which only the facilitator judges. `after`: the inject from which the
    minutes of `within` count, else from the start."""

    key: str
    title: str
    kind: str
    any: tuple[str, ...] = ()
    after: str = ""
    within: int = 0
    why: str = ""


@dataclass(frozen=True)
class Scenario:
    """One scenario whole; `content` is what was read."""

    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.content["id"])

    @property
    def version(self) -> int:
        return int(self.content["version"])

    @property
    def title(self) -> str:
        return str(self.content["title"])

    @property
    def needs_tenant(self) -> bool:
        return bool(self.content.get("needs_tenant"))


_libraries: list[Callable[[], Collection[str]]] = []


def register_hunts(known: Callable[[], Collection[str]]) -> None:
    """`known` gives the ids of the library's hunts: from now on a scenario that names another one is refused. The case
    does not know the app that has them."""
    if known not in _libraries:
        _libraries.append(known)
        scenarios.cache_clear()


@functools.cache
def scenarios() -> Mapping[str, Scenario]:
    """Those that ship, by id. Raises CatalogueError."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        content = read_yaml(path, _SCHEMA)
        _check(path.name, content)
        found[content["id"]] = Scenario(content)
    return found


def expects_of(plan: Mapping[str, Any]) -> list[Expect]:
    """What a scenario, or the copy that an exercise keeps, expects."""
    return [Expect(**(row | {"any": tuple(row.get("any", ()))})) for row in plan.get("expects", [])]


def _check(name: str, content: Mapping[str, Any]) -> None:
    """What a schema cannot say. Raises CatalogueError."""
    for part in ("injects", "expects"):
        keys = [row["key"] for row in content[part]]
        if len(keys) != len(set(keys)):
            raise CatalogueError(f"{name}: {part}: a key stands twice.")
    known = {row["key"] for row in content["injects"]}
    for row in content["expects"]:
        if row.get("after", next(iter(known))) not in known:
            raise CatalogueError(f"{name}: {row['key']}: there is no inject {row['after']!r} to count from.")
        if (row["kind"] == "person") == bool(row.get("any")):
            raise CatalogueError(f"{name}: {row['key']}: `any` says what fits, and stands for every kind but person.")
        if row["kind"] == "milestone" and not set(row["any"]) <= set(Milestone.Kind.values):
            raise CatalogueError(f"{name}: {row['key']}: a milestone is one of {', '.join(Milestone.Kind.values)}.")
    _check_hunts(name, content)


def _check_hunts(name: str, content: Mapping[str, Any]) -> None:
    known = {hunt for library in _libraries for hunt in library()}
    named = [
        *content.get("hunts", ()),
        *(one for row in content["expects"] if row["kind"] == "hunt" for one in row["any"]),
    ]
    unknown = [hunt for hunt in dict.fromkeys(named) if hunt not in known]
    if _libraries and unknown:
        raise CatalogueError(f"{name}: the library has no hunt {', '.join(map(repr, unknown))}.")
