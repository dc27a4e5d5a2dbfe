"""A table on its way through a pipeline: one SELECT, and what its columns are called and mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kql.errors import KqlSchemaError
from kql.syntax.cursor import place
from kql.syntax.tree import NOWHERE, Span
from kql.translate import services
from kql.translate.values import Sql
from kql.types import Column, KqlType

_LISTED = 12


@dataclass(frozen=True, slots=True)
class Field:
    """A column: its KQL name and type, its name in the SELECT, and whether it may be NULL."""

    name: str
    type: KqlType
    sql: str
    nullable: bool = True

    @property
    def value(self) -> Sql:
        """The column in an expression."""
        return Sql(self.sql, self.type, self.nullable and self.type != "string")


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One term of the order that rows are in: a column of the SELECT, which may be a hidden one."""

    sql: str
    descending: bool = False
    nulls_first: bool = True

    @property
    def text(self) -> str:
        """The term in ORDER BY."""
        return f"{self.sql} {'DESC' if self.descending else 'ASC'} NULLS {'FIRST' if self.nulls_first else 'LAST'}"


@dataclass(frozen=True, slots=True)
class Rows:
    """A table.

    ``sql``: a SELECT, or a name in brackets: it can stand in FROM with an alias. It may have more columns than
    ``fields`` (what was renamed or dropped, keys of the order), which no query sees. ``order``: the order that the rows
    are in by KQL; it is not applied in ``sql`` but where it counts: at the end, in ``take``, in window functions.
    ``serialized``: the rows have a place each, so that functions which look at neighbouring rows may be used.
    """

    sql: str
    fields: tuple[Field, ...]
    order: tuple[OrderTerm, ...] = ()
    serialized: bool = False
    label: str = ""

    def field(self, name: str, span: Span = NOWHERE) -> Field:
        """The column of this name, case kept. Raises KqlSchemaError, naming the nearest."""
        for each in self.fields:
            if each.name == name:
                return each
        raise unknown_column(name, [each.name for each in self.fields], span)

    def find(self, name: str) -> Field | None:
        """The column of this name, None where there is none."""
        return next((each for each in self.fields if each.name == name), None)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the query sees of the columns."""
        return tuple(Column(each.name, each.type) for each in self.fields)

    @property
    def order_by(self) -> str:
        """An ORDER BY clause with a blank before it; empty where the rows are in no order."""
        return f" ORDER BY {', '.join(term.text for term in self.order)}" if self.order else ""

    def where(self, condition: str) -> Rows:
        """The rows for which an SQL condition holds."""
        return replace(self, sql=f"SELECT * FROM ({self.sql}) WHERE {condition}")

    def keep(self, fields: Iterable[Field]) -> Rows:
        """The same rows, seen through these columns only."""
        return replace(self, fields=tuple(fields))

    def unordered(self) -> Rows:
        """The same rows in no order."""
        return replace(self, order=(), serialized=False)


def unknown_column(name: str, columns: Sequence[str], span: Span = NOWHERE) -> KqlSchemaError:
    """There is no such column; the nearest is named."""
    return KqlSchemaError(f"There is no column {name} here.", **place(span), hint=_nearest(name, columns, "column"))


class UnknownTable(KqlSchemaError):
    """A table that is not here: what ``union isfuzzy=true`` leaves out."""


def unknown_table(name: str, tables: Sequence[str], span: Span = NOWHERE) -> UnknownTable:
    """There is no such table; the nearest is named."""
    hint = services.way_round(name) or _nearest(name, tables, "table")
    return UnknownTable(f"There is no table {name} here.", **place(span), hint=hint)


def _nearest(name: str, known: Sequence[str], what: str) -> str:
    same = next((each for each in known if each.casefold() == name.casefold()), None)
    if same is not None:
        return f"Names are case-sensitive: write {same}."
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"Did you mean {near[0]}?"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    there = f"There is: {', '.join(list(known)[:_LISTED]) or 'none'}{more}."
    return f"{there} Is it a parameter? Then give it a value with let, before the query." if what == "column" else there
