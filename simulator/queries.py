"""Running KQL for both hunting doors: the window, the limits, and rows spooled to a file as JSON."""

from __future__ import annotations

import json
import math
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import duckdb

import kql
from kql.errors import KqlError
from kql.sql import quote_name, quote_text
from kql.tables import Table
from kql.types import Column
from simulator.core import Simulator
from simulator.telemetry import Source

SPOOL_MEMORY = 8 * 2**20
_AT_ONCE = threading.BoundedSemaphore(5)
_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>[\d.]+)D)?"
    r"(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?\Z"
)
_DAYS = {"years": 365.0, "months": 30.0, "weeks": 7.0, "days": 1.0, "hours": 1 / 24, "minutes": 1 / 1440,
         "seconds": 1 / 86_400}  # fmt: skip


class TimespanError(ValueError):
    """A timespan that is not ISO 8601."""


class Busy(Exception):
    """No place became free for a query in time."""


@dataclass(frozen=True)
class Window:
    """A span of time, both ends included."""

    start: datetime
    end: datetime


def parse_timespan(text: str, now: datetime) -> Window:
    """`start/end`, `start/duration`, `duration/end`, `duration` or a start; raises TimespanError.

    https://learn.microsoft.com/graph/api/security-security-runhuntingquery
    """
    parts = [_parse_part(part) for part in text.strip().split("/")]
    try:
        match parts:
            case [timedelta() as duration]:
                return Window(now - duration, now)
            case [datetime() as start]:
                return Window(start, now)
            case [datetime() as start, datetime() as end]:
                return Window(start, end)
            case [datetime() as start, timedelta() as duration]:
                return Window(start, start + duration)
            case [timedelta() as duration, datetime() as end]:
                return Window(end - duration, end)
    except OverflowError as error:
        raise TimespanError(f"The timespan '{text[:80]}' is out of range.") from error
    raise TimespanError(f"The timespan '{text[:80]}' is not valid.")


def _parse_part(text: str) -> timedelta | datetime:
    try:
        if text.startswith("P"):
            found = _DURATION.match(text)
            if found is None or not any(found.groups()):
                raise ValueError(text)
            return timedelta(days=sum(_DAYS[name] * float(value) for name, value in found.groupdict().items() if value))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise TimespanError(f"The timespan part '{text[:80]}' is not an ISO 8601 duration or time.") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def running(
    simulator: Simulator, sources: dict[str, Source], text: str, window: Window | None, limits: kql.Limits
) -> Iterator[kql.QueryResult]:
    """Run a query over the sources' rows inside the window. Raises KqlError, and Busy after three minutes' wait."""
    if not _AT_ONCE.acquire(timeout=180):
        raise Busy
    started = time.monotonic()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="hunt-", dir=simulator.options.state) as folder,
            kql.query(text, _tables(sources, text, window, Path(folder)), limits=limits, now=simulator.clock.wall())
            as result,
        ):  # fmt: skip
            yield result
    finally:
        _AT_ONCE.release()
        simulator.quotas.spend_cpu(time.monotonic() - started)


def _tables(sources: dict[str, Source], text: str, window: Window | None, folder: Path) -> list[Table]:
    try:
        used = kql.used_tables(text)
    except KqlError:
        used = set(sources)  # the engine will say what is wrong with the text
    return [
        Table(name, _inside(source, window, folder) if name in used else source.paths, "parquet", source.columns)
        for name, source in sources.items()
    ]


def _inside(source: Source, window: Window | None, folder: Path) -> tuple[Path, ...]:
    """The files of a source, cut to the window where it cuts anything off."""
    column = source.time_column
    if window is None or column is None or source.first is None or source.last is None:
        return source.paths
    if window.start <= source.first and source.last <= window.end:
        return source.paths
    cut = []
    for number, path in enumerate(source.paths):
        target = folder / f"{source.name}-{number}.parquet"
        _cut(path, column, window, target)
        cut.append(target)
    return tuple(cut)


def _cut(path: Path, column: str, window: Window, target: Path) -> None:
    start, end = (
        quote_text(moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")) for moment in (window.start, window.end)
    )
    with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "512MB"}) as connection:
        select = f"SELECT * FROM read_parquet({quote_text(str(path))})"
        where = f"{quote_name(column)} BETWEEN TIMESTAMP {start} AND TIMESTAMP {end}"
        connection.execute(f"COPY ({select} WHERE {where}) TO {quote_text(str(target))} (FORMAT parquet)")


def _text_of_datetime(value: Any) -> str:
    moment: datetime = value
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z" if moment.year >= 1000 else moment.isoformat() + "Z"


def _text_of_timespan(value: Any) -> str:
    span: timedelta = value
    ticks = round(span / timedelta(microseconds=1))
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, fraction = divmod(ticks, 1_000_000)
    days, rest = divmod(seconds, 86_400)
    text = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return sign + (f"{days}." if days else "") + text + (f".{fraction:06d}0" if fraction else "")


def _number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _text_of_dynamic(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text_of_decimal(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


_WIRE: dict[str, Callable[[Any], Any]] = {
    "datetime": _text_of_datetime,
    "timespan": _text_of_timespan,
    "real": _number,
    "dynamic": _text_of_dynamic,
    "decimal": _text_of_decimal,
    "guid": str,
}


def wire_rows(columns: Sequence[Column], rows: Iterable[tuple[Any, ...]]) -> Iterator[list[Any]]:
    """Rows as both services put them on the wire: times with seven digits, dynamic values as JSON text."""
    special = [(index, _WIRE[column.type]) for index, column in enumerate(columns) if column.type in _WIRE]
    for row in rows:
        cells = list(row)
        for index, convert in special:
            if cells[index] is not None:
                cells[index] = convert(cells[index])
        yield cells


def spool() -> IO[bytes]:
    """A file that stays in memory while it is small."""
    return tempfile.SpooledTemporaryFile(max_size=SPOOL_MEMORY)  # noqa: SIM115  # the response closes it
