"""Rows handed out as files: CSV, Excel, NDJSON or Parquet. Custody hears of it before the first byte."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import xlsxwriter

from ircase import grid
from ircase.grid import Condition, GridError, GridRow
from ircase.models import CaseTable, User
from ircase.services import log
from ircase.services.analysis.tables import Rows, columns_of
from ircase.services.vault import delivery
from kql import Column

FORMATS: Final = {"csv": "CSV", "xlsx": "Excel", "ndjson": "NDJSON", "parquet": "Parquet"}
SHEET_ROWS: Final = 1_048_576
"""Of one sheet, its header included.
https://support.microsoft.com/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3"""
SHEET_COLUMNS: Final = 16_384
CELL_LETTERS: Final = 32_767
EXACT_INTEGER: Final = 10**15
"""Excel keeps 15 digits of a number."""
_CUT: Final = " [cut: Excel holds no more]"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_BATCH: Final = 500
_CHUNK: Final = 256 * 1024


@dataclass(frozen=True)
class Wanted:
    """Which rows of which columns: `columns` None is all of them."""

    sort: str = ""
    filters: Sequence[Condition] = ()
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Export:
    """A file's name, and its bytes as they are made."""

    name: str
    chunks: Iterator[bytes]


def export(table: CaseTable, kind: str, *, actor: User, wanted: Wanted | None = None) -> Export:
    """The rows that pass, in the order asked for. Raises GridError before the first byte, and without a custody entry,
    where it cannot be made."""
    wanted = wanted or Wanted()
    columns = _columns(table, wanted)
    chunks = chunks_of(table, kind, wanted)
    # The first piece is made before anything is written down: what cannot be made was not handed out.
    first = next(chunks, b"")
    log.record_custody(
        table.evidence,
        "exported",
        actor=actor,
        format=kind,
        table=table.name,
        conditions=len(wanted.filters),
        columns=len(columns),
    )
    return Export(f"{_stem(table)}.{kind}", itertools.chain([first], chunks))


def chunks_of(rows: Rows, kind: str, wanted: Wanted) -> Iterator[bytes]:
    """The file alone, as it is made; who hands it out tells custody first. Raises GridError."""
    if kind not in FORMATS:
        raise GridError(f"Rows are exported as {', '.join(FORMATS.values())}.")
    return _MAKERS[kind](rows, _columns(rows, wanted), wanted)


def _columns(table: Rows, wanted: Wanted) -> tuple[Column, ...]:
    columns = columns_of(table)
    if wanted.columns is None:
        return columns
    by_name = {column.name: column for column in columns}
    return tuple(by_name[name] for name in wanted.columns if name in by_name) or columns


def _stem(table: CaseTable) -> str:
    """`IR-2026-0001_E003_DeviceEvents`, whatever the table is called."""
    return delivery.safe_text(f"{table.case.reference}_{table.evidence.exhibit}_{table.name}")


def _rows(table: Rows, columns: tuple[Column, ...], wanted: Wanted, spill: str) -> Iterator[GridRow]:
    """The rows with `columns` alone; sorting and filtering may name the others."""
    every, path = columns_of(table), Path(spill)
    return grid.stream(table.path, every, sort=wanted.sort, filters=wanted.filters, only=columns, spill=path)


def _csv(table: Rows, columns: tuple[Column, ...], wanted: Wanted) -> Iterator[bytes]:
    with TemporaryDirectory(prefix="ircase-") as spill:
        rows = _rows(table, columns, wanted, spill)
        # The mark lets spreadsheets see that it is UTF-8.
        yield b"\xef\xbb\xbf" + _lines([[column.name for column in columns]])
        while batch := list(itertools.islice(rows, _BATCH)):
            yield _lines([["" if text is None else text for text in row.texts] for row in batch])


