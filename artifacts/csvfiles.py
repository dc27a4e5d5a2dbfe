"""CSV as people export it: any of four delimiters, with or without a header, quoted newlines."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from artifacts.choices import Dialect
from artifacts.limits import ArtifactError
from artifacts.naming import column_name
from artifacts.text import LINE_CHARACTERS, TextSource

if TYPE_CHECKING:
    from _csv import Reader as CsvReader

_DELIMITERS = ",;\t|"
_DATA = re.compile(
    r"[-+]?\d+(?:[.,]\d+)?\Z|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|[0-9a-fA-F]{32,64}\Z|\d{1,3}(?:\.\d{1,3}){3}\Z"
)
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*\Z", re.IGNORECASE)
_MAX_COLUMNS = 4096

# A line after the last: no file has it, for NULs are dropped where lines are read.
_END = "\0"

csv.field_size_limit(LINE_CHARACTERS)


class CsvBroken(ArtifactError):
    """The CSV cannot be read further; rows before this point were given."""

    code = "csv.broken"


@dataclass
class CsvFile:
    """The rows of one CSV.

    ``header`` is None until ``rows`` was started, and stays as guessed; ``guessed`` is True where the first line is
    data and the columns were numbered. ``ragged`` counts rows with more cells than the header; their surplus cells
    stand in ``ExtraCells``. ``delimiter`` is what parted the cells, once ``rows`` was started.
    """

    source: TextSource
    dialect: Dialect = Dialect()
    header: tuple[str, ...] = ()
    guessed: bool = False
    ragged: int = 0
    delimiter: str = ""
    _last: int = field(default=0, init=False)  # lines that an open quote took in

    def rows(self) -> Iterator[dict[str, object]]:
        """Row by row, cells as text, empty cells left out. Raises CsvBroken where quoting never ends: what stands
        behind the quote is one cell of the last row."""
        lines = self._content_lines()
        sample = list(islice(lines, 5))
        if not sample:
            return
        separator = _SEPARATOR_LINE.match(sample[0])
        if separator:
            sample = sample[1:]
        self.delimiter = self.dialect.delimiter or (separator.group(1) if separator else _delimiter(sample))
        found = self._closed(self._reader(chain(sample, lines, [_END])))
        try:
            first = next(found, None)
            if first is None:
                return
            self._take_header(first)
            if self.guessed:
                yield self._row(first)
            for cells in found:
                yield self._row(cells)
        except csv.Error as error:
            raise CsvBroken(f"line {self.source.line:,}: {error}; the rows before it are kept") from error
        if self._last:
            raise CsvBroken(
                f"a quote in line {self.source.line - self._last + 1:,} never closes: all {self._last:,} lines from "
                "there stand in one row; read without a quote character they are rows"
            )

    def _closed(self, reader: CsvReader) -> Iterator[list[str]]:
        """The rows that hold anything. ``_END`` comes back as a row of its own, unless a quote is still open."""
        before = 0
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                cells[-1] = cells[-1].removesuffix(_END)
                self._last = reader.line_num - before - 1
            if any(cells):
                yield cells
            before = reader.line_num

    def _reader(self, lines: Iterator[str]) -> CsvReader:
        quote = self.dialect.quote
        if not quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=quote, doublequote=True, skipinitialspace=False)

    def _content_lines(self) -> Iterator[str]:
        """Lines from the first one that holds anything; ``Export-Csv`` may put a ``#TYPE`` line on top."""
        lines = islice(self.source.lines(), self.dialect.skip, None)
        for line in lines:
            if line.strip() and not line.startswith("#TYPE"):
                yield line
                break
        yield from lines

    def _take_header(self, first: list[str]) -> None:
        if len(first) > _MAX_COLUMNS:
            raise CsvBroken(f"the first line has {len(first):,} cells, the cap is {_MAX_COLUMNS:,}: not read")
        self.guessed = not (is_header(first) if self.dialect.header is None else self.dialect.header)
        names = [f"Column{n}" if self.guessed else column_name(cell, n) for n, cell in enumerate(first, 1)]
        self.header = distinct(names)

    def _row(self, cells: list[str]) -> dict[str, object]:
        row: dict[str, object] = {name: cell for name, cell in zip(self.header, cells, strict=False) if cell}
        if len(cells) > len(self.header):
            self.ragged += 1
            row["ExtraCells"] = cells[len(self.header) : len(self.header) + _MAX_COLUMNS]
        return row


def _delimiter(lines: list[str]) -> str:
    """The delimiter that occurs most on the first line, quoted parts aside."""
    bare = re.sub(r'"[^"]*"', "", lines[0])
    return max(_DELIMITERS, key=lambda mark: (bare.count(mark), -_DELIMITERS.index(mark)))


def is_header(cells: list[str]) -> bool:
    """A header names things: no cell empty or twice, none that looks like a number, a date, a hash or an address."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names or len({name.casefold() for name in names}) < len(names):
        return False
    if any(len(name) > 128 or "\n" in name or _DATA.match(name) for name in names):
        return False
    return all(names) and not any(re.match(r"[A-Za-z]:\\|\\\\|/|\.\w+\Z", name) for name in names)


def distinct(names: list[str]) -> tuple[str, ...]:
    seen: set[str] = set()
    out = []
    for name in names:
        unique, number = name, 2
        while unique.casefold() in seen:
            unique, number = f"{name}_{number}", number + 1
        seen.add(unique.casefold())
        out.append(unique)
    return tuple(out)
