"""KQL over files on this machine: ``manage.py kql "QUERY" --data PATH [PATH ...]``. Needs no database and no tenant.

Exit status: 0 with a result (also an empty or a cut one, which is said), 1 where data or query could not be run to the
end, 2 where the query itself is wrong.
"""

import csv
import io
import json
import re
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from artifacts import LoadReport, ProgressNote
from artifacts.naming import shown
from artifacts.process import LoadFailed, load_in_child
from ircase.services.transfer.exports import safe_cell
from kql import Column, KqlError, Limits, QueryResult, Table, encode_row, query, used_tables
from kql.catalogue import TABLES

WRONG_QUERY = ("kql.syntax", "kql.unsupported", "kql.schema")
_OPEN = re.compile(r"\bunion\b[^|;]*\*|\bsearch\b|\bfind\b")
_SAMPLE = 200
_WIDTH = 60
_PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Run KQL over files or folders (EVTX, exported Windows events, CSV, NDJSON, Parquet, zips of them) as tables."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("query", nargs="?", metavar="QUERY", help="the KQL text")
        parser.add_argument("--file", type=Path, metavar="QUERY.kql", help="read the query from a file instead")
        parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="PATH", help="files or folders")
        parser.add_argument("--now", metavar="ISO8601", help="what now() and ago() mean; by default this moment")
        parser.add_argument("--format", choices=("json", "ndjson", "csv", "table"), default="table")
        parser.add_argument("--rows", type=int, default=100_000, metavar="N", help="at most so many rows (100000)")

    def handle(self, *args: Any, **options: Any) -> None:
        text = _query_text(options["query"], options["file"])
        now = _moment(options["now"])
        missing = [str(path) for path in options["data"] if not path.exists()]
        if missing:
            raise CommandError(f"no such file or folder: {', '.join(missing)}")
        with tempfile.TemporaryDirectory(prefix="ircase-kql-") as folder:
            known: list[str] = []
            try:
                needed = _needed(text)
                report = self._load(options["data"], Path(folder), needed)
                tables = list(self._tables(report, needed))
                known = sorted({table.name for table in report.tables} | set(report.not_made))
                with query(text, tables, now=now, limits=Limits(rows=max(options["rows"], 1))) as result:
                    self._write(result, options["format"])
                    if result.truncated:
                        self._say(f"cut at {result.row_count:,} rows by the {result.truncated_by} limit; see --rows")
            except KqlError as error:
                raise _command_error(error, known) from error
            except BrokenPipeError:
                sys.stderr.close()  # the reader has seen enough; nothing is left to say

    def _load(self, paths: list[Path], folder: Path, needed: set[str] | None) -> LoadReport:
        try:
            report = load_in_child(paths, folder, only=needed, on_progress=self._progress)
        except LoadFailed as error:
            raise CommandError(f"the data could not be read: {error}") from error
        for problem in report.problems[:_PROBLEMS_SHOWN]:
            self._say(f"{problem.member or 'load'}: {problem.message} [{problem.code}]")
        if len(report.problems) > _PROBLEMS_SHOWN:
            self._say(f"and {len(report.problems) - _PROBLEMS_SHOWN:,} more problems")
        if not any(file.records for file in report.files):
            raise CommandError("no table could be made of the data: no file of a kind that is read holds a row")
        return report

    def _tables(self, report: LoadReport, needed: set[str] | None) -> Iterable[Table]:
        """The tables for the query; empty ones of the catalogue, said aloud."""
        made = {table.name for table in report.tables}
        for table in report.tables:
            yield Table(table.name, (table.path,), "parquet", table.columns, table.wildcard)
        for name in sorted((needed or set()) - made):
            if name in TABLES:
                self._say(f"{name}: no rows of it in the data")
                yield Table(name, (), "parquet", TABLES[name])

    def _write(self, result: QueryResult, form: str) -> None:
        writers = {"json": _json, "ndjson": _ndjson, "csv": _csv, "table": _table}
        for line in writers[form](result):
            self.stdout.write(line, ending="\n")

    def _progress(self, note: ProgressNote) -> None:
        if sys.stderr.isatty():
            self.stderr.write(
                f"\r{note.stage} {shown(note.name, length=60)}: {note.records:,} records\x1b[K", ending=""
            )

    def _say(self, line: str) -> None:
        self.stderr.write(shown(line, length=1_000))


def _query_text(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise CommandError("give the query as text or by --file, one of the two")
    if file is None:
        return text or ""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"the query file cannot be read: {error}") from error


def _needed(text: str) -> set[str] | None:
    """The tables the query names; None where it may mean others too, by a wildcard or a search."""
    return None if _OPEN.search(text) else used_tables(text)


def _command_error(error: KqlError, known: list[str]) -> CommandError:
    holds = f"\nThe data holds: {', '.join(known)}" if error.code == "kql.schema" and known else ""
    return CommandError(f"{error}{holds}", returncode=2 if error.code in WRONG_QUERY else 1)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--now {text!r} is no ISO 8601 time; for example 2020-09-04T12:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _objects(result: QueryResult) -> Iterator[dict[str, Any]]:
    for row in result:
        yield encode_row(result.columns, row)


def _ndjson(result: QueryResult) -> Iterator[str]:
    for row in _objects(result):
        yield json.dumps(row, ensure_ascii=False)


def _json(result: QueryResult) -> Iterator[str]:
    """One array, a row a line, its comma before the next row: so it can be streamed."""
    before = "["
    for row in _objects(result):
        yield before + json.dumps(row, ensure_ascii=False)
        before = ","
    yield "]" if before == "," else "[]"


def _csv(result: QueryResult) -> Iterator[str]:
    yield _csv_line([column.name for column in result.columns])
    for row in _objects(result):
        yield _csv_line(row.values())


def _csv_line(values: Iterable[Any]) -> str:
    line = io.StringIO()
    cells = ("" if value is None else safe_cell(_text(value)) for value in values)
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _table(result: QueryResult) -> Iterator[str]:
    """Columns as wide as their first 200 rows need, 60 at most; longer cells are clipped with an ellipsis."""
    rows = (_printed(result.columns, row) for row in _objects(result))
    sample = list(islice(rows, _SAMPLE))
    heads = [shown(column.name, length=_WIDTH) for column in result.columns]
    widths = [min(_WIDTH, max(map(len, cells))) for cells in zip(heads, *sample, strict=True)]
    yield _line(heads, widths)
    yield _line(["-" * width for width in widths], widths)
    for cells in chain(sample, rows):
        yield _line(cells, widths)


def _printed(columns: Iterable[Column], row: dict[str, Any]) -> list[str]:
    return ["" if (value := row[column.name]) is None else shown(_text(value), length=10_000) for column in columns]


def _line(cells: Iterable[str], widths: Iterable[int]) -> str:
    clipped = (
        (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)
        for cell, width in zip(cells, widths, strict=True)
    )
    return "  ".join(clipped).rstrip()
