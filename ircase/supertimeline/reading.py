"""Pages, counts and streams of a store: one locked DuckDB per store and process is kept warm, and what a filter let
through is kept beside it, so that the next page of the same question need not ask again."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb

from ircase.grid import GridError
from ircase.grid.opened import bindable, connected, errors
from ircase.supertimeline import sql
from ircase.supertimeline.model import (
    EPOCH,
    MOST_PAGE,
    Asked,
    Counts,
    Place,
    TimelineError,
    TimelineEvent,
    microseconds,
)
from ircase.supertimeline.store import Part, Store
from kql.sql import quote_text, sandbox

SECONDS: Final = 20.0
STREAM_SECONDS: Final = 1_800.0
BINS: Final = 96
_STORES_KEPT: Final = 4
_HITS_KEPT: Final = 8
_ROWS_KEPT: Final = 4_000_000
_MEMORY_MB: Final = 512
_BATCH: Final = 2_000
_GROUPS: Final = (4, 24)
"""Row groups that a page is looked for in before it is in the next so many, and then in all the others."""
_COLUMNS: Final = "epoch_us(ts), part, row, nth, what_time, message, device, account, techniques"
_STEPS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
    604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
)  # fmt: skip
"""Widths of a bar in seconds."""


@dataclass(frozen=True)
class View:
    """A store as one person may see it: the parts of tables that the case still has, with the name of each table."""

    store: Store
    names: dict[str, str]

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(part for part in self.store.parts if part.table in self.names and part.rows)

    def tables(self, asked: Asked) -> tuple[Part, ...]:
        """The parts that the filter's sources and span of time leave."""
        since, until = _ends(asked)
        return tuple(
            part
            for part in self.parts
            if (not asked.sources or self.names[part.table] in asked.sources)
            and part.last >= since
            and part.first < until
        )


@dataclass
class _Warm:
    """A connection to the files of one store; the lock is held while it is used."""

    connection: duckdb.DuckDBPyConnection
    lock: threading.Lock = field(default_factory=threading.Lock)
    hits: OrderedDict[Any, tuple[str, int]] = field(default_factory=OrderedDict)
    counts: OrderedDict[Any, Counts] = field(default_factory=OrderedDict)
    starts: dict[str, list[int]] = field(default_factory=dict)
    made: int = 0


_warm: OrderedDict[tuple[str, ...], _Warm] = OrderedDict()
_guard = threading.Lock()


def page(
    view: View, asked: Asked, *, after: Place | None = None, before: Place | None = None, limit: int = 100
) -> list[TimelineEvent]:
    """The first `limit` events after (or the last before) a place, in the order of time. Raises TimelineError."""
    limit = min(max(1, limit), MOST_PAGE)
    parts = view.tables(asked)
    if not parts:
        return []
    with _using(view) as warm:
        if asked in warm.hits:
            places = _places(warm, warm.hits[asked][0], "", [], after, before, limit)
        else:
            places = _sought(warm, view, parts, asked, after, before, limit)
            if after is before is None and len(places) < limit and _is_costly(asked):
                _keep(warm, asked, places)
        return _full(warm, view, places)


