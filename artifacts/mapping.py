"""Event to row, as data: ``mappings/*.yaml`` say which event becomes which row; this module checks and applies them.

A field is written ``Name``, ``Name | conversion``, ``First, Second | conversion`` (the first that has a value) or
``= constant``. Names that begin with ``@`` are the record's own: ``@message``, ``@user_sid``, ``@user_name``,
``@process_id``, ``@channel``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import yaml

from artifacts.conversions import CONVERSIONS, Conversion
from artifacts.records import Record
from kql.catalogue import INFO, TABLES

FOLDER = Path(__file__).with_name("mappings")
_OWN = ("message", "user_sid", "user_name", "process_id", "channel", "computer")
_EVENT_KEYS = frozenset(("id", "table", "action", "use", "columns", "additional", "when", "source", "note", "title"))
_ACTION_KEYS = frozenset(("from", "map", "otherwise"))


class MappingError(ValueError):
    """A mapping file breaks the rules; the message names file, event and word."""


@dataclass(frozen=True)
class Source:
    """Where one cell comes from: fields in order of preference and the conversion, or a constant."""

    fields: tuple[str, ...]
    conversion: str = "text"
    constant: str | None = None


@dataclass(frozen=True)
class Action:
    """ActionType: fixed, or by the value of a field; ``otherwise`` None makes no row of an unknown value."""

    fixed: str | None
    by: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None

    def of(self, record: Record) -> str | None:
        if self.fixed is not None:
            return self.fixed
        return self.words.get(str(record.data.get(self.by, "")), self.otherwise)


@dataclass(frozen=True)
class Rule:
    """One event id's way into one table."""

    provider: str
    event_id: int
    title: str
    table: str
    action: Action
    columns: tuple[tuple[str, Source], ...]
    additional: tuple[tuple[str, Source], ...]
    when: tuple[tuple[str, frozenset[str]], ...]
    source: str
    note: str

    def row(self, record: Record) -> dict[str, Any] | None:
        """The row's own cells (without time and device), or None where the rule does not apply to this event."""
        for name, allowed in self.when:
            if str(record.data.get(name, "")).lower() not in allowed:
                return None
        action = self.action.of(record)
        if action is None:
            return None
        row: dict[str, Any] = {"ActionType": action}
        _fill(row, self._cells, record)
        more: dict[str, Any] = {}
        _fill(more, self._more, record)
        if more:
            row["AdditionalFields"] = more
        return row

    @cached_property
    def _cells(self) -> tuple[_Cell, ...]:
        return tuple(_cell(name, source) for name, source in self.columns)

    @cached_property
    def _more(self) -> tuple[_Cell, ...]:
        return tuple(_cell(name, source) for name, source in self.additional)


_Cell = tuple[str, tuple[str, ...], Conversion, str | None]


def _cell(name: str, source: Source) -> _Cell:
    return name, source.fields, CONVERSIONS[source.conversion], source.constant


def _fill(row: dict[str, Any], cells: Iterable[_Cell], record: Record) -> None:
    """The cells that have a value. This runs for every event, so it asks each field once and calls no method."""
    data = record.data
    for column, fields, convert, constant in cells:
        if constant is not None:
            row[column] = constant
            continue
        for name in fields:
            found = data.get(name) if name[0] != "@" else getattr(record, name[1:])
            if found is not None:
                value = convert(found)
                if value is not None:
                    row[column] = value
                    break


Rules = Mapping[tuple[str, int], tuple[Rule, ...]]


