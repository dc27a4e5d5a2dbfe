"""The shape of a collection's definition, as a file and as the browser's form have it."""

from typing import Any, Final

MAX_PARAMETERS: Final = 20
MAX_STEPS: Final = 20
MAX_TEXT: Final = 4000

_NAME: Final = {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}\Z"}
_WORDS: Final = {"type": "string", "minLength": 1, "maxLength": 300}
_TEXT: Final = {"type": "string", "maxLength": MAX_TEXT}

_PARAMETER: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "type", "title"],
    "properties": {
        "name": {"type": "string", "pattern": r"^[A-Z][A-Za-z]{1,39}\Z"},
        "type": {"enum": ["int", "path", "string", "choice", "bool"]},
        "title": _WORDS,
        "help": _TEXT,
        "required": {"type": "boolean"},
        "default": {"type": ["integer", "string", "boolean"]},
        "minimum": {"type": "integer"},
        "maximum": {"type": "integer"},
        "max_length": {"type": "integer", "minimum": 1, "maximum": 1024},
        "choices": {"type": "array", "minItems": 2, "maxItems": 50, "uniqueItems": True, "items": _WORDS},
        "if_yes": {"type": "string", "maxLength": 300},
        "if_no": {"type": "string", "maxLength": 300},
    },
}

_STEP: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key", "title"],
    "oneOf": [{"required": [kind]} for kind in ("put_file", "run_script", "get_file", "package")],
    "properties": {
        "key": {"type": "string", "pattern": r"^[a-z_]{1,40}\Z"},
        "title": _WORDS,
        "put_file": _NAME,
        "run_script": _NAME,
        "args": _TEXT,
        "get_file": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "package": {"const": True},
        "find": {
            "type": "object",
            "maxProperties": 10,
            "propertyNames": {"pattern": r"^[a-z_]{1,40}\Z"},
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 300},
        },
        "output": {"enum": [True, False, "printed"]},
        "table": {"type": "string", "pattern": r"^[A-Z][A-Za-z0-9_]{1,63}\Z"},
    },
}

SCHEMA: Final[dict[str, Any]] = {
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
        "id": {"type": "string", "pattern": r"^[a-z0-9-]{2,64}\Z"},
        "version": {"type": "integer", "minimum": 1},
        "title": {"type": "string", "minLength": 2, "maxLength": 120},
        "description": _TEXT,
        "platforms": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": ["Windows", "Linux", "macOS"]},
        },
        "parameters": {"type": "array", "maxItems": MAX_PARAMETERS, "items": _PARAMETER},
        "steps": {"type": "array", "minItems": 1, "maxItems": MAX_STEPS, "items": _STEP},
        "changes": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT},
        "approval": {"enum": ["none", "script", "person"]},
        "time_limit": {"type": "string", "pattern": r"^[1-9]\d{0,3}(m|h|d)\Z"},
        "parser": {"enum": ["artifacts"]},
        "source": {"type": "string", "format": "uri", "pattern": "^https://", "maxLength": 500},
        "source_commit": {"type": "string", "pattern": r"^[0-9a-f]{7,40}\Z"},
    },
}
