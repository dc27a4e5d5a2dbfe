"""How operators are declared and found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from kql.syntax.tree import Node
from kql.translate.context import Scope
from kql.translate.rows import Rows

Build = Callable[[Any, Rows, Scope], Rows]
_T = TypeVar("_T", bound=Callable[..., Rows])


@dataclass(frozen=True)
class Declaration:
    """An operator: its names, what builds it, Microsoft's page, and what a reader of docs/kql.md should know."""

    names: tuple[str, ...]
    build: Build
    page: str
    note: str


OPERATORS: dict[type[Node], Declaration] = {}


def operator(node: type[Node], names: str, *, page: str = "", note: str = "") -> Callable[[_T], _T]:
    """Declare what translates a kind of operator: it takes the node, the rows before it and the scope."""

    def register(build: _T) -> _T:
        spelled = tuple(names.split())
        OPERATORS[node] = Declaration(spelled, build, page or f"{spelled[0]}-operator", note)
        return build

    return register
