"""Values of an export's rows, read with distrust: of the wanted shape, or as if they were not there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.dateparse import parse_datetime

Row = Mapping[str, Any]


def text(row: Row, name: str, longest: int = 20_000) -> str:
    value = row.get(name)
    # Lone surrogates cannot be kept by every database.
    return value.replace("\x00", "").encode("utf-8", "replace").decode()[:longest] if isinstance(value, str) else ""


def choice(row: Row, name: str, choices: type[models.TextChoices], default: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) and value in choices.values else default


def moment(row: Row, name: str) -> datetime | None:
    try:
        at = parse_datetime(text(row, name, 64))
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None


def who(value: Any) -> str:
    """A person as text: `Bob (bob)`."""
    if not isinstance(value, dict):
        return ""
    return f"{text(value, 'name', 150)} ({text(value, 'username', 150)})"


def data(row: Row, name: str, kind: type[Any]) -> Any:
    value = row.get(name)
    return value if isinstance(value, kind) else kind()


# --- the register ----------------------------------------------------------------------------------------------------
