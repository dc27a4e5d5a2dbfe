"""A field's value out of an export's row: of the field's own kind and within its bounds, or not taken at all."""

import math
from datetime import date
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_duration

from ircase.dossier.reading import Row, moment, text

LONGEST_TEXT: Final = 1 << 20
DEEPEST: Final = 40
_MOST: Final = {
    "PositiveSmallIntegerField": (0, 2**15 - 1),
    "PositiveIntegerField": (0, 2**31 - 1),
    "PositiveBigIntegerField": (0, 2**63 - 1),
    "BigIntegerField": (-(2**63), 2**63 - 1),
}


class NotAsWritten(ValueError):
    """The value is none that the field can have. The message names the field."""


def value_of(field: Any, row: Row) -> Any:
    """What the row says for the field; the field's default where it says nothing that fits. Raises NotAsWritten where
    there is no default either."""
    found = _read(field, row)
    if found is None and not field.null:
        found = _default(field)
    if found is None and not field.null:
        raise NotAsWritten(f"its {field.name.replace('_', ' ')} is missing or not readable")
    try:
        if found is not None and not isinstance(found, dict | list):
            field.run_validators(found)
    except ValidationError as error:
        raise NotAsWritten(f"its {field.name.replace('_', ' ')} is not valid") from error
    return found


def _default(field: Any) -> Any:
    if field.has_default():
        return field.get_default()
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return timezone.now()
    return "" if isinstance(field, models.CharField | models.TextField) and field.blank else None


def _read(field: Any, row: Row) -> Any:
    name = field.name
    match field:
        case models.DateTimeField():
            return moment(row, name)
        case models.DateField():
            return _day(text(row, name, 32))
        case models.DurationField():
            return _quietly(parse_duration, text(row, name, 64))
        case models.BooleanField():
            return row.get(name) if isinstance(row.get(name), bool) else None
        case models.JSONField():
            return _json(field, row.get(name))
        case models.IntegerField():
            return _number(field, row.get(name))
        case models.CharField() | models.TextField():
            return _text(field, row)
    return None


def _text(field: Any, row: Row) -> str | None:
    found = text(row, field.name, field.max_length or LONGEST_TEXT)
    if field.choices and found not in {value for value, _ in field.flatchoices}:
        return "" if field.blank and not found and isinstance(row.get(field.name), str) else None
    # An empty text that may not be empty is as good as none.
    return found if found or field.blank else None


def _number(field: Any, value: Any) -> int | None:
    low, high = _MOST.get(field.get_internal_type(), (-(2**31), 2**31 - 1))
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _day(text: str) -> date | None:
    found = _quietly(parse_date, text)
    return found if isinstance(found, date) else None


def _quietly(read: Any, text: str) -> Any:
    try:
        return read(text) if text else None
    except (ValueError, OverflowError):
        return None


def _json(field: Any, value: Any) -> Any:
    """Of the same shape as the field's default; anything where there is none."""
    if value is None:
        return None
    wanted = type(field.get_default()) if field.has_default() else object
    return plain_json(value) if isinstance(value, wanted) else None


def plain_json(value: Any, depth: int = 0) -> Any:
    """JSON that every database keeps: no NUL, no lone surrogates, no NaN, not nested without end."""
    if depth > DEEPEST:
        return None
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, list):
        return [plain_json(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {plain_json(key, depth + 1): plain_json(one, depth + 1) for key, one in value.items()}
    return None
