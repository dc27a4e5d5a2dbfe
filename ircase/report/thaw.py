"""The data set back from its JSON: a signed version prints the very words that were read over."""

import dataclasses
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def thaw(kind: type[T], value: Any) -> T:
    """`value`, as `dataclasses.asdict` and JSON made it, as the dataclass `kind` again. Raises TypeError, KeyError."""
    hints = typing.get_type_hints(kind)
    parts = {name: _part(hint, value[name]) for name, hint in hints.items()}
    return kind(**parts)


def _part(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return thaw(hint, value)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_part(inner[0], one) for one in value)
        return tuple(_part(one, part) for one, part in zip(inner, value, strict=True))
    if origin is types.UnionType:
        return value if value is None else _part(next(one for one in inner if one is not type(None)), value)
    return value
