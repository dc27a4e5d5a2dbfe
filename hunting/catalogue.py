"""The hunt library and its packs: YAML beside the code, checked against a schema when the system starts.

A hunt's text is valid KQL that uses its parameters as plain identifiers; it is never altered (docs/adding-a-hunt.md).
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import jsonschema

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
# What a team saves may be thinner, and may read tables that only its own tenant has.
_SAVED: Final = _HUNT | {
    "properties": {
        **_HUNT["properties"],  # type: ignore[dict-item]  # a schema is a dict of many things
        "title": {"type": "string", "minLength": 2, "maxLength": 120},
        "description": {"type": "string", "maxLength": 20_000},
        "tables": {"type": "array", "uniqueItems": True, "items": {"type": "string", "maxLength": 128}},
        "parameters": {"type": "array", "maxItems": 50, "items": _PARAMETER},
        "kql": {"type": "string", "minLength": 1, "maxLength": 100_000},
        "meaning": {"type": "string", "maxLength": 20_000},
    }
}
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
        "hunts": {
            "type": "array",
            "minItems": 1,
            "maxItems": 200,
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["hunt"],
                        "properties": {"hunt": {"type": "string"}, "only_if": {"type": "string"}},
                    },
                ]
            },
        },
    },
}


class Review(StrEnum):
    """Where a hunt stands. What IRCase ships was reviewed with IRCase; a retired hunt is kept, but not run anew."""

    SHIPPED = "shipped"
    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


class HuntError(CatalogueError):
    """What is wrong with a hunt; `faults` are pairs of the key it is about and a sentence."""

    def __init__(self, faults: Iterable[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__(" ".join(sentence for _, sentence in self.faults))


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
    """A query kept in the library. `require_any` names parameters of which at least one needs a value.

    `review` tells what IRCase ships from what the team saved; `origin` is where an imported one came from, in the
    words of who imported it, and `licence` its licence. Both are empty for what was written here.
    """

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
    review: Review = Review.SHIPPED
    origin: str = ""
    licence: str = ""

    @property
    def saved(self) -> bool:
        """Whether the team wrote or imported it, so that it has versions here."""
        return self.review is not Review.SHIPPED

    @property
    def retired(self) -> bool:
        return self.review is Review.RETIRED

    def fills(self, prefix: str) -> Parameter | None:
        """The parameter that is filled from `prefix`, such as `asset.device`."""
        return next((p for p in self.parameters if p.fill.startswith(prefix)), None)


@dataclass(frozen=True)
class Step:
    """A hunt of a pack. `only_if`: the id of an earlier hunt that must have had hits, "" where it runs at once."""

    hunt: Hunt
    only_if: str = ""


@dataclass(frozen=True)
class Pack:
    """Hunts that are run together for one entity, in this order."""

    id: str
    version: int
    title: str
    description: str
    entity: str
    steps: tuple[Step, ...]

    @property
    def hunts(self) -> tuple[Hunt, ...]:
        return tuple(step.hunt for step in self.steps)


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
    try:
        return hunt_from(data)
    except HuntError as error:
        raise CatalogueError(f"{path.name}: {error}") from error


def hunt_from(data: Mapping[str, Any], *, review: Review = Review.SHIPPED) -> Hunt:
    """A hunt from what a library file holds. Raises HuntError.

    One that the team saved may be thin, and may read tables that are not in kql/catalogue.yaml.
    """
    schema = _HUNT if review is Review.SHIPPED else _SAVED
    found = sorted(jsonschema.Draft202012Validator(schema).iter_errors(dict(data)), key=lambda e: e.json_path)
    if found:
        raise HuntError((str(next(iter(e.absolute_path), "")), _schema_words(e)) for e in found[:20])
    hunt = hunt_of(data, review=review)
    problems = list(faults(hunt))
    if problems:
        raise HuntError(problems)
    return hunt


def _schema_words(error: jsonschema.ValidationError) -> str:
    return f"{error.json_path.removeprefix('$.')}: {error.message[:300]}"


def hunt_of(data: Mapping[str, Any], *, review: Review, origin: str = "", licence: str = "") -> Hunt:
    """The same without the checks, for what was checked when it was saved. Raises HuntError for a parameter's type."""
    return Hunt(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"].strip(),
        entity=data["entity"],
        sources=_sources(data["sources"]),
        tables=tuple(data["tables"]),
        parameters=parameters_of(data),
        require_any=tuple(data.get("require_any", ())),
        kql=data["kql"],
        time_column=data["time_column"],
        techniques=tuple(data["techniques"]),
        meaning=data["meaning"].strip(),
        false_positives=tuple(data["false_positives"]),
        references=tuple(data["references"]),
        review=review,
        origin=origin,
        licence=licence,
    )


