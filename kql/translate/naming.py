"""What a column is called that was given no name.

An expression takes the name of the column it is made of where its functions pass one through; others get
``Column1``, ``Column2``; a name that is taken gets a number. Which functions pass a name on was found by asking
Microsoft's emulator (the measurements are those of the authors of duckdb-kql).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import Call, Constant, Element, Expression, Member, Name, Named

_PASSING = frozenset(
    """tostring toint tolong todouble toreal tobool toboolean todatetime totimespan timespan toguid todecimal tohex
    todynamic parse_json split bin bin_at floor ceiling round startofday abs sqrt log log10 log2 exp exp2 gamma sin cos
    tan asin acos atan atan2 binary_and binary_or binary_xor binary_not binary_shift_left binary_shift_right
    format_datetime""".split()  # noqa: SIM905 - a list of one name per line would be a page
)
_PREFIXED = {"strlen": "strlen", "gettype": "type"}
_SORTS = frozenset({"array_sort_asc", "array_sort_desc"})
_AGGREGATES = {
    "make_list": "list", "make_list_if": "list", "make_set": "set", "make_set_if": "set", "make_bag": "bag",
    "make_bag_if": "bag", "makelist": "list", "makeset": "set", "make_list_with_nulls": "list",
    "count_distinct": "count_distinct", "count_distinctif": "count_distinctif",
    "take_any": "", "takeany": "", "any": "", "anyif": "", "take_anyif": "",
    "arg_max": "", "arg_min": "", "argmax": "", "argmin": "",
}  # fmt: skip


def expression_name(node: Expression, aggregates: frozenset[str] = frozenset()) -> str | None:
    """The name an expression brings along, None where it has none. ``aggregates``: the functions that are such here."""
    match node:
        case Name(text=text):
            return text
        case Member(base=base, key=key):
            before = expression_name(base, aggregates)
            return f"{before}_{key}" if before else key
        case Element(base=base, index=Constant(value=int() as index)):
            before = expression_name(base, aggregates)
            number = str(index).replace("-", "_")
            return f"{before}_{number}" if before else number
        case Call(name=name, arguments=arguments):
            return _call_name(name.lower(), [each.value for each in arguments], aggregates)
        case _:
            return None


def _call_name(name: str, arguments: Sequence[Expression], aggregates: frozenset[str]) -> str | None:
    if name in aggregates:
        return _aggregate_name(name, arguments, aggregates)
    if not arguments:
        return None
    if name in _PASSING:
        return expression_name(arguments[0], aggregates)
    if name in _PREFIXED:
        return f"{_PREFIXED[name]}_{expression_name(arguments[0], aggregates) or ''}"
    if name in _SORTS:
        return f"{arguments[0].text}_sorted" if isinstance(arguments[0], Name) else "array0_sorted"
    return None


def _aggregate_name(name: str, arguments: Sequence[Expression], aggregates: frozenset[str]) -> str:
    prefix = _AGGREGATES.get(name, name)
    inner = expression_name(arguments[0], aggregates) if arguments else None
    if not prefix:
        return inner or name
    if name in ("count", "countif"):
        return f"{prefix}_"
    named = f"{prefix}_{inner or ''}"
    if name == "percentile" and len(arguments) > 1 and isinstance(arguments[1], Constant):
        number = arguments[1].value
        named += f"_{int(number) if float(number).is_integer() else number}"
    return named


class Namer:
    """The names of one operator's columns, given from left to right.

    ``reserved``: names that are spelled out somewhere in the list, which a numbered one avoids. ``skip``: columns of
    the input that ``ColumnN`` steps past, in ``extend`` and ``summarize``.
    """

    def __init__(self, reserved: Iterable[str] = (), skip: Iterable[str] = ()) -> None:
        self._taken: set[str] = set()
        self._reserved = set(reserved)
        self._skip = set(skip)
        self._positional = 0

    def positional(self) -> str:
        """The next ``ColumnN``."""
        self._positional += 1
        while f"Column{self._positional}" in self._skip:
            self._positional += 1
        return f"Column{self._positional}"

    def take(self, base: str | None) -> str:
        """A name that no earlier column has: ``base``, or with a number at its end; None is positional."""
        base = base or self.positional()
        name, number = base, 0
        while name in self._taken or (number and name in self._reserved):
            number += 1
            name = f"{base}{number}"
        self._taken.add(name)
        return name


def spelled(items: Sequence[Named], operator: str) -> list[str]:
    """The names that a list spells out; raises KqlSchemaError where one comes twice."""
    found: list[str] = []
    for item in items:
        own = item.names or ((item.value.text,) if isinstance(item.value, Name) else ())
        for name in own:
            if name in found:
                raise KqlSchemaError(
                    f"{operator} names two columns {name}.", **place(item.span), hint="Give one another name."
                )
            found.append(name)
    return found
