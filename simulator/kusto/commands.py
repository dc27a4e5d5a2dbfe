"""The management commands that IRCase and its tests use; any other is a syntax error, as an unknown one is.

https://learn.microsoft.com/kusto/management/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from kql import Column, KqlType
from simulator.core import Simulator
from simulator.http import ApiFault
from simulator.kusto.access import CASES, DATABASES, Principal
from simulator.kusto.errors import fault
from simulator.kusto.store import Made, drop, made_tables, save, sources, table

Answer = tuple[list[tuple[str, str]], list[list[Any]]]
"""Columns (name, KQL type) and rows."""

NET_TYPES = {
    "bool": "System.SByte", "int": "System.Int32", "long": "System.Int64", "real": "System.Double",
    "decimal": "System.Data.SqlTypes.SqlDecimal", "string": "System.String", "datetime": "System.DateTime",
    "timespan": "System.TimeSpan", "guid": "System.Guid", "dynamic": "System.Object",
}  # fmt: skip
_TOKEN = re.compile(
    r"\s*(?:(?P<text>@?'(?:[^'\\]|\\.)*'|@?\"(?:[^\"\\]|\\.)*\")|(?P<word>[\w.-]+)|(?P<mark>[()\[\]:,]))", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
_TYPES = frozenset(get_args(KqlType))


@dataclass
class Reader:
    """A command's words and texts, read from the left."""

    tokens: list[tuple[str, str]]
    at: int = 0

    def accept(self, *words: str) -> bool:
        """Step over these words or marks if they come next."""
        found = [text.lower() for kind, text in self.tokens[self.at : self.at + len(words)] if kind != "text"]
        if found != list(words):
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Step over them; ApiFault where something else comes."""
        if not self.accept(*words):
            raise syntax(f"'{' '.join(words)}' was expected")

    def take(self, *kinds: str) -> str:
        """The next token's text, if it is of one of the kinds."""
        if self.at >= len(self.tokens) or self.tokens[self.at][0] not in kinds:
            raise syntax(f"a {kinds[0]} was expected")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def name(self) -> str:
        """An entity's name, bare or as ['name']."""
        if self.accept("["):
            name = self.take("text")
            self.expect("]")
            return name
        return self.take("word", "text")

    def text(self) -> str:
        """One or more texts that follow each other, joined as KQL joins them."""
        joined = self.take("text")
        while self.at < len(self.tokens) and self.tokens[self.at][0] == "text":
            joined += self.take("text")
        return joined

    def end(self) -> None:
        """ApiFault unless everything was read."""
        if self.at < len(self.tokens):
            raise syntax(f"'{self.tokens[self.at][1][:40]}' was not expected")


def syntax(what: str) -> ApiFault:
    """The error for a command that is not understood."""
    inner = {"code": "SYN0002", "message": "A recognition error occurred.", "@message": f"Syntax error: {what}."}
    return fault(400, "General_BadRequest", f"Syntax error: SYN0002: {what}.", kind="SyntaxException", inner=inner)


def run(simulator: Simulator, principal: Principal, database: str, command: str) -> Answer:
    """Run a command; ApiFault for one that is refused."""
    reader = Reader(_tokens(command))
    for words, handler in _COMMANDS:
        if reader.accept(*words):
            return handler(_Asked(simulator, principal, database, reader))
    raise syntax("the command is not known here")


