"""How functions, aggregates, window functions and plugins are declared and found.

A declaration is a decorator over what builds the SQL. ``page`` is Microsoft's reference page, without the common
beginning; ``note`` says what a reader of docs/kql.md should know (an exact answer where Kusto estimates, a limit).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kql.errors import KqlError, KqlSchemaError, KqlUnsupported
from kql.sql import quote_text
from kql.syntax.cursor import place
from kql.syntax.literals import type_name
from kql.syntax.tree import Call, Constant, Expression, Name, Pattern, Span
from kql.translate import services
from kql.translate.values import NUMBERS, Sql, dynamic_text, maybe_null, of_type
from kql.types import KqlType

if TYPE_CHECKING:
    from kql.translate.beside import Window
    from kql.translate.expressions import Compiler

PAGES = "https://learn.microsoft.com/en-us/kusto/query/"

Kind = Literal["scalar", "aggregate", "window", "plugin", "several"]


@dataclass(frozen=True)
class Declaration:
    """A function: what it is called, how many arguments it takes, and what builds it."""

    name: str
    kind: Kind
    build: Callable[..., Any]
    least: int
    most: int
    page: str
    note: str
    parts: tuple[tuple[str, KqlType], ...] = ()
    """Of a function that gives several columns: what each is called and its type."""


REGISTRY: dict[Kind, dict[str, Declaration]] = {
    "scalar": {}, "aggregate": {}, "window": {}, "plugin": {}, "several": {},
}  # fmt: skip


def _declare(
    kind: Kind,
    names: str,
    least: int,
    most: int | None,
    page: str,
    note: str,
    parts: tuple[tuple[str, KqlType], ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(build: Callable[..., Any]) -> Callable[..., Any]:
        for name in names.split():
            where = page or f"{name.replace('_', '-')}-{'aggregation-function' if kind == 'aggregate' else 'function'}"
            upper = least if most is None else most
            REGISTRY[kind][name] = Declaration(name, kind, build, least, upper, where, note, parts)
        return build

    return register


def scalar(
    names: str, least: int, most: int | None = None, *, page: str = "", note: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a scalar function of ``least`` to ``most`` arguments under one or several names.

    The builder takes an ``Invocation`` and returns a ``Sql``.
    """
    return _declare("scalar", names, least, most, page, note)


