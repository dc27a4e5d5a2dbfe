"""What one translation knows: tables, the pinned clock, names in scope, and what the query asked for on its way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import duckdb

from kql.errors import KqlDataError, KqlShapeUnknown, KqlUnsupported
from kql.sql import prepare
from kql.syntax.cursor import place
from kql.syntax.tree import NOWHERE, Function, Pipeline, Span
from kql.translate.rows import Rows
from kql.translate.values import Sql
from kql.types import Column


@dataclass(frozen=True)
class TableSource:
    """A table that a query may read: its columns by KQL name, and the SELECT that gives them.

    ``stored``: the SQL name of each column in that SELECT. ``listed`` False: patterns such as ``union *`` leave it out,
    unless they fit nothing else.
    """

    columns: tuple[Column, ...]
    sql: str
    stored: tuple[str, ...]
    listed: bool = True


@dataclass(frozen=True)
class Scalar:
    """A name that stands for a value."""

    value: Sql


@dataclass(frozen=True)
class Tabular:
    """A name that stands for rows."""

    rows: Rows


@dataclass(frozen=True)
class UserFunction:
    """A name that stands for a function of the query's own, with the scope in which it was written."""

    function: Function
    scope: Scope


class PlaceBook(Protocol):
    """Where addresses are: one by one, or all that a SELECT gives, as the name of a table of ``ip`` and ``bag``."""

    def of(self, address: str) -> dict[str, Any] | None: ...

    def table(self, addresses: str) -> str: ...


Binding: TypeAlias = Scalar | Tabular | UserFunction


@dataclass
class Translation:
    """One translation's state. ``now`` is what now() and ago() go by."""

    tables: Mapping[str, TableSource]
    now: datetime
    pipelines: Callable[[Pipeline, Scope], Rows]
    """What translates a pipeline: given from above, for the pipelines that stand inside expressions."""
    used: set[str] = field(default_factory=set)
    shared: list[tuple[str, str]] = field(default_factory=list)
    """Common table expressions, computed once: name and SELECT."""
    render: dict[str, Any] | None = None
    named: dict[str, Rows] = field(default_factory=dict)
    """What ``as`` has given a name."""
    feeds: Mapping[str, TableSource] = field(default_factory=dict)
    """What ``externaldata`` may read: a table for each that was fetched, by ``outside.feed_key``."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Addresses that ``externaldata`` does not read, and why."""
    profiles: TableSource | None = None
    """What is known of files by their hashes, for ``FileProfile``: its columns, SHA1 and SHA256 among them."""
    want: Callable[[str, str, int], None] | None = None
    """Told of the hashes that ``FileProfile`` asks about: SHA1 or SHA256, a SELECT of them, and the call's limit."""
    places: PlaceBook | None = None
    """For ``geo_info_from_ip_address``."""
    peek: Callable[[str], list[tuple[Any, ...]]] | None = None
    """Runs a SELECT over the tables while the query is translated; None where there is no data."""
    peeked: bool = False
    """The SQL depends on what the data was: it is no translation of the query for other data."""
    correlated: list[str] = field(default_factory=list)
    """How the SQL of lateral joins at work names their outer rows: what speaks of them cannot be shared."""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _calculator: duckdb.DuckDBPyConnection | None = None

    def fresh(self, stem: str = "c") -> str:
        """An SQL name that nothing else in this translation has."""
        return f"{stem}{next(self._numbers)}"

    def share(self, sql: str) -> str:
        """Compute a SELECT once, whoever reads it; returns the SELECT that reads it."""
        if any(outer in sql for outer in self.correlated):
            return sql
        name = self.fresh("shared")
        self.shared.append((name, sql))
        return f"SELECT * FROM {name}"

    def look(self, sql: str, what: str, span: Span = NOWHERE) -> list[tuple[Any, ...]]:
        """What a SELECT gives now. Raises KqlShapeUnknown where there is no data to look at."""
        whole = self.standalone(sql, what, span, "Say its columns, as in : (Name: string).")
        if self.peek is None:
            raise KqlShapeUnknown(
                f"The columns of {what} are only known when the query runs.",
                **place(span),
                hint="Say them, as in : (Name: string), to have what follows checked.",
            )
        self.peeked = True
        return self.peek(whole)

    def standalone(self, sql: str, what: str, span: Span = NOWHERE, hint: str = "Write it before that step.") -> str:
        """A SELECT that can be run by itself now. Raises KqlUnsupported where it depends on the row of a lateral
        join."""
        if any(outer in sql for outer in self.correlated):
            raise KqlUnsupported(f"{what} cannot stand within mv-apply or partition.", **place(span), hint=hint)
        shared = ", ".join(f"{name} AS MATERIALIZED ({each})" for name, each in self.shared)
        return f"{f'WITH {shared} ' if shared else ''}{sql}"

    def compute(self, value: Sql, span: Span = NOWHERE) -> Any:
        """What a constant comes to; a datetime is aware. Raises KqlError where it is none or cannot be computed."""
        if not value.constant:
            raise KqlUnsupported(
                "A constant is needed here.", **place(span), hint="Write the value itself, or bind it with let."
            )
        if value.literal is not None:
            return value.literal.value
        if self._calculator is None:
            self._calculator = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "256MB"})
            prepare(self._calculator)
            self._calculator.execute("SET enable_external_access = false")
        try:
            row = self._calculator.execute(f"SELECT {value.text}").fetchone()
        except duckdb.Error as error:
            raise KqlDataError("This constant cannot be computed.", **place(span), detail=str(error)) from error
        result = row[0] if row else None
        if value.type == "dynamic" and isinstance(result, str):
            return json.loads(result)
        return result.replace(tzinfo=UTC) if isinstance(result, datetime) else result

    def close(self) -> None:
        """Let go of what computed constants."""
        if self._calculator is not None:
            self._calculator.close()


@dataclass(frozen=True)
class Scope:
    """The names that ``let`` statements and parameters have bound so far."""

    translation: Translation
    names: Mapping[str, Binding] = field(default_factory=dict)

    def bind(self, name: str, binding: Binding) -> Scope:
        """The scope with one more name; a name bound again hides the earlier one."""
        return Scope(self.translation, {**self.names, name: binding})

    def find(self, name: str) -> Binding | None:
        """What a name stands for, None where nothing bound it."""
        found = self.names.get(name)
        if found is None and name in self.translation.named:
            return Tabular(self.translation.named[name])
        return found