def _tokens(command: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, command.strip().removesuffix(";")
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise syntax(f"unexpected at position {at}")
        at, kind = match.end(), str(match.lastgroup)
        found.append((kind, _unquoted(match[kind]) if kind == "text" else match[kind]))
        while at < len(text) and text[at].isspace():
            at += 1
    return found


def _unquoted(text: str) -> str:
    if text.startswith("@"):
        return text[2:-1]
    return _ESCAPED.sub(lambda match: _CONTROLS.get(match[1], match[1]), text[1:-1])


@dataclass
class _Asked:
    simulator: Simulator
    principal: Principal
    database: str
    reader: Reader

    def writable(self) -> None:
        """ApiFault unless the principal may change the database."""
        self.principal.require(self.database, admin=True)


def _show_databases(asked: _Asked) -> Answer:
    asked.reader.end()
    seen = [name for name in DATABASES if name in asked.principal.roles]
    return [("DatabaseName", "string"), ("PrettyName", "string")], [[name, ""] for name in seen]


def _show_version(asked: _Asked) -> Answer:
    return [("BuildVersion", "string"), ("ServiceType", "string")], [["1.0.0.0", "Engine"]]


def _show_database(asked: _Asked) -> Answer:
    name = asked.principal.require(asked.reader.name())
    asked.reader.expect("schema")
    as_json = asked.reader.accept("as", "json")
    asked.reader.end()
    tables = {key: source.columns for key, source in sources(asked.simulator, name).items()}
    if as_json:
        return [("DatabaseSchema", "string")], [[json.dumps(_schema(name, tables))]]
    rows: list[list[Any]] = [[name, None, None, None]]
    for key, columns in tables.items():
        rows += [[name, key, None, None], *([name, key, one.name, NET_TYPES[one.type]] for one in columns)]
    return [(one, "string") for one in ("DatabaseName", "TableName", "ColumnName", "ColumnType")], rows


def _schema(database: str, tables: dict[str, tuple[Column, ...]]) -> dict[str, Any]:
    """https://learn.microsoft.com/kusto/management/show-schema-database"""
    listed = {
        name: {
            "Name": name, "Folder": "", "DocString": "",
            "OrderedColumns": [
                {"Name": one.name, "Type": NET_TYPES[one.type], "CslType": one.type} for one in columns
            ],
        }
        for name, columns in tables.items()
    }  # fmt: skip
    known = {"Name": database, "Tables": listed, "ExternalTables": {}, "MaterializedViews": {}, "Functions": {},
             "MajorVersion": 1, "MinorVersion": 1}  # fmt: skip
    return {"Databases": {database: known}}


def _show_tables(asked: _Asked) -> Answer:
    asked.reader.end()
    name = asked.principal.require(asked.database)
    rows: list[list[Any]] = [[key, name] for key in sources(asked.simulator, name)]
    return [("TableName", "string"), ("DatabaseName", "string")], rows


def _create(asked: _Asked, *, merge: bool) -> Answer:
    asked.writable()
    name, columns = asked.reader.name(), _columns(asked.reader)
    asked.reader.end()
    with asked.simulator.lock:
        known = made_tables(asked.simulator).get(name)
        if known is not None and not merge:
            raise fault(400, "BadRequest_EntityAlreadyExists", f"Table '{name}' already exists.")
        made = Made(name, columns) if known is None else replace(known, columns=_merged(known, columns))
        save(asked.simulator, made)
    return [("TableName", "string"), ("Schema", "string"), ("DatabaseName", "string")], [
        [name, ",".join(f"{one.name}:{one.type}" for one in made.columns), CASES]
    ]


def _merged(known: Made, columns: Iterable[Column]) -> tuple[Column, ...]:
    """The known columns and the new ones; a column does not change its type.
    https://learn.microsoft.com/kusto/management/create-merge-table-command"""
    types = {column.name: column.type for column in known.columns}
    for column in columns:
        if types.setdefault(column.name, column.type) != column.type:
            text = f"Column '{column.name}' of table '{known.name}' is of type {types[column.name]}, not {column.type}."
            raise fault(400, "BadRequest_TableSchemaMismatch", text)
    return tuple(Column(name, kind) for name, kind in types.items())


def _columns(reader: Reader) -> tuple[Column, ...]:
    reader.expect("(")
    columns: list[Column] = []
    while True:
        name = reader.name()
        reader.expect(":")
        kind = reader.take("word").lower()
        if kind not in _TYPES or name in {column.name for column in columns}:
            raise syntax(f"'{name[:40]}:{kind[:40]}' is no column")
        columns.append(Column(name, cast(KqlType, kind)))
        if not reader.accept(","):
            break
    reader.expect(")")
    return tuple(columns)


def _create_or_merge(asked: _Asked) -> Answer:
    return _create(asked, merge=True)


def _create_new(asked: _Asked) -> Answer:
    if asked.reader.at + 1 < len(asked.reader.tokens) and _is_mapping(asked.reader):
        return _create_mapping(asked)
    return _create(asked, merge=False)


def _is_mapping(reader: Reader) -> bool:
    return any(kind == "word" and text.lower() == "ingestion" for kind, text in reader.tokens)


def _create_mapping(asked: _Asked) -> Answer:
    asked.writable()
    name = asked.reader.name()
    asked.reader.expect("ingestion", "json", "mapping")
    mapping, written = asked.reader.take("text"), asked.reader.text()
    asked.reader.end()
    with asked.simulator.lock:
        made = table(asked.simulator, CASES, name)
        known = {**made.mappings, mapping: _paths(made, written)}
        save(asked.simulator, replace(made, mappings=known))
    return [("Name", "string"), ("Kind", "string"), ("Mapping", "string")], [[mapping, "Json", written]]


def _paths(made: Made, written: str) -> dict[str, str]:
    """The key of a row for each column, from `$.key` or `$['key']`."""
    names = {column.name for column in made.columns}
    found: dict[str, str] = {}
    try:
        for entry in json.loads(written):
            lowered = {key.lower(): value for key, value in entry.items()}
            properties = {key.lower(): value for key, value in (lowered.get("properties") or {}).items()}
            path = str(properties.get("path") or lowered.get("path"))
            match = re.fullmatch(r"\$(?:\.(\w+)|\['([^']+)'\])", path)
            if match is None or lowered["column"] not in names:
                raise ValueError(path)
            found[lowered["column"]] = match[1] or match[2]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise fault(400, "BadRequest_InvalidMapping", "The mapping does not fit the table's columns.") from error
    return found


def _alter_table(asked: _Asked) -> Answer:
    asked.writable()
    name = asked.reader.name()
    asked.reader.expect("policy", "streamingingestion")
    enable = asked.reader.accept("enable")
    if not enable:
        asked.reader.expect("disable")
    asked.reader.end()
    with asked.simulator.lock:
        save(asked.simulator, replace(table(asked.simulator, CASES, name), streaming=enable))
    policy = json.dumps({"IsEnabled": enable, "HintAllocatedRate": None})
    return [("PolicyName", "string"), ("EntityName", "string"), ("Policy", "string")], [
        ["StreamingIngestionPolicy", f"[{CASES}].[{name}]", policy]
    ]


def _clear(asked: _Asked) -> Answer:
    asked.writable()
    if not asked.reader.accept("database"):
        asked.reader.expect("table")
        table(asked.simulator, CASES, asked.reader.name())
    asked.reader.expect("cache", "streamingingestion", "schema")
    asked.reader.end()
    return [("NodeId", "string"), ("Status", "string"), ("Details", "string")], [["1", "Succeeded", ""]]


def _drop(asked: _Asked) -> Answer:
    asked.writable()
    name = asked.reader.name()
    optional = asked.reader.accept("ifexists")
    asked.reader.end()
    with asked.simulator.lock:
        known = made_tables(asked.simulator).get(name)
        if known is not None:
            drop(asked.simulator, known)
        elif not optional:
            table(asked.simulator, CASES, name)
    left: list[list[Any]] = [[key, CASES] for key in made_tables(asked.simulator)]
    return [("TableName", "string"), ("DatabaseName", "string")], left


_COMMANDS: tuple[tuple[tuple[str, ...], Callable[[_Asked], Answer]], ...] = (
    ((".show", "databases"), _show_databases),
    ((".show", "version"), _show_version),
    ((".show", "database"), _show_database),
    ((".show", "tables"), _show_tables),
    ((".create-merge", "table"), _create_or_merge),
    ((".create-or-alter", "table"), _create_mapping),
    ((".create", "table"), _create_new),
    ((".alter", "table"), _alter_table),
    ((".clear",), _clear),
    ((".drop", "table"), _drop),
)
