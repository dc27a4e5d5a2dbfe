"""The tables IRCase knows: Microsoft's names and types, from ``catalogue.yaml``.

``TABLES`` gives a table's columns, ``INFO`` what else is known of it: which service has it, which column holds the
event time, one line of meaning and Microsoft's reference page.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast, get_args

import yaml

from kql.types import Column, KqlType

Family = Literal["defender", "sentinel", "both"]

_FILE = Path(__file__).with_name("catalogue.yaml")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SUFFIX = re.compile(r"_(?:string|long|int|real|double|bool|datetime|guid|dynamic)\Z")
_TYPES: frozenset[str] = frozenset(get_args(KqlType))
_FAMILIES: frozenset[str] = frozenset(get_args(Family))


class CatalogueError(ValueError):
    """``catalogue.yaml`` breaks its own rules; the message names the table and the word at fault."""


@dataclass(frozen=True)
class TableInfo:
    """One table of the catalogue.

    ``family``: ``defender`` for advanced hunting only, ``sentinel`` for Log Analytics only, ``both`` where Defender's
    table is mirrored into Log Analytics. ``time_column`` is None for a snapshot table without a time of its own.
    """

    name: str
    family: Family
    time_column: str | None
    meaning: str
    reference: str
    columns: tuple[Column, ...]
    actions: frozenset[str] = frozenset()


def load_catalogue(path: Path = _FILE) -> Mapping[str, TableInfo]:
    """Read a catalogue file; raises :class:`CatalogueError` on an unknown type, group or key and on a double name."""
    document = cast(dict[str, Any], yaml.safe_load(path.read_text(encoding="utf-8")))
    groups = {name: _columns(name, text.split(), {}) for name, text in document["groups"].items()}
    tables = {
        name: _table(name, entry, groups=groups, references=document["references"])
        for name, entry in document["tables"].items()
    }
    return MappingProxyType(tables)


def recognise(row: Mapping[str, object]) -> str | None:
    """The catalogue table to which one row of unknown origin belongs, or None.

    Judged by the column names alone, without case and without the type suffix that Log Analytics adds where a name
    occurs with two types (``ReportId_long``), and by ActionType: a word that only some tables have decides for these.
    Else all names are tried, then only those that hold a value: an export of mixed tables has the columns of all.
    """
    action = row.get("ActionType")
    given = frozenset(_SUFFIX.sub("", name).casefold() for name in row if not name.startswith("_"))
    filled = frozenset(_SUFFIX.sub("", name).casefold() for name, value in row.items() if value not in (None, ""))
    verb = action if isinstance(action, str) else None
    return (
        _best(filled, verb, tolerance=4, closed=True)
        or _best(given, verb, tolerance=10, closed=False)
        or _best(filled, verb, tolerance=4, closed=False)
    )


@functools.lru_cache(maxsize=4096)
def _best(given: frozenset[str], action: str | None, *, tolerance: int, closed: bool) -> str | None:
    """The table that knows all but one in ``tolerance`` of the names; of several the one with most of its own there.

    ``closed``: only tables whose list of ActionTypes is closed and holds this one.
    """
    if len(given) < 4 or not given & {"timestamp", "timegenerated"}:
        return None
    fits = [
        (-len(given - folded), len(given & folded) / len(folded), name)
        for name, folded in _FOLDED.items()
        if len(given - folded) * tolerance <= len(given) and _speaks(name, action, closed)
    ]
    _, share, name = max(fits, default=(0, 0.0, ""))
    return name if share >= (0.05 if closed else 0.1) else None


def _speaks(table: str, action: str | None, closed: bool) -> bool:
    actions = INFO[table].actions
    return action in actions if closed else action is None or not actions or action in actions


def _table(
    name: str, entry: Mapping[str, Any], *, groups: Mapping[str, tuple[Column, ...]], references: Mapping[str, str]
) -> TableInfo:
    if entry["family"] not in _FAMILIES:
        raise CatalogueError(f"{name}: family must be one of {sorted(_FAMILIES)}, not {entry['family']!r}")
    columns = _columns(name, entry["columns"].split(), groups)
    if entry["time"] is not None and Column(entry["time"], "datetime") not in columns:
        raise CatalogueError(f"{name}: time column {entry['time']!r} is not a datetime column of the table")
    page = references["sentinel" if entry["family"] == "sentinel" else "defender"]
    return TableInfo(
        name=name,
        family=cast(Family, entry["family"]),
        time_column=entry["time"],
        meaning=entry["meaning"],
        reference=page.format(table=name.lower()),
        columns=columns,
        actions=frozenset(entry.get("actions", "").split()),
    )


def _columns(table: str, words: Iterable[str], groups: Mapping[str, tuple[Column, ...]]) -> tuple[Column, ...]:
    columns: list[Column] = []
    for word in words:
        if not word.startswith("$"):
            columns.append(_column(table, word))
        elif word[1:] in groups:
            columns.extend(groups[word[1:]])
        else:
            raise CatalogueError(f"{table}: no group is called {word!r}")
    _refuse_doubles(table, columns)
    return tuple(columns)


def _column(table: str, word: str) -> Column:
    name, _, kind = word.partition(":")
    if not _NAME.match(name) or (kind or "string") not in _TYPES:
        raise CatalogueError(f"{table}: {word!r} is not NAME or NAME:TYPE with a KQL type")
    return Column(name, cast(KqlType, kind or "string"))


def _refuse_doubles(table: str, columns: Iterable[Column]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise CatalogueError(f"{table}: column {column.name!r} occurs twice")
        seen.add(column.name)


INFO: Mapping[str, TableInfo] = load_catalogue()
TABLES: Mapping[str, tuple[Column, ...]] = MappingProxyType({name: info.columns for name, info in INFO.items()})
_FOLDED: Mapping[str, frozenset[str]] = {
    name: frozenset(column.name.casefold() for column in info.columns) for name, info in INFO.items()
}