def _lines(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([[safe_cell(cell) for cell in row] for row in rows])
    return text.getvalue().encode("utf-8", "replace")


def csv_chunks(rows: Iterator[list[str]]) -> Iterator[bytes]:
    """Rows of texts as a CSV that is safe to open in a spreadsheet."""
    yield b"\xef\xbb\xbf"
    while batch := list(itertools.islice(rows, _BATCH)):
        yield _lines(batch)


def safe_cell(text: str) -> str:
    """A text that a spreadsheet would read as a formula gets an apostrophe before it; a plain number stays one.
    https://owasp.org/www-community/attacks/CSV_Injection"""
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _ndjson(table: Rows, columns: tuple[Column, ...], wanted: Wanted) -> Iterator[bytes]:
    """One JSON object a line, in the form of `kql.encode_row`."""
    names = [column.name for column in columns]
    with TemporaryDirectory(prefix="ircase-") as spill:
        rows = _rows(table, columns, wanted, spill)
        while batch := list(itertools.islice(rows, _BATCH)):
            objects = (dict(zip(names, row.cells, strict=True)) for row in batch)
            text = "".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) + "\n" for one in objects)
            yield text.encode("utf-8", "replace")


def _parquet(table: Rows, columns: tuple[Column, ...], wanted: Wanted) -> Iterator[bytes]:
    with ExitStack() as stack:
        path = table.path
        if wanted.filters or wanted.sort or columns != columns_of(table):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="ircase-")))
            path = folder / "rows.parquet"
            spill = folder / "spill"
            grid.write(
                table.path, columns_of(table), path, sort=wanted.sort, filters=wanted.filters, only=columns, spill=spill
            )
        yield from _file(path)


def _xlsx(table: Rows, columns: tuple[Column, ...], wanted: Wanted) -> Iterator[bytes]:
    """One sheet; texts stay texts, whatever they begin with. Excel's own limits end it with words, never silently."""
    if len(columns) > SHEET_COLUMNS:
        raise GridError(f"An Excel sheet holds {SHEET_COLUMNS:,} columns; these are {len(columns):,}. Choose fewer.")
    matched = grid.page(table.path, columns_of(table), limit=1, filters=wanted.filters).matched
    if matched >= SHEET_ROWS:
        raise GridError(
            f"An Excel sheet holds {SHEET_ROWS - 1:,} rows below its header; these are {matched:,}."
            " Add a condition, or take CSV, NDJSON or Parquet, which hold all of them."
        )
    with TemporaryDirectory(prefix="ircase-") as folder:
        path = Path(folder) / "rows.xlsx"
        _write_sheet(path, folder, columns, _rows(table, columns, wanted, folder))
        yield from _file(path)


def _write_sheet(path: Path, folder: str, columns: tuple[Column, ...], rows: Iterator[GridRow]) -> None:
    options = {"constant_memory": True, "tmpdir": folder, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(str(path), options)
    try:
        sheet = book.add_worksheet("Rows")
        sheet.freeze_panes(1, 0)
        bold = book.add_format({"bold": True})
        for at, column in enumerate(columns):
            sheet.write_string(0, at, column.name[:CELL_LETTERS], bold)
        for line, row in enumerate(rows, 1):
            for at, (cell, text) in enumerate(zip(row.cells, row.texts, strict=True)):
                _write_cell(sheet, line, at, cell, text)
    finally:
        book.close()


def _write_cell(sheet: Any, line: int, at: int, cell: Any, text: str | None) -> None:
    if text is None or text == "":
        return
    if isinstance(cell, bool):
        sheet.write_boolean(line, at, cell)
    elif isinstance(cell, int | float) and abs(cell) < EXACT_INTEGER:
        sheet.write_number(line, at, cell)
    else:
        fits = len(text) <= CELL_LETTERS
        sheet.write_string(line, at, text if fits else text[: CELL_LETTERS - len(_CUT)] + _CUT)


def _file(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except FileNotFoundError:
        raise GridError("The rows are not there any more. Read the evidence into tables again.") from None


_MAKERS: Final[dict[str, Callable[[Rows, tuple[Column, ...], Wanted], Iterator[bytes]]]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "ndjson": _ndjson,
    "parquet": _parquet,
}
