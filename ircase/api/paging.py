"""Lists in pages: `limit` and `offset` in, `items` and `total` out."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, get_origin

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router as PlainRouter
from ninja import Schema
from ninja.pagination import PaginationBase, paginate
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


def page_of(rows: QuerySet[Any] | list[Any], window: Window) -> dict[str, Any]:
    """The page of `rows` that `window` asks for."""
    return {
        "items": list(rows[window.offset : window.offset + window.limit]),
        "total": rows.count() if isinstance(rows, QuerySet) else len(rows),
        "limit": window.limit,
        "offset": window.offset,
    }


class Pages(PaginationBase):
    """Lists that an operation gives whole leave in the same pages as the rest."""

    class Input(Window):
        pass

    class Output(Schema):
        items: list[Any]
        total: int
        limit: int
        offset: int

    def paginate_queryset(self, queryset: Any, pagination: Any, request: HttpRequest, **params: Any) -> dict[str, Any]:
        return page_of(queryset, pagination)


class Router(PlainRouter):
    """A router whose GET operations with `response=list[…]` answer in pages."""

    def add_api_operation(self, path: str, methods: list[str], view_func: Callable[..., Any], **more: Any) -> None:
        if "GET" in methods and get_origin(more.get("response")) is list:
            view_func = paginate(Pages)(view_func)
        super().add_api_operation(path, methods, view_func, **more)
