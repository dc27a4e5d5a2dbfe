"""The derived store of a case: one sorted Parquet per case table, made once per version of the table and its rule, and
`store.json`, which says what there is. All of it can be thrown away: the worker makes it anew."""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ircase.grid import GridError
from ircase.grid.opened import Opened, connected
from ircase.supertimeline import sql
from ircase.supertimeline.model import TimelineError
from ircase.supertimeline.rules import Rule
from kql.sql import quote_text
from kql.types import Column

BUILD_SECONDS: Final = 1_800.0
GROUP_ROWS: Final = 20_480
MOST_NAMES: Final = 500
_STALE: Final = 3_600.0
_FORMAT: Final = 1


@dataclass(frozen=True)
class Wanted:
    """A table that is to be in the store: its uuid, which is new with every reading of its evidence."""

    uuid: str
    path: Path
    columns: tuple[Column, ...]
    rule: Rule


@dataclass(frozen=True)
class Part:
    """What the store has of a table. `unusable` times were not of this world; `first` and `last` are microseconds since
    1970. The names are the most frequent ones, with their counts."""

    number: int
    table: str
    digest: str
    file: str
    rule: str
    rows: int
    unusable: int
    first: int
    last: int
    devices: tuple[tuple[str, int], ...] = ()
    accounts: tuple[tuple[str, int], ...] = ()
    techniques: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Store:
    """The parts of a case's store. `next_number` is the number of the next part: none is used twice."""

    folder: Path
    parts: tuple[Part, ...] = ()
    next_number: int = 1

    def of(self, wanted: Wanted) -> Part | None:
        digest = wanted.rule.digest()
        found = next((one for one in self.parts if one.table == wanted.uuid and one.digest == digest), None)
        return found if found and (self.folder / found.file).is_file() else None

    def path(self, part: Part) -> Path:
        return self.folder / part.file


def read(folder: Path) -> Store:
    """What is there; an empty store where there is none, or none that can be read."""
    try:
        said = json.loads((folder / "store.json").read_text(encoding="utf-8"))
        if said["format"] != _FORMAT:
            return Store(folder)
        return Store(folder, tuple(_part(one) for one in said["parts"]), int(said["next"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Store(folder)


def _part(said: Mapping[str, Any]) -> Part:
    lists = {name: tuple((str(v), int(n)) for v, n in said[name]) for name in ("devices", "accounts", "techniques")}
    found = Part(**{**said, **lists})
    if "/" in found.file or found.file.startswith("."):
        raise ValueError(found.file)
    return found


def write(store: Store) -> None:
    """Put the store's parts in place of what `store.json` said, at one stroke."""
    draft = store.folder / f".store-{secrets.token_hex(4)}.json"
    said = {"format": _FORMAT, "next": store.next_number, "parts": [asdict(part) for part in store.parts]}
    try:
        with draft.open("x", encoding="utf-8") as file:
            json.dump(said, file, separators=(",", ":"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(store.folder / "store.json")
    finally:
        with suppress(OSError):
            draft.unlink()


def build(
    store: Store, wanted: Sequence[Wanted], spill: Path, check: Callable[[], None] = lambda: None
) -> Iterator[tuple[Store, Wanted, str]]:
    """Bring the store to what is wanted, table by table; after each the store as it stands, written, the table, and
    what was wrong with it (empty: nothing). A table whose part is there costs nothing. `check` raises where the work
    is another's by now: it is asked before anything is said in `store.json`."""
    store.folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for one in wanted:
        if store.of(one) is not None:
            continue
        problem = ""
        kept = tuple(part for part in store.parts if part.table != one.uuid)
        try:
            made = _make(store, one, spill)
            check()
            store = Store(store.folder, (*kept, made), store.next_number + 1)
            write(store)
        except (TimelineError, GridError) as error:
            problem = str(error)
        yield store, one, problem


def prune(store: Store, wanted: Sequence[Wanted]) -> Store:
    """Leave out the parts of tables that are not wanted any more, and remove files that nothing speaks of."""
    digests = {(one.uuid, one.rule.digest()) for one in wanted}
    kept = Store(store.folder, tuple(p for p in store.parts if (p.table, p.digest) in digests), store.next_number)
    if kept != store:
        write(kept)
    files = {part.file for part in kept.parts}
    for path in kept.folder.glob("*.parquet"):
        if path.name not in files and path.stat().st_mtime < time.time() - _STALE:
            path.unlink(missing_ok=True)
    for path in kept.folder.glob(".*"):
        if path.is_file() and path.stat().st_mtime < time.time() - _STALE:
            path.unlink(missing_ok=True)
    return kept


def _make(store: Store, wanted: Wanted, spill: Path) -> Part:
    """The part of one table. Sorting spills to `spill`; the file appears whole or not at all."""
    digest, number = wanted.rule.digest(), store.next_number
    file = f"{wanted.uuid}-{digest}-{number}.parquet"
    draft = store.folder / f".{secrets.token_hex(6)}.part"
    try:
        with _opened(wanted, draft, spill) as table:
            select = sql.events(table, wanted.rule, number)
            # Quick to read before small: a search goes through every letter of `low`.
            table.run(
                f"COPY ({select} ORDER BY ts, row, nth) TO {quote_text(str(draft))} (FORMAT parquet,"
                f" COMPRESSION snappy, USE_TMP_FILE false, ROW_GROUP_SIZE {GROUP_ROWS})"
            )
            offered = table.scalar(sql.offered(table, wanted.rule))
            part = _facts(table, draft, Part(number, wanted.uuid, digest, file, wanted.rule.name, 0, offered, 0, 0))
        draft.replace(store.folder / file)
        return part
    finally:
        with suppress(OSError):
            draft.unlink()


@contextmanager
def _opened(wanted: Wanted, draft: Path, spill: Path) -> Iterator[Opened]:
    with connected([wanted.path], BUILD_SECONDS, out=[draft], spill=spill) as connection:
        yield Opened(connection, wanted.path, wanted.columns)


def _facts(table: Opened, file: Path, part: Part) -> Part:
    source = f"read_parquet({quote_text(str(file))})"
    rows, first, last = table.fetch(
        f"SELECT count(*), coalesce(epoch_us(min(ts)), 0), coalesce(epoch_us(max(ts)), 0) FROM {source}"
    )[0]
    names = {column: _names(table, f"SELECT {column} AS v FROM {source}") for column in ("device", "account")}
    ids = _names(table, f"SELECT unnest(string_split(trim(techniques), ' ')) AS v FROM {source} WHERE techniques <> ''")
    return Part(
        part.number, part.table, part.digest, part.file, part.rule, int(rows), max(0, part.unusable - int(rows)),
        int(first), int(last), names["device"], names["account"], ids,
    )  # fmt: skip


def _names(table: Opened, values: str) -> tuple[tuple[str, int], ...]:
    found = table.fetch(
        f"SELECT v, count(*) AS n FROM ({values}) WHERE v <> '' GROUP BY v ORDER BY n DESC, v LIMIT {MOST_NAMES}"
    )
    return tuple((str(value), int(count)) for value, count in found)


def merged(parts: Sequence[Part], kind: str) -> list[tuple[str, int]]:
    """The names of all parts with their counts, the most frequent first."""
    counts: dict[str, int] = {}
    for part in parts:
        for name, count in getattr(part, kind):
            counts[name] = counts.get(name, 0) + count
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
