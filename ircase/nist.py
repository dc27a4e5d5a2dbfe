"""The two NIST views of a checklist: steps of SP 800-61r2 and outcomes of CSF 2.0, as words for their numbers."""

import functools
from dataclasses import dataclass
from pathlib import Path

from ircase.catalogue import read_yaml

FILE = Path(__file__).resolve().parent / "nist.yaml"
_WORDS = {"type": "object", "additionalProperties": {"type": "string"}}
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "steps", "functions", "outcomes", "profile"],
    "properties": {
        "id": {"const": "nist"},
        "steps": _WORDS,
        "functions": _WORDS,
        "outcomes": _WORDS,
        "profile": {"type": "array", "items": {"type": "string"}},
    },
}


@dataclass(frozen=True)
class Frameworks:
    """Number to words; `functions` by the two letters that an outcome's number begins with, in CSF's order; `profile`:
    the outcomes that a case's response is held against."""

    steps: dict[str, str]
    functions: dict[str, str]
    outcomes: dict[str, str]
    profile: tuple[str, ...]


@functools.cache
def frameworks() -> Frameworks:
    """Raises CatalogueError where the file is wrong."""
    data = read_yaml(FILE, _SCHEMA)
    return Frameworks(data["steps"], data["functions"], data["outcomes"], tuple(data["profile"]))