@cache
def load_rules(folder: Path = FOLDER) -> Rules:
    """All rules of a folder by provider (lower case) and event id; raises MappingError."""
    rules: dict[tuple[str, int], tuple[Rule, ...]] = {}
    for path in sorted(folder.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "events" not in document:
            continue
        for rule in _rules(path.name, document):
            key = (rule.provider.casefold(), rule.event_id)
            rules[key] = (*rules.get(key, ()), rule)
    return MappingProxyType(rules)


def _rules(file: str, document: Mapping[str, Any]) -> Iterable[Rule]:
    groups = {name: _sources(f"{file} groups.{name}", columns) for name, columns in document.get("groups", {}).items()}
    for entry in document["events"]:
        for event_id in entry["id"] if isinstance(entry["id"], list) else [entry["id"]]:
            for provider in document["providers"]:
                yield _rule(f"{file} event {event_id}", provider, int(event_id), entry, groups)


def _rule(
    where: str,
    provider: str,
    event_id: int,
    entry: Mapping[str, Any],
    groups: Mapping[str, tuple[tuple[str, Source], ...]],
) -> Rule:
    if set(entry) - _EVENT_KEYS:
        raise MappingError(f"{where}: unknown key {sorted(set(entry) - _EVENT_KEYS)[0]!r}")
    if entry["table"] not in TABLES:
        raise MappingError(f"{where}: {entry['table']!r} is no table of the catalogue")
    columns: dict[str, Source] = {}
    for group in entry.get("use", []):
        if group not in groups:
            raise MappingError(f"{where}: no group is called {group!r}")
        columns.update(groups[group])
    columns.update(_sources(where, entry.get("columns", {})))
    known = {column.name for column in TABLES[entry["table"]]}
    for name in columns:
        if name not in known:
            raise MappingError(f"{where}: {entry['table']} has no column {name!r}")
    action = _action(where, entry["action"])
    _check_published(where, entry["table"], action)
    return Rule(
        provider=provider,
        event_id=event_id,
        title=entry["title"],
        table=entry["table"],
        action=action,
        columns=tuple(columns.items()),
        additional=_sources(where, _as_mapping(entry.get("additional", {}))),
        when=tuple(
            (name, frozenset(str(value).lower() for value in (values if isinstance(values, list) else [values])))
            for name, values in entry.get("when", {}).items()
        ),
        source=entry["source"],
        note=entry.get("note", ""),
    )


def _check_published(where: str, table: str, action: Action) -> None:
    """No invented words: a hunt written for Defender would never ask for one."""
    known = INFO[table].actions or _published().get(table, frozenset())
    used = {action.fixed, action.otherwise, *action.words.values()} - {None}
    if not used <= known:
        unknown = sorted(str(word) for word in used - known)[0]
        raise MappingError(f"{where}: {unknown!r} is no ActionType that Microsoft publishes for {table}")


@cache
def _published() -> Mapping[str, frozenset[str]]:
    return {table: frozenset(words.split()) for table, words in _actions().items() if isinstance(words, str)}


@cache
def _actions() -> Mapping[str, Any]:
    return cast(Mapping[str, Any], yaml.safe_load((FOLDER / "actions.yaml").read_text(encoding="utf-8")))


def raw_only() -> Iterable[Mapping[str, Any]]:
    """Events that stay in the raw log alone, for the document."""
    return cast(Iterable[Mapping[str, Any]], _actions()["raw_only"])


def _as_mapping(additional: Any) -> Mapping[str, str]:
    return {name: name for name in additional} if isinstance(additional, list) else cast(Mapping[str, str], additional)


def _action(where: str, action: Any) -> Action:
    if isinstance(action, str):
        return Action(fixed=action)
    if set(action) - _ACTION_KEYS or "from" not in action or "map" not in action:
        raise MappingError(f"{where}: an action is a word, or has 'from', 'map' and perhaps 'otherwise'")
    words = {str(key): str(word) for key, word in action["map"].items()}
    return Action(fixed=None, by=action["from"], words=words, otherwise=action.get("otherwise"))


def _sources(where: str, columns: Mapping[str, Any]) -> tuple[tuple[str, Source], ...]:
    return tuple((name, _source(where, str(written))) for name, written in columns.items())


def _source(where: str, written: str) -> Source:
    if written.startswith("="):
        return Source(fields=(), constant=written[1:].strip())
    names, _, conversion = (part.strip() for part in written.partition("|"))
    fields = tuple(name.strip() for name in names.split(","))
    if conversion and conversion not in CONVERSIONS:
        raise MappingError(f"{where}: no conversion is called {conversion!r}")
    if not all(fields) or any(name.startswith("@") and name[1:] not in _OWN for name in fields):
        raise MappingError(f"{where}: {written!r} names no field")
    return Source(fields=fields, conversion=conversion or "text")


def described(source: Source) -> str:
    """A source as it is written in the files, for the document."""
    if source.constant is not None:
        return f"always `{source.constant}`"
    names = ", else ".join(f"`{name}`" for name in source.fields)
    return names if source.conversion == "text" else f"{names} ({source.conversion})"
