"""Reading values out of JSON that others made: nothing here raises, whatever the shape."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

EMPTY: Final[Mapping[str, Any]] = {}


def text(raw: Any, *keys: str) -> str:
    """The first of `keys` that holds a text or a number, as text; "" where none does."""
    if isinstance(raw, Mapping):
        for key in keys:
            value = raw.get(key)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
    return ""


def number(raw: Any, *keys: str) -> int | None:
    """The first of `keys` that holds a whole number, be it written as text; None where none does."""
    for key in keys:
        value = text(raw, key)
        if value and len(value) <= 20 and value.lstrip("-").isdecimal() and value.isascii():
            try:
                return int(value)
            except ValueError:  # "--1"
                continue
    return None


def flag(raw: Any, key: str) -> bool | None:
    """A truth value; None where it is absent or something else."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def mapping(raw: Any, key: str) -> Mapping[str, Any]:
    """The object under `key`, or an empty one."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return value if isinstance(value, Mapping) else EMPTY


def objects(raw: Any, key: str) -> tuple[Mapping[str, Any], ...]:
    """The objects of the list under `key`; whatever else the list holds is left out."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()


def texts(raw: Any, key: str) -> tuple[str, ...]:
    """The texts of the list under `key`; objects in it as JSON, so that no reason of a failure is lost."""
    value = raw.get(key) if isinstance(raw, Mapping) else None
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, Sequence):
        return ()
    return tuple(item if isinstance(item, str) else _dump(item) for item in value if item is not None)


def read_enum(kind: type[StrEnum], raw: str) -> str:
    """The member of `kind` that `raw` spells in any casing, else `raw` itself: services add members without notice."""
    return _spellings(kind).get(raw.lower(), raw)


def _spellings(kind: type[StrEnum]) -> dict[str, str]:
    return {member.value.lower(): member for member in kind}


def _dump(item: Any) -> str:
    try:
        return json.dumps(item, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return "[unreadable]"
