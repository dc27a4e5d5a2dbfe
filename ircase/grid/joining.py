"""Rows of several tables in one file, each with the mark of the table that it comes from."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ircase.grid.model import GridError
from ircase.grid.opened import Opened, connected, errors
from kql.sql import quote_name, quote_text, stored_names
from kql.types import Column, KqlType

SECONDS: Final = 120.0
MAX_COLUMNS: Final = 2000
_WIDER: Final[dict[frozenset[str], KqlType]] = {frozenset(("int", "long")): "long"}
_TYPES: Final = {
    "bool": "BOOLEAN", "int": "INTEGER", "long": "BIGINT", "real": "DOUBLE", "datetime": "TIMESTAMP",
    "timespan": "BIGINT", "guid": "UUID",
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A table that is joined: its file, its columns, and the mark that its rows get."""

    mark: str
    path: Path
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Joined:
    """The columns of all parts, the mark's first. `texts`: columns whose types disagree, each with the types that the
    parts have; their values stand as text."""

    columns: tuple[Column, ...]
    texts: dict[str, tuple[str, ...]]


def plan(parts: Sequence[Part], mark: str = "Source") -> Joined:
    """The columns that the parts come to, in order of first appearance. A column that a part lacks is null in its rows.
    Where a part has a column of the mark's name, the mark takes another one. Raises GridError for too many."""
    kinds: dict[str, dict[str, None]] = {}
    for part in parts:
        for column in part.columns:
            kinds.setdefault(column.name, {})[column.type] = None
    if len(kinds) >= MAX_COLUMNS:
        raise GridError(f"Together these are {len(kinds):,} columns; at most {MAX_COLUMNS:,} are shown together.")
    while any(name.casefold() == mark.casefold() for name in kinds):
        mark = f"{mark}_"
    found, texts = [Column(mark, "string")], {}
    for name, types in kinds.items():
        kind = _common(tuple(types))
        found.append(Column(name, kind))
        if len(types) > 1 and kind == "string":
            texts[name] = tuple(types)
    return Joined(tuple(found), texts)


def _common(types: Sequence[str]) -> KqlType:
    if len(types) == 1:
        return types[0]  # type: ignore[return-value]  # columns of the case have KQL types
    return _WIDER.get(frozenset(types), "string")


def join(parts: Sequence[Part], joined: Joined, out: Path) -> None:
    """Write the rows of all parts to `out`, part after part, each in its own order. Raises GridError."""
    draft = out.with_suffix(".part")
    names = stored_names(joined.columns)
    metadata = json.dumps([[c.name, c.type, name] for c, name in zip(joined.columns, names, strict=True)])
    try:
        with connected([part.path for part in parts], SECONDS, out=[draft]) as connection, errors():
            selects = [_select(Opened(connection, part.path, part.columns), part, joined, names) for part in parts]
            connection.execute(
                f"COPY ({' UNION ALL '.join(selects)}) TO {quote_text(str(draft))} (FORMAT parquet, COMPRESSION zstd,"
                f" USE_TMP_FILE false, ROW_GROUP_SIZE 20480, KV_METADATA {{'kql.columns': {quote_text(metadata)}}})"
            )
        draft.replace(out)
    finally:
        with suppress(OSError):
            draft.unlink()


def _select(table: Opened, part: Part, joined: Joined, names: Sequence[str]) -> str:
    have = {column.name: column for column in part.columns}
    cells = [f"{quote_text(part.mark)} AS {quote_name(names[0])}"]
    for column, name in zip(joined.columns[1:], names[1:], strict=True):
        own = have.get(column.name)
        cells.append(f"{_cell(table, own, column)} AS {quote_name(name)}")
    return f"SELECT {', '.join(cells)} FROM {table.source}"


def _cell(table: Opened, own: Column | None, wanted: Column) -> str:
    kind = _TYPES.get(wanted.type, "VARCHAR")
    if own is None or own.name not in table.stored:
        return f"CAST(NULL AS {kind})"
    value = table.value(own) if own.type == wanted.type or wanted.type != "string" else table.text(own)
    return value if wanted.type in ("dynamic", "decimal") else f"CAST({value} AS {kind})"
