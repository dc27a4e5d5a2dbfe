"""Lists in pages: `limit` and `offset` in, `items` and `total` out."""

from typing import Any, Generic, TypeVar

from django.db.models import QuerySet
from ninja import Schema
from pydantic import Field

T = TypeVar("T")
MOST = 1000


class Window(Schema):
    """Which part of a list is wanted."""

    limit: int = Field(100, ge=1, le=MOST, description="How many at most.")
    offset: int = Field(0, ge=0, le=10**9, description="How many to pass over.")


class Page(Schema, Generic[T]):
    """A part of a list; `total` counts all of it."""

    items: list[T]
    total: int
    limit: int
    offset: int


def page_of(rows: QuerySet[Any], window: Window) -> dict[str, Any]:
    """The page of `rows` that `window` asks for."""
    return {
        "items": list(rows[window.offset : window.offset + window.limit]),
        "total": rows.count(),
        "limit": window.limit,
        "offset": window.offset,
    }
