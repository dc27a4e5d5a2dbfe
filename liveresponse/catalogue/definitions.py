"""Definitions built from data, with everything that is wrong with them said."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema

from ircase.catalogue import CatalogueError, parse_span, read_yaml
from liveresponse.catalogue.finding import PatternError, compiled
from liveresponse.catalogue.model import PLACE, Definition, Step
from liveresponse.catalogue.parameters import faults_of, parameter_from
from liveresponse.catalogue.schema import SCHEMA
from msapi.commands import FORBIDDEN, check_file_name
from msapi.errors import InvalidParameter

FOLDER: Final = Path(__file__).resolve().parent.parent / "collections"
_VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
_QUOTED: Final = ("path", "string")


class DefinitionError(CatalogueError):
    """A definition cannot be used. `faults` are (place, sentence): the place is a key of the definition, or "steps" or
    "parameters" with what is meant named in the sentence."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__(" ".join(f"{place}: {sentence}" if place else sentence for place, sentence in faults))
        self.faults = faults


@functools.cache
def definitions() -> dict[str, Definition]:
    """Every shipped collection by id. Raises CatalogueError."""
    return {path.stem: _shipped(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _shipped(path: Path) -> Definition:
    data = read_yaml(path, SCHEMA)
    try:
        return definition_from(data)
    except DefinitionError as error:
        raise CatalogueError(f"{path.name}: {error}") from error


def definition_from(data: Mapping[str, Any]) -> Definition:
    """A definition from what a file holds. Raises DefinitionError with all that is wrong."""
    faults = [(_place(error), _sentence(error)) for error in _VALIDATOR.iter_errors(data)][:20]
    if not faults:
        faults = list(_faults(data))
    if faults:
        raise DefinitionError(faults)
    return Definition(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        description=data["description"],
        platforms=tuple(data["platforms"]),
        parameters=tuple(parameter_from(parameter) for parameter in data["parameters"]),
        steps=tuple(_step(step) for step in data["steps"]),
        changes=data["changes"],
        approval=data["approval"],
        time_limit=parse_span(data["time_limit"]),
        parser=data.get("parser", ""),
        source=data.get("source", ""),
        source_commit=data.get("source_commit", ""),
        content=data,
    )


def _place(error: jsonschema.ValidationError) -> str:
    return str(error.absolute_path[0]) if error.absolute_path else ""


def _sentence(error: jsonschema.ValidationError) -> str:
    where = error.json_path.removeprefix("$").lstrip(".")
    if error.validator == "oneOf":
        return f"{where}: a step is exactly one of put_file, run_script, get_file and package."
    return f"{where}: {error.message[:300]}".lstrip(": ")


def _faults(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the shape cannot tell."""
    names = [parameter["name"] for parameter in data["parameters"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "parameters", f"{name} stands there twice."
    for parameter in data["parameters"]:
        yield from (("parameters", f"{parameter['name']}: {sentence}") for sentence in faults_of(parameter))
    types = {parameter["name"]: parameter["type"] for parameter in data["parameters"]}
    keys = [step["key"] for step in data["steps"]]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield "steps", f"The key {key} stands there twice."
    for number, step in enumerate(data["steps"]):
        last = number == len(keys) - 1
        yield from (("steps", f"{step['key']}: {sentence}") for sentence in _step_faults(step, types, last=last))
        types |= dict.fromkeys(step.get("find", {}), "path")
    if data["approval"] == "none" and any("run_script" in step or "put_file" in step for step in data["steps"]):
        yield "approval", "A script, or a file put on a device, needs approval: script or person."


def _step_faults(step: Mapping[str, Any], types: Mapping[str, str], *, last: bool) -> Iterator[str]:
    runs = "run_script" in step
    for key in ("args", "find"):
        if key in step and not runs:
            yield f"`{key}` belongs to a step with run_script."
    yield from _output_faults(step, last=last)
    for name in (step.get("put_file", ""), step.get("run_script", "")):
        if name:
            yield from _name_faults(name)
    for pattern in step.get("find", {}).values():
        try:
            compiled(pattern)
        except PatternError as error:
            yield f"{error} ({pattern[:60]})"
    yield from _text_faults(step, types)


def _output_faults(step: Mapping[str, Any], *, last: bool) -> Iterator[str]:
    output = step.get("output", False)
    if last and not output:
        yield "The last step is what the collection is for: give it `output: true`, or `output: printed`."
    if output and not last:
        yield "Only the last step has the output. Files of earlier steps are kept as evidence too."
    if output == "printed" and "run_script" not in step:
        yield "Only a script prints: `output: printed` belongs to a step with run_script."
    if output is True and ("run_script" in step or "put_file" in step):
        yield "A script's output is `printed`; a file is fetched by a step with get_file."
    if (output == "printed") != ("table" in step):
        yield "`output: printed` and `table` belong together."


def _name_faults(name: str) -> Iterator[str]:
    try:
        check_file_name(name)
    except InvalidParameter as error:
        yield str(error)


def _text_faults(step: Mapping[str, Any], types: Mapping[str, str]) -> Iterator[str]:
    for key in ("args", "get_file"):
        text = step.get(key, "")
        if bad := sorted(set(text) & set(FORBIDDEN)):
            yield f"`{key}` must not hold {' '.join(bad)}: Live Response refuses the characters ; & | ! $."
        for name in dict.fromkeys(PLACE.findall(text)):
            if name not in types:
                yield f"`{key}` uses {{{name}}}, which nothing before it gives."
            elif key == "args" and types[name] in _QUOTED and _is_bare(text, name):
                yield f'In `args`, {{{name}}} must stand in double quotes, as "{{{name}}}": it may hold blanks.'


def _is_bare(text: str, name: str) -> bool:
    """Whether a place stands anywhere outside double quotes: an odd number of quotes must lie before it."""
    place, at = f"{{{name}}}", -1
    while (at := text.find(place, at + 1)) >= 0:
        if text.count('"', 0, at) % 2 == 0:
            return True
    return False


def _step(data: Mapping[str, Any]) -> Step:
    output = data.get("output", False)
    return Step(
        key=data["key"],
        title=data["title"],
        put_file=data.get("put_file", ""),
        run_script=data.get("run_script", ""),
        args=data.get("args", ""),
        get_file=data.get("get_file", ""),
        package=data.get("package", False),
        find={name: compiled(pattern) for name, pattern in data.get("find", {}).items()},
        output=bool(output),
        printed=output == "printed",
        table=data.get("table", ""),
    )
