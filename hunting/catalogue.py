"""The hunt library and its packs: YAML beside the code, checked against a schema when the system starts.

A hunt's text is valid KQL that uses its parameters as plain identifiers; it is never altered (docs/adding-a-hunt.md).
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from hunting.models import Source
from hunting.values import Kind, ParameterError, parse_type
from hunting.values import parse as parse_value
from ircase.catalogue import CatalogueError, read_yaml
from kql.catalogue import TABLES

LIBRARY: Final = Path(__file__).with_name("library")
PACKS: Final = Path(__file__).with_name("packs")
ENTITIES: Final = ("device", "account", "file", "tenant")
_FILL: Final = r"^(asset\.(device|account|mailbox)\.(name|identifier)|indicator\.[a-z0-9_]+)$"

WRITTEN: Final = tuple(source.value for source in Source if source != Source.KUSTO_CASE)
"""The sources that a hunt may name. What runs on the case's tables also runs on their copies."""

_PARAMETER: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "type"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]{1,63}$"},
        "type": {"type": "string"},
        "required": {"type": "boolean"},
        "default": {"type": ["string", "integer", "boolean", "array"]},
        "fill": {"type": "string", "pattern": _FILL},
        "help": {"type": "string"},
    },
}
_HUNT: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "id", "version", "title", "description", "entity", "sources", "tables", "parameters", "kql", "time_column",
        "techniques", "meaning", "false_positives", "references",
    ],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,64}$"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "maxLength": 120},
        "description": {"type": "string"},
        "entity": {"enum": list(ENTITIES)},
        "sources": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"enum": list(WRITTEN)}},
        "tables": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
        "parameters": {"type": "array", "items": _PARAMETER},
        "require_any": {"type": "array", "minItems": 2, "items": {"type": "string"}},
        "kql": {"type": "string", "minLength": 10},
        "time_column": {"type": "string"},
        "techniques": {"type": "array", "items": {"type": "string", "pattern": r"^T\d{4}(\.\d{3})?$"}},
        "meaning": {"type": "string", "minLength": 40},
        "false_positives": {"type": "array", "items": {"type": "string"}},
        "references": {"type": "array", "items": {"type": "string", "pattern": "^https://"}},
    },
}  # fmt: skip
_PACK: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "version", "title", "description", "entity", "hunts"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,64}$"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "maxLength": 120},
        "description": {"type": "string"},
        "entity": {"enum": list(ENTITIES)},
        "hunts": {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "string"}},
    },
}


@dataclass(frozen=True)
class Parameter:
    """One value a hunt asks for. `default` is a text that `hunting.values.parse` reads, None where there is none;
    `fill` says where the case may have it (`asset.device.name`, `indicator.sha256`)."""

    name: str
    kind: Kind
    required: bool
    default: Any
    fill: str
    help: str


@dataclass(frozen=True)
class Hunt:
    """A query kept in the library. `require_any` names parameters of which at least one needs a value."""

    id: str
    version: int
    title: str
    description: str
    entity: str
    sources: tuple[Source, ...]
    tables: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    require_any: tuple[str, ...]
    kql: str
    time_column: str
    techniques: tuple[str, ...]
    meaning: str
    false_positives: tuple[str, ...]
    references: tuple[str, ...]

    def fills(self, prefix: str) -> Parameter | None:
        """The parameter that is filled from `prefix`, such as `asset.device`."""
        return next((p for p in self.parameters if p.fill.startswith(prefix)), None)


@dataclass(frozen=True)
class Pack:
    """Hunts that are run together for one entity."""

    id: str
    version: int
    title: str
    description: str
    entity: str
    hunts: tuple[Hunt, ...]


@functools.cache
def hunts() -> Mapping[str, Hunt]:
    """Every hunt by id, in order of file name. Raises CatalogueError."""
    return MappingProxyType({path.stem: read_hunt(path) for path in sorted(LIBRARY.glob("*.yaml"))})


@functools.cache
def packs() -> Mapping[str, Pack]:
    """Every pack by id, in order of file name. Raises CatalogueError."""
    return MappingProxyType({path.stem: _pack(path, hunts()) for path in sorted(PACKS.glob("*.yaml"))})


def read_hunt(path: Path) -> Hunt:
    """One library file. Raises CatalogueError that names the file and the place in it."""
    data = read_yaml(path, _HUNT)
    hunt = Hunt(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"].strip(),
        entity=data["entity"],
        sources=_sources(data["sources"]),
        tables=tuple(data["tables"]),
        parameters=tuple(_parameter(path, p) for p in data["parameters"]),
        require_any=tuple(data.get("require_any", ())),
        kql=data["kql"],
        time_column=data["time_column"],
        techniques=tuple(data["techniques"]),
        meaning=data["meaning"].strip(),
        false_positives=tuple(data["false_positives"]),
        references=tuple(data["references"]),
    )
    problems = list(faults(hunt))
    if problems:
        raise CatalogueError(f"{path.name}: {' '.join(problems)}")
    return hunt


def faults(hunt: Hunt) -> Iterable[str]:
    """What a schema cannot see, a sentence each."""
    names = [parameter.name for parameter in hunt.parameters]
    if len(set(names)) != len(names):
        yield "A parameter is given twice."
    for name in set(hunt.require_any) - set(names):
        yield f"require_any names {name}, which is no parameter."
    for name in names:
        # A column wins over a let of the same name: `where Device == Device` would be true of every row.
        if any(name.casefold() == column.name.casefold() for t in hunt.tables for column in TABLES.get(t, ())):
            yield f"The parameter {name} has the name of a column; the column would hide it."
        if not re.search(rf"\b{name}\b", hunt.kql):
            yield f"The parameter {name} is not used in the query."
    for table in hunt.tables:
        if table not in TABLES:
            yield f"The table {table} is not in kql/catalogue.yaml."


def _sources(written: Iterable[str]) -> tuple[Source, ...]:
    named = tuple(Source(one) for one in written)
    return (*named, Source.KUSTO_CASE) if Source.CASE in named else named


def _parameter(path: Path, data: dict[str, Any]) -> Parameter:
    try:
        kind = parse_type(data["type"])
        if "default" in data:
            parse_value(kind, data["default"])
    except ParameterError as error:
        raise CatalogueError(f"{path.name}: parameter {data['name']}: {error}") from error
    return Parameter(
        name=data["name"],
        kind=kind,
        required=data.get("required", False),
        default=data.get("default"),
        fill=data.get("fill", ""),
        help=data.get("help", ""),
    )


def _pack(path: Path, library: Mapping[str, Hunt]) -> Pack:
    data = read_yaml(path, _PACK)
    unknown = [hunt for hunt in data["hunts"] if hunt not in library]
    if unknown:
        raise CatalogueError(f"{path.name}: these hunts are not in the library: {', '.join(unknown)}")
    return Pack(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"].strip(),
        entity=data["entity"],
        hunts=tuple(library[hunt] for hunt in data["hunts"]),
    )


def search(text: str = "", entity: str = "", technique: str = "") -> list[Hunt]:
    """The hunts that match: `text` anywhere in what is written about them, `technique` with its sub-techniques."""
    words = text.casefold().split()
    return [
        hunt
        for hunt in hunts().values()
        if (not entity or hunt.entity == entity)
        and (not technique or any(t == technique or t.startswith(f"{technique}.") for t in hunt.techniques))
        and all(word in _haystack(hunt) for word in words)
    ]


def _haystack(hunt: Hunt) -> str:
    parts = (hunt.id, hunt.title, hunt.description, hunt.meaning, *hunt.techniques, *hunt.tables)
    return "\n".join(parts).casefold()
