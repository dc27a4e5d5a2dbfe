"""What a dashboard is made of, whoever makes it: the page, the CSV, the PDF and the API write the same panels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ircase.charts import Drawing, figure


@dataclass(frozen=True)
class Cell:
    """`text` for people, `value` for machines (seconds of a span; None: no figure), `url` leads to what is behind."""

    text: str
    value: str | float | None = None
    url: str = ""
    late: bool = False


@dataclass(frozen=True)
class Column:
    label: str
    num: bool = False


@dataclass(frozen=True)
class Table:
    """`total` is how many rows there are where not all of them are in `rows`. The first cell of a row names it."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    empty: str = "Nothing to count in this period."
    total: int = 0

    @property
    def left_out(self) -> int:
        return max(0, self.total - len(self.rows))


@dataclass(frozen=True)
class Chart:
    """A drawing with its caption; `legend` are label and class of each series."""

    title: str
    drawing: Drawing
    legend: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class Tile:
    """One figure to look at first; `note` says what it needs to be understood, n among it."""

    label: str
    value: str
    note: str = ""
    url: str = ""
    tone: str = ""
    number: float | None = None


@dataclass(frozen=True)
class Panel:
    """`about` says in a sentence what is counted."""

    key: str
    title: str
    about: str = ""
    tiles: tuple[Tile, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()

    def table(self, key: str) -> Table | None:
        return next((table for table in self.tables if table.key == key), None)


@dataclass(frozen=True)
class Behind:
    """The rows behind one number. `cells` writes those of one page, with a bounded number of queries."""

    title: str
    columns: tuple[Column, ...]
    rows: QuerySet[Any] | Sequence[Any]
    cells: Callable[[Sequence[Any]], list[tuple[Cell, ...]]]
    about: str = ""

    @property
    def total(self) -> int:
        return self.rows.count() if isinstance(self.rows, QuerySet) else len(self.rows)


def columns(*names: str) -> tuple[Column, ...]:
    """Columns by label; one that begins with # holds numbers."""
    return tuple(Column(name.removeprefix("#"), num=name.startswith("#")) for name in names)


def words(text: str, url: str = "", *, late: bool = False) -> Cell:
    return Cell(text, text, url, late)


def number(value: float | None, url: str = "") -> Cell:
    """A count; a zero leads nowhere."""
    if value is None:
        return Cell("–", None)
    return Cell(figure(value), value, url if value else "")


def took(seconds: float | None, url: str = "") -> Cell:
    """A span of time."""
    return Cell(span(seconds), None if seconds is None else round(seconds), url if seconds is not None else "")


def moment(at: datetime | None) -> Cell:
    """In the reader's zone for people, in UTC for machines."""
    if at is None:
        return Cell("–", None)
    return Cell(timezone.localtime(at).strftime("%Y-%m-%d %H:%M"), at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def share(part: int, whole: int, url: str = "") -> Cell:
    """`12 of 17 (71 %)`; the value is the percentage."""
    if not whole:
        return Cell("–", None)
    return Cell(f"{part:,} of {whole:,} ({percent(part, whole)} %)", round(100 * part / whole, 1), url)


def percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


def span(value: float | timedelta | None) -> str:
    """Two units at most: `3 d 4 h`, `2 h 5 min`, `4 min`; seconds or a timedelta."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    sign, minutes = ("-" if seconds < 0 else ""), round(abs(seconds) / 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{sign}{days} d {hours} h" if hours else f"{sign}{days} d"
    return sign + ((f"{hours} h {rest} min" if rest else f"{hours} h") if hours else f"{rest} min")


def difference(now: float | None, before: float | None, *, spans: bool = False) -> Cell:
    """What became of a figure, with its sign; nothing where one of the two is missing."""
    if now is None or before is None:
        return Cell("–", None)
    change = now - before
    if spans:
        text = span(change) if change < 0 else f"+{span(change)}" if round(change / 60) else "0 min"
        return Cell(text, round(change))
    return Cell(f"{'+' if change > 0 else ''}{figure(change)}", round(change, 2))