def faults(hunt: Hunt) -> Iterable[tuple[str, str]]:
    """What a schema cannot see: the key it is about, and a sentence each."""
    names = [parameter.name for parameter in hunt.parameters]
    if len(set(names)) != len(names):
        yield "parameters", "A parameter is given twice."
    for name in set(hunt.require_any) - set(names):
        yield "require_any", f"require_any names {name}, which is no parameter."
    for name in names:
        # A column wins over a let of the same name: `where Device == Device` would be true of every row.
        if any(name.casefold() == column.name.casefold() for t in hunt.tables for column in TABLES.get(t, ())):
            yield "parameters", f"The parameter {name} has the name of a column; the column would hide it."
        if not re.search(rf"\b{name}\b", hunt.kql):
            yield "parameters", f"The parameter {name} is not used in the query."
    for table in hunt.tables:
        if table not in TABLES and not hunt.saved:
            yield "tables", f"The table {table} is not in kql/catalogue.yaml."


def _sources(written: Iterable[str]) -> tuple[Source, ...]:
    named = tuple(Source(one) for one in written)
    return (*named, Source.KUSTO_CASE) if Source.CASE in named else named


def parameters_of(data: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters of a content. Raises HuntError for a type or a default that is none."""
    return tuple(_parameter(p) for p in data["parameters"])


def _parameter(data: Mapping[str, Any]) -> Parameter:
    try:
        kind = parse_type(data["type"])
        if "default" in data:
            parse_value(kind, data["default"])
    except ParameterError as error:
        raise HuntError([("parameters", f"parameter {data['name']}: {error}")]) from error
    return Parameter(
        name=data["name"],
        kind=kind,
        required=data.get("required", False),
        default=data.get("default"),
        fill=data.get("fill", ""),
        help=data.get("help", ""),
    )


def _pack(path: Path, library: Mapping[str, Hunt]) -> Pack:
    try:
        return pack_from(read_yaml(path, _PACK), library)
    except HuntError as error:
        raise CatalogueError(f"{path.name}: {error}") from error


def pack_from(data: Mapping[str, Any], library: Mapping[str, Hunt]) -> Pack:
    """A pack of what its file holds, or of a saved content with its `id` and `version`. Raises HuntError."""
    found = sorted(jsonschema.Draft202012Validator(_PACK).iter_errors(dict(data)), key=lambda e: e.json_path)
    if found:
        raise HuntError((str(next(iter(e.absolute_path), "")), _schema_words(e)) for e in found[:20])
    given = [{"hunt": item} if isinstance(item, str) else item for item in data["hunts"]]
    problems = list(_pack_faults(given, library))
    if problems:
        raise HuntError([("hunts", problem) for problem in problems])
    return Pack(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"].strip(),
        entity=data["entity"],
        steps=tuple(Step(library[item["hunt"]], item.get("only_if", "")) for item in given),
    )


def _pack_faults(given: Sequence[Mapping[str, str]], library: Mapping[str, Hunt]) -> Iterable[str]:
    ids = [item["hunt"] for item in given]
    if unknown := [hunt for hunt in ids if hunt not in library]:
        yield f"These hunts are not in the library: {', '.join(unknown)}."
    for place, item in enumerate(given):
        before = ids[:place]
        if item["hunt"] in before:
            yield f"{item['hunt']} stands in the pack twice."
        if item.get("only_if") and item["only_if"] not in before:
            yield f"{item['hunt']} waits for {item['only_if']}, which does not stand before it."


def matching(
    found: Iterable[Hunt], *, text: str = "", entity: str = "", technique: str = "", review: str = "", origin: str = ""
) -> list[Hunt]:
    """Those that match: `text` anywhere in what is written about them, `technique` with its sub-techniques, `origin`
    "-" for what the team wrote here."""
    words = text.casefold().split()
    return [
        hunt
        for hunt in found
        if (not entity or hunt.entity == entity)
        and (not technique or any(t == technique or t.startswith(f"{technique}.") for t in hunt.techniques))
        and (not review or hunt.review == review)
        and (not origin or hunt.origin == origin or (origin == "-" and hunt.saved and not hunt.origin))
        and all(word in _haystack(hunt) for word in words)
    ]


def _haystack(hunt: Hunt) -> str:
    parts = (hunt.id, hunt.title, hunt.description, hunt.meaning, *hunt.techniques, *hunt.tables)
    return "\n".join(parts).casefold()
