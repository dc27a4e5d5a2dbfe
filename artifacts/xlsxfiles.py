"""Excel workbooks, sheet by sheet and row by row, in constant memory.

openpyxl reads the sheets as a stream, so that a sheet with one cell in its last corner costs nothing. What it reads is
judged first: real unpacked bytes are counted against the caps, and a part with a document type, which alone could
define entities, is refused.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from artifacts.choices import Dialect
from artifacts.csvfiles import distinct, is_header
from artifacts.limits import ArtifactError, Budget
from artifacts.naming import column_name
from kql.types import timespan_text

_CHUNK = 1 << 20
_RATIO_FLOOR = 8 << 20
_RATIO = 400  # a sheet of one repeated row honestly packs to a two-hundredth
_SHARED_BYTES = 256 << 20  # texts that cells share are held in memory
_PARTS = 5_000
_DOCTYPES = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_MAX_COLUMNS = 4096


class XlsxBroken(ArtifactError):
    """The workbook cannot be read further; rows before this point were given."""

    code = "xlsx.broken"


class XlsxRefused(ArtifactError):
    """The workbook was made to hurt, or is larger than the caps."""

    code = "xlsx.refused"


@dataclass
class Sheet:
    """One sheet; ``several``: of more than one.

    ``header`` and ``guessed`` are known once ``rows`` was started; see ``CsvFile``.
    """

    name: str
    source: Any
    dialect: Dialect
    several: bool = False
    header: tuple[str, ...] = ()
    guessed: bool = False

    def rows(self) -> Iterator[dict[str, Any]]:
        """Row by row, empty cells left out; whole numbers as int, times as ISO texts without a zone."""
        try:
            lines = (tuple(map(_plain, cells)) for cells in self.source.iter_rows(values_only=True))
            filled = (cells for cells in islice(lines, self.dialect.skip, None) if any(c is not None for c in cells))
            first = next(filled, None)
            if first is None:
                return
            self._take_header(first)
            if self.guessed:
                yield self._row(first)
            for cells in filled:
                yield self._row(cells)
        except _BROKEN as error:
            raise XlsxBroken(f"sheet {self.name!r} breaks off; the rows before it are kept: {error}") from error

    def _take_header(self, first: tuple[Any, ...]) -> None:
        while first and first[-1] is None:
            first = first[:-1]
        texts = ["" if cell is None else str(cell) for cell in first[:_MAX_COLUMNS]]
        named = all(isinstance(cell, str) for cell in first) and is_header(texts)
        self.guessed = not (named if self.dialect.header is None else self.dialect.header)
        names = [f"Column{n}" if self.guessed else column_name(text, n) for n, text in enumerate(texts, 1)]
        self.header = distinct(names)

    def _row(self, cells: tuple[Any, ...]) -> dict[str, Any]:
        row = {name: cell for name, cell in zip(self.header, cells, strict=False) if cell is not None and cell != ""}
        extra = [cell for cell in cells[len(self.header) : _MAX_COLUMNS] if cell is not None]
        if extra:
            row["ExtraCells"] = extra
        return row


def sheets(path: Path, budget: Budget, dialects: dict[str, Dialect]) -> Iterator[Sheet]:
    """The sheets of a workbook that hold cells. Raises XlsxRefused and XlsxBroken."""
    # By the open file: a member of an archive lies under a name that says nothing, which openpyxl refuses.
    with path.open("rb") as raw:
        try:
            _judge(path, budget)
            book = load_workbook(raw, read_only=True, data_only=True, keep_links=False)
        except _BROKEN as error:
            raise XlsxBroken(f"not readable as an Excel workbook: {error}") from error
        if not book.worksheets:
            raise XlsxBroken("the workbook names no sheet that can be read")
        for source in book.worksheets:
            # A claimed size would cut a sheet that is longer, or pad one that is not.
            source.reset_dimensions()
            yield Sheet(source.title, source, dialects.get(source.title, Dialect()), len(book.worksheets) > 1)


def is_workbook(path: Path) -> bool:
    """Whether a zip is an Excel workbook, whatever it is called."""
    try:
        with zipfile.ZipFile(path) as opened:
            return "xl/workbook.xml" in opened.NameToInfo
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _judge(path: Path, budget: Budget) -> None:
    """Unpack every part once without keeping it, and refuse what no honest workbook holds."""
    with zipfile.ZipFile(path) as opened:
        infos = opened.infolist()
        if len(infos) > _PARTS or len({info.filename for info in infos}) < len(infos):
            raise XlsxRefused("the workbook has thousands of parts, or two of one name: left out")
        for info in infos:
            _judge_part(opened, info, budget)


def _judge_part(opened: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> None:
    size, tail = 0, b""
    shared = "sharedstrings" in info.filename.lower()
    is_xml = info.filename.lower().endswith((".xml", ".rels", ".vml"))
    with opened.open(info) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            budget.take_bytes(len(chunk))
            budget.check_time()
            if size > budget.limits.member_bytes or (size > _RATIO_FLOOR and size > _RATIO * info.compress_size):
                raise XlsxRefused(f"part {info.filename[:80]!r} unpacks beyond all measure (a zip bomb?): left out")
            if shared and size > _SHARED_BYTES:
                raise XlsxRefused("its shared texts are larger than may be held in memory; export it as CSV")
            if is_xml and any(mark in tail + chunk for mark in _DOCTYPES):
                raise XlsxRefused(f"part {info.filename[:80]!r} defines entities, which no workbook does: left out")
            tail = chunk[-32:]


def _plain(value: Any) -> Any:
    """A cell's value as JSON has it."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return timespan_text(value)
    if value is None or isinstance(value, (str, int)):
        return value
    return str(value)


# openpyxl trusts its input: hostile parts end in whatever the standard library raises first.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError, TypeError, AttributeError, IndexError,
    SyntaxError, NotImplementedError, RuntimeError, AssertionError, OverflowError,
)  # fmt: skip
