"""Collections: what a Live Response job does on a device, kept as YAML beside the code and checked when it starts."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from ircase.catalogue import CatalogueError, parse_span, read_yaml
from msapi.commands import GetFile, LiveResponseCommand, RunScript
from msapi.errors import InvalidParameter

FOLDER = Path(__file__).resolve().parent / "collections"
_PLACE = re.compile(r"\{([A-Za-z_]+)\}")

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "id",
        "version",
        "title",
        "description",
        "platforms",
        "parameters",
        "steps",
        "changes",
        "approval",
        "time_limit",
    ],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z0-9-]{2,64}$"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "platforms": {"type": "array", "items": {"enum": ["Windows", "Linux", "macOS"]}},
        "parameters": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "type", "title"],
                "properties": {
                    "name": {"type": "string", "pattern": "^[A-Z][A-Za-z]+$"},
                    "type": {"enum": ["int", "path"]},
                    "title": {"type": "string"},
                    "required": {"type": "boolean"},
                    "default": {"type": ["integer", "string"]},
                    "minimum": {"type": "integer"},
                    "maximum": {"type": "integer"},
                },
            },
        },
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["key", "title"],
                "oneOf": [{"required": ["run_script"]}, {"required": ["get_file"]}],
                "properties": {
                    "key": {"type": "string", "pattern": "^[a-z_]+$"},
                    "title": {"type": "string"},
                    "run_script": {"type": "string"},
                    "args": {"type": "string"},
                    "get_file": {"type": "string"},
                    "find": {"type": "object", "additionalProperties": {"type": "string"}},
                    "output": {"type": "boolean"},
                },
            },
        },
        "changes": {"type": "string"},
        "approval": {"enum": ["none", "script"]},
        "time_limit": {"type": "string", "pattern": r"^\d+(m|h|d)$"},
        "parser": {"enum": ["artifacts"]},
        "source": {"type": "string", "format": "uri"},
    },
}


class ParameterError(Exception):
    """A value does not fit its parameter. The message says what would."""


@dataclass(frozen=True)
class Parameter:
    name: str
    type: Literal["int", "path"]
    title: str
    required: bool
    default: int | str | None
    minimum: int
    maximum: int

    def clean(self, given: object) -> int | str:
        """The value to use. Raises ParameterError."""
        value = self.default if given in (None, "") else given
        if value in (None, ""):
            raise ParameterError(f"{self.title} is needed.")
        if self.type == "int":
            return self._number(value)
        text = str(value).strip()
        try:
            GetFile(text)
        except InvalidParameter as error:
            raise ParameterError(str(error)) from error
        return text

    def _number(self, value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise ParameterError(f"{self.title} must be a whole number.") from None
        if not self.minimum <= number <= self.maximum:
            raise ParameterError(f"{self.title} must be from {self.minimum} to {self.maximum}.")
        return number


@dataclass(frozen=True)
class Step:
    """One machine action. `find` names what its transcript must hold, for the steps after it; the file that a step with
    `output` fetches is what the collection is for."""

    key: str
    title: str
    run_script: str
    args: str
    get_file: str
    find: Mapping[str, re.Pattern[str]]
    output: bool

    def command(self, values: Mapping[str, object]) -> LiveResponseCommand:
        """What is sent to the device. Raises InvalidParameter where a value has characters the service refuses."""
        if self.run_script:
            return RunScript(self.run_script, _fill(self.args, values))
        return GetFile(_fill(self.get_file, values))


@dataclass(frozen=True)
class Definition:
    id: str
    version: int
    title: str
    description: str
    platforms: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    changes: str
    needs_approval: bool
    time_limit: timedelta
    parser: str
    source: str

    @property
    def script(self) -> str:
        """The library script that runs, "" where none does."""
        return next((step.run_script for step in self.steps if step.run_script), "")

    def clean(self, given: Mapping[str, object]) -> dict[str, int | str]:
        """Every parameter with its value. Raises ParameterError, also for a name that is no parameter."""
        unknown = set(given) - {parameter.name for parameter in self.parameters}
        if unknown:
            raise ParameterError(f"{self.title} has no parameter {', '.join(sorted(unknown))}.")
        return {p.name: p.clean(given.get(p.name)) for p in self.parameters}


def _fill(text: str, values: Mapping[str, object]) -> str:
    """`{Name}` by its value. Not str.format: a value or a path may hold braces of its own."""
    return _PLACE.sub(lambda match: str(values[match[1]]), text)


@functools.cache
def definitions() -> dict[str, Definition]:
    """Every collection by id. Raises CatalogueError."""
    return {path.stem: _definition(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _definition(path: Path) -> Definition:
    data = read_yaml(path, SCHEMA)
    steps = tuple(_step(path, step) for step in data["steps"])
    known = {parameter["name"] for parameter in data["parameters"]}
    for step in steps:
        lacking = set(_PLACE.findall(step.args + step.get_file)) - known
        if lacking:
            raise CatalogueError(f"{path.name}: step {step.key} uses {sorted(lacking)}, which nothing before it gives.")
        known |= set(step.find)
    return Definition(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"],
        platforms=tuple(data["platforms"]),
        parameters=tuple(_parameter(parameter) for parameter in data["parameters"]),
        steps=steps,
        changes=data["changes"],
        needs_approval=data["approval"] == "script",
        time_limit=parse_span(data["time_limit"]),
        parser=data.get("parser", ""),
        source=data.get("source", ""),
    )


def _step(path: Path, data: dict[str, Any]) -> Step:
    try:
        find = {name: re.compile(pattern, re.MULTILINE) for name, pattern in data.get("find", {}).items()}
    except re.error as error:
        raise CatalogueError(f"{path.name}: step {data['key']}: {error}") from error
    if any("path" not in pattern.groupindex for pattern in find.values()):
        raise CatalogueError(f"{path.name}: step {data['key']}: a pattern in `find` needs a group named path.")
    return Step(
        key=data["key"],
        title=data["title"],
        run_script=data.get("run_script", ""),
        args=data.get("args", ""),
        get_file=data.get("get_file", ""),
        find=find,
        output=data.get("output", False),
    )


def _parameter(data: dict[str, Any]) -> Parameter:
    return Parameter(
        name=data["name"],
        type=data["type"],
        title=data["title"],
        required=data.get("required", False),
        default=data.get("default"),
        minimum=data.get("minimum", 0),
        maximum=data.get("maximum", 1_000_000),
    )
