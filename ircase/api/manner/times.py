"""Moments in what is asked: in UTC before anything is done with them.

PostgreSQL takes no offset beyond 15:59 hours (https://www.postgresql.org/docs/current/datatype-datetime.html), Python
does; and a moment near the ends of the calendar has no UTC at all."""

import functools
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from pydantic import BaseModel


def settled(view: Any) -> Any:
    """Put it around an operation's function: what it is given has its moments in UTC. Raises HttpError 422 for one that
    has none."""

    @functools.wraps(view)
    def inner(request: HttpRequest, *args: Any, **values: Any) -> Any:
        return view(request, *args, **{name: _in_utc(value) for name, value in values.items()})

    return inner


def _in_utc(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise HttpError(422, "A time is beyond the calendar.") from None
    if isinstance(value, BaseModel):
        changed = {name: _in_utc(getattr(value, name)) for name in value.__class__.model_fields}
        for name, new in changed.items():
            if new is not getattr(value, name):
                setattr(value, name, new)
    elif isinstance(value, list):
        return [_in_utc(one) for one in value]
    return value