def counts(view: View, asked: Asked) -> Counts:
    """How many events pass, over time. Raises TimelineError."""
    parts = view.tables(asked)
    since, until = _ends(asked)
    first = max([since, min((part.first for part in parts), default=0)])
    last = min([until - 1, max((part.last for part in parts), default=0)])
    step = _step(last - first)
    start = first // step * step
    if not parts or last < first:
        return Counts(0, start, step, ())
    with _using(view) as warm:
        key = (asked, start, step)
        if key not in warm.counts:
            table, (where, values) = _source(view, parts), _where(asked)
            if _is_costly(asked):
                table, where, values = _hits(warm, view, parts, asked), "", []
            select = f"SELECT (epoch_us(ts) - {start}) // {step} AS bin, count(*) FROM {table}{where} GROUP BY bin"
            found = {int(bin_): int(n) for bin_, n in _fetch(warm.connection, select, values)}
            bins = tuple(found.get(place, 0) for place in range((last - start) // step + 1))
            warm.counts[key] = Counts(sum(bins), start, step, bins)
            _trim(warm)
        return warm.counts[key]


def stream(view: View, asked: Asked, *, seconds: float = STREAM_SECONDS) -> Iterator[TimelineEvent]:
    """Every event that passes in the order of time, read as it is taken; sorting spills to a temporary folder. Raises
    TimelineError."""
    parts = view.tables(asked)
    if not parts:
        return
    where, values = _where(asked)
    tables = {part.number: part.table for part in view.parts}
    with TemporaryDirectory(prefix="ircase-") as folder, _said():
        files = [view.store.path(part) for part in parts]
        with connected(files, seconds, spill=Path(folder)) as connection:
            order = " ORDER BY ts, part, row, nth"
            with errors():
                connection.execute(f"SELECT {_COLUMNS} FROM {_source(view, parts)}{where}{order}", values)
            while True:
                with errors():
                    found = connection.fetchmany(_BATCH)
                if not found:
                    return
                yield from (_event(one, tables) for one in found)


def forget() -> None:
    """Close every warm connection of this process."""
    with _guard:
        while _warm:
            _warm.popitem()[1].connection.close()


@contextmanager
def _using(view: View) -> Iterator[_Warm]:
    """The warm connection to the files of this store, for one question at a time and for so many seconds."""
    warm = _kept(view)
    with warm.lock, _said(), errors():
        clock = threading.Timer(SECONDS, warm.connection.interrupt)
        clock.daemon = True
        clock.start()
        try:
            yield warm
        finally:
            clock.cancel()


def _kept(view: View) -> _Warm:
    paths = tuple(str(view.store.path(part)) for part in view.parts)
    with _guard:
        if paths in _warm:
            _warm.move_to_end(paths)
            return _warm[paths]
        if not all(Path(path).is_file() for path in paths):
            raise TimelineError("The super-timeline is being made anew. Try again in a moment.")
        made = _Warm(sandbox(memory_mb=_MEMORY_MB, threads=2, paths=map(Path, paths)))
        _warm[paths] = made
        while len(_warm) > _STORES_KEPT:
            # Not closed: a question may be on its way; it ends with the last one who holds it.
            _warm.popitem(last=False)
        return made


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except GridError as error:
        text = str(error).replace("Read the evidence into tables again", "Build the super-timeline anew")
        raise TimelineError(text) from error


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(query, list(values)).fetchall()
    return found


def _source(view: View, parts: Sequence[Part]) -> str:
    files = ", ".join(quote_text(str(view.store.path(part))) for part in parts)
    return f"read_parquet([{files}])"


def _ends(asked: Asked) -> tuple[int, int]:
    since = microseconds(asked.since) if asked.since else -(2**61)
    return since, microseconds(asked.until) if asked.until else 2**61


def _is_costly(asked: Asked) -> bool:
    """Whether what passes is worth keeping: a filter by time alone is answered by the order of the files."""
    return asked != Asked(sources=asked.sources, since=asked.since, until=asked.until)


def _starts(warm: _Warm, view: View, parts: Sequence[Part]) -> list[int]:
    """Where the row groups of these parts begin, in microseconds since 1970: the next rows are looked for near by."""
    if not warm.starts:
        found = _fetch(
            warm.connection,
            "SELECT file_name, list(epoch_us(stats_min_value::TIMESTAMP)) FROM"
            f" {_source(view, view.parts).replace('read_parquet', 'parquet_metadata', 1)}"
            " WHERE path_in_schema = 'ts' AND stats_min_value IS NOT NULL GROUP BY file_name",
        )
        warm.starts = dict(found)
    return sorted(start for part in parts for start in warm.starts.get(str(view.store.path(part)), ()))


def _spans(
    starts: Sequence[int], asked: Asked, after: Place | None, before: Place | None
) -> list[tuple[int | None, int | None]]:
    """The time cut into spans, in the order in which a page is looked for: mostly the first, of a few row groups, has
    all of it, and the others are not read."""
    if before is not None:
        left = [start for start in starts if start < before.at][::-1]
        cuts = [left[number] for number in _GROUPS if number < len(left)]
        return list(zip([*cuts, None], [None, *cuts], strict=True))
    begins = after.at if after is not None else _ends(asked)[0]
    left = [start for start in starts if start > begins]
    cuts = [left[number] for number in _GROUPS if number < len(left)]
    return list(zip([None, *cuts], [*cuts, None], strict=True))


def _where(asked: Asked, span: tuple[int | None, int | None] = (None, None)) -> tuple[str, list[Any]]:
    tests: list[str] = []
    values: list[Any] = []
    for end, sign in zip(span, (">=", "<"), strict=True):
        if end is not None:
            tests.append(f"ts {sign} make_timestamp(?::BIGINT)")
            values.append(end)
    for column, chosen in (("device", asked.devices), ("account", asked.accounts)):
        if chosen:
            tests.append(f"{column} IN ({', '.join('?' * len(chosen))})")
            values += [bindable(one.lower()) for one in chosen]
    for at, test in ((asked.since, "ts >= ?::TIMESTAMP"), (asked.until, "ts < ?::TIMESTAMP")):
        if at is not None:
            tests.append(test)
            values.append(EPOCH.replace(tzinfo=None) + timedelta(microseconds=microseconds(at)))
    if asked.techniques:
        try:
            tests.append(f"({' OR '.join(map(sql.like_technique, asked.techniques))})")
        except ValueError as error:
            raise TimelineError(f"{str(error)[:40]!r} is no technique: give an id such as T1059.001.") from None
    for word in asked.words:
        tests.append("contains(low, ?)")
        values.append(bindable(word.lower()))
    if asked.rows is not None:
        tests.append("(part, row) IN (SELECT unnest(?::INTEGER[]), unnest(?::BIGINT[]))")
        values += [[part for part, _ in asked.rows], [row for _, row in asked.rows]]
    return (f" WHERE {' AND '.join(tests)}" if tests else ""), values


def _hits(warm: _Warm, view: View, parts: Sequence[Part], asked: Asked) -> str:
    """The table of the places that pass. A page of another span of the same question finds them there."""
    if asked in warm.hits:
        warm.hits.move_to_end(asked)
        return warm.hits[asked][0]
    where, values = _where(asked)
    return _keep_table(warm, asked, f"SELECT ts, part, row, nth FROM {_source(view, parts)}{where}", values)


def _keep(warm: _Warm, asked: Asked, places: Sequence[Place]) -> None:
    """These places are all that pass."""
    types = {"at": "BIGINT", "part": "INTEGER", "row": "BIGINT", "nth": "UTINYINT"}
    columns = ", ".join(f'unnest(?::{type_}[]) AS "{name}"' for name, type_ in types.items())
    select = f'SELECT make_timestamp("at") AS ts, part, row, nth FROM (SELECT {columns})'
    _keep_table(warm, asked, select, [[getattr(place, name) for place in places] for name in types])


def _keep_table(warm: _Warm, asked: Asked, select: str, values: Sequence[Any]) -> str:
    warm.made += 1
    name = f"hits{warm.made}"
    warm.connection.execute(f"CREATE TEMP TABLE {name} AS {select}", list(values))
    warm.hits[asked] = name, int(_fetch(warm.connection, f"SELECT count(*) FROM {name}")[0][0])
    _trim(warm)
    return name


def _trim(warm: _Warm) -> None:
    while len(warm.hits) > _HITS_KEPT or (len(warm.hits) > 1 and sum(n for _, n in warm.hits.values()) > _ROWS_KEPT):
        warm.connection.execute(f"DROP TABLE {warm.hits.popitem(last=False)[1][0]}")
    while len(warm.counts) > 4 * _HITS_KEPT:
        warm.counts.popitem(last=False)


def _sought(
    warm: _Warm, view: View, parts: Sequence[Part], asked: Asked, after: Place | None, before: Place | None, limit: int
) -> list[Place]:
    """The page's places out of the files, near row groups first."""
    places: list[Place] = []
    for span in _spans(_starts(warm, view, parts), asked, after, before):
        where, values = _where(asked, span)
        more = _places(warm, _source(view, parts), where, values, after, before, limit - len(places))
        places = [*places, *more] if before is None else [*more, *places]
        if len(places) == limit:
            break
    return places


def _places(
    warm: _Warm, source: str, where: str, values: Sequence[Any], after: Place | None, before: Place | None, limit: int
) -> list[Place]:
    place, bound = after or before, list(values)
    tests = [where.removeprefix(" WHERE ")] if where else []
    if place is not None:
        sign = ">" if after is not None else "<"
        # The first test is what the files' statistics answer; the second decides among events of one moment.
        tests.append(f"ts {sign}= ?::TIMESTAMP AND (ts, part, row, nth::INTEGER) {sign} (?::TIMESTAMP, ?, ?, ?)")
        at = EPOCH.replace(tzinfo=None) + timedelta(microseconds=place.at)
        bound += [at, at, place.part, place.row, place.nth]
    tested = f" WHERE {' AND '.join(tests)}" if tests else ""
    down = " DESC" if before is not None else ""
    order = ", ".join(f"{column}{down}" for column in ("ts", "part", "row", "nth"))
    found = _fetch(
        warm.connection,
        f"SELECT epoch_us(ts), part, row, nth FROM {source}{tested} ORDER BY {order} LIMIT {limit}",
        bound,
    )
    places = [Place(*map(int, one)) for one in found]
    return places[::-1] if before is not None else places


def _full(warm: _Warm, view: View, places: Sequence[Place]) -> list[TimelineEvent]:
    """The events of these places, in their order; only the row groups of their span of time are read."""
    if not places:
        return []
    numbers = {place.part for place in places}
    parts = [part for part in view.parts if part.number in numbers]
    tables = {part.number: part.table for part in parts}
    ends = [EPOCH.replace(tzinfo=None) + timedelta(microseconds=end.at) for end in (places[0], places[-1])]
    found = _fetch(
        warm.connection,
        f"SELECT {_COLUMNS} FROM {_source(view, parts)} WHERE ts >= ?::TIMESTAMP AND ts <= ?::TIMESTAMP"
        " AND (part, row) IN (SELECT unnest(?::INTEGER[]), unnest(?::BIGINT[]))",
        [*ends, [place.part for place in places], [place.row for place in places]],
    )
    events = {one.place: one for one in (_event(row, tables) for row in found)}
    return [events[place] for place in places if place in events]


def _event(found: Sequence[Any], tables: dict[int, str]) -> TimelineEvent:
    at, part, row, nth, what_time, message, device, account, techniques = found
    place = Place(int(at), int(part), int(row), int(nth))
    return TimelineEvent(place, what_time, message, device, account, tuple(techniques.split()), tables[place.part])


def _step(span: int) -> int:
    """The narrowest bar of which at most BINS cover the span, in microseconds."""
    wanted = max(1, span) / BINS / 1_000_000
    return next((step for step in _STEPS if step >= wanted), _STEPS[-1] * (1 + int(wanted // _STEPS[-1]))) * 1_000_000


def narrowed(asked: Asked, rows: Sequence[tuple[int, int]]) -> Asked:
    """The same question about these rows alone."""
    return replace(asked, rows=tuple(rows))