def aggregate(
    names: str, least: int, most: int | None = None, *, page: str = "", note: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare an aggregate; its arguments are compiled over the rows of a group. The builder returns a ``Sql``."""
    return _declare("aggregate", names, least, most, page, note)


def window(
    names: str, least: int, most: int | None = None, *, page: str = "", note: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function that looks at neighbouring rows; ``Invocation.over`` knows their order."""
    return _declare("window", names, least, most, page, note)


def several(
    name: str, parts: tuple[tuple[str, KqlType], ...], least: int, most: int | None = None, *, note: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function that gives several columns; the builder returns a bag of all of them."""
    return _declare("several", name, least, most, "", note, parts)


def plugin(names: str, *, page: str = "", note: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a plugin of ``evaluate``: the builder takes the pipeline, the rows before it and the ``Evaluate``."""
    return _declare("plugin", names, 0, 99, page or f"{names.split()[0].replace('_', '-')}-plugin", note)


def template(names: str, types: Iterable[KqlType | Literal["any"]], returns: KqlType, sql: str, **more: Any) -> None:
    """Declare a scalar function that is one SQL expression of its arguments: ``{0}``, ``{1}``...

    ``types`` are those the arguments are brought to; "any" leaves one as it is. Null in, null out (a string: empty).
    ``sql`` that may be null by itself says ``maybe=True``.
    """
    wanted = tuple(types)
    maybe = more.pop("maybe", False)

    def build(call: Invocation) -> Sql:
        parts = [
            call.as_type(index, kind) if kind != "any" else call.values[index] for index, kind in enumerate(wanted)
        ]
        text = sql.format(*(part.text for part in parts))
        return maybe_null(text, returns, *parts) if maybe else of_type(text, returns, *parts)

    scalar(names, len(wanted), **more)(build)


@dataclass(frozen=True)
class Invocation:
    """A call being translated: its place in the tree, the compiler at work, and the values of its arguments.

    ``over``: for a window function, the order that the rows are in, and where steps on the way are computed.
    """

    node: Call
    compiler: Compiler
    values: tuple[Sql, ...]
    over: Window | None = None

    @property
    def name(self) -> str:
        """The function's name as written."""
        return self.node.name

    @property
    def span(self) -> Span:
        """Where the call stands."""
        return self.node.span

    @property
    def count(self) -> int:
        """How many arguments were given."""
        return len(self.node.arguments)

    def argument(self, index: int) -> Expression:
        """An argument as it was written."""
        return self.node.arguments[index].value

    def is_star(self, index: int) -> bool:
        """Whether an argument is ``*``."""
        value = self.argument(index) if index < self.count else None
        return isinstance(value, Pattern) and value.text == "*"

    def text(self, index: int) -> str:
        """An argument as SQL text, never null. Raises KqlSchemaError where it is neither a string nor dynamic."""
        return self.string(index).text

    def string(self, index: int) -> Sql:
        """An argument as a string. Raises KqlSchemaError where it is neither a string nor dynamic."""
        value = self.values[index]
        if value.type == "string":
            return value
        if value.type == "dynamic":
            return maybe_null(dynamic_text(value), "string", value)
        raise self.mismatch(index, "a string", f"tostring(...) makes a string of a {value.type}.")

    def as_type(self, index: int, kind: KqlType) -> Sql:
        """An argument brought to a type by KQL's implicit conversions. Raises KqlSchemaError where there is none."""
        value = self.values[index]
        if value.type == kind:
            return value
        if kind == "string":
            return self.string(index)
        converted = self.compiler.coerce(value, kind)
        if converted is None:
            raise self.mismatch(index, f"a {kind}", f"Convert it first, with to{kind}().")
        return converted

    def number(self, index: int) -> Sql:
        """An argument that is a number, whatever its kind; a dynamic is read as a real."""
        value = self.values[index]
        if value.type in NUMBERS:
            return value
        if value.type == "dynamic":
            return self.as_type(index, "real")
        raise self.mismatch(index, "a number", "Convert it first, with tolong() or todouble().")

    def dynamic(self, index: int) -> Sql:
        """An argument that is dynamic. Raises KqlSchemaError for any other type."""
        value = self.values[index]
        if value.type != "dynamic":
            raise self.mismatch(index, "dynamic", "parse_json(...) makes a dynamic of a text.")
        return value

    def constant(self, index: int, default: Any = None) -> Any:
        """What a constant argument comes to; ``default`` where it was not given. Raises KqlUnsupported."""
        if index >= self.count:
            return default
        value = self.values[index]
        if not value.constant:
            raise KqlUnsupported(
                f"Argument {index + 1} of {self.name}() is no constant.",
                **place(self.argument(index).span or self.span),
                hint="Write the value itself, or bind it with let.",
            )
        return self.compiler.translation.compute(value, self.span)

    def integer(self, index: int, default: int = 0) -> int:
        """A constant whole number."""
        value = self.constant(index, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.mismatch(index, "a whole number", "Write the number itself.")
        return value

    def constant_text(self, index: int, default: str = "") -> str:
        """A constant string."""
        value = self.constant(index, default)
        if not isinstance(value, str):
            raise self.mismatch(index, "a string", "Write it in quotes.")
        return value

    def quoted(self, index: int, default: str = "") -> str:
        """A constant string as an SQL literal."""
        return quote_text(self.constant_text(index, default))

    def type_argument(self, index: int) -> KqlType:
        """The type that an argument ``typeof(...)`` names; string where it was not given."""
        if index >= self.count:
            return "string"
        node = self.argument(index)
        inner = node.arguments[0].value if isinstance(node, Call) and len(node.arguments) == 1 else None
        kind = type_name(inner.text) if isinstance(inner, Name) else None
        if kind is None or not isinstance(node, Call) or node.name != "typeof":
            raise KqlSchemaError(
                f"Argument {index + 1} of {self.name}() is a type.", **place(self.span), hint="Write typeof(long)."
            )
        return kind

    def literal(self, index: int) -> Constant | None:
        """The literal that an argument was written as; None for anything else."""
        return self.values[index].literal if index < len(self.values) else None

    def mismatch(self, index: int, wanted: str, hint: str) -> KqlError:
        """The error for an argument of a wrong type."""
        kind = self.values[index].type
        return KqlSchemaError(
            f"Argument {index + 1} of {self.name}() is a {kind}; {wanted} is needed.",
            **place(self.argument(index).span if self.argument(index).span.line else self.span),
            hint=hint,
        )

    def unsupported(self, message: str, hint: str) -> KqlError:
        """The error for a form of the function that is not run here."""
        return KqlUnsupported(message, **place(self.span), hint=hint)


def find(kind: Kind, name: str) -> Declaration | None:
    """The function of this name; KQL's functions are written in lower case, and found in any."""
    return REGISTRY[kind].get(name) or REGISTRY[kind].get(name.lower())


def names(kind: Kind) -> frozenset[str]:
    """All names of a kind."""
    return frozenset(REGISTRY[kind])


_WAYS_ROUND: dict[str, str] = {}


def way_round(name: str) -> str:
    """What to do where a function is not run here: the near name, or the known way."""
    if name in _WAYS_ROUND:
        return _WAYS_ROUND[name]
    if find("several", name) is not None:
        return f"It gives several columns: write extend (A, B) = {name}(Column), before this operator."
    known = services.way_round(name)
    if known is not None:
        return known
    near = difflib.get_close_matches(name.lower(), [*REGISTRY["scalar"], *REGISTRY["window"]], 1, 0.8)
    if near:
        return f"Did you mean {near[0]}()?"
    return "Write it with functions of docs/kql.md, or run the query in the tenant."


def refuse(names: str, hint: str) -> None:
    """Declare functions that are never run here, with the way round."""
    _WAYS_ROUND.update(dict.fromkeys(names.split(), hint))


def refusals() -> dict[str, str]:
    """The functions that are never run here, and what to do instead."""
    return dict(_WAYS_ROUND)
